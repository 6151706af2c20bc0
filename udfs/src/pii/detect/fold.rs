//! Characters that stand for ASCII ones: full-width and Arabic digits, no-break and thin spaces,
//! dashes of typography, escapes such as `\u0040`, separators between digits as a URL writes
//! them, and characters of no width, which stand for nothing. Text that has them is searched in
//! folded form, and findings are mapped back.

use std::borrow::Cow;

/// Longest escape and character that is replaced.
const ESCAPE: usize = 6;

/// A text with such characters replaced, and where each byte came from.
#[derive(Debug, Default)]
pub(super) struct Folded {
    bytes: Vec<u8>,
    /// For each folded byte and the end, where it begins in the text.
    places: Vec<usize>,
}

impl Folded {
    /// Folds `text`, or returns false if there is nothing to fold.
    pub(super) fn fold(&mut self, text: &[u8]) -> bool {
        self.bytes.clear();
        self.places.clear();
        let (mut at, mut changed) = (0, false);
        while let Some(byte) = text.get(at) {
            let (length, ascii) = match byte {
                b'\\' | 0x80.. => read(text.get(at..).unwrap_or_default()).unwrap_or((0, None)),
                b'%' if self.bytes.last().is_some_and(u8::is_ascii_digit) => {
                    let separator = between_digits(text.get(at + 1..).unwrap_or_default());
                    separator.map_or((0, None), |byte| (3, Some(byte)))
                }
                _ => (0, None),
            };
            if length == 0 {
                // An escaped backslash does not begin an escape.
                let pair = text.get(at..at + 2) == Some(b"\\\\");
                for _ in 0..=usize::from(pair) {
                    self.push(at, *byte);
                    at += 1;
                }
                continue;
            }
            changed = true;
            if let Some(ascii) = ascii {
                self.push(at, ascii);
            }
            at += length;
        }
        self.places.push(at);
        changed
    }

    fn push(&mut self, place: usize, byte: u8) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    /// The folded text.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the folded byte at `at` begins in the text.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.get(at).copied().unwrap_or_default()
    }
}

/// The separator that `text` writes in two hexadecimal digits, if another digit follows.
fn between_digits(text: &[u8]) -> Option<u8> {
    match text {
        [b'2', b'0', b'0'..=b'9', ..] => Some(b' '),
        [b'2', b'd' | b'D', b'0'..=b'9', ..] => Some(b'-'),
        _ => None,
    }
}

/// A value as it would be in ASCII.
pub(crate) fn plain(value: &str) -> Cow<'_, str> {
    let mut folded = Folded::default();
    if value.is_ascii() && !value.contains(['\\', '%']) || !folded.fold(value.as_bytes()) {
        return Cow::Borrowed(value);
    }
    String::from_utf8(folded.bytes).map_or(Cow::Borrowed(value), Cow::Owned)
}

/// How long the character or escape at the start of `text` is, and the ASCII byte it stands for,
/// None for nothing.
fn read(text: &[u8]) -> Option<(usize, Option<u8>)> {
    let (length, code) = match *text {
        [b'\\', b'u', ..] => {
            let digits = std::str::from_utf8(text.get(2..ESCAPE)?).ok()?;
            (ESCAPE, u32::from_str_radix(digits, 16).ok()?)
        }
        [first @ 0xc2..=0xdf, second, ..] => {
            (2, u32::from(first & 0x1f) << 6 | u32::from(second & 0x3f))
        }
        [first @ 0xe0..=0xef, second, third, ..] => {
            let high = u32::from(first & 0x0f) << 12 | u32::from(second & 0x3f) << 6;
            (3, high | u32::from(third & 0x3f))
        }
        _ => return None,
    };
    stands_for(code).map(|ascii| (length, ascii))
}

/// The ASCII byte that a character stands for, `Some(None)` for nothing.
fn stands_for(code: u32) -> Option<Option<u8>> {
    let ascii = match code {
        // Printable ASCII, written as an escape. Quotes and backslashes stay escaped: unescaped
        // they would end the string they are in.
        0x20..=0x7e if !matches!(code, 0x22 | 0x27 | 0x5c) => code,
        // Spaces: no-break, figure, thin, narrow, ideographic.
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => 0x20,
        // Dashes: hyphen to horizontal bar, minus.
        0x2010..=0x2015 | 0x2212 => 0x2d,
        // Arabic-Indic digits, and the eastern ones.
        0x660..=0x669 => code - 0x660 + 0x30,
        0x6f0..=0x6f9 => code - 0x6f0 + 0x30,
        // Full-width forms of ASCII.
        0xff01..=0xff5e if !matches!(code, 0xff02 | 0xff07 | 0xff3c) => code - 0xff01 + 0x21,
        // Characters of no width.
        0x200b..=0x200d | 0x2060 | 0xfeff | 0xad => return Some(None),
        _ => return None,
    };
    u8::try_from(ascii).ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_ascii_becomes_ascii() {
        let cases = [
            ("\u{ff14}\u{ff11} 1", Some("41 1")),
            ("41\u{a0}11\u{2011}1", Some("41 11-1")),
            ("\u{0664}\u{06f1}", Some("41")),
            ("4\u{200b}1", Some("41")),
            ("bob\\u0040x.com", Some("bob@x.com")),
            ("a\\u0022b \u{3000}", Some("a\\u0022b  ")),
            ("n=4111%201111%2d1", Some("n=4111 1111-1")),
            ("a%201 1%20b", None),
            ("a\\\\u0040b", None),
            ("b\u{fc}cher", None),
            ("\\u00", None),
        ];
        let mut folded = Folded::default();
        for (text, want) in cases {
            let changed = folded.fold(text.as_bytes());
            let got = String::from_utf8(folded.bytes().to_vec()).unwrap();
            assert_eq!(changed.then_some(got.as_str()), want, "{text}");
        }
        folded.fold("\u{ff14}x\u{ff11}".as_bytes());
        let places: Vec<_> = (0..=3).map(|at| folded.place(at)).collect();
        assert_eq!(places, [0, 3, 4, 7]);
    }
}
