//! `version()`: the version of Sluice. Cost: none.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

/// The function `version`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Version::new())
}

#[user_doc(
    doc_section(label = "Session"),
    description = "The name and version of Sluice.",
    syntax_example = "version()",
    sql_example = r#"```sql
> SELECT split_part(version(), ' ', 1) AS name;
+--------+
| name   |
+--------+
| Sluice |
+--------+
```"#
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    signature: Signature,
}

impl Version {
    fn new() -> Self {
        Self {
            signature: Signature::nullary(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Version {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "version"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let _none = given;
        let text = concat!("Sluice ", env!("CARGO_PKG_VERSION"));
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
