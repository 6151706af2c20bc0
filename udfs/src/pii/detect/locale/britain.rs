//! The United Kingdom and Ireland.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_day, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::UkNhs,
        shapes: &["###_###_####"],
        valid: is_nhs,
        words: &["nhs", "patient"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
    Rule {
        category: Category::UkNino,
        shapes: &["AA_##_##_##_A", "AA######A"],
        valid: is_nino,
        words: &["nino", "insurance", "ni"],
        evidence: Evidence::Check,
        name: "shape",
    },
    Rule {
        category: Category::UkDrivingLicence,
        shapes: &["*****######*****", "*****######***##"],
        valid: is_licence,
        words: &["driving", "licence", "license", "dvla"],
        evidence: Evidence::Check,
        name: "shape+date",
    },
    Rule {
        category: Category::UkPassport,
        shapes: &["AA#######", "#########"],
        valid: |_| true,
        words: &["passport", "passportno", "passportnumber"],
        evidence: Evidence::Word,
        name: "shape+word",
    },
    Rule {
        category: Category::IePps,
        shapes: &["#######aa", "#######a"],
        valid: is_pps,
        words: &["pps", "ppsn", "ppsno"],
        evidence: Evidence::Word,
        name: "mod23+word",
    },
];

/// Weights ten to two, modulo 11; ten is never issued.
fn is_nhs(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let sum = weighted(stem, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    sum.is_some_and(|sum| digit(*last) == Some((11 - sum % 11) % 11))
}

/// Prefixes that HM Revenue and Customs does not issue (NIM39110), and suffixes A to D.
fn is_nino(code: &[u8]) -> bool {
    let (Some([first, second]), Some(last)) = (code.get(..2), code.last()) else {
        return false;
    };
    let void: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    !b"DFIQUV".contains(first)
        && !b"DFIQUVO".contains(second)
        && !void.contains(&[*first, *second].as_slice())
        && (b'A'..=b'D').contains(last)
}

/// Five letters of the surname filled with nines, and a birthday whose month holds the sex.
fn is_licence(code: &[u8]) -> bool {
    let name = code.get(..5).unwrap_or_default();
    let letters = name.iter().take_while(|byte| byte.is_ascii_alphabetic());
    let letters = letters.count();
    let filled = name.iter().skip(letters).all(|byte| *byte == b'9');
    let part = |from: usize, to: usize| code.get(from..to).and_then(number);
    let (Some(month), Some(day)) = (part(6, 8), part(8, 10)) else {
        return false;
    };
    let month = if month > 50 { month - 50 } else { month };
    let tail = code.get(11..13).unwrap_or_default();
    let initials = tail
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || *byte == b'9');
    letters > 0 && filled && is_day(None, month, day) && initials
}

/// Weights eight to two and nine for the second letter, modulo 23.
fn is_pps(code: &[u8]) -> bool {
    let (Some(stem), Some(check)) = (code.get(..7), code.get(7)) else {
        return false;
    };
    let second = code.get(8).map_or(0, |letter| u32::from(letter & 0x1f));
    // W was the mark of a spouse and counts nothing.
    let second = if second == 23 { 0 } else { second * 9 };
    let sum = weighted(stem, &[8, 7, 6, 5, 4, 3, 2]).map(|sum| (sum + second) % 23);
    let letter = sum.and_then(|sum| b"WABCDEFGHIJKLMNOPQRSTUV".get(sum as usize));
    letter == Some(check)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::UkNhs, "943 476 5919"),
            (Category::UkNhs, "4010232137"),
            (Category::IePps, "1234567T"),
            (Category::IePps, "1234567FA"),
        ]);
        let nino = |text| spans(Category::UkNino, text);
        assert_eq!(nino("of AB 12 34 56 C ok"), ["AB 12 34 56 C"]);
        assert_eq!(
            nino("AB123456C, GB123456C, AO123456C, AB123456E"),
            ["AB123456C"]
        );
        let licence = |text| spans(Category::UkDrivingLicence, text);
        assert_eq!(licence("a MORGA657054SM9IJ b"), ["MORGA657054SM9IJ"]);
        assert_eq!(licence("a MORGA699054SM9IJ b"), Vec::<&str>::new());
        let passport = spans(
            Category::UkPassport,
            "passport AB1234567 and order AB1234567",
        );
        assert_eq!(passport, ["AB1234567"]);
    }
}
