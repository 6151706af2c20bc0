//! `threat_lookup(x [, feed])` says what feeds hold against an address, a domain, a URL or a hash.
//! NULL stays NULL; without a feed all fields are NULL. Cost: one bisection among the ranges that
//! share 16 bits with the address, or one look into a hash table for each parent of a domain.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::args;
use crate::enrich::rows;
use crate::enrich::snapshot::{Enrichment, Names, from_arrow};
use crate::enrich::threats::fields;

/// The arguments by name, in order.
const PARAMETERS: [&str; 2] = ["indicator", "feed"];

/// The function `threat_lookup`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ThreatLookup::new(None))
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Says what the feeds that the configuration names hold against an IP address, a \
domain (or one above it), a URL (or its host) or a file's hash. Gives a struct of `matched` \
(BOOLEAN), `score` (DOUBLE, 0 to 100; several feeds add up), `categories` and `feeds` (lists of \
VARCHAR), `first_seen` and `last_seen` (TIMESTAMP), `reference` (VARCHAR). Of networks inside each \
other the longest prefix in a feed counts.",
    syntax_example = "threat_lookup(indicator [, feed])",
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
> SELECT threat_lookup('198.51.100.9', 'local')['score'] AS score;
+-------+
| score |
+-------+
| 80.0  |
+-------+
```"#,
    argument(
        name = "indicator",
        description = "An IP address, a domain, a URL with its scheme, or an MD5, SHA-1 or SHA-256 \
in hexadecimal: VARCHAR."
    ),
    argument(
        name = "feed",
        description = "The name of one configured feed, as a literal; all of them by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ThreatLookup {
    signature: Signature,
    names: Option<Arc<Names>>,
}

impl ThreatLookup {
    fn new(names: Option<Arc<Names>>) -> Self {
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature, names }
    }

    fn check(&self, feed: &str) -> Result<()> {
        let feeds = self.names.as_deref().map(|names| &names.feeds);
        if feeds.is_some_and(|feeds| feeds.contains(feed)) {
            return Ok(());
        }
        // Paths that the owner gave are the owner's.
        let named = feeds.into_iter().flatten();
        let known: Vec<&str> = named
            .map(String::as_str)
            .filter(|name| !name.contains('/'))
            .collect();
        match known.is_empty() {
            true => plan_err!(
                "threat_lookup has no feed \"{feed}\": none is configured; name one under \
                 [enrichment.feeds]"
            ),
            false => plan_err!(
                "threat_lookup has no feed \"{feed}\"; valid are {}",
                known.join(", ")
            ),
        }
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

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let names = Enrichment::of(config).map(Enrichment::names);
        (names != self.names).then(|| ScalarUDF::from(Self::new(names)))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (indicator, feed) = match given {
            [indicator] => (indicator, None),
            [indicator, feed] => (indicator, Some(feed)),
            _ => {
                return plan_err!(
                    "threat_lookup takes an indicator and perhaps a feed: \
                     threat_lookup(indicator [, feed])"
                );
            }
        };
        let feed = feed.map(|feed| match feed {
            // A cast of NULL would no longer be a literal.
            DataType::Null => Ok(DataType::Null),
            other => args::option_type(self.name(), PARAMETERS[1], other),
        });
        let indicator = args::text_type(self.name(), indicator);
        std::iter::once(indicator).chain(feed).collect()
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Nothing but a literal will do, also where it would become one: who may name which file
        // is decided on the text of a statement.
        match given.scalar_arguments.get(1) {
            None => {}
            Some(Some(value)) => {
                if let Some(feed) = rows::literal(self.name(), PARAMETERS[1], value)? {
                    self.check(feed)?;
                }
            }
            Some(None) => return plan_err!("\"feed\" of threat_lookup is a literal"),
        }
        let nullable = given
            .arg_fields
            .first()
            .is_none_or(|field| field.is_nullable());
        Ok(Field::new(self.name(), DataType::Struct(fields()), nullable).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(indicators) = given.args.first() else {
            return exec_err!("threat_lookup needs an indicator");
        };
        let feed = rows::literal_at(self.name(), PARAMETERS[1], &given.args, 1)?;
        let threats = match Enrichment::of(&given.config_options) {
            Some(enrichment) => enrichment.threats(feed)?,
            None => None,
        };
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
