//! A value as it stands in a text, and what its escapes mean. Finding a value copies nothing; only
//! one that has escapes is rewritten, and only when somebody asks for it.

use std::borrow::Cow;

/// What a backslash, or a doubled quote, means in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Nothing: the value is what it stands for.
    None,
    /// The escapes of JSON strings.
    Json,
    /// `\"`, `\\` and `\]`, as in the structured data of RFC 5424.
    Syslog,
    /// `\|` and `\\`, as in the header of CEF.
    CefHeader,
    /// `\=`, `\\`, `\|`, `\n` and `\r`, as in the extension of CEF.
    CefExtension,
    /// `\"`, `\\`, `\n`, `\t` and `\r`, as Apache and most programs write quotes.
    Quoted,
    /// This quote doubled, as in CSV.
    Doubled(char),
}

/// A value where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    /// The value with its escapes, without its quotes.
    pub raw: &'a str,
    /// What the escapes mean; [`Escape::None`] when there are none.
    pub escape: Escape,
}

impl<'a> Text<'a> {
    /// A value without escapes.
    #[inline]
    #[must_use]
    pub fn plain(raw: &'a str) -> Self {
        let escape = Escape::None;
        Self { raw, escape }
    }

    /// A value in which a backslash means what `escape` says.
    #[inline]
    #[must_use]
    pub fn escaped(raw: &'a str, escape: Escape) -> Self {
        match memchr::memchr(b'\\', raw.as_bytes()) {
            Some(_) => Self { raw, escape },
            None => Self::plain(raw),
        }
    }

    /// What the value stands for, if that is a piece of the text itself.
    #[inline]
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a str> {
        (self.escape == Escape::None).then_some(self.raw)
    }

    /// What the value stands for.
    #[must_use]
    pub fn to_cow(&self) -> Cow<'a, str> {
        if let Some(plain) = self.as_plain() {
            return Cow::Borrowed(plain);
        }
        let mut out = String::with_capacity(self.raw.len());
        self.push_to(&mut out);
        Cow::Owned(out)
    }

    /// Whether the value stands for `other`.
    #[inline]
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        match self.escape {
            Escape::None => self.raw == other,
            _ => self.to_cow() == other,
        }
    }

    /// Appends what the value stands for.
    #[inline]
    pub fn push_to(&self, out: &mut String) {
        match self.escape {
            Escape::None => out.push_str(self.raw),
            Escape::Doubled(quote) => doubled(self.raw, quote, out),
            Escape::Json => json(self.raw, out),
            escape => backslash(self.raw, escape, out),
        }
    }
}

/// What `escape` says for a character after a backslash; others keep the backslash.
fn meant(escape: Escape, escaped: char) -> Option<char> {
    match (escape, escaped) {
        (Escape::Syslog, '"' | '\\' | ']')
        | (Escape::CefHeader, '|' | '\\')
        | (Escape::CefExtension, '=' | '\\' | '|')
        | (Escape::Quoted, '"' | '\'' | '\\') => Some(escaped),
        (Escape::CefExtension | Escape::Quoted, 'n') => Some('\n'),
        (Escape::CefExtension | Escape::Quoted, 'r') => Some('\r'),
        (Escape::Quoted, 't') => Some('\t'),
        _ => None,
    }
}

fn backslash(raw: &str, escape: Escape, out: &mut String) {
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next().and_then(|escaped| meant(escape, escaped)) {
            Some(plain) => {
                out.push(plain);
                rest = chars.as_str();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

fn doubled(raw: &str, quote: char, out: &mut String) {
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(quote) {
        out.push_str(before);
        out.push(quote);
        rest = after.strip_prefix(quote).unwrap_or(after);
    }
    out.push_str(rest);
}

fn json(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match json_escape(after) {
            Some((meant, length)) => {
                out.push(meant);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

/// Whether the content of a JSON string has only right escapes and no control characters.
#[must_use]
pub fn is_json(raw: &str) -> bool {
    if raw.bytes().any(|byte| byte < b' ') {
        return false;
    }
    escapes_are_json(raw)
}

/// Whether the content of a JSON string has only right escapes.
pub(super) fn escapes_are_json(raw: &str) -> bool {
    let mut rest = raw;
    while let Some((_, after)) = rest.split_once('\\') {
        let Some((_, length)) = json_escape(after) else {
            return false;
        };
        rest = after.get(length..).unwrap_or_default();
    }
    true
}

/// The character that the escape after a backslash means, and the escape's length without the
/// backslash; None for a wrong one, which half a surrogate pair is too.
fn json_escape(after: &str) -> Option<(char, usize)> {
    let meant = match after.bytes().next()? {
        plain @ (b'"' | b'\\' | b'/') => char::from(plain),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => {
            let unit = |at: usize| {
                let digits = after.get(at..at + 4)?;
                let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
            };
            let first = unit(1)?;
            if !(0xd800..0xdc00).contains(&first) {
                return Some((char::from_u32(first)?, 5));
            }
            let second = after.get(5..7).filter(|mark| *mark == "\\u");
            let second = second.and_then(|_| unit(7))?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            let pair = 0x10000 + ((first - 0xd800) << 10) + low;
            return Some((char::from_u32(pair)?, 11));
        }
        _ => return None,
    };
    Some((meant, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_mean_what_serde_json_says() {
        let cases = [
            r"a",
            r"\n\t\r\b\f\/\\\u0041",
            r#"\""#,
            r"\u00e9 \ud83d\ude00",
            r"\ud83d",
            r"\ude00",
            r"\ud83d\u0041",
            r"\u+123",
            r"\u12",
            r"\x",
            r"\",
            r"é\é",
            "a\u{1}",
            r"\ud83d\ude0",
            r"\uD83D\uDE00!",
        ];
        for raw in cases {
            let theirs = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            let text = Text::escaped(raw, Escape::Json);
            let ours = is_json(raw).then(|| text.to_cow().into_owned());
            assert_eq!(ours, theirs, "{raw}");
        }
    }

    #[test]
    fn each_format_has_its_own_escapes() {
        let cases = [
            (Escape::Syslog, r#"\"\]\\\n"#, "\"]\\\\n"),
            (Escape::CefHeader, r"a \| b \\ \n", r"a | b \ \n"),
            (Escape::CefExtension, r"\= \\ \n \x \", "= \\ \n \\x \\"),
            (Escape::Quoted, r#"\" \\ \t"#, "\" \\ \t"),
            (Escape::Doubled('"'), r#"a ""b"" c"#, r#"a "b" c"#),
            (Escape::None, r"a\n", r"a\n"),
        ];
        for (escape, raw, want) in cases {
            assert_eq!(Text { raw, escape }.to_cow(), want);
        }
    }
}
