//! Nigeria and South Africa.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{is_uniform, is_ymd, luhn};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::NgNin,
        shapes: &["###########"],
        // The issuer publishes no check.
        valid: |digits| !is_uniform(digits),
        words: &["nin", "nimc"],
        evidence: Evidence::Word,
        name: "word",
    },
    Rule {
        category: Category::ZaId,
        shapes: &["#############", "######_####_###"],
        valid: |digits| {
            let citizen = matches!(digits.get(10), Some(b'0' | b'1' | b'2'));
            citizen && digits.get(..6).is_some_and(is_ymd) && luhn(digits)
        },
        words: &["idno", "idnumber", "identity", "said"],
        evidence: Evidence::Check,
        name: "date+luhn",
    },
];

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[(Category::ZaId, "8001015009087")]);
        assert_eq!(
            spans(Category::NgNin, "nin 12345678901 ok"),
            ["12345678901"]
        );
        assert_eq!(
            spans(Category::NgNin, "seq 12345678901 ok"),
            Vec::<&str>::new()
        );
    }
}
