//! Credentials of the `Authorization` header where its name is missing: `Bearer X`, `Basic X`.

use super::boundary::{before, is_word};
use super::category::Category;
use super::finding::Finding;
use super::row::Row;

/// Fewest characters of a bearer token.
const TOKEN_MIN: usize = 16;
/// Fewest characters of a user and password in base 64.
const PAIR_MIN: usize = 4;
/// Bytes of a credential that are judged.
const JUDGED_MAX: usize = 96;

/// Appends the token after `Bearer` at `at`.
pub(super) fn find_bearer(row: &mut Row<'_>, at: usize) {
    let judge = |token: &[u8]| {
        let digit = token.iter().any(u8::is_ascii_digit);
        let plain = token.iter().all(u8::is_ascii_lowercase);
        token.len() >= TOKEN_MIN && digit && !plain
    };
    find(row, at, b"bearer ", judge);
}

/// Appends the user and password after `Basic` at `at`.
pub(super) fn find_basic(row: &mut Row<'_>, at: usize) {
    let judge = |pair: &[u8]| pair.len() >= PAIR_MIN && decode(pair).contains(&b':');
    find(row, at, b"basic ", judge);
}

fn find(row: &mut Row<'_>, at: usize, scheme: &[u8], judge: impl Fn(&[u8]) -> bool) {
    let text = row.text;
    let start = at + scheme.len();
    let named = text
        .get(at..start)
        .is_some_and(|word| word.eq_ignore_ascii_case(scheme));
    let wanted = row.wanted.has(Category::AuthHeader) && start > row.progress.value;
    if !named || !wanted || before(text, at).is_some_and(is_word) {
        return;
    }
    // RFC 9110, 11.2: token68.
    let token = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    let rest = text.get(start..).unwrap_or_default();
    let judged = rest
        .iter()
        .take(JUDGED_MAX)
        .take_while(|byte| token(byte))
        .count();
    if judge(rest.get(..judged).unwrap_or_default()) {
        let length = rest.iter().take_while(|byte| token(byte)).count();
        let span = start..start + length;
        row.progress.value = span.end;
        let finding = Finding::new(Category::AuthHeader, span, (95, "scheme"));
        row.found.push(finding);
    }
}

/// The printable start of `text` read as base 64 of either alphabet (RFC 4648); nothing if some
/// byte is not printable.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.iter().take_while(|byte| **byte != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Vec::new(),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held & 0xff) as u8;
            if !matches!(byte, 0x20..=0x7e) && byte < 0x80 {
                return Vec::new();
            }
            bytes.push(byte);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn credentials() {
        let cases: &[(&str, &[&str])] = &[
            (
                "sent Bearer abcDEF1234567890xyz. ok",
                &["abcDEF1234567890xyz."],
            ),
            ("auth: Basic Ym9iOmh1bnRlcjI= x", &["Ym9iOmh1bnRlcjI="]),
            (
                "Authorization: Basic Ym9iOmh1bnRlcjI=",
                &["Ym9iOmh1bnRlcjI="],
            ),
            ("Authorization: Bearer abc.DEF-1 x", &["abc.DEF-1"]),
            (r#""authorization":"Basic Ym9iOng=""#, &["Ym9iOng="]),
            (
                "Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=0a1b; next",
                &["Credential=A/b, Signature=0a1b"],
            ),
            ("the Bearer of bad news", &[]),
            ("Basic understanding of logs", &[]),
            ("basic authentication failed", &[]),
            ("Bearer authentication12345", &["authentication12345"]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::AuthHeader, text), want, "{text}");
        }
    }
}
