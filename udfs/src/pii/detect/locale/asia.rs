//! China, India, Japan, Korea, Singapore, Thailand.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{
    base36, digit, is_uniform, is_ymd, number, verhoeff, weighted,
};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::CnRic,
        shapes: &["##################", "#################X"],
        valid: is_ric,
        words: &["shenfenzheng", "resident", "ric"],
        evidence: Evidence::Check,
        name: "date+mod11_2",
    },
    Rule {
        category: Category::InAadhaar,
        shapes: &["####_####_####"],
        valid: is_aadhaar,
        words: &["aadhaar", "aadhar", "uidai"],
        evidence: Evidence::Word,
        name: "verhoeff+word",
    },
    Rule {
        category: Category::InGstin,
        shapes: &["##AAAAA####A***"],
        valid: is_gstin,
        words: &["gstin", "gst"],
        evidence: Evidence::Check,
        name: "mod36",
    },
    Rule {
        category: Category::InPan,
        shapes: &["AAAAA####A"],
        // The fourth letter is the kind of holder.
        valid: |code| code.get(3).is_some_and(|kind| b"ABCFGHJLPT".contains(kind)),
        words: &["pan", "pancard", "permanent"],
        evidence: Evidence::Check,
        name: "shape",
    },
    Rule {
        category: Category::JpMyNumber,
        shapes: &["####_####_####"],
        valid: is_my_number,
        words: &["mynumber", "kojinbango", "individual"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
    Rule {
        category: Category::KrRrn,
        shapes: &["######-#######", "#############"],
        valid: is_rrn,
        words: &["rrn", "jumin", "resident"],
        evidence: Evidence::Word,
        name: "date+word",
    },
    Rule {
        category: Category::SgNric,
        shapes: &["A#######A"],
        valid: is_nric,
        words: &["nric", "fin"],
        evidence: Evidence::Check,
        name: "check",
    },
    Rule {
        category: Category::ThTnin,
        shapes: &["#-####-#####-##-#", "#############"],
        valid: is_tnin,
        words: &["tnin", "thai", "pid"],
        evidence: Evidence::Check,
        name: "mod11",
    },
];

/// GB 11643: ISO 7064 MOD 11-2 over seventeen digits with a birthday.
fn is_ric(code: &[u8]) -> bool {
    let sum = code
        .get(..17)
        .and_then(|stem| weighted(stem, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]));
    let check = sum.and_then(|sum| b"10X98765432".get((sum % 11) as usize));
    let century = matches!(code.get(6..8), Some(b"18" | b"19" | b"20"));
    century && code.get(8..14).is_some_and(is_ymd) && check.is_some() && check == code.get(17)
}

/// Verhoeff's check; no number begins with 0 or 1 or reads the same from the end.
fn is_aadhaar(digits: &[u8]) -> bool {
    let palindrome = digits.iter().eq(digits.iter().rev());
    matches!(digits.first(), Some(b'2'..=b'9')) && !palindrome && verhoeff(digits)
}

/// Factors one and two in turn in base 36, each product by its cross sum.
fn is_gstin(code: &[u8]) -> bool {
    let Some((last, stem)) = code.split_last() else {
        return false;
    };
    let cross = |(at, byte): (usize, &u8)| {
        let product = base36(*byte)? * if at % 2 == 0 { 1 } else { 2 };
        Some(product / 36 + product % 36)
    };
    let sum: Option<u32> = stem.iter().enumerate().map(cross).sum();
    let state = matches!(code.get(..2).and_then(number), Some(1..=38 | 97 | 99));
    state
        && code.get(13) == Some(&b'Z')
        && sum.is_some_and(|sum| base36(*last) == Some((36 - sum % 36) % 36))
}

fn is_my_number(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let sum = weighted(stem, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = sum.map(|sum| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    });
    !is_uniform(digits) && check.is_some() && check == digit(*last)
}

/// A birthday and the digit of century and sex. Numbers from October 2020 on have no check.
fn is_rrn(digits: &[u8]) -> bool {
    digits.get(..6).is_some_and(is_ymd) && matches!(digits.get(6), Some(b'0'..=b'9'))
}

/// Weights 2765432, four more for T and G, and a letter from the remainder by 11.
fn is_nric(code: &[u8]) -> bool {
    let (Some(first), Some(digits), Some(last)) = (code.first(), code.get(1..8), code.get(8))
    else {
        return false;
    };
    let (shift, letters): (u32, &[u8; 11]) = match first {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return false,
    };
    let sum = weighted(digits, &[2, 7, 6, 5, 4, 3, 2]).map(|sum| (sum + shift) % 11);
    let letter = sum.and_then(|rest| match first {
        b'M' => letters.get((10 - rest) as usize),
        _ => letters.get(rest as usize),
    });
    letter == Some(last)
}

fn is_tnin(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let sum = weighted(stem, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    !matches!(digits.first(), None | Some(b'0' | b'9'))
        && sum.is_some_and(|sum| digit(*last) == Some((11 - sum % 11) % 10))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::CnRic, "11010519491231002X"),
            (Category::InAadhaar, "2345 6789 0124"),
            (Category::InGstin, "27AAPFU0939F1ZV"),
            (Category::JpMyNumber, "1234 5678 9018"),
            (Category::SgNric, "S1234567D"),
            (Category::SgNric, "F1234567N"),
            (Category::ThTnin, "1-2345-45678-78-1"),
        ]);
        assert_eq!(
            spans(Category::InPan, "x ABCPE1234F y ABCDE1234F"),
            ["ABCPE1234F"]
        );
        assert_eq!(
            spans(Category::KrRrn, "rrn 900101-1234567 ok"),
            ["900101-1234567"]
        );
        assert_eq!(
            spans(Category::KrRrn, "rrn 901301-1234567 ok"),
            Vec::<&str>::new()
        );
    }
}
