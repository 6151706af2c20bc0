//! Brazil, Canada, Chile, Mexico.

use crate::pii::detect::Category;
use crate::pii::detect::check_digit::{digit, is_uniform, is_ymd, luhn, weighted};
use crate::pii::detect::rule::{Evidence, Rule};

pub(super) const RULES: &[Rule] = &[
    Rule {
        category: Category::BrCpf,
        shapes: &["###.###.###-##", "###########"],
        valid: is_cpf,
        words: &["cpf"],
        evidence: Evidence::Check,
        name: "mod11",
    },
    Rule {
        category: Category::BrCnpj,
        shapes: &["##.###.###/####-##", "##############"],
        valid: is_cnpj,
        words: &["cnpj"],
        evidence: Evidence::Check,
        name: "mod11",
    },
    Rule {
        category: Category::CaSin,
        shapes: &["###_###_###"],
        // No number begins with 0 or 8.
        valid: |digits| luhn(digits) && !matches!(digits.first(), Some(b'0' | b'8')),
        words: &["sin", "insurance", "nas"],
        evidence: Evidence::Word,
        name: "luhn+word",
    },
    Rule {
        category: Category::ClRut,
        shapes: &["##.###.###-*", "########-*", "#.###.###-*", "#######-*"],
        valid: is_rut,
        words: &["rut", "run"],
        evidence: Evidence::Check,
        name: "mod11",
    },
    Rule {
        category: Category::MxCurp,
        shapes: &["AAAA######AAAAAA*#"],
        valid: is_curp,
        words: &["curp"],
        evidence: Evidence::Check,
        name: "date+check",
    },
    Rule {
        category: Category::MxRfc,
        shapes: &["AAAA######***", "AAA######***"],
        valid: |code| {
            let from = code.len().saturating_sub(9);
            code.get(from..from + 6).is_some_and(is_ymd)
        },
        words: &["rfc", "contribuyente"],
        evidence: Evidence::Word,
        name: "date+word",
    },
];

/// Whether the digit after `count` digits is eleven less their weighted sum modulo 11, or zero.
fn checks(digits: &[u8], count: usize, weights: &[u32]) -> bool {
    let sum = digits.get(..count).and_then(|stem| weighted(stem, weights));
    let check = sum.map(|sum| match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    });
    check.is_some() && check == digits.get(count).copied().and_then(digit)
}

fn is_cpf(digits: &[u8]) -> bool {
    !is_uniform(digits)
        && checks(digits, 9, &[10, 9, 8, 7, 6, 5, 4, 3, 2])
        && checks(digits, 10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn is_cnpj(digits: &[u8]) -> bool {
    !is_uniform(digits)
        && checks(digits, 12, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && checks(digits, 13, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// Weights two to seven from the right, again and again; K stands for ten.
fn is_rut(code: &[u8]) -> bool {
    let Some((last, stem)) = code.split_last() else {
        return false;
    };
    let places = stem.iter().rev().zip((2..=7).cycle());
    let sum: Option<u32> = places
        .map(|(byte, weight)| digit(*byte).map(|value| value * weight))
        .sum();
    let check = sum.map(|sum| (11 - sum % 11) % 11);
    let given = if *last == b'K' {
        Some(10)
    } else {
        digit(*last)
    };
    check.is_some() && check == given
}

/// Values of the Registro Nacional de Población, in which the letter Ñ stands between N and O.
fn is_curp(code: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte.saturating_sub(b'A')) + 11,
    };
    let places = code.iter().take(17).zip((2..=18).rev());
    let sum: u32 = places.map(|(byte, weight)| value(*byte) * weight).sum();
    let sex = matches!(code.get(10), Some(b'H' | b'M' | b'X'));
    let dated = code.get(4..10).is_some_and(is_ymd);
    sex && dated && code.get(17).copied().and_then(digit) == Some((10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};
    use super::super::tests::check;

    #[test]
    fn published_numbers() {
        check(&[
            (Category::BrCpf, "111.444.777-35"),
            (Category::BrCnpj, "11.222.333/0001-81"),
            (Category::CaSin, "193-456-787"),
            (Category::ClRut, "12.345.678-5"),
            (Category::MxCurp, "BOXW310820HNERXN09"),
        ]);
        assert_eq!(
            spans(Category::MxRfc, "RFC GODE561231GR8 ok"),
            ["GODE561231GR8"]
        );
        assert_eq!(
            spans(Category::MxRfc, "RFC GODE561331GR8 ok"),
            Vec::<&str>::new()
        );
    }
}
