//! `json_contains(json [, path ...])` says whether something is at a path. Cost: one pass over the
//! text, and one over each value on the path.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Booleans, Size};
use super::function;
use super::json_path::{self, Answers};

const NAME: &str = "json_contains";

/// The function `json_contains`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonContains::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "Whether something is at the path, if only a JSON null, as BOOLEAN; false for a \
text that is not JSON, NULL for NULL.",
    syntax_example = "json_contains(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_contains('{"a":{"b":null}}', 'a', 'b') AS b, json_contains('{"a":{}}', 'a', 'b') AS c;
+------+-------+
| b    | c     |
+------+-------+
| true | false |
+------+-------+
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
struct JsonContains {
    signature: Signature,
}

function::scalar!(JsonContains, NAME, [], Immutable);

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
        self.0.push(Some(raw.is_some()));
    }

    fn push_null(&mut self) {
        self.0.push(None);
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
