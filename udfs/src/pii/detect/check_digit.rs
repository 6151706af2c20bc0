//! Check digits: the arithmetic that national and industry identifiers share.
//!
//! Every function takes the characters of a number without separators, which are ASCII letters and
//! digits, and answers false to anything that is too short or not made of digits.

/// The value of a digit.
pub(super) const fn digit(byte: u8) -> Option<u32> {
    if byte.is_ascii_digit() {
        Some((byte - b'0') as u32)
    } else {
        None
    }
}

/// The number that digits write. None for other characters or more than fits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, byte| {
        number
            .checked_mul(10)?
            .checked_add(u64::from(digit(*byte)?))
    })
}

/// The sum of digits, each by its weight. None where the lengths differ or a character is no digit.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> Option<u32> {
    if digits.len() != weights.len() {
        return None;
    }
    let mut pairs = digits.iter().zip(weights);
    pairs.try_fold(0, |sum, (byte, weight)| Some(sum + digit(*byte)? * weight))
}

/// Whether the last digit makes the number pass the check of ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let mut places = digits.iter().rev().enumerate();
    let sum = places.try_fold(0, |sum, (at, byte)| {
        let value = digit(*byte)?;
        let doubled = value * 2 / 10 + value * 2 % 10;
        Some(sum + if at % 2 == 1 { doubled } else { value })
    });
    digits.len() > 1 && sum.is_some_and(|sum| sum % 10 == 0)
}

/// Whether the last digit passes ISO/IEC 7064 MOD 11,10.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((last, stem)) = digits.split_last() else {
        return false;
    };
    let product = stem.iter().try_fold(10, |product, byte| {
        let sum = (product + digit(*byte)?) % 10;
        Some(if sum == 0 { 10 } else { sum } * 2 % 11)
    });
    product.is_some_and(|product| digit(*last) == Some((11 - product) % 10))
}

/// Whether the last digit passes the check of J. Verhoeff (1969), with the dihedral group of order
/// ten.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permute = |value: u32, times: usize| {
        (0..times).fold(value, |value, _| {
            PERMUTATION.get(value as usize).copied().unwrap_or(0)
        })
    };
    // The product of two symmetries of the pentagon: below five are rotations.
    let product = |left: u32, right: u32| match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right - 5) % 5,
        (false, true) => 5 + (left - 5 + 5 - right) % 5,
        (false, false) => (left + 5 - right) % 5,
    };
    let mut places = digits.iter().rev().enumerate();
    let check = places.try_fold(0, |check, (at, byte)| {
        Some(product(check, permute(digit(*byte)?, at % 8)))
    });
    digits.len() > 1 && check == Some(0)
}

/// Whether the day `day`.`month` exists in some year that ends in `year`, or in any year.
pub(super) const fn is_day(year: Option<u64>, month: u64, day: u64) -> bool {
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => match year {
            Some(year) if !year.is_multiple_of(4) => 28,
            _ => 29,
        },
        _ => return false,
    };
    day >= 1 && day <= days
}

/// Whether six digits are a date of the form year, month, day.
pub(super) fn is_ymd(digits: &[u8]) -> bool {
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    matches!((part(0), part(2), part(4)), (Some(year), Some(month), Some(day))
        if is_day(Some(year), month, day))
}

/// Whether six digits are a date of the form day, month, year.
pub(super) fn is_dmy(digits: &[u8]) -> bool {
    let part = |from: usize| digits.get(from..from + 2).and_then(number);
    matches!((part(0), part(2), part(4)), (Some(day), Some(month), Some(year))
        if is_day(Some(year), month, day))
}

/// Whether all characters are the same, as in numbers that stand for none.
pub(super) fn is_uniform(digits: &[u8]) -> bool {
    digits
        .windows(2)
        .all(|pair| matches!(pair, [left, right] if left == right))
}

/// The value of a letter or digit in base 36, as ISO 7064 counts them.
pub(super) fn base36(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(36)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_pass_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        let checks: [(Check, &str); 4] = [
            (luhn, "79927398713"),
            (mod_11_10, "07945"),
            (verhoeff, "2363"),
            (verhoeff, "123451"),
        ];
        for (check, number) in checks {
            assert!(check(number.as_bytes()), "{number}");
            let mut other = number.as_bytes().to_vec();
            let last = other.len() - 1;
            other[last] = b'0' + (other[last] - b'0' + 1) % 10;
            assert!(!check(&other), "{number}");
            assert!(!check(b"x") && !check(b""));
        }
        assert_eq!(weighted(b"123", &[3, 2, 1]), Some(10));
        assert_eq!(weighted(b"12", &[3, 2, 1]), None);
        assert!(is_ymd(b"240229") && !is_ymd(b"230229") && !is_ymd(b"231301"));
        assert!(is_dmy(b"290224") && !is_dmy(b"290223"));
    }
}
