//! `json_get_str(json [, path ...])` is a string. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Size, Texts};
use super::function;
use super::grammar::json::string;
use super::json_path::{self, Answers};

const NAME: &str = "json_get_str";

/// The function `json_get_str`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGetStr::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "The content of a JSON string; NULL when something else or nothing is there.",
    syntax_example = "json_get_str(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get_str('{"user":{"name":"bob"}}', 'user', 'name') AS name,
    json_get_str('{"n":7}', 'n') AS n;
+------+---+
| name | n |
+------+---+
| bob  |   |
+------+---+
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
struct JsonGetStr {
    signature: Signature,
}

function::scalar!(JsonGetStr, NAME, [], Immutable);

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
        self.0.push_text(raw.and_then(string));
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
