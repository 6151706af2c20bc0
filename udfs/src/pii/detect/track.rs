//! Magnetic stripe data of payment cards (ISO/IEC 7813): a card number, then a separator, an
//! expiry date and what else the issuer writes.

use super::boundary::{before, digits_end};
use super::card;
use super::category::Category;
use super::finding::Finding;
use super::groups::Groups;

/// Longest first track.
const TRACK_MAX: usize = 110;
/// Longest name of a cardholder.
const NAME_MAX: usize = 30;
/// Fewest digits after the separator: year, month and service code.
const REST_MIN: usize = 4;

/// Whether a start sentinel stands before the number at `start`: `%B` or `;`.
pub(super) fn begins(text: &[u8], start: usize) -> bool {
    before(text, start) == Some(b';') || text.get(start.saturating_sub(2)..start) == Some(b"%B")
}

/// The track whose card number is the first of `groups`.
pub(super) fn verify(text: &[u8], groups: &Groups) -> Option<Finding> {
    let end = groups.end(1);
    let rest = match text.get(end)? {
        b'=' | b'D' => end + 1,
        b'^' => {
            let name = text.get(end + 1..(end + 2 + NAME_MAX).min(text.len()))?;
            end + 2 + name.iter().position(|byte| *byte == b'^')?
        }
        _ => return None,
    };
    let digits = digits_end(text, rest);
    let sentinel = begins(text, groups.start);
    let least = if sentinel { REST_MIN } else { 2 * REST_MIN };
    let number = text.get(groups.start..end)?;
    // Behind a sentinel the check is enough, as for the numbers of airlines.
    let known = card::is_issued(number) || sentinel && card::passes_check(number);
    if digits < rest + least || !known {
        return None;
    }
    let start = match before(text, groups.start) {
        Some(b';') => groups.start - 1,
        _ if sentinel => groups.start - 2,
        _ => groups.start,
    };
    let tail = text.get(digits..(digits + TRACK_MAX).min(text.len()))?;
    let written = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'=' | b'/');
    let more = tail.iter().take_while(|byte| written(byte)).count();
    // Without an end sentinel the digits are all that is sure to belong to the track.
    let end = match tail.get(more) {
        Some(b'?') => digits + more + 1,
        _ => digits,
    };
    Some(Finding::new(
        Category::CardTrack,
        start..end,
        (100, "iso7813"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn tracks() {
        let cases: &[(&str, &[&str])] = &[
            (
                "t1=%B4111111111111111^DOE/JOHN^29121010000000000000? x",
                &["%B4111111111111111^DOE/JOHN^29121010000000000000?"],
            ),
            (
                "t2=;4111111111111111=29121010000012345678? x",
                &[";4111111111111111=29121010000012345678?"],
            ),
            (
                "4111111111111111=29121010000012345678",
                &["4111111111111111=29121010000012345678"],
            ),
            (
                "35:4111111111111111D29121010000012345678",
                &["4111111111111111D29121010000012345678"],
            ),
            (
                ";170398229421252=27072011895537?",
                &[";170398229421252=27072011895537?"],
            ),
            (";4111111111111112=29121010000012345678?", &[]),
            ("id=4111111111111111&b=2", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::CardTrack, text), want, "{text}");
        }
    }
}
