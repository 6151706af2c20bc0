//! The encoding `cef`: ArcSight's Common Event Format, alone or after a syslog header.
//!
//! `CEF:version|vendor|product|version|event class|name|severity|key=value key=value`

use std::borrow::Cow;

use super::fault::Fault;
use super::rows::{Found, Value};
use super::syslog::{self, Names};

/// The fields of the header, in their order.
const HEADER: [&str; 7] = [
    "version",
    "device_vendor",
    "device_product",
    "device_version",
    "device_event_class_id",
    "name",
    "severity",
];
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
    let start = start(text).ok_or_else(|| wrong("it has no \"CEF:\" and version"))?;
    let (prefix, event) = text.split_at(start);
    if !prefix.trim().is_empty() {
        // The count of a frame is that of the whole message, so it is checked here.
        let message = syslog::parse(uncounted(prefix, text)?, written_us)?;
        message.put(found, NAMES)?;
    }
    let mut rest = event.get("CEF:".len()..).unwrap_or_default();
    for (at, key) in HEADER.into_iter().enumerate() {
        let end = unescaped_pipe(rest);
        let is_last = at + 1 == HEADER.len();
        let (field, further) = match end {
            Some(end) => (rest.get(..end), rest.get(end + 1..)),
            None if is_last => (Some(rest.trim_end()), Some("")),
            None => return Err(wrong(format!("its header ends before its {key}"))),
        };
        let field = unescape(field.unwrap_or_default(), header_escape);
        found.put(key.into(), Value::Text(field))?;
        rest = further.unwrap_or_default();
    }
    extension(rest.trim_matches([' ', '\r', '\n']), found)
}

fn wrong(what: impl std::fmt::Display) -> Fault {
    Fault::bad_text("bad_cef", format!("not a CEF event: {what}"))
}

/// Where the event begins: `CEF:` and a digit, at the start or after a space.
fn start(text: &str) -> Option<usize> {
    text.match_indices("CEF:").map(|(at, _)| at).find(|at| {
        let before = text.as_bytes().get(at.wrapping_sub(1));
        let version = text.as_bytes().get(at + "CEF:".len());
        before.is_none_or(u8::is_ascii_whitespace) && version.is_some_and(u8::is_ascii_digit)
    })
}

/// The prefix without the count of octets that may stand before it.
fn uncounted<'a>(prefix: &'a str, text: &str) -> Result<&'a str, Fault> {
    let Some((count, rest)) = prefix.split_once(" <") else {
        return Ok(prefix);
    };
    let (Ok(count), true) = (count.parse::<usize>(), count.len() < 10) else {
        return Ok(prefix);
    };
    let body = text.len() - (prefix.len() - rest.len() - 1);
    let line = text.len() - text.trim_end_matches(['\r', '\n']).len();
    if count != body && count + line != body {
        return Err(wrong(format!(
            "it has {body} bytes and its count says {count}"
        )));
    }
    Ok(prefix
        .get(prefix.len() - rest.len() - 1..)
        .unwrap_or(prefix))
}

fn unescaped_pipe(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })
}

/// Finds the fields after the header. A value lasts until the next key, so it may have spaces; a
/// sign of equality after something that cannot be a key is part of it.
fn extension<'a>(text: &'a str, found: &mut Found<'a>) -> Result<(), Fault> {
    let (mut key, mut from): (Option<&str>, usize) = (None, 0);
    // Where the word began that may be a key.
    let (mut word, mut escaped) = (Some(0), false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' if !escaped => word = Some(at + 1),
            b'=' if !escaped => {
                let begins = word.take();
                let name = begins.and_then(|begins| text.get(begins..at));
                match (begins, name.filter(|name| is_key(name))) {
                    (Some(begins), Some(name)) => {
                        put(key, text.get(from..begins).unwrap_or_default(), found)?;
                        (key, from) = (Some(name), at + 1);
                    }
                    _ if key.is_some() => {}
                    _ => return Err(wrong("its extension does not begin with a key")),
                }
            }
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    let last = text.get(from..).unwrap_or_default();
    if key.is_none() && !last.is_empty() {
        return Err(wrong("its extension has no keys"));
    }
    put(key, last, found)
}

fn is_key(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    !name.is_empty() && name.bytes().all(legal)
}

fn put<'a>(key: Option<&'a str>, value: &'a str, found: &mut Found<'a>) -> Result<(), Fault> {
    let Some(key) = key else {
        return Ok(());
    };
    let value = unescape(value.trim_end_matches(' '), extension_escape);
    // A key that the header has too keeps its value under a name of its own.
    let key = match HEADER.contains(&key) || PREFIX.contains(&key) {
        true => Cow::Owned(format!("extension.{key}")),
        false => Cow::Borrowed(key),
    };
    found.put(key, Value::Text(value))
}

fn header_escape(escaped: char) -> Option<char> {
    matches!(escaped, '|' | '\\').then_some(escaped)
}

fn extension_escape(escaped: char) -> Option<char> {
    match escaped {
        '=' | '\\' | '|' => Some(escaped),
        'n' => Some('\n'),
        'r' => Some('\r'),
        _ => None,
    }
}

/// `text` with what `escape` says for a character after a backslash; others keep the backslash.
fn unescape(text: &str, escape: fn(char) -> Option<char>) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(next) = chars.next() {
        let escaped = (next == '\\').then(|| chars.clone().next()).flatten();
        match escaped.and_then(escape) {
            Some(meant) => {
                plain.push(meant);
                chars.next();
            }
            None => plain.push(next),
        }
    }
    Cow::Owned(plain)
}
