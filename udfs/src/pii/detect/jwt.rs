//! JSON web tokens (RFC 7519): parts in base 64 between dots, of which the first is a JSON object
//! that names an algorithm.

use super::auth::decode;
use super::category::Category;
use super::finding::Finding;

/// Longest header that is read.
const HEADER_MAX: usize = 512;
/// Parts of a signed token, and of an encrypted one (RFC 7516).
const SIGNED: usize = 3;
const ENCRYPTED: usize = 5;

/// The token that begins at `start`.
pub(super) fn verify(text: &[u8], start: usize) -> Option<Finding> {
    let part = |at: usize| {
        let rest = text.get(at..).unwrap_or_default().iter();
        at + rest
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            .count()
    };
    let mut end = part(start);
    let header = text.get(start..end)?;
    let header = decode(header.get(..HEADER_MAX).unwrap_or(header));
    let names = |word: &[u8]| memchr::memmem::find(&header, word).is_some();
    if !names(b"\"alg\"") || text.get(end) != Some(&b'.') {
        return None;
    }
    let parts = if names(b"\"enc\"") { ENCRYPTED } else { SIGNED };
    for _ in 1..parts {
        if text.get(end) != Some(&b'.') {
            break;
        }
        end = part(end + 1);
    }
    Some(Finding::new(Category::Jwt, start..end, (98, "jose-header")))
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    const TOKEN: &str =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc_DEF-123";

    #[test]
    fn tokens() {
        let text = format!("got {TOKEN}, ok");
        assert_eq!(spans(Category::Jwt, &text), [TOKEN]);
        let unsigned = "x=eyJhbGciOiJub25lIn0.eyJhIjoxfQ. y";
        assert_eq!(
            spans(Category::Jwt, unsigned),
            ["eyJhbGciOiJub25lIn0.eyJhIjoxfQ."]
        );
        let others = [
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            "eyJub3QiOiJhIGhlYWRlciJ9xx.abc.def",
        ];
        for text in others {
            assert_eq!(spans(Category::Jwt, text), Vec::<&str>::new(), "{text}");
        }
    }
}
