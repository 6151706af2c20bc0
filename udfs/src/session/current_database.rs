//! `current_database()`: the catalog of the session. Cost: none.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The function `current_database`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(CurrentDatabase::new())
}

#[user_doc(
    doc_section(label = "Session"),
    description = "The catalog in which names are looked up that name none. It is called without \
parentheses too.",
    syntax_example = "current_database()",
    sql_example = r#"```sql
> SELECT current_database() AS name;
+------------+
| name       |
+------------+
| datafusion |
+------------+
```"#
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentDatabase {
    signature: Signature,
    aliases: Vec<String>,
}

impl CurrentDatabase {
    fn new() -> Self {
        Self {
            signature: Signature::nullary(Volatility::Stable),
            aliases: vec!["current_catalog".to_owned()],
        }
    }
}

impl ScalarUDFImpl for CurrentDatabase {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "current_database"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = given.config_options.catalog.default_catalog.as_str();
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
