//! ArcSight's Common Event Format, alone or after a syslog header.
//!
//! `CEF:version|vendor|product|version|event class|name|severity|key=value key=value`

use super::text::{Escape, Text};
use super::wrong::Wrong;

/// The fields of the header, in their order.
pub const HEADER: [&str; 7] = [
    "version",
    "device_vendor",
    "device_product",
    "device_version",
    "device_event_class_id",
    "name",
    "severity",
];

/// An event, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// What stands before the event, without a count of octets: a syslog header, or nothing.
    pub prefix: &'a str,
    /// The fields that [`HEADER`] names.
    pub header: [Text<'a>; 7],
    /// The pairs.
    pub extension: Extension<'a>,
}

/// Takes an event apart.
///
/// # Errors
/// When there is no event in the text, its header is incomplete, or its extension has no keys.
pub fn parse(text: &str) -> Result<Event<'_>, Wrong<'_>> {
    let start = start(text).ok_or(Wrong::Rule("it has no \"CEF:\" and version"))?;
    let (prefix, event) = text.split_at_checked(start).unwrap_or(("", text));
    let prefix = match prefix.trim().is_empty() {
        true => "",
        // The count of a frame is that of the whole message, so it is checked here.
        false => uncounted(prefix, text)?,
    };
    let mut rest = event.get("CEF:".len()..).unwrap_or_default();
    let mut header = [Text::plain(""); HEADER.len()];
    for (at, (key, field)) in HEADER.iter().zip(&mut header).enumerate() {
        let is_last = at + 1 == HEADER.len();
        let (raw, further) = match unescaped_pipe(rest) {
            Some(end) => (rest.get(..end), rest.get(end + 1..)),
            None if is_last => (Some(rest.trim_end()), Some("")),
            None => return Err(Wrong::HeaderEnds(key)),
        };
        *field = Text::escaped(raw.unwrap_or_default(), Escape::CefHeader);
        rest = further.unwrap_or_default();
    }
    let extension = Extension::of(rest.trim_matches([' ', '\r', '\n']))?;
    Ok(Event {
        prefix,
        header,
        extension,
    })
}

/// Where an event begins: `CEF:` and a digit, at the start or after a space.
#[must_use]
pub fn start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, b"CEF:").find(|at| {
        let before = bytes.get(at.wrapping_sub(1));
        let version = bytes.get(at + "CEF:".len());
        before.is_none_or(u8::is_ascii_whitespace) && version.is_some_and(u8::is_ascii_digit)
    })
}

/// The prefix without the count of octets that may stand before it.
fn uncounted<'a>(prefix: &'a str, text: &'a str) -> Result<&'a str, Wrong<'a>> {
    let Some((says, rest)) = prefix.split_once(" <") else {
        return Ok(prefix);
    };
    let (Ok(count), true) = (says.parse::<usize>(), says.len() < 10) else {
        return Ok(prefix);
    };
    let has = text.len() - (prefix.len() - rest.len() - 1);
    let line = text.len() - text.trim_end_matches(['\r', '\n']).len();
    if count != has && count + line != has {
        return Err(Wrong::Count { has, says });
    }
    let from = prefix.len() - rest.len() - 1;
    Ok(prefix.get(from..).unwrap_or(prefix))
}

fn unescaped_pipe(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'|', b'\\', bytes.get(from..)?)?;
        if bytes.get(at) == Some(&b'|') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// The pairs after the header. A value lasts until the space before the next key, so it may have
/// spaces; a sign of equality after something that cannot be a key is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    text: &'a str,
    /// The key whose value comes next, and where that begins.
    next: Option<(&'a str, usize)>,
}

impl<'a> Extension<'a> {
    /// The pairs of `text`.
    ///
    /// # Errors
    /// When the text is not empty and has no key, or something before the first key that looks
    /// like one and is none.
    pub fn of(text: &'a str) -> Result<Self, Wrong<'a>> {
        let next = match Self::equals(text, 0) {
            Some(at) => {
                let begins =
                    key(text, at).ok_or(Wrong::Rule("its extension does not begin with a key"))?;
                Some((text.get(begins..at).unwrap_or_default(), at + 1))
            }
            None if text.is_empty() => None,
            None => return Err(Wrong::Rule("its extension has no keys")),
        };
        Ok(Self { text, next })
    }

    /// The next sign of equality that no backslash precedes.
    fn equals(text: &str, from: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut from = from;
        loop {
            let at = from + memchr::memchr2(b'=', b'\\', bytes.get(from..)?)?;
            if bytes.get(at) == Some(&b'=') {
                return Some(at);
            }
            from = at + 2;
        }
    }
}

impl<'a> Iterator for Extension<'a> {
    type Item = (&'a str, Text<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, from) = self.next.take()?;
        let mut at = from;
        let end = loop {
            let Some(equals) = Self::equals(self.text, at) else {
                break self.text.len();
            };
            if let Some(begins) = key(self.text, equals)
                && begins >= from
            {
                let further = self.text.get(begins..equals).unwrap_or_default();
                self.next = Some((further, equals + 1));
                // The space before a key is not part of a value; where there is no value, the
                // key begins where the value would.
                break begins.saturating_sub(1).max(from);
            }
            at = equals + 1;
        };
        let raw = self.text.get(from..end).unwrap_or_default();
        Some((name, Text::escaped(raw, Escape::CefExtension)))
    }
}

/// Where the key before the sign of equality at `at` begins: at the start, or after a space that no
/// backslash precedes.
fn key(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(..at)?;
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-[],".contains(byte);
    let length = bytes.iter().rev().take_while(|byte| legal(byte)).count();
    let begins = at - length;
    let Some(before) = begins.checked_sub(1) else {
        return (length > 0).then_some(begins);
    };
    let slashes = bytes.get(..before)?.iter().rev();
    let slashes = slashes.take_while(|byte| **byte == b'\\').count();
    let is_key = length > 0 && bytes.get(before) == Some(&b' ') && slashes % 2 == 0;
    is_key.then_some(begins)
}
