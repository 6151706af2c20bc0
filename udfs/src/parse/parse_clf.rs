//! `parse_clf(text)` takes lines of web servers' access logs apart. Cost: one pass over the line.

use arrow::array::{ArrayRef, NullBufferBuilder};
use arrow::datatypes::{DataType, Int16Type, Int64Type, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::columns::{self, Numbers, Rows, Size, Texts};
use super::function;
use super::grammar::clf::{self, Line};

const NAME: &str = "parse_clf";
const PARAMETERS: [&str; 1] = ["text"];

/// The function `parse_clf`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseClf::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes a line of an access log apart: the Common Log Format, and the Combined \
one that adds the referer and the user agent, as Apache and nginx write them. A field that is `-` \
is NULL. What follows the fields of the format is `rest`. Of a request that is none, `path` is \
all of it. A line of another form gives NULL fields and the reason in `parse_error`.",
    syntax_example = "parse_clf(text)",
    sql_example = r#"```sql
> SELECT line['client_ip'] AS client, line['timestamp'] AS timestamp, line['path'] AS path,
    line['query'] AS query, line['status'] AS status, line['bytes'] AS bytes
  FROM (SELECT parse_clf(
    '10.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326') AS line);
+----------+----------------------+------+-------+--------+-------+
| client   | timestamp            | path | query | status | bytes |
+----------+----------------------+------+-------+--------+-------+
| 10.0.0.1 | 2000-10-10T20:55:36Z | /a   | b=1   | 200    | 2326  |
+----------+----------------------+------+-------+--------+-------+
> SELECT parse_clf('no such line')['parse_error'] AS parse_error;
+------------------------------------------------------+
| parse_error                                          |
+------------------------------------------------------+
| not a line of an access log: it ends before its time |
+------------------------------------------------------+
```"#,
    argument(
        name = "text",
        description = "A line. The answer is a STRUCT of `client_ip`, `ident`, `user`, \
`timestamp`, `method`, `path`, `query`, `protocol`, `status` SMALLINT, `bytes` BIGINT, `referer`, \
`user_agent`, `rest` and `parse_error`."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseClf {
    signature: Signature,
}

function::scalar!(ParseClf, NAME, PARAMETERS, Immutable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::texts(NAME, &PARAMETERS, given)
}

fn kind(_: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(columns::struct_type([
        ("client_ip", DataType::Utf8),
        ("ident", DataType::Utf8),
        ("user", DataType::Utf8),
        ("timestamp", columns::timestamp_type()),
        ("method", DataType::Utf8),
        ("path", DataType::Utf8),
        ("query", DataType::Utf8),
        ("protocol", DataType::Utf8),
        ("status", DataType::Int16),
        ("bytes", DataType::Int64),
        ("referer", DataType::Utf8),
        ("user_agent", DataType::Utf8),
        ("rest", DataType::Utf8),
        ("parse_error", DataType::Utf8),
    ]))
}

fn invoke(text: &ColumnarValue, _: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    columns::parse(text, Lines::new)
}

struct Lines {
    client: Texts,
    ident: Texts,
    user: Texts,
    timestamp: Numbers<TimestampMicrosecondType>,
    method: Texts,
    path: Texts,
    query: Texts,
    protocol: Texts,
    status: Numbers<Int16Type>,
    bytes: Numbers<Int64Type>,
    referer: Texts,
    user_agent: Texts,
    rest: Texts,
    parse_error: Texts,
    valid: NullBufferBuilder,
}

impl Lines {
    fn new(size: Size) -> Self {
        let Size { rows, bytes } = size;
        let text = |share: usize| Texts::with_capacity(rows, bytes / share);
        Self {
            client: text(8),
            ident: text(64),
            user: text(64),
            timestamp: Numbers::with_capacity(rows),
            method: text(32),
            path: text(2),
            query: text(8),
            protocol: text(16),
            status: Numbers::with_capacity(rows),
            bytes: Numbers::with_capacity(rows),
            referer: text(4),
            user_agent: text(2),
            rest: text(64),
            parse_error: Texts::with_capacity(rows, 0),
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn append(&mut self, line: &Line<'_>) {
        self.client.push_some(line.client);
        self.ident.push_some(line.ident);
        self.user.push_some(line.user);
        self.timestamp.push(line.moment.map(|moment| moment.us));
        self.method.push_some(line.method);
        self.path.push_text(line.path);
        self.query.push_text(line.query);
        self.protocol.push_some(line.protocol);
        self.status.push(line.status);
        self.bytes.push(line.bytes);
        self.referer.push_text(line.referer);
        self.user_agent.push_text(line.user_agent);
        self.rest.push_some(line.rest);
    }
}

impl Rows for Lines {
    fn push(&mut self, text: &str, _: usize) {
        self.valid.append_non_null();
        match clf::parse(text) {
            Ok(line) => {
                self.append(&line);
                self.parse_error.push_null();
            }
            Err(wrong) => {
                self.append(&Line::default());
                let error = format!("not a line of an access log: {wrong}");
                self.parse_error.push(&error);
            }
        }
    }

    fn push_null(&mut self) {
        self.append(&Line::default());
        self.parse_error.push_null();
        self.valid.append_null();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let columns = vec![
            self.client.finish()?,
            self.ident.finish()?,
            self.user.finish()?,
            self.timestamp.finish(&columns::timestamp_type())?,
            self.method.finish()?,
            self.path.finish()?,
            self.query.finish()?,
            self.protocol.finish()?,
            self.status.finish(&DataType::Int16)?,
            self.bytes.finish(&DataType::Int64)?,
            self.referer.finish()?,
            self.user_agent.finish()?,
            self.rest.finish()?,
            self.parse_error.finish()?,
        ];
        columns::structs(&kind(&[])?, columns, &mut self.valid)
    }
}
