//! One record of CSV, by RFC 4180 with any delimiter and quote. Quotes inside of a field that does
//! not begin with one are part of it.

use super::text::{Escape, Text};
use super::wrong::Wrong;

/// The fields of a record.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    /// None after the last field.
    rest: Option<&'a str>,
    delimiter: u8,
    quote: u8,
}

impl<'a> Fields<'a> {
    /// The fields of `text`, which may end with a line's end. Delimiter and quote are ASCII.
    #[must_use]
    pub fn of(text: &'a str, delimiter: u8, quote: u8) -> Self {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        Self {
            rest: Some(text),
            delimiter,
            quote,
        }
    }

    /// The quoted field at the beginning of `text`, and what follows it.
    fn quoted(&self, text: &'a str) -> Result<(Text<'a>, &'a str), Wrong<'a>> {
        let bytes = text.as_bytes();
        let (mut at, mut escape) = (1, Escape::None);
        loop {
            let found = memchr::memchr(self.quote, bytes.get(at..).unwrap_or_default());
            at += found.ok_or(Wrong::Rule("a quoted field has no end"))?;
            if bytes.get(at + 1) != Some(&self.quote) {
                break;
            }
            escape = Escape::Doubled(char::from(self.quote));
            at += 2;
        }
        let raw = text.get(1..at).unwrap_or_default();
        let rest = text.get(at + 1..).unwrap_or_default();
        Ok((Text { raw, escape }, rest))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Text<'a>, Wrong<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (field, rest) = match rest.as_bytes().first() {
            Some(first) if *first == self.quote => match self.quoted(rest) {
                Ok(found) => found,
                Err(wrong) => return Some(Err(wrong)),
            },
            _ => {
                let end = memchr::memchr(self.delimiter, rest.as_bytes()).unwrap_or(rest.len());
                let (field, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (Text::plain(field), rest)
            }
        };
        match rest.as_bytes().first() {
            None => {}
            Some(next) if *next == self.delimiter => self.rest = rest.get(1..),
            Some(_) => {
                let what = "something other than a delimiter follows a quoted field";
                return Some(Err(Wrong::Rule(what)));
            }
        }
        Some(Ok(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Vec<String>, String> {
        let fields = Fields::of(text, b',', b'"');
        let text = |field: Result<Text<'_>, Wrong<'_>>| match field {
            Ok(field) => Ok(field.to_cow().into_owned()),
            Err(wrong) => Err(wrong.to_string()),
        };
        fields.map(text).collect()
    }

    #[test]
    fn fields_are_those_of_rfc_4180() {
        let cases: [(&str, &[&str]); 10] = [
            ("aaa,bbb,ccc\r\n", &["aaa", "bbb", "ccc"]),
            ("aaa,bbb,ccc", &["aaa", "bbb", "ccc"]),
            (r#""aaa","bbb","ccc""#, &["aaa", "bbb", "ccc"]),
            ("\"aaa\",\"b\r\nbb\",\"ccc\"", &["aaa", "b\r\nbb", "ccc"]),
            (r#""aaa","b""bb","ccc""#, &["aaa", r#"b"bb"#, "ccc"]),
            ("", &[""]),
            (",", &["", ""]),
            (r#"a,"","#, &["a", "", ""]),
            (r#"a b , "c" "#, &["a b ", r#" "c" "#]),
            ("é,ü", &["é", "ü"]),
        ];
        for (text, want) in cases {
            assert_eq!(
                fields(text).as_deref(),
                Ok(want.map_owned().as_slice()),
                "{text}"
            );
        }
        assert!(fields("\"open").is_err_and(|wrong| wrong.contains("no end")));
        assert!(fields("\"a\"b,c").is_err_and(|wrong| wrong.contains("delimiter")));
    }

    trait Owned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl Owned for &[&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }
}
