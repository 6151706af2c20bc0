//! `parse_kv(text [, pair_delim] [, kv_delim] [, quote])` is the pairs of a line with any
//! delimiters
//! as a map. Cost: one pass over the line.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Rows, Size};
use super::function;
use super::grammar::kv::{Delimiters, Pairs};
use super::maps::Maps;

const NAME: &str = "parse_kv";
const PARAMETERS: [&str; 4] = ["text", "pair_delim", "kv_delim", "quote"];

/// The function `parse_kv`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseKv::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "The pairs of a line as a MAP(VARCHAR, VARCHAR), whatever parts them. It takes \
every line: what is no pair is a key whose value is NULL. A value in quotes may hold delimiters, \
and a quote after a backslash. Of a key that occurs twice the last value counts.",
    syntax_example = "parse_kv(text [, pair_delim] [, kv_delim] [, quote])",
    sql_example = r#"```sql
> SELECT parse_kv('user=bob action="log in" ok') AS pairs;
+-----------------------------------+
| pairs                             |
+-----------------------------------+
| {user: bob, action: log in, ok: } |
+-----------------------------------+
> SELECT parse_kv('a: 1; b: 2', '; ', ': ')['b'] AS b;
+---+
| b |
+---+
| 2 |
+---+
```"#,
    argument(name = "text", description = "A line."),
    argument(
        name = "pair_delim",
        description = "What stands between pairs, as a literal; the default is a space, of which \
several count as one."
    ),
    argument(
        name = "kv_delim",
        description = "What stands between a key and its value, as a literal; the default is `=`."
    ),
    argument(
        name = "quote",
        description = "The quote around values, one ASCII character as a literal, or `''` for \
none; the default is `\"`."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseKv {
    signature: Signature,
}

function::scalar!(ParseKv, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    delimiters(options)?;
    Ok(Maps::data_type())
}

fn delimiters(options: &[Option<&ScalarValue>]) -> Result<Delimiters> {
    let mut by = Delimiters::default();
    if let Some(pair) = function::text(options, 0) {
        by.pair = pair.to_owned();
    }
    if let Some(key) = function::text(options, 1) {
        by.key = key.to_owned();
    }
    if by.pair.is_empty() || by.key.is_empty() || by.pair == by.key {
        return plan_err!(
            "pair_delim and kv_delim of {NAME} are two different texts, such as ' ' and '='"
        );
    }
    match function::text(options, 2).map(str::as_bytes) {
        None => {}
        Some([]) => by.quote = None,
        Some([quote]) if quote.is_ascii() => by.quote = Some(*quote),
        Some(_) => return plan_err!("the quote of {NAME} is one ASCII character, or '' for none"),
    }
    Ok(by)
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    let by = delimiters(&function::literals(NAME, options)?)?;
    columns::parse(text, |Size { rows, bytes }| Lines {
        maps: Maps::with_capacity(rows, bytes),
        by,
    })
}

struct Lines {
    maps: Maps,
    by: Delimiters,
}

impl Rows for Lines {
    fn push(&mut self, text: &str, _: usize) {
        for (key, value) in Pairs::of(text, &self.by) {
            self.maps.put(key, value);
        }
        self.maps.end();
    }

    fn push_null(&mut self) {
        self.maps.end_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.maps.finish()
    }
}
