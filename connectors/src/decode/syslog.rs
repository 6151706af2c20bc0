//! The encoding `syslog`: what a message of RFC 5424 or RFC 3164 says, as columns. The grammar is
//! that of the SQL functions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sluice_udfs::parse::grammar::syslog::{Elements, Message, parse};
use sluice_udfs::parse::grammar::syslog_bsd::{Date, Stamp};

use super::fault::Fault;
use super::rows::{Found, Value};

/// How far a device's clock may be ahead of the stream's.
const AHEAD_US: i64 = 7 * 86_400_000_000;

/// Finds the fields of the message `text`.
pub(super) fn read<'a>(
    text: &'a str,
    written_us: Option<i64>,
    found: &mut Found<'a>,
) -> Result<(), Fault> {
    let names = Names {
        severity: "severity",
        version: "version",
        message: "message",
    };
    put(text, written_us, found, names)
}

/// What fields are called that other formats have too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) severity: &'static str,
    pub(super) version: &'static str,
    pub(super) message: &'static str,
}

/// Puts every field that the message has. The year of a date without one is the latest that does
/// not put it more than a week after `written_us`; where nothing tells the year, the date is the
/// field `timestamp_text`. Before an event of another format there is no text.
pub(super) fn put<'a>(
    text: &'a str,
    written_us: Option<i64>,
    found: &mut Found<'a>,
    names: Names,
) -> Result<(), Fault> {
    let message: Message<'a> = parse(text)
        .map_err(|wrong| Fault::bad_text("bad_syslog", format!("not a syslog message: {wrong}")))?;
    if let (Some(priority), Some((number, _))) = (message.priority, message.severity()) {
        found.put("priority".into(), Value::json(priority.to_string()))?;
        found.put("severity_number".into(), Value::json(number.to_string()))?;
        let severity = message.severity().map(|(_, name)| name);
        let facility = message.facility().map(|(_, name)| name);
        put_texts(found, [(names.severity, severity), ("facility", facility)])?;
    }
    if let Some(version) = message.version {
        found.put(names.version.into(), Value::json(version))?;
    }
    if let Some(data) = message.structured_data {
        found.put("structured_data".into(), Value::json(object(data)))?;
    }
    let mut timestamp_text = None;
    match message.stamp {
        Some(Stamp::Time(text, _)) => found.put("timestamp".into(), Value::text(text))?,
        Some(Stamp::Date(date)) => match dated(&date, written_us) {
            Some(text) => found.put("timestamp".into(), Value::text(text))?,
            None => timestamp_text = Some(date.text),
        },
        None => {}
    }
    let texts = [
        ("timestamp_text", timestamp_text),
        ("hostname", message.hostname),
        ("app_name", message.app_name),
        ("proc_id", message.proc_id),
        ("msg_id", message.msg_id),
        (
            names.message,
            message.message.filter(|text| !text.is_empty()),
        ),
    ];
    put_texts(found, texts)
}

fn put_texts<'a, const N: usize>(
    found: &mut Found<'a>,
    texts: [(&'static str, Option<&'a str>); N],
) -> Result<(), Fault> {
    for (key, text) in texts {
        if let Some(text) = text {
            found.put(key.into(), Value::text(text))?;
        }
    }
    Ok(())
}

/// The date as RFC 3339 has it.
fn dated(date: &Date<'_>, written_us: Option<i64>) -> Option<String> {
    let year = match date.year {
        Some(year) => year,
        None => date.latest(written_us?, AHEAD_US)?.0,
    };
    let Date {
        month, day, clock, ..
    } = date;
    Some(format!("{year:04}-{month:02}-{day:02}T{clock}Z"))
}

/// The parameters of an element by their names, which may repeat.
type Parameters<'a> = BTreeMap<&'a str, Vec<Cow<'a, str>>>;

/// The structured data as a JSON object.
fn object(data: Elements<'_>) -> String {
    let mut elements: BTreeMap<&str, Parameters<'_>> = BTreeMap::new();
    for (id, parameters) in data {
        let element = elements.entry(id).or_default();
        for (name, value) in parameters {
            element.entry(name).or_default().push(value.to_cow());
        }
    }
    let value = |mut values: Vec<Cow<'_, str>>| match (values.pop(), values.is_empty()) {
        (Some(only), true) => serde_json::Value::from(only),
        (last, _) => values.into_iter().chain(last).collect(),
    };
    let element = |(id, of): (&str, Parameters<'_>)| {
        let object = of
            .into_iter()
            .map(|(name, values)| (name.to_owned(), value(values)));
        (id.to_owned(), serde_json::Value::Object(object.collect()))
    };
    let object = elements.into_iter().map(element).collect();
    serde_json::Value::Object(object).to_string()
}
