//! Internet addresses of both versions and hardware addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::pii::detect::boundary::{before, is_word};
use crate::pii::detect::context::{Hint, hint};
use crate::pii::detect::{Categories, Category, Finding};

/// Longest text of an address: IPv6 with an IPv4 tail.
const LENGTH_MAX: usize = 45;
/// Before a number with dots, these make it a version.
const VERSION: &[&str] = &["v", "ver", "version", "build", "release", "firmware"];

/// Appends the addresses of the wanted categories.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    let (internet, hardware) = (Category::IpAddress, Category::MacAddress);
    if !wanted.has(internet) && !wanted.has(hardware) {
        return;
    }
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if !is_part(*byte) {
            at += 1;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_part(**byte)).count();
        let end = at + length;
        // Longer runs hold no address, or two of them between a dash; most are words without marks.
        let marks = |run: &[u8]| run.iter().filter(|byte| !byte.is_ascii_hexdigit()).count();
        if length <= 2 * LENGTH_MAX && rest.get(..length).is_some_and(|run| marks(run) >= 2) {
            let mac = wanted.has(hardware).then(|| mac(text, at, end)).flatten();
            if mac.is_none() && wanted.has(internet) {
                ranges(text, at, end).for_each(|(start, end)| found.extend(ip(text, start, end)));
            }
            found.extend(mac);
        }
        at = end;
    }
}

/// What addresses are made of.
const fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'-')
}

/// The parts of a run between dashes.
fn ranges(text: &[u8], start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut at = start;
    let parts = text.get(start..end).unwrap_or_default();
    parts.split(|byte| *byte == b'-').map(move |part| {
        let start = at;
        at += part.len() + 1;
        (start, start + part.len())
    })
}

fn ip(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let (mut start, end) = trimmed(text, start, end);
    if before(text, start).is_some_and(is_word) {
        // The end of a key, such as the last letter of `source:10.0.0.1`.
        start += 1 + text
            .get(start..end)?
            .iter()
            .position(|byte| *byte == b':')?;
    }
    if text.get(end).is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let address = std::str::from_utf8(text.get(start..end)?).ok()?;
    let Ok(parsed) = address.parse::<Ipv6Addr>() else {
        return ipv4(text, start, end);
    };
    let colons = address.bytes().filter(|byte| *byte == b':').count();
    let telling = colons > 2 || address.bytes().any(|byte| byte.is_ascii_digit());
    let finding = || Finding::new(Category::IpAddress, start..end, (85, "ipv6"));
    (telling && !parsed.is_unspecified()).then(finding)
}

/// The address around the first dot, without a key or a port.
fn ipv4(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let dot = start + memchr::memchr(b'.', text.get(start..end)?)?;
    let head = text.get(start..dot)?.iter().rev();
    let start = dot - head.take_while(|byte| byte.is_ascii_digit()).count();
    let part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let end = start + text.get(start..end)?.iter().take_while(part).count();
    if before(text, start).is_some_and(|byte| is_word(byte) || byte == b'.') {
        return None;
    }
    let address = std::str::from_utf8(text.get(start..end)?).ok()?;
    let parsed = address.parse::<Ipv4Addr>().ok()?;
    let versioned = hint(text, start, VERSION) == Hint::For;
    let finding = || Finding::new(Category::IpAddress, start..end, (85, "ipv4"));
    (!versioned && !parsed.is_unspecified()).then(finding)
}

/// Without the dots, colons and dashes of the sentence around an address.
fn trimmed(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let given = text.get(start..end).unwrap_or_default();
    let head = match given {
        [b':', b':', ..] => 0,
        _ => given
            .iter()
            .take_while(|byte| !byte.is_ascii_hexdigit())
            .count(),
    };
    let tail = match given {
        [.., b':', b':'] => 0,
        _ => given
            .iter()
            .rev()
            .take_while(|byte| !byte.is_ascii_hexdigit())
            .count(),
    };
    (start + head, (end - tail).max(start + head))
}

fn mac(text: &[u8], start: usize, end: usize) -> Option<Finding> {
    let (start, end) = trimmed(text, start, end);
    let word = |byte: Option<u8>| byte.is_some_and(is_word);
    if word(before(text, start)) || word(text.get(end).copied()) {
        return None;
    }
    let given = text.get(start..end)?;
    let separated = |separator: u8, size: usize, count: usize| {
        let mut groups = given.split(|byte| *byte == separator);
        given.len() == size * count + count - 1
            && groups.all(|group| group.len() == size && group.iter().all(u8::is_ascii_hexdigit))
    };
    if !separated(b':', 2, 6) && !separated(b'-', 2, 6) && !separated(b'.', 4, 3) {
        return None;
    }
    let mut digits = given.iter().filter(|byte| byte.is_ascii_hexdigit());
    let first = digits.next()?.to_ascii_lowercase();
    let uniform = digits.all(|byte| byte.to_ascii_lowercase() == first);
    let void = uniform && matches!(first, b'0' | b'f');
    (!void).then(|| Finding::new(Category::MacAddress, start..end, (90, "shape")))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn addresses() {
        let cases: &[(Category, &str, &[&str])] = &[
            (
                Category::IpAddress,
                "from 10.20.30.40:50010",
                &["10.20.30.40"],
            ),
            (Category::IpAddress, "/10.251.1.191.", &["10.251.1.191"]),
            (
                Category::IpAddress,
                "a=1.2.3.4,b=5.6.7.8",
                &["1.2.3.4", "5.6.7.8"],
            ),
            (
                Category::IpAddress,
                "source:10.0.0.1 id:10.0.0.2:80",
                &["10.0.0.1", "10.0.0.2"],
            ),
            (Category::IpAddress, "node:2001:db8::1", &["2001:db8::1"]),
            (
                Category::IpAddress,
                "10.0.0.1-10.0.0.9",
                &["10.0.0.1", "10.0.0.9"],
            ),
            (Category::IpAddress, "version 6.1.1.0 of", &[]),
            (
                Category::IpAddress,
                "1.2.3.4.5 256.1.1.1 1.2.3 12:34:56",
                &[],
            ),
            (Category::IpAddress, "[2001:db8::1]:443", &["2001:db8::1"]),
            (
                Category::IpAddress,
                "fe80::1ff:fe23:4567:890a%eth0",
                &["fe80::1ff:fe23:4567:890a"],
            ),
            (
                Category::IpAddress,
                "::ffff:192.0.2.1 and :: ",
                &["::ffff:192.0.2.1"],
            ),
            (Category::IpAddress, "std::vec ab::cd 10:20:30:40", &[]),
            (
                Category::MacAddress,
                "mac 00:1A:2b:3c:4D:5e.",
                &["00:1A:2b:3c:4D:5e"],
            ),
            (
                Category::MacAddress,
                "001a.2b3c.4d5e 00-1a-2b-3c-4d-5e",
                &["001a.2b3c.4d5e", "00-1a-2b-3c-4d-5e"],
            ),
            (
                Category::MacAddress,
                "ff:ff:ff:ff:ff:ff 00:1a:2b:3c:4d 00:1a-2b:3c:4d:5e",
                &[],
            ),
        ];
        for (category, text, want) in cases {
            assert_eq!(&spans(*category, text), want, "{text}");
        }
    }
}
