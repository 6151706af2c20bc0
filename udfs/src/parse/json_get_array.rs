//! `json_get_array(json [, path ...])` is the items of an array. Cost: one pass over the text, and
//! one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Lists, Size};
use super::function;
use super::grammar::json::Items;
use super::json_path::{self, Answers};

const NAME: &str = "json_get_array";

/// The function `json_get_array`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonGetArray::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "The items of a JSON array as a list of their JSON texts; NULL when something \
else or nothing is there.",
    syntax_example = "json_get_array(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_get_array('{"a":[1,"x",null]}', 'a') AS a;
+----------------+
| a              |
+----------------+
| [1, "x", null] |
+----------------+
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
struct JsonGetArray {
    signature: Signature,
}

function::scalar!(JsonGetArray, NAME, [], Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    json_path::coerce(NAME, given)
}

fn kind(path: &[Option<&ScalarValue>]) -> Result<DataType> {
    json_path::check(NAME, path)?;
    Ok(Lists::data_type())
}

fn invoke(json: &ColumnarValue, path: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    json_path::read(NAME, json, path, |Size { rows, bytes }| {
        Values(Lists::with_capacity(rows, bytes / 8))
    })
}

struct Values(Lists);

impl Answers for Values {
    fn push(&mut self, raw: Option<&str>) {
        let Some(mut items) = raw.and_then(|raw| Items::of(raw).ok()) else {
            return self.0.end_null();
        };
        while let Ok(Some(item)) = items.step() {
            self.0.items.push(item);
        }
        self.0.end();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
