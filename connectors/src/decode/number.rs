//! Numbers of the forms that logs have, read in one pass; other forms are left to the exact way.

/// Powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Up to here a double holds every whole number.
const EXACT: i64 = 1 << 53;
/// Digits that surely fit a 64-bit integer.
const DIGITS: usize = 18;

/// A number at the beginning of some bytes: what it is, and how long.
pub(super) type Number<T> = Option<(T, usize)>;

/// A short whole number; None also for one that has a fraction or exponent, or ends the bytes.
pub(super) fn integer(bytes: &[u8]) -> Number<i64> {
    let (number, end) = digits(bytes)?;
    match bytes.get(end)? {
        b'.' | b'e' | b'E' => None,
        _ => Some((signed(bytes, number), end)),
    }
}

/// A short decimal number. The result is the double that is nearest, as mantissa and power are
/// exact and only their quotient is rounded.
pub(super) fn float(bytes: &[u8]) -> Number<f64> {
    let (mut number, mut end) = digits(bytes)?;
    let mut scale = 0;
    if bytes.get(end)? == &b'.' {
        end += 1;
        let from = end;
        while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
            number = number
                .checked_mul(10)?
                .checked_add(i64::from(digit - b'0'))?;
            end += 1;
        }
        scale = end - from;
        if scale == 0 {
            return None;
        }
    }
    if matches!(bytes.get(end)?, b'e' | b'E') || number > EXACT {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "the number is at most 2^53")]
    let value = number as f64 / TENS.get(scale)?;
    let negative = bytes.first() == Some(&b'-');
    Some((if negative { -value } else { value }, end))
}

/// The digits after an optional sign, without leading zeros, and where they end.
fn digits(bytes: &[u8]) -> Number<i64> {
    let from = usize::from(bytes.first() == Some(&b'-'));
    let (mut number, mut end) = (0_i64, from);
    while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
        if end - from == DIGITS {
            return None;
        }
        number = number * 10 + i64::from(digit - b'0');
        end += 1;
    }
    let leading_zero = end - from > 1 && bytes.get(from) == Some(&b'0');
    (end > from && !leading_zero).then_some((number, end))
}

fn signed(bytes: &[u8], number: i64) -> i64 {
    if bytes.first() == Some(&b'-') {
        -number
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_those_of_the_standard_library() {
        let mut seed = 7_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (mantissa, scale) = (seed >> (11 + seed % 48), (seed >> 7) % 24);
            let mut text = format!("{mantissa:0width$}", width = scale as usize + 1);
            text.insert(text.len() - scale as usize, '.');
            let text = text.trim_end_matches('.');
            let sign = if seed.is_multiple_of(3) { "-" } else { "" };
            let text = format!("{sign}{text},");
            if let Some((ours, end)) = float(text.as_bytes()) {
                assert_eq!(end, text.len() - 1);
                let theirs: f64 = text[..end].parse().expect("a number");
                assert_eq!(ours.to_bits(), theirs.to_bits(), "{text}");
            }
        }
        assert_eq!(
            float(b"-0.0,").map(|(x, _)| x.to_bits()),
            Some((-0.0_f64).to_bits())
        );
    }

    #[test]
    fn other_forms_are_left_alone() {
        for text in [
            "", "-", "01,", "-01,", "1", "1.", "1.,", "1e5,", "1.5E1,", ".5,", "+1,",
        ] {
            assert_eq!(float(text.as_bytes()), None, "{text}");
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(integer(b"1.5,"), None);
        assert_eq!(
            integer(b"-123456789012345678}"),
            Some((-123_456_789_012_345_678, 19))
        );
        assert_eq!(integer(b"1234567890123456789}"), None);
    }
}
