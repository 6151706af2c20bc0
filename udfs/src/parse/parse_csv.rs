//! `parse_csv(text [, columns] [, delimiter] [, quote])` takes a record of CSV apart, into a list
//! or
//! into typed columns. Cost: one pass over the record.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Fields as Schema};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Lists, Rows, Size, Texts};
use super::function;
use super::grammar::csv::Fields;
use super::schema;
use super::typed::{Columns, Value};

const NAME: &str = "parse_csv";
const PARAMETERS: [&str; 4] = ["text", "columns", "delimiter", "quote"];

/// The function `parse_csv`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseCsv::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes one record of CSV apart, by RFC 4180 with any delimiter and quote. \
Without columns: a list of the fields, NULL for a record whose quotes are wrong. With columns: a \
STRUCT of them; fields that are missing are NULL, and so is an empty field that is not VARCHAR. \
`parse_error`, the last field, says what did not fit.",
    syntax_example = "parse_csv(text [, columns] [, delimiter] [, quote])",
    sql_example = r#"```sql
> SELECT parse_csv('a,"b ""c""",d') AS fields;
+---------------+
| fields        |
+---------------+
| [a, b "c", d] |
+---------------+
> SELECT r['host'] AS host, r['ms'] AS ms, r['parse_error'] AS parse_error
  FROM (SELECT parse_csv(line, 'host VARCHAR, ms DOUBLE', ';') AS r
    FROM (VALUES ('web;1.5'), ('db;slow')) AS lines(line));
+------+-----+-------------------+
| host | ms  | parse_error       |
+------+-----+-------------------+
| web  | 1.5 |                   |
| db   |     | "ms" is no DOUBLE |
+------+-----+-------------------+
```"#,
    argument(name = "text", description = "A record."),
    argument(
        name = "columns",
        description = "The columns, as a literal such as `'host VARCHAR, ms DOUBLE'`; NULL for a \
list."
    ),
    argument(
        name = "delimiter",
        description = "What stands between fields, one ASCII character as a literal; the default \
is `,`."
    ),
    argument(
        name = "quote",
        description = "The quote around fields, one ASCII character as a literal; the default is \
`\"`."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseCsv {
    signature: Signature,
}

function::scalar!(ParseCsv, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    if matches!(options, [None, ..]) {
        return plan_err!("the columns of {NAME} are a literal, not a column");
    }
    marks(options)?;
    match function::text(options, 0) {
        Some(columns) => Ok(schema::answer(&schema::fields(NAME, columns)?)),
        None => Ok(Lists::data_type()),
    }
}

/// The delimiter and the quote.
fn marks(options: &[Option<&ScalarValue>]) -> Result<(u8, u8)> {
    let mark = |at: usize, usual: u8| match function::text(options, at).map(str::as_bytes) {
        None => Ok(usual),
        Some([mark]) if mark.is_ascii() => Ok(*mark),
        Some(_) => plan_err!(
            "the {} of {NAME} is one ASCII character",
            PARAMETERS[at + 1]
        ),
    };
    let (delimiter, quote) = (mark(1, b',')?, mark(2, b'"')?);
    if delimiter == quote {
        return plan_err!("the delimiter and the quote of {NAME} are different characters");
    }
    Ok((delimiter, quote))
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    let options = function::literals(NAME, options)?;
    let marks = marks(&options)?;
    match function::text(&options, 0) {
        Some(columns) => {
            let fields = schema::fields(NAME, columns)?;
            columns::parse(text, |size| Records::new(&fields, marks, size))
        }
        None => columns::parse(text, |Size { rows, bytes }| Bare {
            lists: Lists::with_capacity(rows, bytes),
            marks,
        }),
    }
}

struct Bare {
    lists: Lists,
    marks: (u8, u8),
}

impl Rows for Bare {
    fn push(&mut self, text: &str, _: usize) {
        let (delimiter, quote) = self.marks;
        for field in Fields::of(text, delimiter, quote) {
            match field {
                Ok(field) => self.lists.items.push_text(Some(field)),
                Err(_) => return self.lists.end_null(),
            }
        }
        self.lists.end();
    }

    fn push_null(&mut self) {
        self.lists.end_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.lists.finish()
    }
}

struct Records {
    answer: DataType,
    columns: Columns,
    parse_error: Texts,
    marks: (u8, u8),
}

impl Records {
    fn new(fields: &Schema, marks: (u8, u8), size: Size) -> Self {
        Self {
            answer: schema::answer(fields),
            columns: Columns::new(fields, size.rows),
            parse_error: Texts::with_capacity(size.rows, 0),
            marks,
        }
    }
}

impl Rows for Records {
    fn push(&mut self, text: &str, _: usize) {
        let (delimiter, quote) = self.marks;
        let mut fields = Fields::of(text, delimiter, quote);
        let mut broken = None;
        let values = fields.by_ref().map_while(|field| match field {
            Ok(field) => Some(Some(Value::Text(field))),
            Err(wrong) => {
                broken = Some(wrong);
                None
            }
        });
        let wrong = self.columns.push_values(values);
        let error = match (broken, wrong) {
            (Some(wrong), _) => format!("not a record of CSV: {wrong}"),
            (None, Some(at)) => self.columns.wrong(at),
            (None, None) if fields.next().is_some() => {
                format!(
                    "the record has more than {} fields",
                    self.columns.columns.len()
                )
            }
            (None, None) => return self.parse_error.push_null(),
        };
        self.parse_error.push(&error);
    }

    fn push_null(&mut self) {
        self.columns.push_null();
        self.parse_error.push_null();
    }

    fn finish(self) -> Result<ArrayRef> {
        self.columns.finish_with(&self.answer, self.parse_error)
    }
}
