//! IBM's Log Event Extended Format, alone or after a syslog header.
//!
//! `LEEF:1.0|vendor|product|version|event id|key=value<tab>key=value`, and in version 2.0 with the
//! delimiter of the pairs as one more field, as it is or as `0x5E` or `x5E`.

use super::cef::Extension;
use super::text::Text;
use super::wrong::Wrong;

/// The fields of the header, in their order.
pub const HEADER: [&str; 5] = [
    "version",
    "vendor",
    "product",
    "product version",
    "event id",
];

/// Literals that devices write where a tab belongs.
const TABS: [&str; 3] = ["<009>", "\\0x09", "\\t"];

/// An event, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// What stands before the event: a syslog header, or nothing.
    pub prefix: &'a str,
    /// The fields that [`HEADER`] names.
    pub header: [&'a str; 5],
    /// What stands between the pairs; None where they are parted by spaces.
    pub delimiter: Option<Delimiter<'a>>,
    rest: &'a str,
}

/// What stands between pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter<'a> {
    /// One character.
    Char(char),
    /// A text that stands for a tab.
    Text(&'a str),
}

/// Takes an event apart.
///
/// # Errors
/// When there is no event in the text, or its header is incomplete.
pub fn parse(text: &str) -> Result<Event<'_>, Wrong<'_>> {
    let start = start(text).ok_or(Wrong::Rule("it has no \"LEEF:\" and version"))?;
    let (prefix, event) = text.split_at_checked(start).unwrap_or(("", text));
    let mut rest = event.get("LEEF:".len()..).unwrap_or_default();
    let mut header = [""; HEADER.len()];
    for (name, field) in HEADER.iter().zip(&mut header) {
        let pipe = memchr::memchr(b'|', rest.as_bytes()).ok_or(Wrong::HeaderEnds(name))?;
        *field = rest.get(..pipe).unwrap_or_default();
        rest = rest.get(pipe + 1..).unwrap_or_default();
    }
    let mut delimiter = None;
    if header
        .first()
        .is_some_and(|version| version.starts_with('2'))
        && let Some((field, further)) = rest.split_once('|')
        && let Some(declared) = declared(field)
    {
        delimiter = Some(Delimiter::Char(declared));
        rest = further;
    }
    let rest = rest.trim_end_matches(['\r', '\n']);
    Ok(Event {
        prefix: prefix.trim(),
        header,
        delimiter: delimiter.or_else(|| usual(rest)),
        rest,
    })
}

/// Where an event begins: `LEEF:` and a digit, at the start or after a space.
#[must_use]
pub fn start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, b"LEEF:").find(|at| {
        let before = bytes.get(at.wrapping_sub(1));
        let version = bytes.get(at + "LEEF:".len());
        before.is_none_or(u8::is_ascii_whitespace) && version.is_some_and(u8::is_ascii_digit)
    })
}

/// The delimiter that the sixth field of a header declares; None when it is no such field.
fn declared(field: &str) -> Option<char> {
    let mut chars = field.chars();
    match (chars.next(), chars.next()) {
        (None, _) => return Some('\t'),
        (Some(only), None) => return Some(only),
        _ => {}
    }
    let hex = field.strip_prefix('0').unwrap_or(field);
    let hex = hex.strip_prefix(['x', 'X'])?;
    let legal = (1..=4).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = legal.then(|| u32::from_str_radix(hex, 16).ok())??;
    char::from_u32(code)
}

/// The delimiter of pairs that declare none: a tab, or what some devices write for it.
fn usual(pairs: &str) -> Option<Delimiter<'_>> {
    if memchr::memchr(b'\t', pairs.as_bytes()).is_some() {
        return Some(Delimiter::Char('\t'));
    }
    let text = TABS
        .iter()
        .find(|tab| memchr::memmem::find(pairs.as_bytes(), tab.as_bytes()).is_some());
    text.map(|text| Delimiter::Text(text))
}

impl<'a> Event<'a> {
    /// The pairs; the value of a key alone is None.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        match self.delimiter {
            Some(delimiter) => Attributes::Delimited(self.rest, delimiter),
            // Without any delimiter a value lasts until the next key, as in CEF.
            None => match Extension::of(self.rest.trim_matches(' ')) {
                Ok(pairs) => Attributes::Spaced(pairs),
                Err(_) => Attributes::Delimited(self.rest, Delimiter::Char('\t')),
            },
        }
    }
}

/// The pairs of an event.
#[derive(Debug, Clone, Copy)]
pub enum Attributes<'a> {
    /// What is left of pairs, and what parts them.
    Delimited(&'a str, Delimiter<'a>),
    /// Pairs that spaces part.
    Spaced(Extension<'a>),
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, Option<Text<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, delimiter) = match self {
            Self::Spaced(pairs) => return pairs.next().map(|(key, value)| (key, Some(value))),
            Self::Delimited(rest, delimiter) => (rest, *delimiter),
        };
        loop {
            if rest.is_empty() {
                return None;
            }
            let split = match delimiter {
                Delimiter::Char(char) => rest.split_once(char),
                Delimiter::Text(text) => rest.split_once(text),
            };
            let (pair, further) = split.unwrap_or((rest, ""));
            *rest = further;
            let pair = pair.trim_start_matches(' ');
            if pair.is_empty() {
                continue;
            }
            return Some(match pair.split_once('=') {
                Some((key, value)) => (key.trim_end(), Some(Text::plain(value))),
                None => (pair, None),
            });
        }
    }
}
