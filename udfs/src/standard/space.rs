//! `space(count)`: a text of blanks. NULL in, NULL out. Cost: its length.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray, StringBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

/// Blanks of one text, and of all texts of one call: more would only be a mistake.
const BLANKS_MAX: i64 = 1 << 20;
const CALL_BLANKS_MAX: i64 = 64 << 20;

/// The function `space`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Space::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "A text of `count` blanks, at most 1,048,576; empty for a negative count.",
    syntax_example = "space(count)",
    sql_example = r#"```sql
> SELECT '[' || space(3) || ']' AS text;
+-------+
| text  |
+-------+
| [   ] |
+-------+
```"#,
    argument(name = "count", description = "How many.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Space {
    signature: Signature,
}

impl Space {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Space {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "space"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_] => Ok(vec![DataType::Int64]),
            _ => plan_err!("space takes a number: space(count)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [counts] = arrays.as_slice() else {
            return exec_err!("space takes a number");
        };
        let counts = counts.as_primitive::<Int64Type>();
        let mut texts = StringBuilder::new();
        let mut all = 0_i64;
        for count in counts {
            let Some(count) = count else {
                texts.append_null();
                continue;
            };
            let count = count.max(0);
            all = all.saturating_add(count);
            if count > BLANKS_MAX || all > CALL_BLANKS_MAX {
                return exec_err!("space was asked for {count} blanks; the limit is {BLANKS_MAX}");
            }
            texts.append_value(" ".repeat(usize::try_from(count).unwrap_or_default()));
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
