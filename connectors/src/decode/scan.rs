//! Finding where the values of JSON text end, as `serde_json` would.

use serde::Deserialize;
use serde_json::value::RawValue;

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

/// How many bytes come before the first quote, backslash or control character; None without one.
fn plain(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = zero(word ^ (ONES * b'"' as u64));
        let slash = zero(word ^ (ONES * b'\\' as u64));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // The lowest mark is right; a borrow can only make wrong ones above it.
        let marks = (quote | slash | control) & HIGH;
        if marks != 0 {
            return Some(at * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let from = words.len() * 8;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let rest = bytes.get(from..).unwrap_or_default();
    Some(from + rest.iter().position(special)?)
}

/// The length of the number at the beginning, by the grammar of JSON.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let from = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(from);
    if whole == 0 || (whole > 1 && bytes.get(from) == Some(&b'0')) {
        return None;
    }
    let mut end = from + whole;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end);
        if exponent == 0 {
            return None;
        }
        end += exponent;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for special in (0..=255_u8).filter(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            for length in 0..40 {
                for other in [
                    b'a', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff, 0xa2, 0xdc,
                ] {
                    let mut bytes = vec![other; length];
                    assert_eq!(plain(&bytes), None);
                    bytes.push(special);
                    bytes.extend([other, b'"', b'\\', 0, other, other, other, other, other]);
                    assert_eq!(plain(&bytes), Some(length), "{special} {other}");
                }
            }
        }
    }
}
