//! Documents of persons in the United States, vehicles, and dates of birth.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_day, is_uniform, luhn, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::UsPassport,
        shapes: &["A########", "#########"],
        valid: |number| !is_uniform(number),
        words: &["passport", "passportno", "passportnumber"],
        evidence: Evidence::Word,
        name: "shape+word",
    },
    Rule {
        category: Category::UsDriverLicense,
        // The forms of the states, as the American Association of Motor Vehicle Administrators
        // lists them.
        shapes: &[
            "A####_#####_#####",
            "A###_####_####",
            "A###_###_##_###_#",
            "A############",
            "AAAAA*##*###",
            "##AAA#####",
            "A##_##_####",
            "A########",
            "A#######",
            "A######",
            "AA######",
            "###_###_###",
            "##########",
            "#########",
            "########",
            "#######",
        ],
        valid: |number| !is_uniform(number),
        words: &[
            "license",
            "licence",
            "driver",
            "drivers",
            "dl",
            "dln",
            "driverslicense",
        ],
        evidence: Evidence::Word,
        name: "shape+word",
    },
    Rule {
        category: Category::UsNpi,
        shapes: &["##########"],
        valid: is_npi,
        words: &["npi", "provider", "npinumber"],
        evidence: Evidence::Word,
        name: "luhn+word",
    },
    Rule {
        category: Category::UsDea,
        shapes: &["AA#######", "A9#######"],
        valid: is_dea,
        words: &["dea", "prescriber", "registrant"],
        evidence: Evidence::Word,
        name: "check+word",
    },
    Rule {
        category: Category::UsMbi,
        shapes: &["#A*#_A*#_AA##"],
        valid: is_mbi,
        words: &["mbi", "medicare", "beneficiary"],
        evidence: Evidence::Check,
        name: "shape",
    },
    Rule {
        category: Category::Vin,
        shapes: &["*****************"],
        valid: is_vin,
        words: &["vin", "vehicle", "chassis"],
        evidence: Evidence::Check,
        name: "check",
    },
    Rule {
        category: Category::DateOfBirth,
        shapes: &[
            "####-##-##T##:##:##Z",
            "####-##-##",
            "####/##/##",
            "####.##.##",
            "##/##/####",
            "##-##-####",
            "##.##.####",
            "#/#/####",
            "#/##/####",
            "##/#/####",
            "########",
        ],
        valid: is_birthday,
        words: &[
            "dob",
            "birth",
            "birthdate",
            "birthday",
            "dateofbirth",
            "born",
        ],
        evidence: Evidence::Word,
        name: "date+word",
    },
];

/// The national provider identifier: Luhn's check with the issuer's prefix, which adds 24.
fn is_npi(digits: &[u8]) -> bool {
    let prefixed: Vec<u8> = b"80840".iter().chain(digits).copied().collect();
    matches!(digits.first(), Some(b'1' | b'2')) && luhn(&prefixed)
}

/// The registration number of the Drug Enforcement Administration.
fn is_dea(code: &[u8]) -> bool {
    let Some((kind, digits)) = code.split_first().zip(code.get(2..)) else {
        return false;
    };
    let known = b"ABCDEFGHJKLMPRSTUX".contains(kind.0);
    let sum = digits
        .get(..6)
        .and_then(|stem| weighted(stem, &[1, 2, 1, 2, 1, 2]));
    let check = digits.get(6).copied().and_then(digit);
    known && sum.is_some_and(|sum| Some(sum % 10) == check)
}

/// The Medicare beneficiary identifier, whose letters leave out those that look like digits.
fn is_mbi(code: &[u8]) -> bool {
    let letters = code.iter().filter(|byte| byte.is_ascii_alphabetic());
    !matches!(code.first(), Some(b'0'))
        && letters.clone().count() >= 4
        && !letters.clone().any(|letter| b"SLOIBZ".contains(letter))
}

/// The vehicle identification number of 49 CFR 565, whose ninth place is a check.
fn is_vin(code: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |byte: u8| match byte {
        b'0'..=b'9' => digit(byte),
        b'A'..=b'H' => Some(u32::from(byte - b'A') + 1),
        b'J'..=b'N' => Some(u32::from(byte - b'J') + 1),
        b'P' => Some(7),
        b'R' => Some(9),
        b'S'..=b'Z' => Some(u32::from(byte - b'S') + 2),
        _ => None,
    };
    let sum = code
        .iter()
        .zip(WEIGHTS)
        .try_fold(0, |sum, (byte, weight)| Some(sum + value(*byte)? * weight));
    let check = match code.get(8) {
        Some(b'X') => Some(10),
        Some(byte) => digit(*byte),
        None => None,
    };
    let serial = code.get(13..).unwrap_or_default();
    let mixed = code.iter().any(u8::is_ascii_alphabetic);
    mixed && serial.iter().all(u8::is_ascii_digit) && sum.is_some_and(|sum| Some(sum % 11) == check)
}

/// Whether digits are a day of the last or this century, in any order that is in use.
fn is_birthday(digits: &[u8]) -> bool {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(number);
    let digits_only = digits.get(..8).unwrap_or(digits);
    let era = |year: Option<u64>| matches!(year, Some(1900..=2099));
    let day = |year: Option<u64>, month: Option<u64>, day: Option<u64>| {
        era(year) && matches!((month, day), (Some(month), Some(day)) if is_day(year, month, day))
    };
    match digits_only.len() {
        8 => {
            day(part(0, 4), part(4, 6), part(6, 8))
                || day(part(4, 8), part(0, 2), part(2, 4))
                || day(part(4, 8), part(2, 4), part(0, 2))
        }
        6 | 7 => era(part(digits.len() - 4, digits.len())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn documents() {
        let cases: &[(Category, &str, &[&str])] = &[
            (Category::UsPassport, "passport: A12345678", &["A12345678"]),
            (Category::UsPassport, "order A12345678", &[]),
            (
                Category::UsDriverLicense,
                "driver license D1234567",
                &["D1234567"],
            ),
            (
                Category::UsDriverLicense,
                "licence no A123-4567-8901",
                &["A123-4567-8901"],
            ),
            (Category::UsDriverLicense, "part D1234567", &[]),
            (Category::UsNpi, "npi=1234567893", &["1234567893"]),
            (Category::UsNpi, "npi=1234567894 ", &[]),
            (Category::UsDea, "DEA AB1234563 ok", &["AB1234563"]),
            (Category::UsDea, "DEA AB1234564 ok", &[]),
            (Category::UsMbi, "member 1EG4-TE5-MK73", &["1EG4-TE5-MK73"]),
            (Category::UsMbi, "member 1SG4-TE5-MK73 ", &[]),
            (
                Category::Vin,
                "car 1M8GDM9AXKP042788 sold",
                &["1M8GDM9AXKP042788"],
            ),
            (Category::Vin, "car 1M8GDM9A1KP042788 sold", &[]),
            (Category::DateOfBirth, "dob: 1980-05-12", &["1980-05-12"]),
            (
                Category::DateOfBirth,
                "\"birthDate\":\"12/05/1980\"",
                &["12/05/1980"],
            ),
            (Category::DateOfBirth, "due 1980-05-12 ", &[]),
            (Category::DateOfBirth, "dob: 1980-15-42 ", &[]),
        ];
        for (category, text, want) in cases {
            assert_eq!(&spans(*category, text), want, "{text}");
        }
    }
}
