//! `parse_cef(text [, labels] [, ref_time] [, tz])` takes events of ArcSight's Common Event Format
//! apart. Cost: one pass over the event.

use std::collections::HashMap;

use arrow::array::{ArrayRef, NullBufferBuilder};
use arrow::datatypes::{DataType, Int8Type, Int32Type, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature};
use datafusion::scalar::ScalarValue;
use datafusion_macros::user_doc;

use super::clock::{self, Clock};
use super::columns::{self, Numbers, Rows, Size, Texts};
use super::function;
use super::grammar::cef::{self, Event, Extension};
use super::grammar::text::Text;
use super::grammar::{severity, syslog};
use super::maps::Maps;

const NAME: &str = "parse_cef";
const PARAMETERS: [&str; 4] = ["text", "labels", "ref_time", "tz"];

/// The function `parse_cef`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseCef::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes an event of ArcSight's Common Event Format apart, alone or after a \
syslog header, which gives `timestamp` and `hostname`. A value of the extension lasts until the \
next key, so it may have spaces and unescaped signs of equality. Of a key that occurs twice the \
last value counts. A text that is no event gives NULL fields and the reason in `parse_error`.",
    syntax_example = "parse_cef(text [, labels] [, ref_time] [, tz])",
    sql_example = r#"```sql
> SELECT e['device_product'] AS product, e['name'] AS name, e['severity_num'] AS severity,
    e['extension']['src'] AS src, e['extension']['rule'] AS rule
  FROM (SELECT parse_cef(
    'CEF:0|Security|threatmanager|1.0|100|worm \| stopped|High|src=10.0.0.1 cs1Label=rule cs1=a b',
    labels => true) AS e);
+---------------+----------------+----------+----------+------+
| product       | name           | severity | src      | rule |
+---------------+----------------+----------+----------+------+
| threatmanager | worm | stopped | 7        | 10.0.0.1 | a b  |
+---------------+----------------+----------+----------+------+
```"#,
    argument(
        name = "text",
        description = "An event. The answer is a STRUCT of `cef_version` INT, `device_vendor`, \
`device_product`, `device_version`, `device_event_class_id`, `name`, `severity`, `severity_num` \
TINYINT (0 to 10; Low is 0, Medium 4, High 7, Very-High 9), `extension` MAP(VARCHAR, VARCHAR), \
`timestamp`, `hostname` and `parse_error`."
    ),
    argument(
        name = "labels",
        description = "Whether `cs1Label=rule cs1=a` becomes `rule=a`, as a literal; the default \
is false."
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
struct ParseCef {
    signature: Signature,
}

function::scalar!(ParseCef, NAME, PARAMETERS, Stable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::timed(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    clock::check(NAME, options)?;
    Ok(columns::struct_type([
        ("cef_version", DataType::Int32),
        ("device_vendor", DataType::Utf8),
        ("device_product", DataType::Utf8),
        ("device_version", DataType::Utf8),
        ("device_event_class_id", DataType::Utf8),
        ("name", DataType::Utf8),
        ("severity", DataType::Utf8),
        ("severity_num", DataType::Int8),
        ("extension", Maps::data_type()),
        ("timestamp", columns::timestamp_type()),
        ("hostname", DataType::Utf8),
        ("parse_error", DataType::Utf8),
    ]))
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let clock = Clock::of(NAME, options)?;
    let is_true = |option: &ColumnarValue| {
        matches!(
            option,
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true)))
        )
    };
    let labels = options.iter().any(is_true);
    function::by_row(text, clock.is_by_row(), rows, |size| {
        Events::new(size, clock, labels)
    })
}

struct Events {
    clock: Clock,
    labels: bool,
    version: Numbers<Int32Type>,
    /// The fields of the header after the version.
    header: [Texts; 6],
    severity_num: Numbers<Int8Type>,
    extension: Maps,
    timestamp: Numbers<TimestampMicrosecondType>,
    hostname: Texts,
    parse_error: Texts,
    valid: NullBufferBuilder,
}

impl Events {
    fn new(size: Size, clock: Clock, labels: bool) -> Self {
        let Size { rows, bytes } = size;
        Self {
            clock,
            labels,
            version: Numbers::with_capacity(rows),
            header: std::array::from_fn(|_| Texts::with_capacity(rows, bytes / 16)),
            severity_num: Numbers::with_capacity(rows),
            extension: Maps::with_capacity(rows, bytes),
            timestamp: Numbers::with_capacity(rows),
            hostname: Texts::with_capacity(rows, 0),
            parse_error: Texts::with_capacity(rows, 0),
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn append(&mut self, event: &Event<'_>, row: usize) {
        let [version, header @ ..] = event.header;
        let level = header.last().map_or("", |field| field.raw);
        self.version.push(version.raw.trim().parse().ok());
        self.severity_num.push(severity::in_cef(level));
        for (column, field) in self.header.iter_mut().zip(header) {
            column.push_text(Some(field));
        }
        match self.labels {
            true => labelled(event.extension, &mut self.extension),
            false => event
                .extension
                .for_each(|(key, value)| self.extension.put(Text::plain(key), Some(value))),
        }
        self.extension.end();
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
        self.version.push(None);
        self.header.iter_mut().for_each(Texts::push_null);
        self.severity_num.push(None);
        self.extension.end_null();
        self.timestamp.push(None);
        self.hostname.push_null();
    }
}

/// Puts the pairs with the names that their labels give them.
fn labelled(extension: Extension<'_>, maps: &mut Maps) {
    let pairs: Vec<(&str, Text<'_>)> = extension.collect();
    let values: HashMap<&str, Text<'_>> = pairs.iter().copied().collect();
    for (key, value) in &pairs {
        if key
            .strip_suffix("Label")
            .is_some_and(|base| values.contains_key(base))
        {
            continue;
        }
        let label = values.get(format!("{key}Label").as_str()).copied();
        let label = label.filter(|label| !label.raw.trim().is_empty());
        maps.put(label.unwrap_or_else(|| Text::plain(key)), Some(*value));
    }
}

impl Rows for Events {
    fn push(&mut self, text: &str, row: usize) {
        self.valid.append_non_null();
        match cef::parse(text) {
            Ok(event) => self.append(&event, row),
            Err(wrong) => {
                self.append_none();
                self.parse_error.push(&format!("not a CEF event: {wrong}"));
            }
        }
    }

    fn push_null(&mut self) {
        self.append_none();
        self.parse_error.push_null();
        self.valid.append_null();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let mut columns = vec![self.version.finish(&DataType::Int32)?];
        for column in self.header {
            columns.push(column.finish()?);
        }
        columns.extend([
            self.severity_num.finish(&DataType::Int8)?,
            self.extension.finish()?,
            self.timestamp.finish(&columns::timestamp_type())?,
            self.hostname.finish()?,
            self.parse_error.finish()?,
        ]);
        columns::structs(&kind(&[])?, columns, &mut self.valid)
    }
}
