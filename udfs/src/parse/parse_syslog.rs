//! `parse_syslog(text [, ref_time] [, tz])` takes syslog messages apart, of RFC 5424 and of RFC
//! 3164. Cost: one pass over the message, two over its structured data.

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
use super::grammar::syslog::{self, Elements, Message};
use super::grammar::text::Text;
use super::maps::{self, Maps};

const NAME: &str = "parse_syslog";
const PARAMETERS: [&str; 3] = ["text", "ref_time", "tz"];

/// The function `parse_syslog`.
#[must_use]
pub fn udf() -> ScalarUDF {
    ScalarUDF::from(ParseSyslog::new())
}

#[user_doc(
    doc_section(label = "Parsing"),
    description = "Takes a syslog message apart, by RFC 5424, or by RFC 3164 and what resembles \
it. The priority and the host may be missing, and a count of octets (RFC 6587) may stand before \
it. A date without a year lies in the latest year that does not put it more than a day after \
`ref_time`. A message that claims to be of RFC 5424 and is not gives NULL fields and the reason \
in `parse_error`.",
    syntax_example = "parse_syslog(text [, ref_time] [, tz])",
    sql_example = r#"```sql
> SELECT m['severity_name'] AS severity, m['timestamp'] AS timestamp, m['appname'] AS appname,
    m['structured_data']['origin']['ip'] AS ip, m['message'] AS message
  FROM (SELECT parse_syslog(
    '<34>1 2003-10-11T22:14:15.003Z host su - ID47 [origin ip="10.0.0.1"] failed') AS m);
+----------+--------------------------+---------+----------+---------+
| severity | timestamp                | appname | ip       | message |
+----------+--------------------------+---------+----------+---------+
| crit     | 2003-10-11T22:14:15.003Z | su      | 10.0.0.1 | failed  |
+----------+--------------------------+---------+----------+---------+
> SELECT m['timestamp'] AS timestamp, m['hostname'] AS hostname, m['procid'] AS procid
  FROM (SELECT parse_syslog('<13>Dec 31 23:59:59 web sshd[42]: bye',
    ref_time => TIMESTAMP '2026-01-01 00:00:05', tz => 'Europe/Berlin') AS m);
+----------------------+----------+--------+
| timestamp            | hostname | procid |
+----------------------+----------+--------+
| 2025-12-31T22:59:59Z | web      | 42     |
+----------------------+----------+--------+
```"#,
    argument(
        name = "text",
        description = "A message. The answer is a STRUCT of `facility` TINYINT, `facility_name`, \
`severity` TINYINT, `severity_name`, `version` INT, `timestamp`, `hostname`, `appname`, `procid`, \
`msgid`, `structured_data` MAP(VARCHAR, MAP(VARCHAR, VARCHAR)), `message`, `protocol` (`RFC5424` \
or `RFC3164`) and `parse_error`."
    ),
    argument(
        name = "ref_time",
        description = "A TIMESTAMP, literal or column: about when the message arrived. Without it \
the time of the call counts, and the answer changes with it; pipelines give `_kafka_ts`."
    ),
    argument(
        name = "tz",
        description = "The zone of times that have none, as a literal such as `'Europe/Berlin'` \
or `'+02:00'`; the default is UTC. It may also stand before `ref_time`."
    )
)]
#[derive(Debug, PartialEq, Eq, Hash)]
struct ParseSyslog {
    signature: Signature,
}

function::scalar!(ParseSyslog, NAME, PARAMETERS, Stable);

fn coerce(given: &[DataType]) -> Result<Vec<DataType>> {
    function::timed(NAME, &PARAMETERS, given)
}

fn kind(options: &[Option<&ScalarValue>]) -> Result<DataType> {
    clock::check(NAME, options)?;
    Ok(columns::struct_type([
        ("facility", DataType::Int8),
        ("facility_name", DataType::Utf8),
        ("severity", DataType::Int8),
        ("severity_name", DataType::Utf8),
        ("version", DataType::Int32),
        ("timestamp", columns::timestamp_type()),
        ("hostname", DataType::Utf8),
        ("appname", DataType::Utf8),
        ("procid", DataType::Utf8),
        ("msgid", DataType::Utf8),
        ("structured_data", maps::map_type(Maps::data_type())),
        ("message", DataType::Utf8),
        ("protocol", DataType::Utf8),
        ("parse_error", DataType::Utf8),
    ]))
}

fn invoke(text: &ColumnarValue, options: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    let clock = Clock::of(NAME, options)?;
    function::by_row(text, clock.is_by_row(), rows, |size| {
        Messages::new(size, clock)
    })
}

struct Messages {
    clock: Clock,
    facility: Numbers<Int8Type>,
    facility_name: Texts,
    severity: Numbers<Int8Type>,
    severity_name: Texts,
    version: Numbers<Int32Type>,
    timestamp: Numbers<TimestampMicrosecondType>,
    hostname: Texts,
    appname: Texts,
    procid: Texts,
    msgid: Texts,
    structured_data: Data,
    message: Texts,
    protocol: Texts,
    parse_error: Texts,
    valid: NullBufferBuilder,
}

impl Messages {
    fn new(size: Size, clock: Clock) -> Self {
        let Size { rows, bytes } = size;
        let text = |share: usize| Texts::with_capacity(rows, bytes / share);
        Self {
            clock,
            facility: Numbers::with_capacity(rows),
            facility_name: Texts::with_capacity(rows, rows * 8),
            severity: Numbers::with_capacity(rows),
            severity_name: Texts::with_capacity(rows, rows * 8),
            version: Numbers::with_capacity(rows),
            timestamp: Numbers::with_capacity(rows),
            hostname: text(8),
            appname: text(8),
            procid: text(16),
            msgid: text(16),
            structured_data: Data::new(rows),
            message: text(1),
            protocol: Texts::with_capacity(rows, rows * 7),
            parse_error: Texts::with_capacity(rows, 0),
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn append(&mut self, message: &Message<'_>, row: usize) {
        let number = |(number, _)| i8::try_from(number).ok();
        let (facility, severity) = (message.facility(), message.severity());
        self.facility.push(facility.and_then(number));
        self.facility_name.push_some(facility.map(|(_, name)| name));
        self.severity.push(severity.and_then(number));
        self.severity_name.push_some(severity.map(|(_, name)| name));
        let version = message.version.and_then(|version| version.parse().ok());
        self.version.push(version);
        let stamp = message.stamp.as_ref();
        let timestamp = stamp.and_then(|stamp| self.clock.stamp(stamp, row));
        self.timestamp.push(timestamp);
        self.hostname.push_some(message.hostname);
        self.appname.push_some(message.app_name);
        self.procid.push_some(message.proc_id);
        self.msgid.push_some(message.msg_id);
        self.structured_data.push(message.structured_data);
        self.message.push_some(message.message);
    }
}

impl Rows for Messages {
    fn push(&mut self, text: &str, row: usize) {
        self.valid.append_non_null();
        match syslog::parse(text) {
            Ok(message) => {
                self.append(&message, row);
                let standard = message.version.is_some();
                self.protocol
                    .push(if standard { "RFC5424" } else { "RFC3164" });
                self.parse_error.push_null();
            }
            Err(wrong) => {
                self.append(&Message::default(), row);
                self.protocol.push_null();
                self.parse_error
                    .push(&format!("not a syslog message: {wrong}"));
            }
        }
    }

    fn push_null(&mut self) {
        self.append(&Message::default(), 0);
        self.protocol.push_null();
        self.parse_error.push_null();
        self.valid.append_null();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let columns = vec![
            self.facility.finish(&DataType::Int8)?,
            self.facility_name.finish()?,
            self.severity.finish(&DataType::Int8)?,
            self.severity_name.finish()?,
            self.version.finish(&DataType::Int32)?,
            self.timestamp.finish(&columns::timestamp_type())?,
            self.hostname.finish()?,
            self.appname.finish()?,
            self.procid.finish()?,
            self.msgid.finish()?,
            self.structured_data.finish()?,
            self.message.finish()?,
            self.protocol.finish()?,
            self.parse_error.finish()?,
        ];
        columns::structs(&kind(&[])?, columns, &mut self.valid)
    }
}

/// Structured data: elements by id, and their parameters by name. Elements of the same id are one;
/// of a parameter that repeats the last value counts.
struct Data {
    ids: Texts,
    elements: Maps,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

impl Data {
    fn new(rows: usize) -> Self {
        Self {
            ids: Texts::with_capacity(0, 0),
            elements: Maps::with_capacity(0, 0),
            ends: vec![0],
            valid: NullBufferBuilder::new(rows),
        }
    }

    fn push(&mut self, data: Option<Elements<'_>>) {
        if let Some(elements) = data {
            // Elements by their place; one id alone, the usual case, needs none.
            let mut places: HashMap<&str, usize> = HashMap::new();
            let mut united: Vec<(&str, Vec<(&str, Text<'_>)>)> = Vec::new();
            let mut rest = elements;
            let first = rest.next();
            if rest.next().is_some() {
                for (id, parameters) in elements {
                    let place = *places.entry(id).or_insert(united.len());
                    if place == united.len() {
                        united.push((id, Vec::new()));
                    }
                    if let Some((_, all)) = united.get_mut(place) {
                        all.extend(parameters);
                    }
                }
                for (id, parameters) in united {
                    self.element(id, parameters.into_iter());
                }
            } else if let Some((id, parameters)) = first {
                self.element(id, parameters);
            }
        }
        self.ends.push(self.ids.len() as i32);
        self.valid.append(data.is_some());
    }

    fn element<'a>(&mut self, id: &str, parameters: impl Iterator<Item = (&'a str, Text<'a>)>) {
        self.ids.push(id);
        for (name, value) in parameters {
            self.elements.put(Text::plain(name), Some(value));
        }
        self.elements.end();
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let (ids, elements) = (self.ids.finish()?, self.elements.finish()?);
        let data = maps::map_array(ids, elements, self.ends, &mut self.valid)?;
        Ok(std::sync::Arc::new(data))
    }
}
