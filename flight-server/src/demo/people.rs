//! Made-up personal data, of the kinds that end up in real log lines.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const FIRST_NAMES: [&str; 12] = [
    "anna", "ben", "carla", "david", "elena", "farid", "grace", "hugo", "irene", "jonas", "kavya",
    "liam",
];
const LAST_NAMES: [&str; 12] = [
    "alvarez", "brown", "chen", "dubois", "evans", "fischer", "garcia", "haddad", "ito", "jensen",
    "kowalska", "lopez",
];
const MAIL_HOSTS: [&str; 3] = ["example.com", "example.org", "example.net"];
const PASSWORDS: [&str; 6] = [
    "hunter2",
    "Winter2026!",
    "correct-horse",
    "letmein99",
    "qwerty123",
    "S3cret.pass",
];
/// The issuers' leading digits: Visa and Mastercard.
const CARD_PREFIXES: [&str; 6] = ["4", "51", "52", "53", "54", "55"];
const CARD_DIGITS: usize = 16;

/// A card number of sixteen digits that passes the Luhn check, bare or in groups of four.
pub(crate) fn card(rng: &mut StdRng) -> String {
    let mut digits: Vec<u8> = pick(rng, &CARD_PREFIXES)
        .bytes()
        .map(|byte| byte - b'0')
        .collect();
    while digits.len() < CARD_DIGITS - 1 {
        digits.push(rng.random_range(0..10));
    }
    digits.push(check_digit(&digits));
    let groups: Vec<String> = digits
        .chunks(4)
        .map(|group| group.iter().map(|digit| char::from(b'0' + digit)).collect())
        .collect();
    groups.join(pick(rng, &["", "-", " "]))
}

/// A United States social security number of a form that was really issued.
pub(crate) fn ssn(rng: &mut StdRng) -> String {
    let area = rng.random_range(100..666);
    format!(
        "{area}-{:02}-{:04}",
        rng.random_range(1..100),
        rng.random_range(1..10_000)
    )
}

/// A mail address at a domain that is reserved for examples.
pub(crate) fn email(rng: &mut StdRng) -> String {
    let (first, last) = (pick(rng, &FIRST_NAMES), pick(rng, &LAST_NAMES));
    format!(
        "{first}.{last}{}@{}",
        rng.random_range(1..100),
        pick(rng, &MAIL_HOSTS)
    )
}

/// A person.
pub(crate) fn name(rng: &mut StdRng) -> String {
    format!("{} {}", pick(rng, &FIRST_NAMES), pick(rng, &LAST_NAMES))
}

/// A North American telephone number.
pub(crate) fn phone(rng: &mut StdRng) -> String {
    let (area, exchange) = (rng.random_range(201..990), rng.random_range(200..1000));
    format!("{area}-{exchange}-{:04}", rng.random_range(0..10_000))
}

/// What somebody typed, as a careless service logs it.
pub(crate) fn password(rng: &mut StdRng) -> String {
    pick(rng, &PASSWORDS).to_owned()
}

/// Any of `choices`.
pub(crate) fn pick<'a>(rng: &mut StdRng, choices: &[&'a str]) -> &'a str {
    choices.choose(rng).copied().unwrap_or_default()
}

/// The digit that makes `digits` pass the Luhn check when it follows them.
fn check_digit(digits: &[u8]) -> u8 {
    (10 - luhn_sum(digits.iter().rev(), 1) % 10) % 10
}

/// Adds the digits from the right; every second one, from the one at `doubled`, counts twice.
fn luhn_sum<'a>(from_the_right: impl Iterator<Item = &'a u8>, doubled: usize) -> u8 {
    let sum: u32 = from_the_right
        .enumerate()
        .map(|(index, &digit)| match (index + doubled) % 2 {
            0 => u32::from(digit),
            _ => u32::from(digit) * 2 / 10 + u32::from(digit) * 2 % 10,
        })
        .sum();
    u8::try_from(sum % 10).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn cards_pass_the_luhn_check() {
        // The numbers that the card networks publish for tests.
        for (number, last) in [
            ("411111111111111", 1),
            ("555555555555444", 4),
            ("401288888888188", 1),
        ] {
            let digits: Vec<u8> = number.bytes().map(|byte| byte - b'0').collect();
            assert_eq!(check_digit(&digits), last, "{number}");
        }
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..500 {
            let card = card(&mut rng);
            let digits: Vec<u8> = card
                .bytes()
                .filter(u8::is_ascii_digit)
                .map(|byte| byte - b'0')
                .collect();
            assert_eq!(digits.len(), CARD_DIGITS, "{card}");
            assert_eq!(luhn_sum(digits.iter().rev(), 0), 0, "{card}");
        }
    }

    #[test]
    fn numbers_have_the_form_of_their_kind() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..500 {
            assert_eq!(ssn(&mut rng).len(), "536-90-4399".len());
            assert_eq!(phone(&mut rng).len(), "415-555-7890".len());
            assert!(email(&mut rng).contains("@example."));
        }
    }
}
