//! Syslog: a message by RFC 5424, or by RFC 3164 and whatever resembles it, with or without the
//! count of octets that RFC 6587 puts before it, and with or without a priority.

use super::syslog_bsd::{self, Bsd, Stamp};
use super::text::{Escape, Text};
use super::time;
use super::wrong::Wrong;

/// Names of the severities, by number.
pub const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];
/// Names of the facilities, by number.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

/// A message, taken apart. A field that is `-` or missing is None.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The number in angle brackets, at most 191: eight times the facility and the severity.
    pub priority: Option<u8>,
    /// The version, which only a message of RFC 5424 has.
    pub version: Option<&'a str>,
    /// When it was written.
    pub stamp: Option<Stamp<'a>>,
    /// The host.
    pub hostname: Option<&'a str>,
    /// The program.
    pub app_name: Option<&'a str>,
    /// Its process.
    pub proc_id: Option<&'a str>,
    /// The kind of message.
    pub msg_id: Option<&'a str>,
    /// The structured data.
    pub structured_data: Option<Elements<'a>>,
    /// The text, which may be empty.
    pub message: Option<&'a str>,
}

impl Message<'_> {
    /// The number and the name of the severity.
    #[must_use]
    pub fn severity(&self) -> Option<(u8, &'static str)> {
        let number = self.priority? % 8;
        Some((number, SEVERITIES.get(usize::from(number))?))
    }

    /// The number and the name of the facility.
    #[must_use]
    pub fn facility(&self) -> Option<(u8, &'static str)> {
        let number = self.priority? / 8;
        Some((number, FACILITIES.get(usize::from(number))?))
    }
}

/// Takes a message apart.
///
/// # Errors
/// When the text claims to be a message of RFC 5424 and is none, has a priority that stands for
/// nothing or a wrong count, or is empty.
pub fn parse(text: &str) -> Result<Message<'_>, Wrong<'_>> {
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
        return Err(Wrong::Rule("it is empty"));
    }
    let Bsd {
        stamp,
        hostname,
        app_name,
        proc_id,
        message,
    } = syslog_bsd::parse(rest);
    Ok(Message {
        priority,
        stamp,
        hostname,
        app_name,
        proc_id,
        message: Some(message),
        ..Message::default()
    })
}

/// The message without the count before it and the line's end after it.
fn unframed(text: &str) -> Result<&str, Wrong<'_>> {
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
    let Some((says, body)) = body else {
        return Ok(text.get(..end(text)).unwrap_or(text));
    };
    let (counted, has) = (says.parse::<usize>().ok(), body.len());
    if counted != Some(has) && counted != Some(end(body)) {
        return Err(Wrong::Count { has, says });
    }
    Ok(body.get(..end(body)).unwrap_or(body))
}

/// `<34>` and what follows; no priority when it does not look like one.
///
/// # Errors
/// When the number is above 191.
pub fn priority(text: &str) -> Result<(Option<u8>, &str), Wrong<'_>> {
    let Some(rest) = text.strip_prefix('<') else {
        return Ok((None, text));
    };
    let digits = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let Some((number, rest)) = rest.split_at_checked(digits) else {
        return Ok((None, text));
    };
    let (Some(rest), 1..=3) = (rest.strip_prefix('>'), digits) else {
        return Ok((None, text));
    };
    match number.parse::<u8>() {
        Ok(number) if usize::from(number) < 8 * FACILITIES.len() => Ok((Some(number), rest)),
        _ => Err(Wrong::Priority(number)),
    }
}

/// The version, where a message of RFC 5424 follows it.
fn version(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let (version, rest) = text.split_at_checked(digits)?;
    let rest = rest.strip_prefix(' ')?;
    let bytes = rest.as_bytes();
    let year = bytes.len() > 4 && bytes.iter().take(4).all(u8::is_ascii_digit);
    let is_time = rest.starts_with("- ") || (year && bytes.get(4) == Some(&b'-'));
    let is_version = (1..=3).contains(&digits) && !version.starts_with('0');
    (is_version && is_time).then_some((version, rest))
}

/// What follows the version of a message of RFC 5424.
fn standard(text: &str) -> Result<Message<'_>, Wrong<'_>> {
    let mut rest = text;
    let mut next = |part: &'static str| -> Result<Option<&str>, Wrong<'_>> {
        let end = memchr::memchr(b' ', rest.as_bytes()).filter(|end| *end > 0);
        let token = end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)));
        let (token, further) = token.ok_or(Wrong::Ends(part))?;
        rest = further;
        Ok(Some(token).filter(|token| *token != "-"))
    };
    let timestamp = next("host name")?;
    let hostname = next("application's name")?;
    let app_name = next("process id")?;
    let proc_id = next("message id")?;
    let msg_id = next("structured data")?;
    let stamp = match timestamp {
        Some(text) => {
            let us = time::timestamp(text).ok_or(Wrong::Timestamp(text))?;
            Some(Stamp::Time(text, us))
        }
        None => None,
    };
    let (structured_data, rest) = match rest.strip_prefix('-') {
        Some(rest) => (None, rest),
        None => {
            let length = elements(rest)?;
            let (data, rest) = rest.split_at_checked(length).unwrap_or((rest, ""));
            (Some(Elements { rest: data }), rest)
        }
    };
    let message = match rest.strip_prefix(' ') {
        Some(message) => Some(message.strip_prefix('\u{feff}').unwrap_or(message)),
        None if rest.is_empty() => None,
        None => return Err(Wrong::Rule("no space follows its structured data")),
    };
    Ok(Message {
        stamp,
        hostname,
        app_name,
        proc_id,
        msg_id,
        structured_data,
        message,
        ..Message::default()
    })
}

/// The length of the structured data at the beginning, of which every rule is checked.
fn elements(text: &str) -> Result<usize, Wrong<'_>> {
    let mut rest = text;
    while rest.starts_with('[') {
        let (_, mut parameters) = element(rest)?;
        while parameters.step()?.is_some() {}
        rest = parameters.rest;
    }
    if rest.len() == text.len() {
        return Err(Wrong::Rule(
            "its structured data is neither - nor an element in brackets",
        ));
    }
    Ok(text.len() - rest.len())
}

/// The id of the element at the beginning, and its parameters.
fn element(text: &str) -> Result<(&str, Parameters<'_>), Wrong<'_>> {
    let inner = text.get(1..).unwrap_or_default();
    let end = memchr::memchr2(b' ', b']', inner.as_bytes());
    let end = end.ok_or(Wrong::Rule("its structured data has no end"))?;
    let (id, rest) = inner.split_at_checked(end).unwrap_or((inner, ""));
    if id.is_empty() || memchr::memchr2(b'=', b'"', id.as_bytes()).is_some() {
        return Err(Wrong::Rule("an element of its structured data has no id"));
    }
    Ok((id, Parameters { rest }))
}

/// The elements of structured data, each an id and its parameters. Ids may repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements<'a> {
    /// What is left of `[id name="value"][id ...]`, whose rules have been checked.
    rest: &'a str,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (&'a str, Parameters<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.rest.starts_with('[') {
            return None;
        }
        let (id, parameters) = element(self.rest).ok()?;
        let mut skipped = parameters;
        while let Ok(Some(_)) = skipped.step() {}
        self.rest = skipped.rest;
        Some((id, parameters))
    }
}

/// The parameters of an element by their names, which may repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a> {
    rest: &'a str,
}

impl<'a> Parameters<'a> {
    /// The next parameter; None at the bracket that ends them, which is then passed.
    fn step(&mut self) -> Result<Option<(&'a str, Text<'a>)>, Wrong<'a>> {
        let rest = self.rest.trim_start_matches(' ');
        if let Some(further) = rest.strip_prefix(']') {
            self.rest = further;
            return Ok(None);
        }
        let bytes = rest.as_bytes();
        let is_end = |byte: &u8| matches!(byte, b'=' | b' ' | b'"' | b']');
        let end = bytes.iter().position(is_end).unwrap_or(bytes.len());
        if end == 0 || bytes.get(end..end + 2) != Some(b"=\"") {
            return Err(Wrong::Rule(
                "a parameter of its structured data has no name",
            ));
        }
        let from = end + 2;
        let (mut at, mut escape) = (from, Escape::None);
        loop {
            let found = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default());
            let Some(found) = found.map(|found| at + found) else {
                return Err(Wrong::Rule("a parameter of its structured data has no end"));
            };
            if bytes.get(found) == Some(&b'"') {
                at = found;
                break;
            }
            escape = Escape::Syslog;
            at = found + 2;
        }
        let (name, raw) = (rest.get(..end), rest.get(from..at));
        self.rest = rest.get(at + 1..).unwrap_or_default();
        let raw = raw.unwrap_or_default();
        Ok(Some((name.unwrap_or_default(), Text { raw, escape })))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let next = self.step().ok().flatten();
        if next.is_none() {
            self.rest = "";
        }
        next
    }
}
