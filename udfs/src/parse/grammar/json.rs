//! JSON by RFC 8259: where values begin and end, member by member, without building anything. What
//! is skipped is checked as well, so a text is either JSON throughout or an error.
//!
//! Of a key that an object has twice the last value counts. Nesting is limited to
//! [`super::scan::DEPTH`].

use super::scan::Scan;
use super::text::{Escape, Text};
use super::wrong::Wrong;

/// One step of a path into a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// The member of an object.
    Key(String),
    /// The item of an array, from 0.
    Index(usize),
}

/// The value of a text: its first and only one, without the space around it.
///
/// # Errors
/// When the text is not JSON.
pub fn value(text: &str) -> Result<&str, Wrong<'_>> {
    let scan = Scan::of(text);
    let from = scan.space(0);
    let end = scan.skip(from).ok_or_else(|| wrong(text))?;
    if scan.space(end) != text.len() {
        return Err(wrong(text));
    }
    Ok(text.get(from..end).unwrap_or_default())
}

/// The value at `path` in a text; None when there is nothing there.
///
/// # Errors
/// When the text is not JSON.
pub fn get<'a>(text: &'a str, path: &[Step]) -> Result<Option<&'a str>, Wrong<'a>> {
    let Some((first, path)) = path.split_first() else {
        return value(text).map(Some);
    };
    let mut found = step(text, first)?;
    for next in path {
        let Some(inner) = found else { break };
        found = step(inner, next)?;
    }
    Ok(found)
}

fn step<'a>(text: &'a str, step: &Step) -> Result<Option<&'a str>, Wrong<'a>> {
    let mut found = None;
    match (step, Kind::of(text)) {
        (Step::Key(wanted), Some(Kind::Object)) => {
            let mut members = Members::of(text)?;
            while let Some((key, value)) = members.step()? {
                if key.is(wanted) {
                    found = Some(value);
                }
            }
        }
        (Step::Index(wanted), Some(Kind::Array)) => {
            let mut items = Items::of(text)?;
            let mut at = 0;
            while let Some(item) = items.step()? {
                if at == *wanted {
                    found = Some(item);
                }
                at += 1;
            }
        }
        _ => {
            value(text)?;
        }
    }
    Ok(found)
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{..}`
    Object,
    /// `[..]`
    Array,
    /// `".."`
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`
    Null,
}

impl Kind {
    /// The kind of the value that `text` begins with.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let scan = Scan::of(text);
        Some(match text.as_bytes().get(scan.space(0))? {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b'-' | b'0'..=b'9' => Self::Number,
            b't' | b'f' => Self::Boolean,
            b'n' => Self::Null,
            _ => return None,
        })
    }
}

/// The content of `raw`, a value, when it is a string.
#[must_use]
pub fn string(raw: &str) -> Option<Text<'_>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    Some(Text::escaped(inner, Escape::Json))
}

/// Appends `value`, which [`value`] has found, without the space between its parts.
pub fn push_compact(value: &str, out: &mut String) {
    let scan = Scan::of(value);
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = value.as_bytes().get(at) {
        match byte {
            b'"' => at = scan.string(at).map_or(value.len(), |(end, _)| end),
            b' ' | b'\n' | b'\r' | b'\t' => {
                out.push_str(value.get(from..at).unwrap_or_default());
                at = scan.space(at);
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(value.get(from..).unwrap_or_default());
}

/// The members of the object that is a text.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    text: &'a str,
    /// Where the next member begins; None after the last.
    at: Option<usize>,
}

impl<'a> Members<'a> {
    /// The members of `text`.
    ///
    /// # Errors
    /// When the text does not begin an object.
    pub fn of(text: &'a str) -> Result<Self, Wrong<'a>> {
        let at = open(text, b'{', b'}').ok_or_else(|| wrong(text))?;
        Ok(Self { text, at })
    }

    /// The next member, its value without the space around it; None after the last one.
    ///
    /// # Errors
    /// When what follows breaks the grammar.
    #[inline]
    pub fn step(&mut self) -> Result<Option<(Text<'a>, &'a str)>, Wrong<'a>> {
        let Some(at) = self.at else {
            return Ok(None);
        };
        self.member(at).map(Some).ok_or_else(|| wrong(self.text))
    }

    #[inline]
    fn member(&mut self, at: usize) -> Option<(Text<'a>, &'a str)> {
        let scan = Scan::of(self.text);
        let (end, escape) = scan.string(at)?;
        let raw = self.text.get(at + 1..end - 1)?;
        let from = scan.colon(end)?;
        let to = scan.skip(from)?;
        self.at = scan.next(to, b'}')?;
        Some((Text { raw, escape }, self.text.get(from..to)?))
    }
}

/// The items of the array that is a text.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    text: &'a str,
    at: Option<usize>,
}

impl<'a> Items<'a> {
    /// The items of `text`.
    ///
    /// # Errors
    /// When the text does not begin an array.
    pub fn of(text: &'a str) -> Result<Self, Wrong<'a>> {
        let at = open(text, b'[', b']').ok_or_else(|| wrong(text))?;
        Ok(Self { text, at })
    }

    /// The next item without the space around it; None after the last one.
    ///
    /// # Errors
    /// When what follows breaks the grammar.
    #[inline]
    pub fn step(&mut self) -> Result<Option<&'a str>, Wrong<'a>> {
        let Some(from) = self.at else {
            return Ok(None);
        };
        let scan = Scan::of(self.text);
        let item = scan.skip(from).and_then(|to| {
            self.at = scan.next(to, b']')?;
            self.text.get(from..to)
        });
        item.map(Some).ok_or_else(|| wrong(self.text))
    }
}

/// Where the first member or item begins: None within when there is none.
fn open(text: &str, bracket: u8, end: u8) -> Option<Option<usize>> {
    let scan = Scan::of(text);
    let from = scan.space(0);
    if text.as_bytes().get(from) != Some(&bracket) {
        return None;
    }
    let at = scan.space(from + 1);
    if text.as_bytes().get(at) != Some(&end) {
        return Some(Some(at));
    }
    (scan.space(at + 1) == text.len()).then_some(None)
}

/// Why `text` is not JSON. It is read once more, since few texts are wrong.
#[cold]
fn wrong(text: &str) -> Wrong<'_> {
    if text.trim_ascii().is_empty() {
        return Wrong::Rule("it is empty");
    }
    Wrong::Rule("it breaks the grammar of JSON, or is nested too deep")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_json_when_serde_json_takes_it() {
        let cases = [
            "{}",
            "[]",
            " { } ",
            "[ ]",
            "null",
            "true",
            "false",
            "nul",
            "truex",
            "0",
            "-0",
            "00",
            "-",
            "1.",
            ".5",
            "1.5e3",
            "1e",
            "1E+",
            "1e+5",
            "[1,2]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\" : [ {} , [] ] }",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":}",
            "{]",
            "[}",
            "{\"a\":1]",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\"open",
            "",
            " ",
            "{} {}",
            "[1]]",
            "{\"a\":{\"b\":{\"c\":[1,{\"d\":\"}\"}]}}}",
            "\"\\\\\"",
            "\"\\\"",
            "[\"\\\"]\"]",
            "\u{feff}{}",
            "{\"a\":tru}",
            "[nulll]",
            "\"é\\é\"",
        ];
        for text in cases {
            let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
            assert_eq!(value(text).is_ok(), theirs, "{text}");
            assert_eq!(
                get(text, &[Step::Key("x".into())]).is_ok(),
                theirs,
                "{text}"
            );
            assert_eq!(get(text, &[Step::Index(9)]).is_ok(), theirs, "{text}");
        }
        for depth in [126, 127, 128, 5_000_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(value(&text).is_ok(), depth <= 127, "{depth}");
        }
    }

    #[test]
    fn paths_lead_to_values() {
        let text = r#" {"a":{"b":[1,{"c":"x"},null]},"k\u0065y":2,"d":1,"d":{"e":3}} "#;
        let key = |name: &str| Step::Key(name.into());
        let cases = [
            (
                vec![key("a"), key("b"), Step::Index(1), key("c")],
                Some(r#""x""#),
            ),
            (vec![key("a"), key("b"), Step::Index(2)], Some("null")),
            (vec![key("a"), key("b"), Step::Index(3)], None),
            (vec![key("a"), Step::Index(0)], None),
            (vec![key("key")], Some("2")),
            (vec![key("d")], Some(r#"{"e":3}"#)),
            (vec![key("d"), key("e")], Some("3")),
            (vec![Step::Index(0)], None),
            (vec![], Some(text.trim())),
        ];
        for (path, want) in cases {
            assert_eq!(get(text, &path), Ok(want), "{path:?}");
        }
        let mut out = String::new();
        let spaced = value(" { \"a b\" : [ 1 , \"\\\" , \" ] }\n").unwrap();
        push_compact(spaced, &mut out);
        assert_eq!(out, r#"{"a b":[1,"\" , "]}"#);
    }
}
