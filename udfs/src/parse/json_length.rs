//! `json_length(json [, path ...])` is how many items or members a value has. Cost: one pass over
//! the text, and one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Numbers, Size};
use super::function;
use super::grammar::json::{Items, Members};
use super::json_path::{self, Answers};

const NAME: &str = "json_length";

/// The function `json_length`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonLength::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "How many items an array or members an object has, as BIGINT; NULL when \
something else or nothing is there.",
    syntax_example = "json_length(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_length('[1,2,3]') AS three, json_length('{"a":{}}', 'a') AS zero,
    json_length('7') AS none;
+-------+------+------+
| three | zero | none |
+-------+------+------+
| 3     | 0    |      |
+-------+------+------+
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
struct JsonLength {
    signature: Signature,
}

function::scalar!(JsonLength, NAME, [], Immutable);

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
        self.0.push(raw.and_then(length));
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish(&DataType::Int64)
    }
}

fn length(raw: &str) -> Option<i64> {
    let mut count = 0;
    if let Ok(mut items) = Items::of(raw) {
        while let Ok(Some(_)) = items.step() {
            count += 1;
        }
        return Some(count);
    }
    let mut members = Members::of(raw).ok()?;
    while let Ok(Some(_)) = members.step() {
        count += 1;
    }
    Some(count)
}
