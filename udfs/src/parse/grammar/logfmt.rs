//! logfmt: `level=info msg="it is on" cached`, by the rules of the Go library of that name.

use super::text::{self, Escape, Text};
use super::wrong::Wrong;

/// The value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// The key stands alone.
    Alone,
    /// The value as it stands, without quotes.
    Bare(&'a str),
    /// A value in quotes; in double quotes escapes are those of JSON, in single quotes there are
    /// none.
    Quoted(Text<'a>),
}

/// The pairs of a text, until one breaks the rules.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pairs<'a> {
    /// The pairs of `text`.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What comes before a space, a quote, or a sign of equality.
    fn word(&mut self) -> &'a str {
        let ends = |byte: u8| byte <= b' ' || matches!(byte, b'=' | b'"' | b'\'');
        let rest = self.rest();
        let word = match rest.bytes().position(ends) {
            Some(end) => rest.get(..end).unwrap_or_default(),
            None => rest,
        };
        self.at += word.len();
        word
    }

    fn pair(&mut self) -> Result<(&'a str, Value<'a>), Wrong<'a>> {
        let key = self.word();
        match self.peek() {
            Some(b'=') if !key.is_empty() => self.at += 1,
            Some(b'=' | b'"' | b'\'') => return Err(self.unexpected()),
            _ => return Ok((key, Value::Alone)),
        }
        if !key.is_ascii() && key.contains('\u{fffd}') {
            return Err(self.wrong("the key before it is not text"));
        }
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => Value::Quoted(self.quoted(quote)?),
            _ => {
                let word = self.word();
                if matches!(self.peek(), Some(b'=' | b'"' | b'\'')) {
                    return Err(self.unexpected());
                }
                Value::Bare(word)
            }
        };
        Ok((key, value))
    }

    fn quoted(&mut self, quote: u8) -> Result<Text<'a>, Wrong<'a>> {
        let bytes = self.rest().as_bytes();
        let (mut end, mut escape) = (1, Escape::None);
        loop {
            let inner = bytes.get(end..).unwrap_or_default();
            let found = match quote {
                b'"' => memchr::memchr2(b'"', b'\\', inner),
                _ => memchr::memchr(quote, inner),
            };
            let Some(found) = found.map(|found| end + found) else {
                self.at = self.text.len();
                return Err(self.wrong("a quoted value has no end"));
            };
            if bytes.get(found) == Some(&quote) {
                end = found;
                break;
            }
            escape = Escape::Json;
            end = found + 2;
        }
        let raw = self.rest().get(1..end).unwrap_or_default();
        if escape == Escape::Json && !text::is_json(raw) {
            return Err(self.wrong("a quoted value has a wrong escape"));
        }
        self.at += end + 1;
        Ok(Text { raw, escape })
    }

    fn unexpected(&self) -> Wrong<'a> {
        Wrong::Unexpected {
            byte: self.peek().map_or(' ', char::from),
            at: self.at,
        }
    }

    fn wrong(&self, what: &'static str) -> Wrong<'a> {
        Wrong::At { what, at: self.at }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a str, Value<'a>), Wrong<'a>>;

    /// The next pair, or the rule that it breaks, after which there is none.
    fn next(&mut self) -> Option<Self::Item> {
        self.at += self.rest().bytes().take_while(|byte| *byte <= b' ').count();
        if self.rest().is_empty() {
            return None;
        }
        let pair = self.pair();
        if pair.is_err() {
            self.at = self.text.len();
        }
        Some(pair)
    }
}
