//! Pairs of keys and values with any delimiters, by rules that take every text: what is no pair is
//! a key alone.

use super::text::{Escape, Text};

/// What stands between pairs, between a key and its value, and around values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiters {
    /// Between pairs; several in a row count as one.
    pub pair: String,
    /// Between a key and its value.
    pub key: String,
    /// Around a value that holds delimiters; a backslash before it makes it part of the value.
    pub quote: Option<u8>,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            pair: " ".to_owned(),
            key: "=".to_owned(),
            quote: Some(b'"'),
        }
    }
}

/// The pairs of a text.
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    rest: &'a str,
    by: &'a Delimiters,
}

impl<'a> Pairs<'a> {
    /// The pairs of `text`.
    #[must_use]
    pub fn of(text: &'a str, by: &'a Delimiters) -> Self {
        Self { rest: text, by }
    }

    /// The length of the quoted text whose first quote is at the beginning of `text`; None when it
    /// does not end, or something other than a delimiter follows.
    fn quoted(&self, text: &str) -> Option<usize> {
        let quote = self.by.quote?;
        let bytes = text.as_bytes();
        if bytes.first() != Some(&quote) {
            return None;
        }
        let mut at = 1;
        loop {
            at += memchr::memchr2(quote, b'\\', bytes.get(at..)?)?;
            if bytes.get(at) == Some(&quote) {
                break;
            }
            at += 2;
        }
        let after = text.get(at + 1..)?;
        let ends = after.is_empty()
            || after.starts_with(self.by.pair.as_str())
            || after.starts_with(self.by.key.as_str())
            || after.trim_start().is_empty();
        ends.then_some(at + 1)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Text<'a>, Option<Text<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        let Delimiters { pair, key, quote } = self.by;
        loop {
            self.rest = self.rest.trim_start_matches(['\r', '\n', ' ']);
            match self.rest.strip_prefix(pair.as_str()) {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let named = self.quoted(rest).unwrap_or(0);
        let after = rest.get(named..).unwrap_or_default();
        let pair_at = find(after, pair).map_or(rest.len(), |at| named + at);
        let until = rest.get(named..pair_at).unwrap_or_default();
        let Some(key_at) = find(until, key).map(|at| named + at) else {
            self.rest = rest.get(pair_at..).unwrap_or_default();
            return Some((unquoted(rest.get(..pair_at)?.trim_end(), *quote), None));
        };
        let name = unquoted(rest.get(..key_at)?.trim(), *quote);
        let value = rest.get(key_at + key.len()..)?;
        // Where spaces do not part pairs, they may stand before a value.
        let value = match pair.trim().is_empty() {
            true => value,
            false => value.trim_start_matches(' '),
        };
        let length = match self.quoted(value) {
            Some(length) => length,
            None => find(value, pair).unwrap_or(value.len()),
        };
        let (value, rest) = value.split_at_checked(length)?;
        self.rest = rest;
        Some((name, Some(unquoted(value.trim_end(), *quote))))
    }
}

#[inline]
fn find(text: &str, part: &str) -> Option<usize> {
    match part.as_bytes() {
        [byte] => memchr::memchr(*byte, text.as_bytes()),
        part => memchr::memmem::find(text.as_bytes(), part),
    }
}

/// `text` without the quotes around it.
fn unquoted(text: &str, quote: Option<u8>) -> Text<'_> {
    let Some(quote) = quote.map(char::from) else {
        return Text::plain(text);
    };
    let inner = text
        .strip_prefix(quote)
        .and_then(|text| text.strip_suffix(quote));
    match inner {
        Some(inner) => Text::escaped(inner, Escape::Quoted),
        None => Text::plain(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str, by: &Delimiters) -> String {
        let pair = |(key, value): (Text<'_>, Option<Text<'_>>)| match value {
            Some(value) => format!("{}={};", key.to_cow(), value.to_cow()),
            None => format!("{};", key.to_cow()),
        };
        Pairs::of(text, by).map(pair).collect()
    }

    #[test]
    fn every_text_is_pairs() {
        let by = Delimiters::default();
        let cases = [
            ("", ""),
            ("  ", ""),
            ("a=1 b=2", "a=1;b=2;"),
            ("a=1  b=2 \n", "a=1;b=2;"),
            ("a= b=2", "a=;b=2;"),
            ("alone a=1", "alone;a=1;"),
            (r#"a="x y" b="q \" r""#, "a=x y;b=q \" r;"),
            (r#"a="open b=2"#, "a=\"open;b=2;"),
            (r#""a b"=1 c=d=e"#, "a b=1;c=d=e;"),
            ("=1 ==", "=1;==;"),
            ("é=ü", "é=ü;"),
        ];
        for (text, want) in cases {
            assert_eq!(pairs(text, &by), want, "{text}");
        }
    }

    #[test]
    fn delimiters_may_be_any_text() {
        let by = Delimiters {
            pair: "; ".into(),
            key: ": ".into(),
            quote: Some(b'\''),
        };
        assert_eq!(pairs("a: 1; b c: 'x; y'; d", &by), "a=1;b c=x; y;d;");
        let by = Delimiters {
            pair: "&".into(),
            key: "=".into(),
            quote: None,
        };
        assert_eq!(pairs("a=1&b=\"2&&c", &by), "a=1;b=\"2;c;");
        let by = Delimiters {
            pair: ",".into(),
            key: "=".into(),
            quote: Some(b'"'),
        };
        assert_eq!(pairs("a = 1 , b= \"x,y\"", &by), "a=1;b=x,y;");
    }
}
