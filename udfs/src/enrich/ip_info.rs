//! `ip_info(ip)` says of which kind an address is, from IANA's registries alone. NULL stays NULL;
//! what is no address has NULL fields.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray, StructArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::address::{Address, Network};
use crate::enrich::ranges::{Ranges, flatten};
use crate::enrich::rows;
use crate::enrich::snapshot::from_arrow;

/// What is not listed below is on the Internet.
const GLOBAL: &str = "global";

/// Networks that are not on the Internet, or not for hosts: IANA's IPv4 and IPv6 special-purpose
/// address registries (RFC 6890) and the multicast blocks. The longest prefix counts.
const KINDS: [(&str, &str); 26] = [
    ("0.0.0.0/8", "reserved"),
    ("0.0.0.0/32", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "cgnat"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link_local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("255.255.255.255/32", "broadcast"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("100::/64", "reserved"),
    ("2001:2::/48", "benchmarking"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link_local"),
    ("ff00::/8", "multicast"),
];

/// Kinds that have a field of their own.
const FLAGS: [(&str, &str); 7] = [
    ("is_global", GLOBAL),
    ("is_private", "private"),
    ("is_loopback", "loopback"),
    ("is_link_local", "link_local"),
    ("is_multicast", "multicast"),
    ("is_cgnat", "cgnat"),
    ("is_documentation", "documentation"),
];

/// The kinds as ranges, whose values are positions in [`KINDS`].
static RANGES: LazyLock<(Ranges<u32>, Ranges<u128>)> = LazyLock::new(|| {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (kind, (network, _)) in (0..).zip(KINDS) {
        match Network::parse(network) {
            Some(Network::V4(first, last)) => v4.push((first, last, kind)),
            Some(Network::V6(first, last)) => v6.push((first, last, kind)),
            None => {}
        }
    }
    (Ranges::new(&flatten(v4)), Ranges::new(&flatten(v6)))
});

/// The function `ip_info`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(IpInfo::new())
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Says of which kind an IP address is. Gives a struct of `version` (4 or 6, \
BIGINT), `kind` (`global`, `private`, `loopback`, `link_local`, `cgnat`, `multicast`, `broadcast`, \
`documentation`, `benchmarking`, `unspecified`, `reserved`) and one BOOLEAN each: `is_global`, \
`is_private`, `is_loopback`, `is_link_local`, `is_multicast`, `is_cgnat`, `is_documentation`. What \
is no address has NULL fields.",
    syntax_example = "ip_info(ip)",
    sql_example = r#"```sql
> SELECT ip, info['version'] AS version, info['kind'] AS kind, info['is_global'] AS global
  FROM (SELECT ip, ip_info(ip) AS info
        FROM (VALUES ('8.8.8.8'), ('100.64.1.1'), ('fe80::1'), ('no address')) AS hosts(ip));
+------------+---------+------------+--------+
| ip         | version | kind       | global |
+------------+---------+------------+--------+
| 8.8.8.8    | 4       | global     | true   |
| 100.64.1.1 | 4       | cgnat      | false  |
| fe80::1    | 6       | link_local | false  |
| no address |         |            |        |
+------------+---------+------------+--------+
```"#,
    argument(name = "ip", description = "IPv4 or IPv6 address: VARCHAR.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpInfo {
    signature: Signature,
}

impl IpInfo {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(vec!["ip".to_owned()]);
        Self { signature }
    }
}

impl ScalarUDFImpl for IpInfo {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "ip_info"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [ip] = given else {
            return plan_err!("ip_info takes one argument: ip_info(ip)");
        };
        Ok(vec![args::text_type(self.name(), ip)?])
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ips) = given.args.first() else {
            return exec_err!("ip_info needs an address");
        };
        rows::answer(ips, |ips| {
            let found = rows::number(ips, &mut |text| Some(row(text)))?;
            take(&answers()?, &found, None).map_err(from_arrow)
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn fields() -> Fields {
    let first = [
        Field::new("version", DataType::Int64, true),
        Field::new("kind", DataType::Utf8, true),
    ];
    let flags = FLAGS.map(|(name, _)| Field::new(name, DataType::Boolean, true));
    first.into_iter().chain(flags).collect()
}

/// The row of [`answers`] for an address: nothing, the Internet in IPv4 and in IPv6, the kinds.
fn row(text: &str) -> u32 {
    let kind = match Address::parse(text) {
        None => return 0,
        Some(Address::V4(address)) => RANGES.0.get(address).ok_or(1),
        Some(Address::V6(address)) => RANGES.1.get(address).ok_or(2),
    };
    kind.map_or_else(|row| row, |kind| kind + 3)
}

/// The answers, one for each kind.
fn answers() -> Result<StructArray> {
    let version = |network: &str| if network.contains(':') { 6 } else { 4 };
    let listed = KINDS.map(|(network, kind)| Some((version(network), kind)));
    let rows: Vec<Option<(i64, &str)>> = [None, Some((4, GLOBAL)), Some((6, GLOBAL))]
        .into_iter()
        .chain(listed)
        .collect();
    let versions: Int64Array = rows.iter().map(|row| Some((*row)?.0)).collect();
    let kinds: StringArray = rows.iter().map(|row| Some((*row)?.1)).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(versions), Arc::new(kinds)];
    for (_, flag) in FLAGS {
        let is: BooleanArray = rows.iter().map(|row| Some((*row)?.1 == flag)).collect();
        columns.push(Arc::new(is));
    }
    StructArray::try_new(fields(), columns, None).map_err(from_arrow)
}
