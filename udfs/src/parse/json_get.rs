//! `json_get(json [, path ...])` is the JSON of a value. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Size, Texts};
use super::function;
use super::json_path::{self, Answers};

const NAME: &str = "json_get";

/// The function `json_get`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGet::new()).with_aliases(["json_get_json"])
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "The JSON text of a value, as `->` gives it: a string with its quotes, `null` \
for a JSON null, an object or array as it stands. NULL when nothing is there.",
    syntax_example = "json_get(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get('{"a":{"b":[1,"x"]}}', 'a', 'b') AS b, json_get('{"a":"x"}', 'a') AS a;
+---------+-----+
| b       | a   |
+---------+-----+
| [1,"x"] | "x" |
+---------+-----+
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
struct JsonGet {
    signature: Signature,
}

function::scalar!(JsonGet, NAME, [], Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    json_path::coerce(NAME, given)
}

fn kind(path: &[Option<&ScalarValue>]) -> Result<DataType> {
    json_path::check(NAME, path)?;
    Ok(DataType::Utf8)
}

fn invoke(json: &ColumnarValue, path: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    json_path::read(NAME, json, path, |Size { rows, bytes }| {
        Values(Texts::with_capacity(rows, bytes / 8))
    })
}

struct Values(Texts);

impl Answers for Values {
    fn push(&mut self, raw: Option<&str>) {
        self.0.push_some(raw);
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
