//! `severity_number(severity)` is the number of a severity's name on OpenTelemetry's scale. Cost: a
//! search in a short list.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Int8Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Numbers, Rows, Size};
use super::function;
use super::grammar::severity;

const NAME: &str = "severity_number";
const PARAMETERS: [&str; 1] = ["severity"];

/// The function `severity_number`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(SeverityNumber::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "The number of a severity's name on the scale of OpenTelemetry, so that names \
of different libraries can be compared: TRACE is 1 to 4, DEBUG 5 to 8, INFO 9 to 12, WARN 13 to \
16, ERROR 17 to 20, FATAL 21 to 24. Names of syslog, Java, Python, Go and others are known in any \
case; another text gives NULL.",
    syntax_example = "severity_number(severity)",
    sql_example = r#"```sql
> SELECT name, severity_number(name) AS number
  FROM (VALUES ('INFO'), ('warning'), ('crit'), ('Severe'), ('so what')) AS names(name);
+---------+--------+
| name    | number |
+---------+--------+
| INFO    | 9      |
| warning | 13     |
| crit    | 18     |
| Severe  | 17     |
| so what |        |
+---------+--------+
```"#,
    argument(
        name = "severity",
        description = "A name, such as `warning`. The answer is a TINYINT."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct SeverityNumber {
    signature: Signature,
}

function::scalar!(SeverityNumber, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(_: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Int8)
}

fn invoke(text: &ColumnarValue, _: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    columns::parse(text, |Size { rows, .. }| {
        Names(Numbers::with_capacity(rows))
    })
}

struct Names(Numbers<Int8Type>);

impl Rows for Names {
    fn push(&mut self, text: &str, _: usize) {
        self.0.push(severity::number(text.trim()));
    }

    fn push_null(&mut self) {
        self.0.push(None);
    }

    fn finish(self) -> Result<ArrayRef> {
        self.0.finish(&DataType::Int8)
    }
}
