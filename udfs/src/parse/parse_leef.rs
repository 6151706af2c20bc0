//! `parse_leef(text [, ref_time] [, tz])` takes events of IBM's Log Event Extended Format apart.
//! Cost: one pass over the event.

use arrow::array::{ArrayRef, NullBufferBuilder};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::clock::{self, Clock};
use super::columns::{self, Numbers, Rows, Size, Texts};
use super::function;
use super::grammar::leef::{self, Delimiter, Event};
use super::grammar::syslog;
use super::grammar::text::Text;
use super::maps::Maps;

const NAME: &str = "parse_leef";
const PARAMETERS: [&str; 3] = ["text", "ref_time", "tz"];

/// The function `parse_leef`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseLeef::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes an event of IBM's Log Event Extended Format apart, version 1.0 or 2.0, \
alone or after a syslog header, which gives `timestamp` and `hostname`. Attributes are parted by \
a tab or what the header declares; where there is no tab, by spaces. A key alone is NULL. A text \
that is no event gives NULL fields and the reason in `parse_error`.",
    syntax_example = "parse_leef(text [, ref_time] [, tz])",
    sql_example = r#"```sql
> SELECT e['vendor'] AS vendor, e['event_id'] AS event_id, e['attributes']['src'] AS src,
    e['attributes']['msg'] AS msg
  FROM (SELECT parse_leef(
    'LEEF:2.0|Lancope|StealthWatch|1.0|41|^|src=10.0.1.8^msg=two words') AS e);
+---------+----------+----------+-----------+
| vendor  | event_id | src      | msg       |
+---------+----------+----------+-----------+
| Lancope | 41       | 10.0.1.8 | two words |
+---------+----------+----------+-----------+
```"#,
    argument(
        name = "text",
        description = "An event. The answer is a STRUCT of `leef_version`, `vendor`, `product`, \
`version`, `event_id`, `delimiter`, `attributes` MAP(VARCHAR, VARCHAR), `timestamp`, `hostname` \
and `parse_error`."
    ),
    argument(
        name = "ref_time",
        description = "As for `parse_syslog`, for a header whose date has no year."
    ),
    argument(
        name = "tz",
        description = "As for `parse_syslog`, for a header whose time has no zone."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseLeef {
    signature: Signature,
}

function::scalar!(ParseLeef, NAME, PARAMETERS, Stable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::timed(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    clock::check(NAME, options)?;
    Ok(columns::struct_type([
        ("leef_version", DataType::Utf8),
        ("vendor", DataType::Utf8),
        ("product", DataType::Utf8),
        ("version", DataType::Utf8),
        ("event_id", DataType::Utf8),
        ("delimiter", DataType::Utf8),
        ("attributes", Maps::data_type()),
        ("timestamp", columns::timestamp_type()),
        ("hostname", DataType::Utf8),
        ("parse_error", DataType::Utf8),
    ]))
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let clock = Clock::of(NAME, options)?;
    function::by_row(text, clock.is_by_row(), rows, |size| {
        Events::new(size, clock)
    })
}

struct Events {
    clock: Clock,
    header: [Texts; 5],
    delimiter: Texts,
    attributes: Maps,
    timestamp: Numbers<TimestampMicrosecondType>,
    hostname: Texts,
    parse_error: Texts,
    valid: NullBufferBuilder,
}

impl Events {
    fn new(size: Size, clock: Clock) -> Self {
        let Size { rows, bytes } = size;
        Self {
            clock,
            header: std::array::from_fn(|_| Texts::with_capacity(rows, bytes / 16)),
            delimiter: Texts::with_capacity(rows, rows),
            attributes: Maps::with_capacity(rows, bytes),
            timestamp: Numbers::with_capacity(rows),
            hostname: Texts::with_capacity(rows, 0),
            parse_error: Texts::with_capacity(rows, 0),
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn append(&mut self, event: &Event<'_>, row: usize) {
        for (column, field) in self.header.iter_mut().zip(event.header) {
            column.push(field);
        }
        match event.delimiter {
            Some(Delimiter::Char(char)) => self.delimiter.push_with(|out| out.push(char)),
            Some(Delimiter::Text(text)) => self.delimiter.push(text),
            None => self.delimiter.push_null(),
        }
        for (key, value) in event.attributes() {
            self.attributes.put(Text::plain(key), value);
        }
        self.attributes.end();
        let header = Some(event.prefix).filter(|prefix| !prefix.is_empty());
        let header = header.and_then(|prefix| syslog::parse(prefix).ok());
        let stamp = header.and_then(|header| header.stamp);
        let timestamp = stamp.and_then(|stamp| self.clock.stamp(&stamp, row));
        self.timestamp.push(timestamp);
        self.hostname
            .push_some(header.and_then(|header| header.hostname));
        self.parse_error.push_null();
    }

    fn append_none(&mut self) {
        self.header.iter_mut().for_each(Texts::push_null);
        self.delimiter.push_null();
        self.attributes.end_null();
        self.timestamp.push(None);
        self.hostname.push_null();
    }
}

impl Rows for Events {
    fn push(&mut self, text: &str, row: usize) {
        self.valid.append_non_null();
        match leef::parse(text) {
            Ok(event) => self.append(&event, row),
            Err(wrong) => {
                self.append_none();
                self.parse_error.push(&format!("not a LEEF event: {wrong}"));
            }
        }
    }

    fn push_null(&mut self) {
        self.append_none();
        self.parse_error.push_null();
        self.valid.append_null();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(10);
        for column in self.header {
            columns.push(column.finish()?);
        }
        columns.extend([
            self.delimiter.finish()?,
            self.attributes.finish()?,
            self.timestamp.finish(&columns::timestamp_type())?,
            self.hostname.finish()?,
            self.parse_error.finish()?,
        ]);
        columns::structs(&kind(&[])?, columns, &mut self.valid)
    }
}
