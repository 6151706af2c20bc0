//! Austria, Belgium, France, Germany, the Netherlands.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{
    base36, digit, is_day, is_uniform, mod_11_10, number, weighted,
};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::AtSvnr,
        shapes: &["####_######", "##########"],
        valid: is_svnr,
        words: &["svnr", "sozialversicherungsnummer", "vsnr"],
        evidence: Evidence::Word,
        name: "check+word",
    },
    Rule {
        category: Category::BeNrn,
        shapes: &["##.##.##-###.##", "###########"],
        valid: is_nrn,
        words: &["nrn", "rijksregisternummer", "national", "niss", "insz"],
        evidence: Evidence::Check,
        name: "mod97",
    },
    Rule {
        category: Category::FrNir,
        shapes: &[
            "#_##_##_##_###_###_##",
            "#_##_##_#*_###_###_##",
            "#_##_##_##_###_###",
        ],
        valid: is_nir,
        words: &["nir", "insee", "secu", "securite"],
        evidence: Evidence::Check,
        name: "mod97",
    },
    Rule {
        category: Category::DeTaxId,
        shapes: &["##_###_###_###", "###########"],
        valid: is_tax_id,
        words: &[
            "steuerid",
            "steuer",
            "idnr",
            "identifikationsnummer",
            "tin",
            "tax",
        ],
        evidence: Evidence::Check,
        name: "mod11_10",
    },
    Rule {
        category: Category::DeSocialSecurity,
        shapes: &["##_######_A_###", "########A###"],
        valid: is_pension,
        words: &[
            "rvnr",
            "sozialversicherungsnummer",
            "rentenversicherungsnummer",
            "svnr",
        ],
        evidence: Evidence::Check,
        name: "date+check",
    },
    Rule {
        category: Category::DeIdCard,
        shapes: &["**********", "*********"],
        valid: is_id_card,
        words: &["ausweis", "personalausweis", "ausweisnummer", "reisepass"],
        evidence: Evidence::Word,
        name: "icao9303+word",
    },
    Rule {
        category: Category::NlBsn,
        shapes: &["#########", "####.##.###"],
        valid: is_bsn,
        words: &["bsn", "burgerservicenummer", "sofinummer"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
];

/// The fourth digit checks the other nine, modulo 11.
fn is_svnr(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let check = digits.get(3).copied().and_then(digit);
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    // Months above twelve are given out where a day has no numbers left.
    let dated = matches!((part(4), part(6)), (Some(1..=31), Some(1..=15)));
    dated && sum.is_some_and(|sum| Some(sum % 11) == check)
}

/// 97 less the remainder, for births of this century with a two before the number.
fn is_nrn(digits: &[u8]) -> bool {
    let (Some(stem), Some(check)) = (
        digits.get(..9).and_then(number),
        digits.get(9..11).and_then(number),
    ) else {
        return false;
    };
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    let (Some(year), Some(month), Some(day)) = (part(0), part(2), part(4)) else {
        return false;
    };
    let month = if month > 40 { month - 40 } else { month };
    let dated = month <= 20 && is_day(Some(year), month % 20, day) || (month, day) == (0, 0);
    dated
        && [stem, 2_000_000_000 + stem]
            .iter()
            .any(|stem| 97 - stem % 97 == check)
}

/// 97 less the remainder; Corsica's departments 2A and 2B count as 19 and 18.
fn is_nir(code: &[u8]) -> bool {
    let mut digits = code.to_vec();
    match code.get(5..7) {
        Some(b"2A") => digits.splice(5..7, *b"19").for_each(drop),
        Some(b"2B") => digits.splice(5..7, *b"18").for_each(drop),
        _ => {}
    }
    let stem = digits.get(..13).and_then(number);
    let check = digits.get(13..15).and_then(number);
    let sex = matches!(
        digits.first(),
        Some(b'1' | b'2' | b'3' | b'4' | b'7' | b'8')
    );
    let month = matches!(
        digits.get(3..5).and_then(number),
        Some(1..=12 | 20..=42 | 50..)
    );
    sex && month && stem.is_some_and(|stem| Some(97 - stem % 97) == check)
}

/// ISO 7064, and among the first ten digits one that occurs twice or thrice and no other twice.
fn is_tax_id(digits: &[u8]) -> bool {
    let stem = digits.get(..10).unwrap_or_default();
    let times = |value: u8| stem.iter().filter(|byte| **byte == value).count();
    let repeated: Vec<usize> = (b'0'..=b'9')
        .map(times)
        .filter(|times| *times > 1)
        .collect();
    !matches!(digits.first(), None | Some(b'0'))
        && matches!(repeated.as_slice(), [2 | 3])
        && mod_11_10(digits)
}

/// Area, birthday, first letter of the name as a number, serial, each place by its weight.
fn is_pension(code: &[u8]) -> bool {
    let (Some(area), Some(letter), Some(serial)) = (code.get(..8), code.get(8), code.get(9..11))
    else {
        return false;
    };
    let mut digits = area.to_vec();
    digits.extend(format!("{:02}", letter.wrapping_sub(b'A') + 1).bytes());
    digits.extend(serial);
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let cross = |(byte, weight): (&u8, u32)| {
        digit(*byte).map(|value| value * weight / 10 + value * weight % 10)
    };
    let sum: Option<u32> = digits.iter().zip(weights).map(cross).sum();
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    let (Some(day), Some(month)) = (part(2), part(4)) else {
        return false;
    };
    // A day above fifty is one whose number was given out before.
    let day = if day > 50 { day - 50 } else { day };
    let check = code.get(11).copied().and_then(digit);
    is_day(None, month, day) && sum.is_some_and(|sum| Some(sum % 10) == check)
}

/// ICAO 9303: weights seven, three, one. The nine places leave out letters that look like digits.
fn is_id_card(code: &[u8]) -> bool {
    let stem = code.get(..9).unwrap_or_default();
    let known = |byte: &u8| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte);
    let lead = code.first().is_some_and(u8::is_ascii_alphabetic);
    let values = stem.iter().zip([7, 3, 1].into_iter().cycle());
    let sum: Option<u32> = values
        .map(|(byte, weight)| base36(*byte).map(|value| value * weight))
        .sum();
    let check = code.get(9).copied();
    let passed = check.is_none_or(|check| sum.is_some_and(|sum| digit(check) == Some(sum % 10)));
    lead && stem.iter().any(u8::is_ascii_digit) && stem.iter().all(known) && passed
}

/// Weights nine to two and minus one, modulo 11.
fn is_bsn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 10]);
    !is_uniform(digits) && sum.is_some_and(|sum| sum % 11 == 0)
}

#[cfg(test)]
mod tests {
    use super::super::super::Category;
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::AtSvnr, "1237 010180"),
            (Category::BeNrn, "85.07.30-033.28"),
            (Category::BeNrn, "17073003384"),
            (Category::FrNir, "2 55 08 14 168 025 38"),
            (Category::DeTaxId, "86095742719"),
            (Category::DeTaxId, "47036892816"),
            (Category::DeSocialSecurity, "15070649C103"),
            (Category::DeIdCard, "T220001293"),
            (Category::NlBsn, "111222333"),
        ]);
    }
}
