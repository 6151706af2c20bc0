//! Finding where the values of JSON text end, as `serde_json` would.

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_udfs::parse::grammar::scan::{number, plain};

use super::check::{check, unquote};

/// The text of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(&'a str);

/// A string of a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quoted<'a> {
    /// What is between the quotes, when it has no escapes, and where the string ends.
    Plain(&'a str, usize),
    /// Where a string with escapes ends, which are not yet checked.
    Escaped(usize),
}

impl<'a> Json<'a> {
    /// The text of `record`; None when it is not UTF-8.
    pub(super) fn new(record: &'a [u8]) -> Option<Self> {
        simdutf8::basic::from_utf8(record).ok().map(Self)
    }

    /// What follows `at`.
    pub(super) fn rest(self, at: usize) -> &'a [u8] {
        self.0.as_bytes().get(at..).unwrap_or_default()
    }

    pub(super) fn slice(self, from: usize, to: usize) -> Option<&'a str> {
        self.0.get(from..to)
    }

    /// The string whose quote is at `at`; None when it has no end, or a control character.
    pub(super) fn string(self, at: usize) -> Option<Quoted<'a>> {
        let rest = self.rest(at + 1);
        let length = plain(rest)?;
        match rest.get(length)? {
            b'"' => {
                let from = at + 1;
                let inner = self.slice(from, from + length)?;
                Some(Quoted::Plain(inner, from + length + 1))
            }
            b'\\' => {
                let mut end = length;
                loop {
                    match rest.get(end)? {
                        b'\\' => end += 2,
                        b'"' => return Some(Quoted::Escaped(at + 1 + end + 1)),
                        _ => return None,
                    }
                    end += plain(rest.get(end..)?)?;
                }
            }
            _ => None,
        }
    }

    /// Appends what the string with escapes from `at` to `end` says; None when that is nothing.
    pub(super) fn unescape(self, at: usize, end: usize, to: &mut String) -> Option<()> {
        let (before, mut from) = (to.len(), at + 1);
        loop {
            let rest = self.rest(from);
            let next = from + plain(rest)?;
            to.push_str(self.slice(from, next)?);
            let escaped = match (self.rest(next).first()?, self.rest(next).get(1)) {
                (b'"', _) => return Some(()),
                (b'\\', Some(b'"')) => '"',
                (b'\\', Some(b'\\')) => '\\',
                (b'\\', Some(b'/')) => '/',
                (b'\\', Some(b'n')) => '\n',
                (b'\\', Some(b't')) => '\t',
                (b'\\', Some(b'r')) => '\r',
                _ => {
                    to.truncate(before);
                    to.push_str(&unquote(self.slice(at, end)?).ok()?);
                    return Some(());
                }
            };
            to.push(escaped);
            from = next + 2;
        }
    }

    /// The value at `at` and where it ends; None unless `serde_json` takes it.
    pub(super) fn value(self, at: usize) -> Option<(&'a str, usize)> {
        let rest = self.rest(at);
        let end = match rest.first()? {
            b'"' => match self.string(at)? {
                Quoted::Plain(_, end) => return Some((self.slice(at, end)?, end)),
                Quoted::Escaped(end) => end,
            },
            b'-' | b'0'..=b'9' => at + number(rest)?,
            b'{' | b'[' => {
                let mut json = serde_json::Deserializer::from_str(self.0.get(at..)?);
                at + <&RawValue>::deserialize(&mut json).ok()?.get().len()
            }
            b't' if rest.starts_with(b"true") => at + 4,
            b'f' if rest.starts_with(b"false") => at + 5,
            b'n' if rest.starts_with(b"null") => at + 4,
            _ => return None,
        };
        let raw = self.slice(at, end)?;
        check(raw).ok()?;
        Some((raw, end))
    }
}
