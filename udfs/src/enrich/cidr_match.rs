//! `cidr_match(ip, networks)` says whether an address is in a network, or in one of several. NULL
//! stays NULL; what is no address gives NULL. Cost: one bisection for each row where the networks
//! are literals, reading the network too where they are a column.

use std::any::Any;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::address::{Address, Network};
use crate::enrich::ranges::{Ranges, flatten};
use crate::enrich::rows;

/// The arguments by name, in order.
const PARAMETERS: [&str; 2] = ["ip", "networks"];

/// The function `cidr_match`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(CidrMatch::new())
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Says whether an IP address is in a network, or in one of a list of networks. \
IPv4 addresses in IPv6 form are IPv4 addresses. What is no address gives NULL, and so does a \
network in a column that is none.",
    syntax_example = "cidr_match(ip, networks)",
    sql_example = r#"```sql
> SELECT ip, cidr_match(ip, '10.0.0.0/8') AS one,
         cidr_match(ip, ARRAY['192.168.0.0/16', 'fd00::/8']) AS several
  FROM (VALUES ('10.1.2.3'), ('192.168.7.7'), ('fd12::1'), ('no address')) AS hosts(ip);
+-------------+-------+---------+
| ip          | one   | several |
+-------------+-------+---------+
| 10.1.2.3    | true  | false   |
| 192.168.7.7 | false | true    |
| fd12::1     | false | true    |
| no address  |       |         |
+-------------+-------+---------+
```"#,
    argument(name = "ip", description = "IPv4 or IPv6 address: VARCHAR."),
    argument(
        name = "networks",
        description = "A network such as `10.0.0.0/8` or `2001:db8::/32`, an address, a range \
`10.0.0.1-10.0.0.9`, or a list of them: VARCHAR or VARCHAR[]. A literal that is none is an error."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct CidrMatch {
    signature: Signature,
}

impl CidrMatch {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for CidrMatch {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "cidr_match"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [ip, networks] = given else {
            return plan_err!("cidr_match takes two arguments: cidr_match(ip, networks)");
        };
        let ip = args::text_type(self.name(), ip)?;
        let networks = match networks {
            DataType::Dictionary(_, value) if value.is_string() => DataType::Utf8,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
                args::option_type(self.name(), "networks", networks)?;
                DataType::new_list(DataType::Utf8, true)
            }
            other => args::option_type(self.name(), "networks", other)?,
        };
        Ok(vec![ip, networks])
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Some(Some(literal)) = given.scalar_arguments.get(1) {
            networks(literal)?;
        }
        Ok(Field::new(self.name(), DataType::Boolean, true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = given.number_rows;
        let [ips, wanted] = given.args.as_slice() else {
            return exec_err!("cidr_match takes two arguments");
        };
        match wanted {
            ColumnarValue::Scalar(literal) => {
                let Some(networks) = networks(literal)? else {
                    return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
                };
                let inside = Inside::new(&networks);
                rows::answer(ips, |ips| inside.of(ips))
            }
            ColumnarValue::Array(wanted) => {
                let ips = cast(&ips.to_array(rows)?, &DataType::Utf8)?;
                let matched = each(ips.as_string(), wanted)?;
                Ok(ColumnarValue::Array(std::sync::Arc::new(matched)))
            }
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// The networks of a literal; `None` for NULL.
fn networks(literal: &ScalarValue) -> Result<Option<Vec<Network>>> {
    // A range has a hyphen and never a comma, so words are networks.
    let Some(words) = args::words(literal)? else {
        return Ok(None);
    };
    let read = |word: &String| match Network::parse(word) {
        Some(network) => Ok(network),
        None => plan_err!(
            "cidr_match cannot read the network \"{word}\"; write it like 10.0.0.0/8 or \
             2001:db8::/32"
        ),
    };
    words.iter().map(read).collect::<Result<Vec<_>>>().map(Some)
}

/// Networks that are known before the rows.
struct Inside {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Inside {
    fn new(networks: &[Network]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match *network {
                Network::V4(first, last) => v4.push((first, last, 1)),
                Network::V6(first, last) => v6.push((first, last, 1)),
            }
        }
        Self {
            v4: Ranges::new(&flatten(v4)),
            v6: Ranges::new(&flatten(v6)),
        }
    }

    fn of(&self, ips: &ArrayRef) -> Result<ArrayRef> {
        let found = rows::number(ips, &mut |text| {
            let inside = match Address::parse(text)? {
                Address::V4(address) => self.v4.get(address),
                Address::V6(address) => self.v6.get(address),
            };
            Some(u32::from(inside.is_some()))
        })?;
        let matched: BooleanArray = found.iter().map(|found| Some(found? == 1)).collect();
        Ok(std::sync::Arc::new(matched))
    }
}

/// Each address against the networks in its own row.
fn each(ips: &StringArray, wanted: &ArrayRef) -> Result<BooleanArray> {
    let inside = |ip: &str, network: &str| {
        let address = Address::parse(ip)?;
        Some(Network::parse(network)?.contains(address))
    };
    if let DataType::List(_) = wanted.data_type() {
        let lists = wanted.as_list::<i32>().iter();
        let matched = ips.iter().zip(lists).map(|(ip, list)| {
            let (ip, list) = (ip?, list?);
            let networks = list.as_string_opt::<i32>()?;
            Address::parse(ip)?;
            let mut inside = networks.iter().flatten().map(|network| inside(ip, network));
            Some(inside.any(|inside| inside == Some(true)))
        });
        return Ok(matched.collect());
    }
    let wanted = cast(wanted, &DataType::Utf8)?;
    let matched = ips.iter().zip(wanted.as_string::<i32>());
    Ok(matched.map(|(ip, network)| inside(ip?, network?)).collect())
}
