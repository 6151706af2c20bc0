//! International bank account numbers (ISO 13616): the length and digits of each country in the
//! IBAN registry of SWIFT, and the checksum of ISO 7064 (mod 97).

use super::category::Category;
use super::finding::Finding;
use super::row::Row;

/// Countries with the length of their numbers; true where the account has digits only.
const COUNTRIES: &[(&[u8; 2], usize, bool)] = &[
    (b"AD", 24, false),
    (b"AE", 23, true),
    (b"AL", 28, false),
    (b"AT", 20, true),
    (b"AZ", 28, false),
    (b"BA", 20, true),
    (b"BE", 16, true),
    (b"BG", 22, false),
    (b"BH", 22, false),
    (b"BI", 27, true),
    (b"BR", 29, false),
    (b"BY", 28, false),
    (b"CH", 21, false),
    (b"CR", 22, true),
    (b"CY", 28, false),
    (b"CZ", 24, true),
    (b"DE", 22, true),
    (b"DJ", 27, true),
    (b"DK", 18, true),
    (b"DO", 28, false),
    (b"EE", 20, true),
    (b"EG", 29, true),
    (b"ES", 24, true),
    (b"FI", 18, true),
    (b"FK", 18, false),
    (b"FO", 18, true),
    (b"FR", 27, false),
    (b"GB", 22, false),
    (b"GE", 22, false),
    (b"GI", 23, false),
    (b"GL", 18, true),
    (b"GR", 27, false),
    (b"GT", 28, false),
    (b"HN", 28, false),
    (b"HR", 21, true),
    (b"HU", 28, true),
    (b"IE", 22, false),
    (b"IL", 23, true),
    (b"IQ", 23, false),
    (b"IS", 26, true),
    (b"IT", 27, false),
    (b"JO", 30, false),
    (b"KW", 30, false),
    (b"KZ", 20, false),
    (b"LB", 28, false),
    (b"LC", 32, false),
    (b"LI", 21, false),
    (b"LT", 20, true),
    (b"LU", 20, false),
    (b"LV", 21, false),
    (b"LY", 25, true),
    (b"MC", 27, false),
    (b"MD", 24, false),
    (b"ME", 22, true),
    (b"MK", 19, false),
    (b"MN", 20, true),
    (b"MR", 27, true),
    (b"MT", 31, false),
    (b"MU", 30, false),
    (b"NI", 28, false),
    (b"NL", 18, false),
    (b"NO", 15, true),
    (b"OM", 23, false),
    (b"PK", 24, false),
    (b"PL", 28, true),
    (b"PS", 29, false),
    (b"PT", 25, true),
    (b"QA", 29, false),
    (b"RO", 24, false),
    (b"RS", 22, true),
    (b"RU", 33, false),
    (b"SA", 24, false),
    (b"SC", 31, false),
    (b"SD", 18, true),
    (b"SE", 24, true),
    (b"SI", 19, true),
    (b"SK", 24, true),
    (b"SM", 27, false),
    (b"SO", 23, true),
    (b"ST", 25, true),
    (b"SV", 28, false),
    (b"TL", 23, true),
    (b"TN", 24, true),
    (b"TR", 26, false),
    (b"UA", 29, false),
    (b"VA", 22, true),
    (b"VG", 24, false),
    (b"XK", 20, true),
    (b"YE", 30, false),
];

/// Bytes of a group between separators.
const GROUP: usize = 4;
/// Longest number.
const LENGTH_MAX: usize = 34;

/// Appends the account number whose fourth byte is at `at`.
pub(super) fn find(row: &mut Row<'_>, at: usize) {
    let start = at.saturating_sub(3);
    if let Some(end) = verify(row.text, start) {
        let finding = Finding::new(Category::Iban, start..end, (100, "mod97"));
        row.found.push(finding);
    }
}

fn verify(text: &[u8], start: usize) -> Option<usize> {
    let code = text.get(start..start + 2)?;
    let country = [
        code.first()?.to_ascii_uppercase(),
        code.get(1)?.to_ascii_uppercase(),
    ];
    let at = COUNTRIES
        .binary_search_by_key(&&country, |(code, ..)| code)
        .ok()?;
    let (_, length, numeric) = COUNTRIES.get(at)?;
    let mixed = code.iter().any(u8::is_ascii_lowercase) != code.iter().all(u8::is_ascii_lowercase);
    if mixed {
        return None;
    }
    let mut plain = [0_u8; LENGTH_MAX];
    let (mut count, mut at, mut separator) = (0, start, None);
    while count < *length {
        let byte = *text.get(at)?;
        let due =
            separator.is_some() && count % GROUP == 0 && text.get(at - 1) != separator.as_ref();
        if byte.is_ascii_alphanumeric() && !due {
            *plain.get_mut(count)? = byte.to_ascii_uppercase();
            count += 1;
        } else {
            // Groups of four, with the same separator everywhere or none.
            let first = count == GROUP && matches!(byte, b' ' | b'-');
            let again = separator == Some(byte) && count % GROUP == 0;
            if !first && !again || text.get(at - 1) == Some(&byte) {
                return None;
            }
            separator = Some(byte);
        }
        at += 1;
    }
    let account = plain.get(GROUP..*length)?;
    let digits = !numeric || account.iter().all(u8::is_ascii_digit);
    let whole = !text
        .get(at)
        .is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'_');
    (digits && whole && mod97(plain.get(..*length)?) == 1).then_some(at)
}

/// The rest of the number divided by 97, its first four bytes moved to the end and letters
/// counted as 10 to 35.
fn mod97(plain: &[u8]) -> u32 {
    let (head, account) = plain.split_at(GROUP.min(plain.len()));
    account.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};
    use super::*;

    #[test]
    fn numbers() {
        assert!(COUNTRIES.is_sorted_by_key(|(code, ..)| code));
        let numbers = [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29-NWBK-6016-1331-9268-19",
            "GB82WEST12345698765432",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "nl91abna0417164300",
            "CH9300762011623852957",
            "QA58DOHB00001234567890ABCDEFG",
        ];
        for number in numbers {
            for text in [
                number.to_owned(),
                format!("iban={number}, x"),
                format!("to {number}."),
            ] {
                assert_eq!(spans(Category::Iban, &text), [number], "{text}");
            }
        }
    }

    #[test]
    fn not_numbers() {
        let others = [
            "DE89370400440532013001",
            "XX89370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "xDE89370400440532013000",
            "DE89 37040044 0532 0130 00",
            "DE89  3704 0044 0532 0130 00",
            "dE89370400440532013000",
        ];
        for text in others {
            assert_eq!(spans(Category::Iban, text), Vec::<&str>::new(), "{text}");
        }
    }
}
