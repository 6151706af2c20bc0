//! `json_as_text(json [, path ...])` is a value as text. Cost: one pass over the text, and
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
use super::grammar::text::Text;
use super::json_path::{self, Answers};

const NAME: &str = "json_as_text";

/// The function `json_as_text`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonAsText::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "A value as text, as `->>` gives it: a string without its quotes and escapes, \
another value as its JSON text, NULL for a JSON null and when nothing is there.",
    syntax_example = "json_as_text(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_as_text('{"a":"x\ny","b":7}', 'a') AS a, json_as_text('{"b":7}', 'b') AS b;
+---+---+
| a | b |
+---+---+
| x | 7 |
| y |   |
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
struct JsonAsText {
    signature: Signature,
}

function::scalar!(JsonAsText, NAME, [], Immutable);

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
        match raw.filter(|raw| *raw != "null") {
            Some(raw) => self
                .0
                .push_text(Some(string(raw).unwrap_or_else(|| Text::plain(raw)))),
            None => self.0.push_null(),
        }
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
