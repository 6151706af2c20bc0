//! The encoding `syslog`: a message by RFC 5424, or by RFC 3164 and whatever resembles it, with or
//! without the count of octets that RFC 6587 puts before it, and with or without a priority.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::fault::Fault;
use super::rows::{Found, Value};
use super::syslog_bsd::{self, Bsd};
use super::time;

const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// A message, taken apart.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    priority: Option<usize>,
    version: Option<&'a str>,
    msg_id: Option<&'a str>,
    structured_data: Option<String>,
    /// Whether there is a text, if only an empty one.
    has_message: bool,
    rest: Bsd<'a>,
}

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
    parse(text, written_us)?.put(found, names)
}

/// What fields are called that other formats have too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) severity: &'static str,
    pub(super) version: &'static str,
    pub(super) message: &'static str,
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

impl<'a> Message<'a> {
    /// Puts every field that the message has.
    pub(super) fn put(self, found: &mut Found<'a>, names: Names) -> Result<(), Fault> {
        let message = self.message();
        if let Some(priority) = self.priority {
            let number = priority % 8;
            found.put("priority".into(), Value::json(priority.to_string()))?;
            found.put("severity_number".into(), Value::json(number.to_string()))?;
            let severity = SEVERITIES.get(number).copied();
            let facility = FACILITIES.get(priority / 8).copied();
            put_texts(found, [(names.severity, severity), ("facility", facility)])?;
        }
        if let Some(version) = self.version {
            found.put(names.version.into(), Value::json(version))?;
        }
        if let Some(data) = self.structured_data {
            found.put("structured_data".into(), Value::json(data))?;
        }
        if let Some(timestamp) = self.rest.timestamp {
            found.put("timestamp".into(), Value::Text(timestamp))?;
        }
        let texts = [
            ("timestamp_text", self.rest.timestamp_text),
            ("hostname", self.rest.hostname),
            ("app_name", self.rest.app_name),
            ("proc_id", self.rest.proc_id),
            ("msg_id", self.msg_id),
            (names.message, message),
        ];
        put_texts(found, texts)
    }

    /// The text; before an event of another format there is none.
    fn message(&self) -> Option<&'a str> {
        Some(self.rest.message).filter(|text| self.has_message && !text.is_empty())
    }
}

/// Takes a message apart.
pub(super) fn parse(text: &str, written_us: Option<i64>) -> Result<Message<'_>, Fault> {
    let text = unframed(text)?;
    let (priority, rest) = priority(text)?;
    if let Some((version, rest)) = version(rest) {
        return standard(rest).map(|message| Message {
            priority,
            version: Some(version),
            ..message
        });
    }
    if rest.is_empty() {
        return Err(wrong("it is empty"));
    }
    Ok(Message {
        priority,
        has_message: true,
        rest: syslog_bsd::parse(rest, written_us),
        ..Message::default()
    })
}

fn wrong(what: impl std::fmt::Display) -> Fault {
    Fault::bad_text("bad_syslog", format!("not a syslog message: {what}"))
}

/// The message without the count before it and the line's end after it.
fn unframed(text: &str) -> Result<&str, Fault> {
    let end = |text: &str| {
        let text = text.strip_suffix('\0').unwrap_or(text);
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.strip_suffix('\r').unwrap_or(text).len()
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let body = match text.split_at_checked(digits) {
        Some((count, rest)) if (1..=9).contains(&digits) => rest
            .strip_prefix(' ')
            .filter(|body| priority(body).is_ok_and(|(priority, _)| priority.is_some()))
            .map(|body| (count, body)),
        _ => None,
    };
    let Some((count, body)) = body else {
        return Ok(text.get(..end(text)).unwrap_or(text));
    };
    let (counted, has) = (count.parse::<usize>().ok(), body.len());
    if counted != Some(has) && counted != Some(end(body)) {
        return Err(wrong(format!(
            "it has {has} bytes and its count says {count}"
        )));
    }
    Ok(body.get(..end(body)).unwrap_or(body))
}

/// `<34>` and what follows; no priority when it does not look like one.
fn priority(text: &str) -> Result<(Option<usize>, &str), Fault> {
    let Some(rest) = text.strip_prefix('<') else {
        return Ok((None, text));
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let Some((number, rest)) = rest.split_at_checked(digits) else {
        return Ok((None, text));
    };
    let (Some(rest), 1..=3) = (rest.strip_prefix('>'), digits) else {
        return Ok((None, text));
    };
    match number.parse::<usize>() {
        Ok(number) if number < 8 * FACILITIES.len() => Ok((Some(number), rest)),
        _ => Err(wrong(format!("its priority {number} is above 191"))),
    }
}

/// The version, where a message of RFC 5424 follows it.
fn version(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (version, rest) = text.split_at_checked(digits)?;
    let rest = rest.strip_prefix(' ')?;
    let bytes = rest.as_bytes();
    let year = bytes.len() > 4 && bytes.iter().take(4).all(u8::is_ascii_digit);
    let is_time = rest.starts_with("- ") || (year && bytes.get(4) == Some(&b'-'));
    let is_version = (1..=3).contains(&digits) && !version.starts_with('0');
    (is_version && is_time).then_some((version, rest))
}

/// What follows the version of a message of RFC 5424.
fn standard(text: &str) -> Result<Message<'_>, Fault> {
    let mut rest = text;
    let mut next = |what: &str| -> Result<Option<&str>, Fault> {
        let (token, further) = rest
            .split_once(' ')
            .filter(|(token, _)| !token.is_empty())
            .ok_or_else(|| wrong(format!("it ends before its {what}")))?;
        rest = further;
        Ok(Some(token).filter(|token| *token != "-"))
    };
    let timestamp = next("host name")?;
    let hostname = next("application's name")?;
    let app_name = next("process id")?;
    let proc_id = next("message id")?;
    let msg_id = next("structured data")?;
    if let Some(text) = timestamp.filter(|text| time::timestamp(text).is_none()) {
        return Err(wrong(format!("\"{text}\" is no timestamp")));
    }
    let (structured_data, rest) = match rest.strip_prefix('-') {
        Some(rest) => (None, rest),
        None => {
            let (data, rest) = elements(rest)?;
            (Some(data), rest)
        }
    };
    let message = match rest.strip_prefix(' ') {
        Some(message) => Some(message.strip_prefix('\u{feff}').unwrap_or(message)),
        None if rest.is_empty() => None,
        None => return Err(wrong("no space follows its structured data")),
    };
    Ok(Message {
        msg_id,
        structured_data,
        has_message: message.is_some(),
        rest: Bsd {
            timestamp: timestamp.map(Cow::Borrowed),
            hostname,
            app_name,
            proc_id,
            message: message.unwrap_or_default(),
            ..Bsd::default()
        },
        ..Message::default()
    })
}

/// The parameters of an element by their names, which may repeat.
type Parameters = BTreeMap<String, Vec<String>>;

/// The structured data as a JSON object, and what follows it.
fn elements(text: &str) -> Result<(String, &str), Fault> {
    let mut elements: BTreeMap<&str, Parameters> = BTreeMap::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        let end = inner.find([' ', ']']);
        let end = end.ok_or_else(|| wrong("its structured data has no end"))?;
        let (id, further) = inner.split_at(end);
        if id.is_empty() || id.contains(['=', '"']) {
            return Err(wrong("an element of its structured data has no id"));
        }
        rest = parameters(further, elements.entry(id).or_default())?;
    }
    if elements.is_empty() {
        return Err(wrong(
            "its structured data is neither - nor an element in brackets",
        ));
    }
    let value = |mut values: Vec<String>| match (values.pop(), values.is_empty()) {
        (Some(only), true) => serde_json::Value::from(only),
        (last, _) => values.into_iter().chain(last).collect(),
    };
    let element = |(id, of): (&str, Parameters)| {
        let object = of.into_iter().map(|(name, values)| (name, value(values)));
        (id.to_owned(), serde_json::Value::Object(object.collect()))
    };
    let object = elements.into_iter().map(element).collect();
    Ok((serde_json::Value::Object(object).to_string(), rest))
}

/// The parameters up to the bracket that ends them, and what follows it.
fn parameters<'a>(text: &'a str, to: &mut Parameters) -> Result<&'a str, Fault> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(further) = rest.strip_prefix(']') {
            return Ok(further);
        }
        let (name, further) = rest
            .split_once("=\"")
            .filter(|(name, _)| !name.is_empty() && !name.contains([' ', '"', ']', '=']))
            .ok_or_else(|| wrong("a parameter of its structured data has no name"))?;
        let (mut value, mut chars) = (String::new(), further.char_indices());
        let end = loop {
            match chars.next() {
                Some((end, '"')) => break end,
                Some((_, '\\')) => match chars.next() {
                    Some((_, escaped @ ('"' | '\\' | ']'))) => value.push(escaped),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => {}
                },
                Some((_, other)) => value.push(other),
                None => return Err(wrong("a parameter of its structured data has no end")),
            }
        };
        to.entry(name.to_owned()).or_default().push(value);
        rest = further.get(end + 1..).unwrap_or_default();
    }
}
