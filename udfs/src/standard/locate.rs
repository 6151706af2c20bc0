//! `locate(part, string [, start])`: where a text has a part, as ODBC and MySQL writes it. NULL
//! in, NULL out. Cost: one search of each text.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion_macros::user_doc;

use super::place::place;

/// The function `locate`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(Locate::new())
}

#[user_doc(
    doc_section(label = "Names of other databases"),
    description = "The place of the first `part` in `string`, counted in characters from 1; 0 \
where there \
is none. It is what ODBC and MySQL calls `locate`: `strpos(string, part)` has the \
arguments the other way round.",
    syntax_example = "locate(part, string [, start])",
    sql_example = r#"```sql
> SELECT locate('or', 'error or') AS first, locate('or', 'error or', 5) AS second;
+-------+--------+
| first | second |
+-------+--------+
| 4     | 7      |
+-------+--------+
```"#,
    argument(name = "part", description = "What is looked for."),
    argument(name = "string", description = "The text that it is looked for in."),
    argument(
        name = "start",
        description = "The character to begin at, from 1; 1 if none is given."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct Locate {
    signature: Signature,
}

impl Locate {
    fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Locate {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "locate"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given.len() {
            2 => Ok(vec![DataType::Utf8, DataType::Utf8]),
            3 => Ok(vec![DataType::Utf8, DataType::Utf8, DataType::Int64]),
            _ => plan_err!("locate takes a part and a text: locate(part, string [, start])"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        Ok(ColumnarValue::Array(Arc::new(place(&arrays)?)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }
}
