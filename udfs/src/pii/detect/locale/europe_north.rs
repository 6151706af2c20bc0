//! Denmark, Finland, Norway, Sweden.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_day, is_dmy, luhn, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::DkCpr,
        shapes: &["######-####", "##########"],
        // The check was given up in 2007.
        valid: |digits| digits.get(..6).is_some_and(is_dmy),
        words: &["cpr", "personnummer"],
        evidence: Evidence::Word,
        name: "date+word",
    },
    Rule {
        category: Category::FiHetu,
        shapes: &["######-###*", "######+###*", "######A###*"],
        valid: is_hetu,
        words: &["hetu", "henkilotunnus"],
        evidence: Evidence::Check,
        name: "date+mod31",
    },
    Rule {
        category: Category::NoFnr,
        shapes: &["######_#####"],
        valid: is_fnr,
        words: &["fnr", "fodselsnummer", "personnummer"],
        evidence: Evidence::Check,
        name: "date+mod11",
    },
    Rule {
        category: Category::SePersonnummer,
        shapes: &[
            "######-####",
            "######+####",
            "########-####",
            "############",
            "##########",
        ],
        valid: is_personnummer,
        words: &["personnummer", "samordningsnummer"],
        evidence: Evidence::Word,
        name: "date+luhn+word",
    },
];

/// The remainder of nine digits by 31 chooses the last character.
fn is_hetu(code: &[u8]) -> bool {
    let Some((last, stem)) = code.split_last() else {
        return false;
    };
    // The sign of the century is a separator or a letter.
    let digits: Vec<u8> = stem.iter().copied().filter(u8::is_ascii_digit).collect();
    let dated = digits.get(..6).is_some_and(is_dmy);
    let check = number(&digits)
        .and_then(|number| b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((number % 31) as usize));
    digits.len() == 9 && dated && check == Some(last)
}

/// Two digits modulo 11; day plus 40 stands for a temporary number.
fn is_fnr(digits: &[u8]) -> bool {
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    let (Some(day), Some(month)) = (part(0), part(2)) else {
        return false;
    };
    let day = if day > 40 { day - 40 } else { day };
    let check = |count: usize, weights: &[u32]| {
        let sum = digits.get(..count).and_then(|stem| weighted(stem, weights));
        let check = digits.get(count).copied().and_then(digit);
        sum.is_some_and(|sum| Some((11 - sum % 11) % 11) == check)
    };
    is_day(None, month, day)
        && check(9, &[3, 7, 6, 1, 8, 9, 4, 5, 2])
        && check(10, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])
}

/// Luhn's check over the last ten digits; day plus 60 stands for a coordination number.
fn is_personnummer(digits: &[u8]) -> bool {
    let Some(last) = digits
        .len()
        .checked_sub(10)
        .and_then(|from| digits.get(from..))
    else {
        return false;
    };
    let part = |from: usize| last.get(from..from + 2).and_then(number);
    let (Some(month), Some(day)) = (part(2), part(4)) else {
        return false;
    };
    let day = if day > 60 { day - 60 } else { day };
    is_day(None, month, day) && luhn(last)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::FiHetu, "131052-308T"),
            (Category::NoFnr, "01010750160"),
            (Category::SePersonnummer, "811218-9876"),
            (Category::SePersonnummer, "19811218-9876"),
        ]);
        assert_eq!(
            spans(Category::DkCpr, "cpr 070761-4285 ok"),
            ["070761-4285"]
        );
        assert_eq!(
            spans(Category::DkCpr, "cpr 320761-4285 ok"),
            Vec::<&str>::new()
        );
    }
}
