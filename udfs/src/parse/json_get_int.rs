//! `json_get_int(json [, path ...])` is a whole number. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Numbers, Size};
use super::function;
use super::json_path::{self, Answers};
use super::typed;

const NAME: &str = "json_get_int";

/// The function `json_get_int`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGetInt::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "A whole number as BIGINT, also one written as `12.0`; NULL when something else \
or nothing is there.",
    syntax_example = "json_get_int(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get_int('{"a":[1,2]}', 'a', 1) AS a, json_get_int('{"a":1.5}', 'a') AS b;
+---+---+
| a | b |
+---+---+
| 2 |   |
+---+---+
```"#,
    argument(
        name = "json",
        description = "A text. One that is not JSON gives NULL."
    ),
    argument(
        name = "path",
        description = "Keys of objects and indexes of arrays from 0, as literals; without any the \
value is the whole text. Of a key that occurs twice the last one counts."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonGetInt {
    signature: Signature,
}

function::scalar!(JsonGetInt, NAME, [], Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    json_path::coerce(NAME, given)
}

fn kind(path: &[Option<&ScalarValue>]) -> Result<DataType> {
    json_path::check(NAME, path)?;
    Ok(DataType::Int64)
}

fn invoke(json: &ColumnarValue, path: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    json_path::read(NAME, json, path, |Size { rows, .. }| {
        Values(Numbers::with_capacity(rows))
    })
}

struct Values(Numbers<Int64Type>);

impl Answers for Values {
    fn push(&mut self, raw: Option<&str>) {
        self.0.push(raw.and_then(typed::integer));
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish(&DataType::Int64)
    }
}
