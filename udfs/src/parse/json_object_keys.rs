//! `json_object_keys(json [, path ...])` is the keys of an object. Cost: one pass over the text,
//! and one over each value on the path.

use std::collections::HashSet;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{Lists, Size};
use super::function;
use super::grammar::json::Members;
use super::json_path::{self, Answers};

const NAME: &str = "json_object_keys";

/// The function `json_object_keys`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(JsonObjectKeys::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "The keys of a JSON object in their order, one that occurs twice once; NULL \
when something else or nothing is there.",
    syntax_example = "json_object_keys(json [, key or index ...])",
    sql_example = r#"```sql
> SELECT json_object_keys('{"b":1,"a":{"c":2}}') AS keys,
    json_object_keys('{"a":{"c":2}}', 'a') AS inner;
+--------+-------+
| keys   | inner |
+--------+-------+
| [b, a] | [c]   |
+--------+-------+
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
struct JsonObjectKeys {
    signature: Signature,
}

function::scalar!(JsonObjectKeys, NAME, [], Immutable);

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
        let Some(mut members) = raw.and_then(|raw| Members::of(raw).ok()) else {
            return self.0.end_null();
        };
        let mut seen = HashSet::new();
        while let Ok(Some((key, _))) = members.step() {
            let name = key.to_cow();
            if seen.insert(name) {
                self.0.items.push_text(Some(key));
            }
        }
        self.0.end();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
