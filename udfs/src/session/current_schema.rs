//! `current_schema()`: the schema of the session. Cost: none.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The function `current_schema`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(CurrentSchema::new())
}

#[user_doc(
    doc_section(label = "Session"),
    description = "The schema in which names are looked up that name none; `USE` and `SET \
search_path` \
change it. It is called without parentheses too.",
    syntax_example = "current_schema()",
    sql_example = r#"```sql
> SELECT current_schema() AS name;
+--------+
| name   |
+--------+
| public |
+--------+
```"#
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentSchema {
    signature: Signature,
}

impl CurrentSchema {
    fn new() -> Self {
        Self {
            signature: Signature::nullary(Volatility::Stable),
        }
    }
}

impl ScalarUDFImpl for CurrentSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "current_schema"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let text = given.config_options.catalog.default_schema.as_str();
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
