//! `ip_trunc(ip [, bits] [, v6_bits])` keeps the first bits of an address, so that it names a
//! network and no longer a host. NULL stays NULL; what is no address gives NULL.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{HashMap, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::address::{Address, Network};
use crate::enrich::rows;
use crate::enrich::snapshot::from_arrow;

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["ip", "bits", "v6_bits"];
/// Bits kept of IPv4 and of IPv6, and how many there are: what is given to one site at most.
const BITS: [(u32, u32); 2] = [(24, 32), (48, 128)];

/// The function `ip_trunc`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(IpTrunc::new())
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Keeps the first bits of an IP address and sets the others to zero, so that it \
names a network and no longer a host. What is no address gives NULL.",
    syntax_example = "ip_trunc(ip [, bits] [, v6_bits])",
    sql_example = r#"```sql
> SELECT ip, ip_trunc(ip) AS network, ip_trunc(ip, 16, v6_bits => 32) AS wider
  FROM (VALUES ('203.0.113.77'), ('2001:db8:1:2::7'), ('no address')) AS hosts(ip);
+-----------------+--------------+------------+
| ip              | network      | wider      |
+-----------------+--------------+------------+
| 203.0.113.77    | 203.0.113.0  | 203.0.0.0  |
| 2001:db8:1:2::7 | 2001:db8:1:: | 2001:db8:: |
| no address      |              |            |
+-----------------+--------------+------------+
```"#,
    argument(name = "ip", description = "IPv4 or IPv6 address: VARCHAR."),
    argument(
        name = "bits",
        description = "How many bits of an IPv4 address are kept, 0 to 32, as a literal; 24 by \
default."
    ),
    argument(
        name = "v6_bits",
        description = "How many bits of an IPv6 address are kept, 0 to 128, as a literal; 48 by \
default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpTrunc {
    signature: Signature,
}

impl IpTrunc {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature }
    }
}

impl ScalarUDFImpl for IpTrunc {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "ip_trunc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Some((ip, options)) = given.split_first() else {
            return plan_err!("ip_trunc needs an address: ip_trunc(ip [, bits] [, v6_bits])");
        };
        if options.len() >= PARAMETERS.len() {
            return plan_err!("ip_trunc takes at most three arguments: ip, bits and v6_bits");
        }
        let mut types = vec![args::text_type(self.name(), ip)?];
        for (option, name) in options.iter().zip(&PARAMETERS[1..]) {
            if !option.is_integer() && !option.is_null() {
                return plan_err!("\"{name}\" of ip_trunc is a whole number, not {option}");
            }
            types.push(DataType::Int64);
        }
        Ok(types)
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let options = given.scalar_arguments.iter().skip(1).copied();
        bits(options)?;
        Ok(Field::new(self.name(), DataType::Utf8, true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((ips, options)) = given.args.split_first() else {
            return exec_err!("ip_trunc needs an address");
        };
        let options = options.iter().map(|option| match option {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        let [v4, v6] = bits(options)?;
        rows::answer(ips, |ips| {
            let mut networks: HashMap<Network, u32> = HashMap::new();
            let mut texts: Vec<String> = Vec::new();
            let found = rows::number(ips, &mut |text| {
                let address = Address::parse(text)?;
                let network = match address {
                    Address::V4(_) => address.network(v4),
                    Address::V6(_) => address.network(v6),
                };
                let next = u32::try_from(texts.len()).ok()?;
                Some(*networks.entry(network).or_insert_with(|| {
                    texts.push(first(network).to_string());
                    next
                }))
            })?;
            let texts: ArrayRef = Arc::new(StringArray::from(texts));
            take(&texts, &found, None).map_err(from_arrow)
        })
    }

    fn simplify(&self, given: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let options = [("bits", given.get(1)), ("v6_bits", given.get(2))];
        rows::no_columns(self.name(), &options)?;
        Ok(ExprSimplifyResult::Original(given))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

fn first(network: Network) -> IpAddr {
    match network {
        Network::V4(first, _) => Address::V4(first).into(),
        Network::V6(first, _) => Address::V6(first).into(),
    }
}

/// The bits to keep of IPv4 and of IPv6; what is not known yet, or NULL, is the default.
fn bits<'a>(options: impl Iterator<Item = Option<&'a ScalarValue>>) -> Result<[u32; 2]> {
    let mut kept = BITS.map(|(default, _)| default);
    let places = kept.iter_mut().zip(BITS).zip(&PARAMETERS[1..]);
    for (((kept, (_, most)), name), option) in places.zip(options) {
        // Before coercion a literal may be of any integer type.
        let Some(value) = option.filter(|value| !value.is_null()) else {
            continue;
        };
        let ScalarValue::Int64(Some(bits)) = value.cast_to(&DataType::Int64)? else {
            continue;
        };
        match u32::try_from(bits).ok().filter(|bits| *bits <= most) {
            Some(bits) => *kept = bits,
            None => return plan_err!("\"{name}\" of ip_trunc is 0 to {most}, not {bits}"),
        }
    }
    Ok(kept)
}
