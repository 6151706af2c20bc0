//! The encoding `cef`: the header and the extension of an event, as columns. The grammar is that of
//! the SQL functions.

use std::borrow::Cow;

use sluice_udfs::parse::grammar::cef::{HEADER, parse};
use sluice_udfs::parse::grammar::text::Text;

use super::fault::Fault;
use super::rows::{Found, Value};
use super::syslog::{self, Names};

/// Fields that a syslog header gives.
const PREFIX: [&str; 13] = [
    "timestamp",
    "timestamp_text",
    "hostname",
    "priority",
    "facility",
    "severity_number",
    "app_name",
    "proc_id",
    "msg_id",
    "structured_data",
    "syslog_severity",
    "syslog_version",
    "syslog_message",
];
/// What the fields of a syslog header are called that CEF has too.
const NAMES: Names = Names {
    severity: "syslog_severity",
    version: "syslog_version",
    message: "syslog_message",
};

/// Finds the fields of the event `text`.
pub(super) fn read<'a>(
    text: &'a str,
    written_us: Option<i64>,
    found: &mut Found<'a>,
) -> Result<(), Fault> {
    let event = parse(text)
        .map_err(|wrong| Fault::bad_text("bad_cef", format!("not a CEF event: {wrong}")))?;
    if !event.prefix.is_empty() {
        syslog::put(event.prefix, written_us, found, NAMES)?;
    }
    for (key, field) in HEADER.into_iter().zip(event.header) {
        found.put(key.into(), Value::Text(field.to_cow()))?;
    }
    for (key, value) in event.extension {
        // A key that the header has too keeps its value under a name of its own.
        let key = match HEADER.contains(&key) || PREFIX.contains(&key) {
            true => Cow::Owned(format!("extension.{key}")),
            false => Cow::Borrowed(key),
        };
        // Spaces before the next key are not data here: columns of numbers would refuse them.
        let raw = value.raw.trim_end_matches(' ');
        found.put(key, Value::Text(Text { raw, ..value }.to_cow()))?;
    }
    Ok(())
}
