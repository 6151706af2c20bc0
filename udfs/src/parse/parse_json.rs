//! `parse_json(json [, schema])` checks JSON, or reads it into typed columns. Cost: one pass over
//! the text, and one more over nested values that have columns.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Fields};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Rows, Size, Texts};
use super::function;
use super::grammar::json;
use super::schema;
use super::typed::Columns;

const NAME: &str = "parse_json";
const PARAMETERS: [&str; 2] = ["json", "schema"];

/// The function `parse_json`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseJson::new())
}

#[user_doc(
    doc_section(label = "JSON"),
    description = "Without a schema: the JSON without the space between its parts, NULL for a \
text that is not JSON. With one: a STRUCT of its columns. A key that is missing is NULL and \
others are ignored; of a key that occurs twice the last value counts. A value that its column \
cannot hold is NULL, and `parse_error`, the last field, names it; for a text that is no JSON \
object all is NULL but the reason.",
    syntax_example = "parse_json(json [, schema])",
    sql_example = r#"```sql
> SELECT parse_json('{"a": 1, "b": [ true ]}') AS json, parse_json('{"a":') AS broken;
+--------------------+--------+
| json               | broken |
+--------------------+--------+
| {"a":1,"b":[true]} |        |
+--------------------+--------+
> SELECT e['a'] AS a, e['b']['c'] AS c, e['parse_error'] AS parse_error
  FROM (SELECT parse_json(j, 'a BIGINT, b STRUCT<c VARCHAR>') AS e
    FROM (VALUES ('{"b":{"c":"x"},"a":7}'), ('{"a":"seven"}'), ('')) AS t(j));
+---+---+--------------------------------+
| a | c | parse_error                    |
+---+---+--------------------------------+
| 7 | x |                                |
|   |   | "a" is no BIGINT               |
|   |   | not a JSON object: it is empty |
+---+---+--------------------------------+
```"#,
    argument(name = "json", description = "A text."),
    argument(
        name = "schema",
        description = "The columns, as a literal in the words of CREATE TABLE: VARCHAR (which \
also takes the JSON text of other values), BIGINT, INT, SMALLINT, TINYINT, DOUBLE, FLOAT, \
BOOLEAN, TIMESTAMP, DATE, DECIMAL(p, s), STRUCT<..>, a type followed by [], MAP(VARCHAR, \
VARCHAR)."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseJson {
    signature: Signature,
}

function::scalar!(ParseJson, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    if matches!(options, [None, ..]) {
        return plan_err!("the schema of {NAME} is a literal, not a column");
    }
    match function::text(options, 0) {
        Some(schema) => Ok(schema::answer(&schema::fields(NAME, schema)?)),
        None => Ok(DataType::Utf8),
    }
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    let options = function::literals(NAME, options)?;
    match function::text(&options, 0) {
        Some(schema) => {
            let fields = schema::fields(NAME, schema)?;
            columns::parse(text, |size| Objects::new(&fields, size))
        }
        None => columns::parse(text, |Size { rows, bytes }| {
            Values(Texts::with_capacity(rows, bytes))
        }),
    }
}

struct Values(Texts);

impl Rows for Values {
    fn push(&mut self, text: &str, _: usize) {
        match json::value(text) {
            Ok(value) => self.0.push_with(|out| json::push_compact(value, out)),
            Err(_) => self.0.push_null(),
        }
    }

    fn push_null(&mut self) {
        self.0.push_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish()
    }
}

struct Objects {
    answer: DataType,
    columns: Columns,
    parse_error: Texts,
}

impl Objects {
    fn new(fields: &Fields, size: Size) -> Self {
        Self {
            answer: schema::answer(fields),
            columns: Columns::new(fields, size.rows),
            parse_error: Texts::with_capacity(size.rows, 0),
        }
    }
}

impl Rows for Objects {
    fn push(&mut self, text: &str, _: usize) {
        match self.columns.push(text) {
            Ok(None) => self.parse_error.push_null(),
            Ok(Some(at)) => self.parse_error.push(&self.columns.wrong(at)),
            Err(wrong) => {
                self.columns.push_values(std::iter::empty());
                self.parse_error
                    .push(&format!("not a JSON object: {wrong}"));
            }
        }
    }

    fn push_null(&mut self) {
        self.columns.push_null();
        self.parse_error.push_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.columns.finish_with(&self.answer, self.parse_error)
    }
}
