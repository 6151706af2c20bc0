//! `threat_lookup(x)` says what the feeds hold against an address, a domain, a URL or a hash. NULL
//! stays NULL; without a feed all fields are NULL. Cost: one bisection among the ranges that share
//! 16 bits with the address, or one look into a hash table for each parent of a domain.

use std::any::Any;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::rows;
use crate::enrich::snapshot::{Enrichment, from_arrow};
use crate::enrich::threats::fields;

/// The function `threat_lookup`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ThreatLookup::new())
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Says what the feeds that the configuration names hold against an IP address, a \
domain (or one above it), a URL (or its host) or a file's hash. Gives a struct of `matched` \
(BOOLEAN), `score` (DOUBLE, 0 to 100; several feeds add up), `categories` and `feeds` (lists of \
VARCHAR), `first_seen` and `last_seen` (TIMESTAMP), `reference` (VARCHAR). Of networks inside each \
other the longest prefix in a feed counts.",
    syntax_example = "threat_lookup(indicator)",
    sql_example = r#"```sql
> SELECT indicator, threat['matched'] AS matched, threat['score'] AS score, threat['feeds'] AS feeds
  FROM (SELECT indicator, threat_lookup(indicator) AS threat
        FROM (VALUES ('198.51.100.9'), ('login.bad.example'), ('192.0.2.1')) AS seen(indicator));
+-------------------+---------+-------+---------+
| indicator         | matched | score | feeds   |
+-------------------+---------+-------+---------+
| 198.51.100.9      | true    | 80.0  | [local] |
| login.bad.example | true    | 80.0  | [local] |
| 192.0.2.1         | false   |       |         |
+-------------------+---------+-------+---------+
```"#,
    argument(
        name = "indicator",
        description = "An IP address, a domain, a URL with its scheme, or an MD5, SHA-1 or SHA-256 \
in hexadecimal: VARCHAR."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ThreatLookup {
    signature: Signature,
}

impl ThreatLookup {
    fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(vec!["indicator".to_owned()]);
        Self { signature }
    }
}

impl ScalarUDFImpl for ThreatLookup {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "threat_lookup"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [indicator] = given else {
            return plan_err!("threat_lookup takes one argument: threat_lookup(indicator)");
        };
        Ok(vec![args::text_type(self.name(), indicator)?])
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(indicators) = given.args.first() else {
            return exec_err!("threat_lookup needs an indicator");
        };
        let threats = Enrichment::of(&given.config_options).and_then(Enrichment::threats);
        rows::answer(indicators, |indicators| -> Result<ArrayRef> {
            let Some(threats) = threats else {
                return unknown(indicators);
            };
            let found = rows::number(indicators, &mut |text| Some(threats.find(text)))?;
            take(threats.answers(), &found, None).map_err(from_arrow)
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

/// NULL for NULL, and NULL fields for everything else.
fn unknown(indicators: &ArrayRef) -> Result<ArrayRef> {
    let fields = fields();
    let columns = fields
        .iter()
        .map(|field| new_null_array(field.data_type(), 1));
    let unknown = arrow::array::StructArray::try_new(fields.clone(), columns.collect(), None);
    let found = rows::number(indicators, &mut |_| Some(0))?;
    take(&unknown.map_err(from_arrow)?, &found, None).map_err(from_arrow)
}
