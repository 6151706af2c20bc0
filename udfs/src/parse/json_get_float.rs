//! `json_get_float(json [, path ...])` is a number. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Numbers, Size};
use super::function;
use super::json_path::{self, Answers};
use super::typed;

const NAME: &str = "json_get_float";

/// The function `json_get_float`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGetFloat::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "A number as DOUBLE; NULL when something else or nothing is there.",
    syntax_example = "json_get_float(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get_float('{"ms":1.5}', 'ms') AS ms, json_get_float('{"ms":"1.5"}', 'ms') AS text;
+-----+------+
| ms  | text |
+-----+------+
| 1.5 |      |
+-----+------+
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
struct JsonGetFloat {
    signature: Signature,
}

function::scalar!(JsonGetFloat, NAME, [], Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    json_path::coerce(NAME, given)
}

fn kind(path: &[Option<&ScalarValue>]) -> Result<DataType> {
    json_path::check(NAME, path)?;
    Ok(DataType::Float64)
}

fn invoke(json: &ColumnarValue, path: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    json_path::read(NAME, json, path, |Size { rows, .. }| {
        Values(Numbers::with_capacity(rows))
    })
}

struct Values(Numbers<Float64Type>);

impl Answers for Values {
    fn push(&mut self, raw: Option<&str>) {
        self.0.push(raw.and_then(typed::float));
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish(&DataType::Float64)
    }
}
