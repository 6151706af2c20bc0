//! Where the parts of JSON end, checked by the grammar on the way.

use super::text::{self, Escape};

/// How deep a value may be nested, as `serde_json` has it.
pub const DEPTH: u32 = 127;

/// The bytes of a text. Positions that it gives are beside ASCII characters, so that they cut text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    /// The bytes of `text`.
    pub(super) fn of(text: &'a str) -> Self {
        Self(text.as_bytes())
    }

    /// Where the space at `at` ends.
    #[inline]
    pub(super) fn space(self, at: usize) -> usize {
        let mut at = at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.0.get(at) {
            at += 1;
        }
        at
    }

    /// Where the string whose quote is at `at` ends, and what its escapes are.
    #[inline]
    pub(super) fn string(self, at: usize) -> Option<(usize, Escape)> {
        if self.0.get(at) != Some(&b'"') {
            return None;
        }
        let end = at + 1 + plain(self.0.get(at + 1..)?)?;
        match self.0.get(end)? {
            b'"' => Some((end + 1, Escape::None)),
            b'\\' => self.escaped(at + 1, end),
            _ => None,
        }
    }

    /// The rest of a string from `from` whose first backslash is at `at`.
    #[inline(never)]
    fn escaped(self, from: usize, at: usize) -> Option<(usize, Escape)> {
        let mut end = at;
        loop {
            match self.0.get(end)? {
                b'\\' => end += 2,
                b'"' => break,
                _ => return None,
            }
            end += plain(self.0.get(end..)?)?;
        }
        // An escaped character of several bytes is wrong anyway.
        let raw = std::str::from_utf8(self.0.get(from..end)?).ok()?;
        text::escapes_are_json(raw).then_some((end + 1, Escape::Json))
    }

    /// Where the value after the colon begins that may have space around it.
    #[inline]
    pub(super) fn colon(self, at: usize) -> Option<usize> {
        let at = match self.0.get(at) {
            Some(b':') => at,
            _ => self.space(at),
        };
        (self.0.get(at) == Some(&b':')).then(|| self.space(at + 1))
    }

    /// Where the next member or item begins after one that ends at `at`; None within after the
    /// last one, which only space may follow.
    #[inline]
    pub(super) fn next(self, at: usize, end: u8) -> Option<Option<usize>> {
        let at = self.space(at);
        match self.0.get(at)? {
            b',' => Some(Some(self.space(at + 1))),
            byte if *byte == end => (self.space(at + 1) == self.0.len()).then_some(None),
            _ => None,
        }
    }

    /// Where the value at `at` ends.
    #[inline]
    pub(super) fn skip(self, at: usize) -> Option<usize> {
        match self.0.get(at)? {
            b'"' => Some(self.string(at)?.0),
            b'{' | b'[' => self.nested(at),
            _ => self.literal(at),
        }
    }

    /// Where the number or word at `at` ends.
    #[inline]
    fn literal(self, at: usize) -> Option<usize> {
        let rest = self.0.get(at..)?;
        match rest.first()? {
            b'-' | b'0'..=b'9' => Some(at + number(rest)?),
            b't' if rest.starts_with(b"true") => Some(at + 4),
            b'f' if rest.starts_with(b"false") => Some(at + 5),
            b'n' if rest.starts_with(b"null") => Some(at + 4),
            _ => None,
        }
    }

    /// Where the object or array at `at` ends. Which brackets are open is one bit each.
    fn nested(self, at: usize) -> Option<usize> {
        let (mut depth, mut objects, mut at) = (0, 0_u128, at);
        loop {
            let byte = *self.0.get(at)?;
            match byte {
                b'{' | b'[' => {
                    let is_object = byte == b'{';
                    if depth == DEPTH {
                        return None;
                    }
                    at = self.space(at + 1);
                    if self.0.get(at) == Some(&(byte + 2)) {
                        at += 1;
                    } else {
                        depth += 1;
                        objects = objects << 1 | u128::from(is_object);
                        if is_object {
                            at = self.key(at)?;
                        }
                        continue;
                    }
                }
                b'"' => at = self.string(at)?.0,
                _ => at = self.literal(at)?,
            }
            loop {
                if depth == 0 {
                    return Some(at);
                }
                let is_object = objects & 1 == 1;
                at = self.space(at);
                match self.0.get(at)? {
                    b',' => {
                        at = self.space(at + 1);
                        if is_object {
                            at = self.key(at)?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return None,
                }
                at += 1;
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    /// Where the value of the key at `at` begins.
    #[inline]
    fn key(self, at: usize) -> Option<usize> {
        self.colon(self.string(at)?.0)
    }
}

/// How many bytes come before the first quote, backslash or control character; None without one.
#[inline]
#[must_use]
pub fn plain(bytes: &[u8]) -> Option<usize> {
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
#[inline]
#[must_use]
pub fn number(bytes: &[u8]) -> Option<usize> {
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
