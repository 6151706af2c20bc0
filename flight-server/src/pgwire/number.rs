//! Numbers that PostgreSQL writes in a way of its own: floats as text, and decimals in groups of
//! four digits.

use std::fmt::{self, Write};

use bytes::{BufMut, BytesMut};

use super::fault::{Refusal, Result};
use super::frame::Fields;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
/// Most digits of a decimal that is read; more than any type here holds.
const DIGITS_MAX: i32 = 400;

/// A float as text: the shortest that is read back as the same number; `scientific` is what Rust
/// writes for it with `{:e}`.
pub(super) fn float(out: &mut impl Write, value: f64, scientific: &str) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        let text = if value > 0.0 { "Infinity" } else { "-Infinity" };
        return out.write_str(text);
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return out.write_str(scientific);
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..15).contains(&exponent) {
        return plain(out, mantissa, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// `mantissa` times ten to the `exponent`, without an exponent.
fn plain(out: &mut impl Write, mantissa: &str, exponent: i32) -> fmt::Result {
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let digits = digits.replace('.', "");
    out.write_str(sign)?;
    let Ok(before) = usize::try_from(exponent + 1) else {
        let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
        return write!(out, "0.{:0<zeros$}{digits}", "");
    };
    if before == 0 {
        return write!(out, "0.{digits}");
    }
    match digits.split_at_checked(before) {
        Some((whole, "")) => out.write_str(whole),
        Some((whole, rest)) => write!(out, "{whole}.{rest}"),
        None => write!(out, "{digits:0<before$}"),
    }
}

/// The decimal `text` in PostgreSQL's binary form.
pub(super) fn decimal(out: &mut BytesMut, text: &str) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (0, text),
    };
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let groups_before = whole.len().div_ceil(4);
    let mut digits = "0".repeat(groups_before * 4 - whole.len());
    digits.push_str(whole);
    digits.push_str(rest);
    digits.push_str(&"0".repeat(rest.len().next_multiple_of(4) - rest.len()));
    let group = |four: &[u8]| four.iter().fold(0, |sum, d| sum * 10 + u16::from(d - b'0'));
    let groups: Vec<u16> = digits.as_bytes().chunks(4).map(group).collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let groups = groups.get(leading..).unwrap_or_default();
    let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
    let groups = groups.get(..groups.len() - trailing).unwrap_or_default();
    let small = |number: usize| i16::try_from(number).unwrap_or(i16::MAX);
    let weight = small(groups_before) - small(leading) - 1;
    out.put_i16(small(groups.len()));
    out.put_i16(if groups.is_empty() { 0 } else { weight });
    out.put_u16(if groups.is_empty() { 0 } else { sign });
    out.put_i16(small(rest.len()));
    groups.iter().for_each(|group| out.put_u16(*group));
}

/// The decimal in PostgreSQL's binary form as text.
///
/// # Errors
/// When it is none, not a number, or too long.
pub(super) fn decimal_text(body: &mut Fields) -> Result<String, Refusal> {
    let count = body.u16()?;
    let weight = i32::from(i16::from_be_bytes(body.u16()?.to_be_bytes()));
    let sign = body.u16()?;
    let scale = i32::from(body.u16()?);
    let refused = || Refusal::new("22003", "the number has more digits than the server takes");
    if sign >= NAN {
        let text = "numbers without a value, as NaN, are not decimals here";
        return Err(Refusal::unsupported(text));
    }
    if i32::from(count) * 4 > DIGITS_MAX || weight.abs() * 4 > DIGITS_MAX || scale > DIGITS_MAX {
        return Err(refused());
    }
    let mut groups = Vec::new();
    for _ in 0..count {
        groups.push(body.u16()?);
    }
    if groups.iter().any(|group| *group > 9_999) {
        return Err(Refusal::new(
            "22P03",
            "a group of a decimal has more than four digits",
        ));
    }
    let at = |place: i32| {
        let index = usize::try_from(weight - place).ok();
        let group = index.and_then(|index| groups.get(index));
        group.copied().unwrap_or_default()
    };
    let mut whole = String::new();
    for place in (0..=weight.max(0)).rev() {
        whole.push_str(&format!("{:04}", at(place)));
    }
    let mut rest = String::new();
    for place in 1..=(scale + 3) / 4 {
        rest.push_str(&format!("{:04}", at(-place)));
    }
    rest.truncate(usize::try_from(scale).unwrap_or_default());
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if sign == NEGATIVE { "-" } else { "" };
    Ok(match rest.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{rest}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_postgres_does() {
        for (value, want) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100.0, "100"),
            (123.456, "123.456"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1.25e300, "1.25e+300"),
            (0.1, "0.1"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let mut text = String::new();
            float(&mut text, value, &format!("{value:e}")).unwrap();
            assert_eq!(text, want);
        }
    }

    #[test]
    fn decimals_survive_their_binary_form() {
        for text in [
            "0",
            "1",
            "-1",
            "10000",
            "9999.9999",
            "0.00",
            "0.0001",
            "-123456789.012345678",
            "100000000",
            "12345678901234567890",
            "0.00000001",
            "1.10",
        ] {
            let mut bytes = BytesMut::new();
            decimal(&mut bytes, text);
            let mut fields = Fields(bytes.freeze());
            assert_eq!(decimal_text(&mut fields).unwrap(), text);
            assert!(fields.0.is_empty());
        }
    }

    #[test]
    fn the_binary_form_is_the_known_one() {
        let mut bytes = BytesMut::new();
        decimal(&mut bytes, "-12345.678");
        let want = [0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c];
        assert_eq!(&bytes[..], want);
    }
}
