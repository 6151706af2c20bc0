//! `lookup(table, key [, column])` gives the row of a reference table, or one column of it. NULL
//! and keys that are not there give NULL, as a LEFT JOIN would. The type is that of the table's
//! columns and known when a query is planned. Cost: one look into a hash table for each row.

use std::any::Any;
use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{exec_err, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion_macros::user_doc;

use crate::enrich::rows;
use crate::enrich::snapshot::{Enrichment, Names, from_arrow};

/// The arguments by name, in order.
const PARAMETERS: [&str; 3] = ["table", "key", "column"];

/// The function `lookup`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Lookup::new(None))
}

#[user_doc(
    doc_section(label = "Enrichment"),
    description = "Gives the row of a reference table that has this key, as a struct of all its \
columns, or the value of one column. A key that is not there gives NULL. Reference tables are \
files or stored tables that the configuration names, held in memory; a JOIN reads any table.",
    syntax_example = "lookup(table, key [, column])",
    sql_example = r#"```sql
> SELECT customer, lookup('customers', customer, 'tier') AS tier,
         lookup('customers', customer) AS known
  FROM (VALUES ('c-1'), ('c-2'), ('c-9')) AS events(customer);
+----------+--------+---------------------------------------+
| customer | tier   | known                                 |
+----------+--------+---------------------------------------+
| c-1      | gold   | {id: c-1, tier: gold, region: eu}     |
| c-2      | silver | {id: c-2, tier: silver, region: apac} |
| c-9      |        |                                       |
+----------+--------+---------------------------------------+
```"#,
    argument(
        name = "table",
        description = "The name of a configured reference table, as a literal."
    ),
    argument(
        name = "key",
        description = "What to look for in the table's key column: text or a whole number."
    ),
    argument(
        name = "column",
        description = "The column to give, as a literal; all of them by default."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Lookup {
    signature: Signature,
    names: Option<Arc<Names>>,
}

impl Lookup {
    fn new(names: Option<Arc<Names>>) -> Self {
        let mut signature = Signature::user_defined(Volatility::Stable);
        signature.parameter_names = Some(PARAMETERS.map(str::to_owned).to_vec());
        Self { signature, names }
    }

    /// The columns of the table `name`.
    fn fields(&self, name: &str) -> Result<&Fields> {
        let tables = self.names.as_deref().map(|names| &names.tables);
        match tables.and_then(|tables| tables.get(name)) {
            Some(Ok(fields)) => Ok(fields),
            Some(Err(reason)) => plan_err!("reference table \"{name}\" is not loaded: {reason}"),
            None => {
                let known = tables.into_iter().flat_map(|tables| tables.keys());
                // Paths that the owner gave are the owner's.
                let known: Vec<&str> = known
                    .map(String::as_str)
                    .filter(|name| !name.contains('/'))
                    .collect();
                match known.is_empty() {
                    true => plan_err!(
                        "there is no reference table \"{name}\": none is configured; name one \
                         under [enrichment.tables], or join a table"
                    ),
                    false => plan_err!(
                        "there is no reference table \"{name}\"; valid are {}",
                        known.join(", ")
                    ),
                }
            }
        }
    }
}

impl ScalarUDFImpl for Lookup {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "lookup"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let names = Enrichment::of(config).map(Enrichment::names);
        (names != self.names).then(|| ScalarUDF::from(Self::new(names)))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if !(2..=PARAMETERS.len()).contains(&given.len()) {
            return plan_err!("lookup takes a table, a key and perhaps a column: {SYNTAX}");
        }
        Ok(given.to_vec())
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        plan_err!("the table of lookup is a literal: {SYNTAX}")
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let literal = |at: usize, option| match given.scalar_arguments.get(at).copied().flatten() {
            Some(value) => rows::literal(self.name(), option, value),
            None => Ok(None),
        };
        let Some(table) = literal(0, "table")? else {
            return plan_err!("the table of lookup is a literal: {SYNTAX}");
        };
        let fields = self.fields(table)?;
        if let Some(key) = given.arg_fields.get(1).map(|field| field.data_type())
            && !(can_cast_types(key, &DataType::LargeUtf8) || key.is_null())
        {
            return plan_err!("the key of lookup is text or a whole number, not {key}");
        }
        let kind = match literal(2, "column")? {
            None if given.arg_fields.len() > 2
                && given.scalar_arguments.get(2).copied().flatten().is_none() =>
            {
                return plan_err!("the column of lookup is a literal: {SYNTAX}");
            }
            None => DataType::Struct(fields.clone()),
            Some(column) => match fields.find(column) {
                Some((_, field)) => field.data_type().clone(),
                None => {
                    let names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
                    let names = names.join(", ");
                    return plan_err!(
                        "reference table \"{table}\" has no column \"{column}\"; valid are {names}"
                    );
                }
            },
        };
        Ok(Field::new(self.name(), kind, true).into())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = rows::literal_at(self.name(), "table", &given.args, 0)?;
        let column = rows::literal_at(self.name(), "column", &given.args, 2)?;
        let (Some(name), Some(keys)) = (name, given.args.get(1)) else {
            return exec_err!("lookup takes a table and a key");
        };
        let table = Enrichment::of(&given.config_options);
        let Some(table) = table.and_then(|enrichment| enrichment.table(name)) else {
            return exec_err!("reference table \"{name}\" is not loaded; plan the query again");
        };
        rows::answer(keys, |keys| table.find(keys, column).map_err(from_arrow))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}

const SYNTAX: &str = "lookup('table', key [, 'column'])";
