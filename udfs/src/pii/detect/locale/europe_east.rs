//! Bulgaria, Croatia, Czechia and Slovakia, Poland, Romania.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_day, mod_11_10, number, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::BgEgn,
        shapes: &["##########"],
        valid: is_egn,
        words: &["egn"],
        evidence: Evidence::Word,
        name: "date+mod11+word",
    },
    Rule {
        category: Category::HrOib,
        shapes: &["###########"],
        valid: mod_11_10,
        words: &["oib"],
        evidence: Evidence::Word,
        name: "mod11_10+word",
    },
    Rule {
        category: Category::CzRodneCislo,
        shapes: &["######/####", "##########"],
        valid: is_rodne_cislo,
        words: &["rodne", "cislo", "rc"],
        evidence: Evidence::Word,
        name: "date+mod11+word",
    },
    Rule {
        category: Category::PlPesel,
        shapes: &["###########"],
        valid: is_pesel,
        words: &["pesel"],
        evidence: Evidence::Check,
        name: "date+check",
    },
    Rule {
        category: Category::PlNip,
        shapes: &["###-###-##-##", "###-##-##-###", "##########"],
        valid: is_nip,
        words: &["nip"],
        evidence: Evidence::Word,
        name: "mod11+word",
    },
    Rule {
        category: Category::RoCnp,
        shapes: &["#############"],
        valid: is_cnp,
        words: &["cnp"],
        evidence: Evidence::Check,
        name: "date+mod11",
    },
];

/// The two digits from `at` on.
fn pair(digits: &[u8], at: usize) -> Option<u64> {
    digits.get(at..at + 2).and_then(number)
}

/// Whether the digits from `at` on are a date whose month has a multiple of `step` added, which
/// stands for the century or the sex.
fn is_shifted_date(digits: &[u8], at: usize, step: u64) -> bool {
    matches!((pair(digits, at), pair(digits, at + 2), pair(digits, at + 4)),
        (Some(year), Some(month), Some(day)) if is_day(Some(year), month % step, day))
}

fn is_egn(digits: &[u8]) -> bool {
    let sum = digits
        .get(..9)
        .and_then(|stem| weighted(stem, &[2, 4, 8, 5, 10, 9, 7, 3, 6]));
    let check = digits.get(9).copied().and_then(digit);
    is_shifted_date(digits, 0, 20) && sum.is_some_and(|sum| Some(sum % 11 % 10) == check)
}

/// Divisible by eleven; until 1985 a remainder of ten counted as zero.
fn is_rodne_cislo(digits: &[u8]) -> bool {
    let Some(month) = pair(digits, 2) else {
        return false;
    };
    let month = match month {
        71..=82 => month - 70,
        51..=62 => month - 50,
        21..=32 => month - 20,
        other => other,
    };
    let dated = pair(digits, 4).is_some_and(|day| is_day(pair(digits, 0), month, day));
    let whole = number(digits).is_some_and(|number| number.is_multiple_of(11));
    let stem = digits.get(..9).and_then(number);
    let old = stem.is_some_and(|stem| stem % 11 == 10) && digits.last() == Some(&b'0');
    dated && (whole || old)
}

fn is_pesel(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    is_shifted_date(digits, 0, 20) && sum.is_some_and(|sum| sum % 10 == 0)
}

fn is_nip(digits: &[u8]) -> bool {
    let sum = digits
        .get(..9)
        .and_then(|stem| weighted(stem, &[6, 5, 7, 2, 3, 4, 5, 6, 7]));
    let check = digits.get(9).copied().and_then(digit);
    sum.is_some_and(|sum| sum > 0 && Some(sum % 11) == check)
}

/// Weights 279146358279, modulo 11, with ten as one.
fn is_cnp(digits: &[u8]) -> bool {
    let sum = digits
        .get(..12)
        .and_then(|stem| weighted(stem, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]));
    let check = digits.get(12).copied().and_then(digit);
    let rest = sum.map(|sum| if sum % 11 == 10 { 1 } else { sum % 11 });
    !matches!(digits.first(), None | Some(b'0'))
        && is_shifted_date(digits, 1, 100)
        && rest.is_some()
        && rest == check
}

#[cfg(test)]
mod tests {
    use super::super::super::Category;
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::BgEgn, "7523169263"),
            (Category::HrOib, "33392005961"),
            (Category::CzRodneCislo, "710319/2745"),
            (Category::PlPesel, "44051401359"),
            (Category::PlNip, "856-734-62-15"),
            (Category::RoCnp, "1630615123457"),
        ]);
    }
}
