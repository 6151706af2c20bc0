//! Australia.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::AuAbn,
        shapes: &["##_###_###_###"],
        valid: is_abn,
        words: &["abn", "business"],
        evidence: Evidence::Word,
        name: "mod89+word",
    },
    Rule {
        category: Category::AuAcn,
        shapes: &["###_###_###"],
        valid: is_acn,
        words: &["acn", "company"],
        evidence: Evidence::Word,
        name: "mod10+word",
    },
    Rule {
        category: Category::AuMedicare,
        shapes: &["####_#####_#"],
        valid: is_medicare,
        words: &["medicare"],
        evidence: Evidence::Word,
        name: "mod10+word",
    },
    Rule {
        category: Category::AuTfn,
        shapes: &["###_###_###"],
        valid: |digits| {
            let sum = weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
            sum.is_some_and(|sum| sum > 0 && sum % 11 == 0)
        },
        words: &["tfn", "tax"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
];

/// One less in the first place, modulo 89.
fn is_abn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    !matches!(digits.first(), None | Some(b'0'))
        && sum.is_some_and(|sum| sum >= 10 && (sum - 10) % 89 == 0)
}

/// Weights eight to one, complement modulo 10.
fn is_acn(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let sum = weighted(stem, &[8, 7, 6, 5, 4, 3, 2, 1]);
    sum.is_some_and(|sum| digit(*last) == Some((10 - sum % 10) % 10))
}

/// The ninth digit checks the first eight; the tenth counts the cards.
fn is_medicare(digits: &[u8]) -> bool {
    let sum = digits
        .get(..8)
        .and_then(|stem| weighted(stem, &[1, 3, 7, 9, 1, 3, 7, 9]));
    let check = digits.get(8).copied().and_then(digit);
    matches!(digits.first(), Some(b'2'..=b'6')) && sum.is_some_and(|sum| Some(sum % 10) == check)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::AuAbn, "51 824 753 556"),
            (Category::AuAcn, "004 085 616"),
            (Category::AuTfn, "876 543 210"),
        ]);
        assert_eq!(
            spans(Category::AuMedicare, "medicare 2123 45670 1"),
            ["2123 45670 1"]
        );
        assert_eq!(
            spans(Category::AuMedicare, "medicare 2123 45671 1"),
            Vec::<&str>::new()
        );
    }
}
