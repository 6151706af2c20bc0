//! Private keys in the textual form of RFC 7468 (PEM).

use super::category::Category;
use super::finding::Finding;
use super::row::Row;

/// Longest label of a key, with the hyphens around it.
const LABEL_MAX: usize = 64;

/// Appends the private key whose `-----BEGIN` has its last hyphens at `at`.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    let text = row.text;
    let Some(start) = at
        .checked_sub(3)
        .filter(|start| *start >= row.progress.value)
    else {
        return;
    };
    let label = text.get(start..(start + LABEL_MAX).min(text.len()));
    let label = label.unwrap_or_default();
    let private = label.starts_with(b"-----BEGIN ") && {
        let close = memchr::memmem::find(label.get(11..).unwrap_or_default(), b"-----");
        close.is_some_and(|close| {
            let kind = label.get(11..11 + close).unwrap_or_default();
            kind.ends_with(b"PRIVATE KEY") || kind.ends_with(b"PRIVATE KEY BLOCK")
        })
    };
    if !private || !row.wanted.has(Category::PrivateKey) {
        return;
    }
    // No key has a quote in it, so a key ends with the string that it is in.
    let rest = text.get(start..).unwrap_or_default();
    let string = memchr::memchr2(b'"', b'\'', rest).unwrap_or(rest.len());
    let string = rest.get(..string).unwrap_or_default();
    let length = match memchr::memmem::find(string, b"-----END ") {
        Some(end) => {
            let tail = string.get(end + 9..).unwrap_or_default();
            let near = tail.get(..LABEL_MAX).unwrap_or(tail);
            let close = memchr::memmem::find(near, b"-----");
            end + 9 + close.map_or(0, |close| close + 5)
        }
        // A key that was cut off. The backslashes before a quote belong to the quote.
        None => {
            let quoting = string.iter().rev().take_while(|byte| **byte == b'\\');
            string.len() - quoting.count()
        }
    };
    row.progress.value = start + length;
    let finding = Finding::new(Category::PrivateKey, start..start + length, (100, "pem"));
    row.found.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn keys() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        assert_eq!(spans(Category::PrivateKey, &format!("a {key} b")), [key]);
        let escaped = key.replace('\n', "\\n");
        let json = format!("{{\"k\":\"{escaped}\"}}");
        assert_eq!(spans(Category::PrivateKey, &json), [escaped]);
        let cut = "{\"k\":\"-----BEGIN PRIVATE KEY-----\\nMIIE\"}";
        let want = ["-----BEGIN PRIVATE KEY-----\\nMIIE"];
        assert_eq!(spans(Category::PrivateKey, cut), want);
        let nested = r#"{"m":"[\"-----BEGIN PRIVATE KEY-----\"]"}"#;
        let want = ["-----BEGIN PRIVATE KEY-----"];
        assert_eq!(spans(Category::PrivateKey, nested), want);
        let public = key.replace("PRIVATE", "PUBLIC");
        assert_eq!(spans(Category::PrivateKey, &public), Vec::<&str>::new());
    }
}
