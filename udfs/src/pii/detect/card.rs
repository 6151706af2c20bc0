//! Payment card numbers: ISO/IEC 7812 issuer ranges, the Luhn checksum, and the groupings in which
//! cards are printed.

use super::boundary::{before, closes, is_whole, opens};
use super::category::Category;
use super::context::{CARD, Hint, hint};
use super::finding::Finding;
use super::groups::Groups;

/// Digits of a card number.
const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Canonical groupings, longest first, so that a number is not cut short.
const GROUPINGS: &[&[u8]] = &[
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 1],
    &[4, 4, 4],
    &[6, 13],
];

/// Issuer ranges: first and last value of the leading digits, and the lengths in use.
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (4, 4, &[13, 16, 18, 19]),
    (51, 55, &[16]),
    (2221, 2720, &[16]),
    (34, 34, &[15]),
    (37, 37, &[15]),
    (6011, 6011, &[16, 17, 18, 19]),
    (644, 649, &[16, 17, 18, 19]),
    (65, 65, &[16, 17, 18, 19]),
    (300, 305, &[14, 16, 17, 18, 19]),
    (3095, 3095, &[14, 16, 17, 18, 19]),
    (36, 36, &[14, 16, 17, 18, 19]),
    (38, 39, &[14, 16, 17, 18, 19]),
    (3528, 3589, &[16, 17, 18, 19]),
    (1800, 1800, &[15]),
    (2131, 2131, &[15]),
    (62, 62, &[16, 17, 18, 19]),
    (2200, 2204, &[16, 17, 18, 19]),
    (5018, 5018, MAESTRO),
    (5020, 5020, MAESTRO),
    (5038, 5038, MAESTRO),
    (5612, 5612, MAESTRO),
    (5893, 5893, MAESTRO),
    (6304, 6304, MAESTRO),
    (6759, 6759, MAESTRO),
    (6761, 6763, MAESTRO),
    (60, 60, &[16]),
    (81, 82, &[16]),
    (508, 508, &[16]),
    (636, 639, &[16]),
    (9792, 9792, &[16]),
];

/// Numbers of SIM cards begin so (ITU-T E.118).
const TELECOM: u32 = 89;

const MAESTRO: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];

/// The card number that begins at the first of `groups`.
pub(super) fn verify(text: &[u8], groups: &Groups) -> Option<Finding> {
    if groups.digits() < *DIGITS.start() {
        return None;
    }
    let begins = opens(text, groups.start)
        || follows_sentinel(text, groups.start)
        || in_path(text, groups.start..groups.end(1));
    let single = groups
        .sizes()
        .first()
        .is_some_and(|size| DIGITS.contains(&usize::from(*size)));
    let grouping = GROUPINGS
        .iter()
        .find(|grouping| groups.sizes().starts_with(grouping));
    let count = if single { 1 } else { grouping?.len() };
    let end = groups.end(count);
    let separator = groups.separator_of(count);
    if !begins || !closes(text, end) || separator == b' ' && in_column(text, groups, count) {
        return None;
    }
    let number = Number::read(text, groups.start, end)?;
    if !number.passes_luhn() || number.is_uniform() {
        return None;
    }
    let context = hint(text, groups.start, CARD);
    let announced = context == Hint::For || is_whole(text, groups.start, end);
    let issued = number.has_issuer();
    let canonical = matches!(separator, b' ' | b'-') && count > 2;
    let usual = matches!(number.length, 15 | 16) && number.leading(1) != 1;
    let stands = issued && separator != b'.' && (canonical || usual && context != Hint::Against);
    let telecom = number.leading(2) == TELECOM;
    let evidence = match (stands, announced && !telecom) {
        (true, true) => (100, "luhn+issuer+context"),
        (true, false) => (95, "luhn+issuer"),
        (false, true) => (90, "luhn+context"),
        (false, false) => return None,
    };
    Some(Finding::new(
        Category::CreditCard,
        groups.start..end,
        evidence,
    ))
}

/// Whether `digits` are a card number of an issuer.
pub(super) fn is_issued(digits: &[u8]) -> bool {
    let number = Number::read(digits, 0, digits.len());
    number.is_some_and(|number| number.passes_luhn() && number.has_issuer())
}

/// Whether `digits` are as many as a card number has and pass its check.
pub(super) fn passes_check(digits: &[u8]) -> bool {
    let number = Number::read(digits, 0, digits.len());
    number.is_some_and(|number| number.passes_luhn() && !number.is_uniform())
}

/// Whether digits that are many enough for a card are a part of a path that speaks of cards.
pub(super) fn in_path(text: &[u8], span: std::ops::Range<usize>) -> bool {
    before(text, span.start) == Some(b'/')
        && DIGITS.contains(&span.len())
        && hint(text, span.start, CARD) == Hint::For
}

/// Track 1 of a magnetic stripe puts `%B` before the number.
fn follows_sentinel(text: &[u8], start: usize) -> bool {
    text.get(start.saturating_sub(2)..start) == Some(b"%B")
}

/// Whether groups separated by spaces are part of a longer row of numbers.
fn in_column(text: &[u8], groups: &Groups, count: usize) -> bool {
    let four_digits_before = before(text, groups.start) == Some(b' ')
        && text
            .get(groups.start.saturating_sub(5)..groups.start - 1)
            .is_some_and(|head| head.len() == 4 && head.iter().all(u8::is_ascii_digit));
    four_digits_before || groups.sizes().get(count) == Some(&4)
}

struct Number {
    digits: [u8; 19],
    length: usize,
}

impl Number {
    fn read(text: &[u8], start: usize, end: usize) -> Option<Self> {
        let mut number = Self {
            digits: [0; 19],
            length: 0,
        };
        for byte in text
            .get(start..end)?
            .iter()
            .filter(|byte| byte.is_ascii_digit())
        {
            *number.digits.get_mut(number.length)? = byte - b'0';
            number.length += 1;
        }
        DIGITS.contains(&number.length).then_some(number)
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    /// ISO/IEC 7812-1 annex B.
    fn passes_luhn(&self) -> bool {
        let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
        let value = |(place, digit): (usize, &u8)| {
            u32::from(if place % 2 == 1 {
                doubled(*digit)
            } else {
                *digit
            })
        };
        self.digits()
            .iter()
            .rev()
            .enumerate()
            .map(value)
            .sum::<u32>()
            % 10
            == 0
    }

    fn is_uniform(&self) -> bool {
        self.digits()
            .windows(2)
            .all(|pair| pair.first() == pair.last())
    }

    fn leading(&self, count: usize) -> u32 {
        self.digits()
            .iter()
            .take(count)
            .fold(0, |value, digit| 10 * value + u32::from(*digit))
    }

    fn has_issuer(&self) -> bool {
        let places = |value: u32| value.checked_ilog10().map_or(1, |log| log as usize + 1);
        ISSUERS.iter().any(|(first, last, lengths)| {
            lengths.contains(&self.length)
                && (*first..=*last).contains(&self.leading(places(*first)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Category, spans};

    #[test]
    fn cards() {
        let cases: &[(&str, &[&str])] = &[
            ("4111111111111111", &["4111111111111111"]),
            ("pay 4111 1111 1111 1111 now", &["4111 1111 1111 1111"]),
            ("pay 4111-1111-1111-1111.", &["4111-1111-1111-1111"]),
            (
                "5555555555554444,2223003122003222",
                &["5555555555554444", "2223003122003222"],
            ),
            ("amex 3782 822463 10005", &["3782 822463 10005"]),
            ("3056 930902 5904", &["3056 930902 5904"]),
            ("card=6011111111111117&x=1", &["6011111111111117"]),
            ("\"pan\":3530111333300000}", &["3530111333300000"]),
            ("card:4111111111111111", &["4111111111111111"]),
            ("visa 4222222222222", &["4222222222222"]),
            ("GET /v1/cards/4111111111111111?x=1", &["4111111111111111"]),
            ("card 4111.1111.1111.1111", &["4111.1111.1111.1111"]),
            ("%B4111111111111111^A/B^2512", &["4111111111111111"]),
            ("\u{e9} 4111111111111111 \u{e9}", &["4111111111111111"]),
            ("row 12 4111111111111111 34", &["4111111111111111"]),
            (
                "4111\u{a0}1111\u{a0}1111\u{a0}1111",
                &["4111\u{a0}1111\u{a0}1111\u{a0}1111"],
            ),
            (
                "pay 4111\u{2011}1111\u{2011}1111\u{2011}1111.",
                &["4111\u{2011}1111\u{2011}1111\u{2011}1111"],
            ),
            (
                "\u{ff14}\u{ff11}\u{ff11}\u{ff11}111111111111",
                &["\u{ff14}\u{ff11}\u{ff11}\u{ff11}111111111111"],
            ),
            ("41111111\u{200b}11111111", &["41111111\u{200b}11111111"]),
            (
                "?pan=4111%201111%201111%201111&x=1",
                &["4111%201111%201111%201111"],
            ),
        ];
        for (text, want) in cases {
            assert_eq!(&spans(Category::CreditCard, text), want, "{text}");
        }
    }

    #[test]
    fn not_cards() {
        let cases = [
            "4111111111111112",
            "blk_-5195120009388265",
            "blk_4111111111111111",
            "order_id=4111111111111111",
            "traceId: 4111111111111111",
            "1117838978 2005",
            "0000000000000000",
            "1700000000000000",
            "ts 1700000000000",
            "x4111111111111111",
            "4111111111111111a",
            "41111111-1111-1111-1111-111111111111",
            "v4.1111.1111.1111",
            "a/4111111111111111/b",
            "4111  1111 1111 1111",
            "4111-1111 1111-1111",
            "9999 4111 1111 1111 1111",
            "0.4111111111111111",
            "4222222222222",
            "41111111111111114111111111111111",
            "-4111111111111111",
            "xxxx-xxxx-xxxx-1111",
        ];
        for text in cases {
            let text = format!("a {text} b");
            assert_eq!(
                spans(Category::CreditCard, &text),
                Vec::<&str>::new(),
                "{text}"
            );
        }
    }
}
