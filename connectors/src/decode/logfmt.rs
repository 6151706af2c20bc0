//! The encoding `logfmt`: `level=info msg="it is on" cached`, by the rules of the Go library of
//! that name. A key alone is `true`.

use std::borrow::Cow;

use super::check::unquote;
use super::fault::Fault;
use super::rows::{Found, Value};

/// Finds the pairs of the record `text`.
pub(super) fn read<'a>(text: &'a str, found: &mut Found<'a>) -> Result<(), Fault> {
    let mut pairs = Pairs { text, at: 0 };
    let mut count = 0_u64;
    while let Some((key, value)) = pairs.next()? {
        found.put(Cow::Borrowed(key), value)?;
        count += 1;
    }
    if count == 0 {
        return Err(Fault::bad_text(
            "bad_logfmt",
            "not logfmt: the record is empty",
        ));
    }
    Ok(())
}

struct Pairs<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pairs<'a> {
    fn next(&mut self) -> Result<Option<(&'a str, Value<'a>)>, Fault> {
        self.at += self.rest().bytes().take_while(|byte| *byte <= b' ').count();
        if self.rest().is_empty() {
            return Ok(None);
        }
        let key = self.word();
        match self.peek() {
            Some(b'=') if !key.is_empty() => self.at += 1,
            Some(b'=' | b'"' | b'\'') => return Err(self.unexpected()),
            _ => return Ok(Some((key, Value::json("true")))),
        }
        if key.contains('\u{fffd}') {
            return Err(self.wrong("the key before it is not text"));
        }
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote)?,
            _ => {
                let word = self.word();
                if matches!(self.peek(), Some(b'=' | b'"' | b'\'')) {
                    return Err(self.unexpected());
                }
                Cow::Borrowed(word)
            }
        };
        Ok(Some((key, Value::Text(value))))
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

    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, Fault> {
        let rest = self.rest();
        let (mut escaped, mut has_escapes) = (false, false);
        let end = rest.bytes().skip(1).position(|byte| {
            let is_end = byte == quote && !escaped;
            escaped = byte == b'\\' && quote == b'"' && !escaped;
            has_escapes |= escaped;
            is_end
        });
        let Some(end) = end else {
            self.at = self.text.len();
            return Err(self.wrong("a quoted value has no end"));
        };
        let (inner, whole) = (rest.get(1..=end), rest.get(..end + 2));
        let value = match whole {
            Some(whole) if has_escapes => unquote(whole)
                .map_err(|_| self.wrong("a quoted value has a wrong escape"))?
                .into(),
            _ => Cow::Borrowed(inner.unwrap_or_default()),
        };
        self.at += end + 2;
        Ok(value)
    }

    fn unexpected(&self) -> Fault {
        let byte = self.peek().map_or(' ', char::from);
        self.wrong(&format!("unexpected {byte}"))
    }

    fn wrong(&self, what: &str) -> Fault {
        let at = self.at;
        Fault::bad_text("bad_logfmt", format!("not logfmt: {what} at byte {at}"))
    }
}
