//! `json_get_bool(json [, path ...])` is a truth value. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Booleans, Size};
use super::function;
use super::json_path::{self, Answers};

const NAME: &str = "json_get_bool";

/// The function `json_get_bool`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGetBool::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "A JSON `true` or `false` as BOOLEAN; NULL when something else or nothing is \
there.",
    syntax_example = "json_get_bool(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get_bool('{"ok":true}', 'ok') AS ok, json_get_bool('{"ok":1}', 'ok') AS one;
+------+-----+
| ok   | one |
+------+-----+
| true |     |
+------+-----+
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
struct JsonGetBool {
    signature: Signature,
}

function::scalar!(JsonGetBool, NAME, [], Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    json_path::coerce(NAME, given)
}

fn kind(path: &[Option<&ScalarValue>]) -> Result<DataType> {
    json_path::check(NAME, path)?;
    Ok(DataType::Boolean)
}

fn invoke(json: &ColumnarValue, path: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    json_path::read(NAME, json, path, |Size { rows, .. }| {
        Values(Booleans::with_capacity(rows))
    })
}

struct Values(Booleans);

impl Answers for Values {
    fn push(&mut self, raw: Option<&str>) {
        self.0.push(match raw {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        });
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
