//! Greece, Italy, Portugal, Spain, Turkey.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_dmy, is_uniform, luhn, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::EsNif,
        shapes: &["########-A", "########A"],
        valid: |code| {
            code.split_last()
                .is_some_and(|(last, stem)| is_nif(stem, *last))
        },
        words: &["nif", "dni"],
        evidence: Evidence::Check,
        name: "mod23",
    },
    Rule {
        category: Category::EsNie,
        shapes: &["A#######A", "A-#######-A"],
        valid: is_nie,
        words: &["nie"],
        evidence: Evidence::Check,
        name: "mod23",
    },
    Rule {
        category: Category::ItFiscalCode,
        shapes: &["aaaaaa**a**a***a"],
        valid: is_fiscal_code,
        words: &["codice", "fiscale", "cf"],
        evidence: Evidence::Check,
        name: "date+mod26",
    },
    Rule {
        category: Category::ItVatCode,
        shapes: &["###########"],
        valid: |digits| luhn(digits) && !is_uniform(digits),
        words: &["iva", "piva", "partita", "vat"],
        evidence: Evidence::Word,
        name: "luhn+word",
    },
    Rule {
        category: Category::PtNif,
        shapes: &["###_###_###", "#########"],
        valid: is_pt_nif,
        words: &["nif", "contribuinte"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
    Rule {
        category: Category::GrAmka,
        shapes: &["###########"],
        valid: |digits| digits.get(..6).is_some_and(is_dmy) && luhn(digits),
        words: &["amka"],
        evidence: Evidence::Word,
        name: "date+luhn+word",
    },
    Rule {
        category: Category::TrTckn,
        shapes: &["###########"],
        valid: is_tckn,
        words: &["tckn", "kimlik", "tc"],
        evidence: Evidence::Check,
        name: "check",
    },
];

/// The remainder by 23 chooses the letter.
fn is_nif(digits: &[u8], letter: u8) -> bool {
    let known = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let chosen = number(digits).and_then(|number| known.get((number % 23) as usize));
    chosen == Some(&letter)
}

/// X, Y and Z stand for the digits 0, 1 and 2.
fn is_nie(code: &[u8]) -> bool {
    let Some((first @ b'X'..=b'Z', rest)) = code.split_first() else {
        return false;
    };
    let Some((last, stem)) = rest.split_last() else {
        return false;
    };
    let digits: Vec<u8> = std::iter::once(first - b'X' + b'0')
        .chain(stem.iter().copied())
        .collect();
    is_nif(&digits, *last)
}

/// Values of letters and digits in odd places (Decreto ministeriale 23 dicembre 1976); A and 0
/// are equal, and so on.
const ODD: [u32; 26] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

fn is_fiscal_code(code: &[u8]) -> bool {
    let place = |byte: u8| match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        _ => usize::from(byte.saturating_sub(b'A')),
    };
    // Two persons with the same code get letters in place of digits.
    let number_like = |byte: &u8| byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte);
    let digits = [6, 7, 9, 10, 12, 13, 14];
    let shaped = digits
        .iter()
        .all(|at| code.get(*at).is_some_and(number_like));
    let month = code
        .get(8)
        .is_some_and(|letter| b"ABCDEHLMPRST".contains(letter));
    let Some((last, stem)) = code.split_last() else {
        return false;
    };
    let value = |(at, byte): (usize, &u8)| match at % 2 {
        0 => ODD.get(place(*byte)).copied(),
        _ => u32::try_from(place(*byte)).ok(),
    };
    let sum: Option<u32> = stem.iter().enumerate().map(value).sum();
    shaped && month && sum.is_some_and(|sum| sum % 26 == u32::from(last.wrapping_sub(b'A')))
}

/// Weights nine to two, modulo 11.
fn is_pt_nif(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let check = weighted(stem, &[9, 8, 7, 6, 5, 4, 3, 2]).map(|sum| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    });
    matches!(digits.first(), Some(b'1'..=b'3' | b'5'..=b'9')) && check == digit(*last)
}

/// The tenth digit from the odd and even places, the eleventh from the first ten.
fn is_tckn(digits: &[u8]) -> bool {
    let odd = digits
        .get(..9)
        .and_then(|nine| weighted(nine, &[7, 0, 7, 0, 7, 0, 7, 0, 7]));
    let even = digits
        .get(..9)
        .and_then(|nine| weighted(nine, &[0, 9, 0, 9, 0, 9, 0, 9, 0]));
    let sum = digits.get(..10).and_then(|ten| weighted(ten, &[1; 10]));
    let check = |at: usize| digits.get(at).copied().and_then(digit);
    // Nine times the even places is minus one times them, modulo ten.
    let tenth = odd.zip(even).map(|(odd, even)| (odd + even) % 10);
    !matches!(digits.first(), None | Some(b'0'))
        && tenth.is_some()
        && tenth == check(9)
        && sum.map(|sum| sum % 10) == check(10)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::EsNif, "12345678Z"),
            (Category::EsNie, "X1234567L"),
            (Category::ItFiscalCode, "MRTMTT91D08F205J"),
            (Category::ItVatCode, "12345670017"),
            (Category::PtNif, "123456789"),
            (Category::GrAmka, "01013099997"),
            (Category::TrTckn, "10000000146"),
        ]);
        assert_eq!(spans(Category::EsNif, "a 12345678A b"), Vec::<&str>::new());
    }
}
