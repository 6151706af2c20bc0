//! `parse_log(text [, ref_time] [, tz])` is a line of any format as OpenTelemetry's log record.
//! Cost:
//! a look at the first bytes and one pass over the line; two over a line of logfmt.

use arrow::array::{ArrayRef, NullBufferBuilder};
use arrow::datatypes::{DataType, Int8Type, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::clock::{self, Clock};
use super::columns::{self, Numbers, Rows, Size, Texts};
use super::function;
use super::grammar::text::Text;
use super::maps::Maps;
use super::record::{Record, Target};

const NAME: &str = "parse_log";
const PARAMETERS: [&str; 3] = ["text", "ref_time", "tz"];

/// The function `parse_log`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseLog::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Finds the format of a line and gives it as OpenTelemetry's log record. \
`format` is `json`, `syslog`, `cef`, `leef`, `clf` (access logs), `klog`, `logfmt`, or `text` for \
lines that begin with a time, a severity, a process, a logger, or nothing of that. Fields of no \
meaning to the record are `attributes`, nested ones by names joined with dots. No line fails: \
what resembles a format and breaks its rules is `text`, and `parse_error` says why.",
    syntax_example = "parse_log(text [, ref_time] [, tz])",
    sql_example = r#"```sql
> SELECT r['format'] AS format, r['timestamp'] AS timestamp, r['severity_number'] AS severity,
    r['body'] AS body, r['service_name'] AS service, r['attributes']['user'] AS user
  FROM (SELECT parse_log(line, ref_time => TIMESTAMP '2026-02-06 00:00:00') AS r FROM (VALUES
    ('{"ts":"2026-02-05T10:00:00Z","level":"warn","msg":"slow","service":"api","user":"bob"}'),
    ('<34>Feb  5 10:00:00 web su[7]: denied'),
    ('level=error msg="no route" user=eve'),
    ('2026-02-05 10:00:00,123 INFO [main] com.acme.Server: started')) AS lines(line));
+--------+--------------------------+----------+----------+---------+------+
| format | timestamp                | severity | body     | service | user |
+--------+--------------------------+----------+----------+---------+------+
| json   | 2026-02-05T10:00:00Z     | 13       | slow     | api     | bob  |
| syslog | 2026-02-05T10:00:00Z     | 18       | denied   | su      |      |
| logfmt |                          | 17       | no route |         | eve  |
| text   | 2026-02-05T10:00:00.123Z | 9        | started  |         |      |
+--------+--------------------------+----------+----------+---------+------+
```"#,
    argument(
        name = "text",
        description = "A line. The answer is a STRUCT of `timestamp`, `observed_timestamp` (the \
`ref_time`), `severity_number` TINYINT, `severity_text`, `body`, `trace_id`, `span_id`, \
`host_name`, `service_name`, `proc_id`, `event_name`, `format`, `attributes` MAP(VARCHAR, \
VARCHAR) and `parse_error`."
    ),
    argument(
        name = "ref_time",
        description = "As for `parse_syslog`, for a date without a year."
    ),
    argument(
        name = "tz",
        description = "As for `parse_syslog`, for a time without a zone."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseLog {
    signature: Signature,
}

function::scalar!(ParseLog, NAME, PARAMETERS, Stable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::timed(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    clock::check(NAME, options)?;
    Ok(columns::struct_type([
        ("timestamp", columns::timestamp_type()),
        ("observed_timestamp", columns::timestamp_type()),
        ("severity_number", DataType::Int8),
        ("severity_text", DataType::Utf8),
        ("body", DataType::Utf8),
        ("trace_id", DataType::Utf8),
        ("span_id", DataType::Utf8),
        ("host_name", DataType::Utf8),
        ("service_name", DataType::Utf8),
        ("proc_id", DataType::Utf8),
        ("event_name", DataType::Utf8),
        ("format", DataType::Utf8),
        ("attributes", Maps::data_type()),
        ("parse_error", DataType::Utf8),
    ]))
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let clock = Clock::of(NAME, options)?;
    function::by_row(text, clock.is_by_row(), rows, |size| {
        Records::new(size, clock)
    })
}

struct Records {
    clock: Clock,
    timestamp: Numbers<TimestampMicrosecondType>,
    observed_timestamp: Numbers<TimestampMicrosecondType>,
    severity_number: Numbers<Int8Type>,
    /// From `severity_text` to `event_name`.
    texts: [Texts; 8],
    format: Texts,
    attributes: Maps,
    parse_error: Texts,
    valid: NullBufferBuilder,
}

impl Records {
    fn new(size: Size, clock: Clock) -> Self {
        let Size { rows, bytes } = size;
        let text = |at| Texts::with_capacity(rows, if at == 1 { bytes } else { bytes / 16 });
        Self {
            clock,
            timestamp: Numbers::with_capacity(rows),
            observed_timestamp: Numbers::with_capacity(rows),
            severity_number: Numbers::with_capacity(rows),
            texts: std::array::from_fn(text),
            format: Texts::with_capacity(rows, rows * 6),
            attributes: Maps::with_capacity(rows, bytes / 2),
            parse_error: Texts::with_capacity(rows, 0),
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn append(&mut self, record: &Record<'_>) {
        self.timestamp.push(record.timestamp);
        self.severity_number.push(record.severity_number);
        let texts: [Option<Text<'_>>; 8] = [
            record.severity_text,
            record.body,
            record.trace_id,
            record.span_id,
            record.host_name,
            record.service_name,
            record.proc_id,
            record.event_name,
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push_text(text);
        }
        self.format
            .push_some(Some(record.format).filter(|format| !format.is_empty()));
        self.parse_error.push_some(record.parse_error.as_deref());
    }
}

impl Rows for Records {
    fn push(&mut self, text: &str, row: usize) {
        let mut target = Target {
            row,
            clock: &self.clock,
            maps: &mut self.attributes,
        };
        let record = Record::of(text, &mut target);
        self.append(&record);
        self.attributes.end();
        self.observed_timestamp.push(self.clock.given(row));
        self.valid.append_non_null();
    }

    fn push_null(&mut self) {
        self.append(&Record::default());
        self.attributes.end_null();
        self.observed_timestamp.push(None);
        self.valid.append_null();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let timestamp = columns::timestamp_type();
        let mut columns = vec![
            self.timestamp.finish(&timestamp)?,
            self.observed_timestamp.finish(&timestamp)?,
            self.severity_number.finish(&DataType::Int8)?,
        ];
        for column in self.texts {
            columns.push(column.finish()?);
        }
        columns.push(self.format.finish()?);
        columns.push(self.attributes.finish()?);
        columns.push(self.parse_error.finish()?);
        columns::structs(&kind(&[])?, columns, &mut self.valid)
    }
}
