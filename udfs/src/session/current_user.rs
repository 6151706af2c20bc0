//! `current_user()`: who the session belongs to. Cost: none.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The setting in which the engine keeps the name.
const USER: &str = "user";
/// Whoever nobody has named.
const UNNAMED: &str = "sluice";

/// The function `current_user`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(CurrentUser::new())
}

#[user_doc(
    doc_section(label = "Session"),
    description = "The name of the user whom the session belongs to: who signed in to the \
server, or \
`sluice` where nobody has to. It is written without parentheses; `user` is a column wherever \
a query reads tables.",
    syntax_example = "current_user()",
    sql_example = r#"```sql
> SELECT current_user AS name;
+--------+
| name   |
+--------+
| sluice |
+--------+
```"#
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentUser {
    signature: Signature,
    aliases: Vec<String>,
}

impl CurrentUser {
    fn new() -> Self {
        Self {
            signature: Signature::nullary(Volatility::Stable),
            aliases: vec!["session_user".to_owned(), "user".to_owned()],
        }
    }
}

impl ScalarUDFImpl for CurrentUser {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "current_user"
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
        let entries = given.config_options.entries();
        let named = entries.into_iter().find(|entry| entry.key == USER);
        let name = named.and_then(|entry| entry.value);
        let text = name.as_deref().unwrap_or(UNNAMED);
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
