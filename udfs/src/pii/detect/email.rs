//! E-mail addresses, written with `@` or with its percent encoding `%40`.

use super::category::Category;
use super::finding::Finding;

/// Longest part before the `@` (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// Longest domain.
const DOMAIN_MAX: usize = 253;

/// Last labels that make the domain a file or a unit of the service manager.
const NOT_DOMAINS: &[&str] = &[
    "bat", "class", "conf", "css", "gif", "html", "jar", "java", "jpeg", "jpg", "js", "json",
    "log", "lua", "mount", "png", "scope", "service", "slice", "socket", "svg", "target", "timer",
    "txt", "webp", "xml", "yaml", "yml",
];

/// Percent escapes that belong to an address.
const LOCAL_ESCAPES: [&[u8]; 5] = [b"2B", b"27", b"2D", b"2E", b"5F"];

/// The address whose sign is at `at`.
pub(super) fn verify(text: &[u8], at: usize) -> Option<Finding> {
    let sign = match text.get(at)? {
        b'@' => 1,
        _ => "%40".len(),
    };
    let end = domain_end(text, at + sign)?;
    let start = local_start(text, at)?;
    let path = text.get(end..).unwrap_or_default();
    let escaped = path
        .get(..3)
        .is_some_and(|colon| colon.eq_ignore_ascii_case(b"%3A"));
    let repository = text.get(start..at) == Some(b"git") && (path.starts_with(b":") || escaped);
    if repository || is_dialled(text, start, at) {
        return None;
    }
    Some(Finding {
        category: Category::Email,
        start,
        end,
        mark: at,
        score: 90,
        rule: "address",
    })
}

/// Whether what stands before the sign is a telephone number in a URI of SIP.
fn is_dialled(text: &[u8], start: usize, at: usize) -> bool {
    let number = text.get(start..at).unwrap_or_default();
    let before = text.get(..start).unwrap_or_default();
    let before = before.strip_suffix(b"+").unwrap_or(before);
    let scheme = [&b"sip:"[..], b"sips:", b"tel:"];
    number.iter().all(u8::is_ascii_digit) && scheme.iter().any(|one| before.ends_with(one))
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'%') || byte >= 0x80
}

fn local_start(text: &[u8], at: usize) -> Option<usize> {
    let head = text.get(at.saturating_sub(LOCAL_MAX + 1)..at)?;
    let mut length = head
        .iter()
        .rev()
        .take_while(|byte| is_local(**byte))
        .count();
    // An apostrophe belongs to a name (o'brien), not to a quotation.
    let quoted = |length: usize| {
        let apostrophe = head.len().checked_sub(length + 1)?;
        let letter = head.get(apostrophe.checked_sub(1)?)?.is_ascii_alphabetic();
        (length > 0 && head.get(apostrophe) == Some(&b'\'') && letter).then_some(apostrophe)
    };
    if let Some(apostrophe) = quoted(length) {
        let earlier = head.get(..apostrophe)?;
        length += 1 + earlier
            .iter()
            .rev()
            .take_while(|byte| is_local(**byte))
            .count();
    }
    let mut start = at - length;
    start += escape_length(text, start);
    let encoded = |at: &usize| {
        let pair = text.get(at + 1..at + 3).unwrap_or_default();
        let escape = text.get(*at) == Some(&b'%') && pair.iter().all(u8::is_ascii_hexdigit);
        // These stand for `+`, `'`, `-`, `.` and `_`, which an address may have.
        let own = LOCAL_ESCAPES
            .iter()
            .any(|own| pair.eq_ignore_ascii_case(own));
        escape && pair.len() == 2 && !own
    };
    if let Some(last) = (start..at).rev().find(encoded) {
        start = last + 3;
    }
    start += text
        .get(start..at)?
        .iter()
        .take_while(|byte| matches!(byte, b'.' | b'-' | b'+'))
        .count();
    let local = text.get(start..at)?;
    let doubled = local.windows(2).any(|pair| pair == b"..");
    let nested = start.checked_sub(1).and_then(|last| text.get(last)) == Some(&b'@');
    let sound = !local.is_empty() && local.len() <= LOCAL_MAX && !local.ends_with(b".");
    (sound && !doubled && !nested).then_some(start)
}

/// The bytes at `start` that belong to an escape such as `\n` or `\u003c`.
fn escape_length(text: &[u8], start: usize) -> usize {
    let head = text.get(start.saturating_sub(8)..start).unwrap_or_default();
    let escapes = head.iter().rev().take_while(|byte| **byte == b'\\').count();
    match text.get(start) {
        _ if escapes % 2 == 0 => 0,
        Some(b'u') => {
            let digits = text.get(start + 1..).unwrap_or_default().iter().take(4);
            1 + digits.take_while(|byte| byte.is_ascii_hexdigit()).count()
        }
        Some(b'n' | b't' | b'r' | b'b' | b'f') => 1,
        _ => 0,
    }
}

fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let rest = text.get(start..(start + DOMAIN_MAX + 1).min(text.len()))?;
    let label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte >= 0x80;
    let length = rest
        .iter()
        .take_while(|byte| label(byte) || **byte == b'.')
        .count();
    let mut domain = rest.get(..length)?;
    while let Some(shorter) = domain
        .strip_suffix(b".")
        .or_else(|| domain.strip_suffix(b"-"))
    {
        domain = shorter;
    }
    if let Some(doubled) = domain.windows(2).position(|pair| pair == b"..") {
        domain = domain.get(..doubled)?;
    }
    let mut labels = domain.rsplit(|byte| *byte == b'.');
    let last = labels.next()?;
    let named = last.len() >= 2
        && (last
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
            || last
                .get(..4)
                .is_some_and(|head| head.eq_ignore_ascii_case(b"xn--")));
    let file = NOT_DOMAINS
        .iter()
        .any(|name| last.eq_ignore_ascii_case(name.as_bytes()));
    let mut count = 0;
    let sound = labels.all(|label| {
        count += 1;
        !label.is_empty() && !label.starts_with(b"-") && !label.ends_with(b"-")
    });
    (named && sound && !file && count > 0 && length <= DOMAIN_MAX).then_some(start + domain.len())
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn addresses() {
        let cases: &[(&str, &[&str])] = &[
            ("bob@example.com", &["bob@example.com"]),
            (
                "<a.b+tag@mail.example.co.uk>,",
                &["a.b+tag@mail.example.co.uk"],
            ),
            ("to=bob@example.com.", &["bob@example.com"]),
            ("'bob@example.com'", &["bob@example.com"]),
            ("mail o'brien@example.com", &["o'brien@example.com"]),
            ("?m=bob%40example.com&x", &["bob%40example.com"]),
            (
                "?m=a%2Bb.o%27c%40example.com&x",
                &["a%2Bb.o%27c%40example.com"],
            ),
            ("BOB@EXAMPLE.XN--P1AI", &["BOB@EXAMPLE.XN--P1AI"]),
            ("q=foo%20bob%40example.com", &["bob%40example.com"]),
            ("a@x.com;b@y.org", &["a@x.com", "b@y.org"]),
            (
                "m\u{fc}ller@b\u{fc}cher.de",
                &["m\u{fc}ller@b\u{fc}cher.de"],
            ),
            ("x@xn--bcher-kva.example", &["x@xn--bcher-kva.example"]),
            (r#"{"m":"hi\nbob@example.com"}"#, &["bob@example.com"]),
            (
                r#"{"m":"\u003cbob@example.com\u003e"}"#,
                &["bob@example.com"],
            ),
            ("mailto:bob@example.com?subject=x", &["bob@example.com"]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::Email, text), want, "{text}");
        }
    }

    #[test]
    fn not_addresses() {
        let cases = [
            "Listener@493",
            "local@tbird-admin1",
            "@Override",
            "git@github.com:org/repo.git",
            "git%40github.com%3Aorg%2Frepo.git",
            "getty@tty1.service",
            "icon@2x.png",
            "lodash@4.17.21",
            "@scope/pkg@1.2.3",
            "user***@example.com",
            "bob@",
            "@example.com",
            "bob@.com",
            "bob@10.0.0.1",
            "a@b",
            "bob@-x.com",
            "a..b@example.com",
        ];
        for text in cases {
            assert_eq!(spans(Category::Email, text), Vec::<&str>::new(), "{text}");
        }
    }
}
