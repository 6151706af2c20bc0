//! `parse_logfmt(text)` is the pairs of a line of logfmt as a map. Cost: one pass over the line.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Rows, Size};
use super::function;
use super::grammar::logfmt::{Pairs, Value};
use super::grammar::text::Text;
use super::maps::Maps;

const NAME: &str = "parse_logfmt";
const PARAMETERS: [&str; 1] = ["text"];

/// The function `parse_logfmt`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseLogfmt::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "The `key=value` pairs of a line as a MAP(VARCHAR, VARCHAR), by the rules of \
Go's logfmt library: a value with spaces is in quotes, in double quotes escapes are those of \
JSON. A key without a value is NULL, as is one with an empty value that is not in quotes. Of a \
key that occurs twice the last value counts. A line that breaks the rules gives NULL; `parse_kv` \
takes every line.",
    syntax_example = "parse_logfmt(text)",
    sql_example = r#"```sql
> SELECT pairs['level'] AS level, pairs['msg'] AS msg, map_keys(pairs) AS keys
  FROM (SELECT parse_logfmt('level=info msg="it is \"on\"" cached user=') AS pairs);
+-------+------------+----------------------------+
| level | msg        | keys                       |
+-------+------------+----------------------------+
| info  | it is "on" | [level, msg, cached, user] |
+-------+------------+----------------------------+
```"#,
    argument(name = "text", description = "A line.")
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseLogfmt {
    signature: Signature,
}

function::scalar!(ParseLogfmt, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(_: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(Maps::data_type())
}

fn invoke(text: &ColumnarValue, _: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    columns::parse(text, |Size { rows, bytes }| {
        Lines(Maps::with_capacity(rows, bytes))
    })
}

struct Lines(Maps);

impl Rows for Lines {
    fn push(&mut self, text: &str, _: usize) {
        for pair in Pairs::of(text) {
            let Ok((key, value)) = pair else {
                self.0.end_null();
                return;
            };
            let value = match value {
                Value::Alone | Value::Bare("") => None,
                Value::Bare(text) => Some(Text::plain(text)),
                Value::Quoted(text) => Some(text),
            };
            self.0.put(Text::plain(key), value);
        }
        self.0.end();
    }

    fn push_null(&mut self) {
        self.0.end_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}
