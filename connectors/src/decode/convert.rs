//! Values of JSON and of plain text as what columns hold. None means: not of that type.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::cast_utils::parse_decimal;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;

use sluice_udfs::parse::grammar::time;

use super::check::{check, check_number, unquote};
use super::fault::Fault;

/// Up to here a double holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The longest text of a decimal number; most of it can only be zeros.
const LONGEST_DECIMAL: usize = 120;

/// What is between the quotes of a string without escapes.
pub(super) fn plain(raw: &str) -> Option<&str> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', inner.as_bytes())
        .is_none()
        .then_some(inner)
}

/// The text of a string, `None` for every other value.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    match plain(raw) {
        Some(text) => Some(Cow::Borrowed(text)),
        None if raw.starts_with('"') => unquote(raw).ok().map(Cow::Owned),
        None => None,
    }
}

/// Appends strings as they are, everything else as its own text.
pub(super) fn append_text(text: &mut String, raw: &str) -> Result<(), Fault> {
    match plain(raw) {
        Some(plain) => text.push_str(plain),
        None if raw.starts_with('"') => text.push_str(&unquote(raw)?),
        None => {
            check(raw)?;
            text.push_str(raw);
        }
    }
    Ok(())
}

pub(super) fn boolean(raw: &str) -> Option<bool> {
    match raw {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A whole number; `12.0` and `1e3` are whole too.
pub(super) fn integer(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number = float(raw).filter(|x| x.fract() == 0.0 && x.abs() <= EXACT)?;
    format!("{number:.0}").parse().ok()
}

/// A number with or without a fraction, as near as a double is; none that is infinite.
pub(super) fn float(raw: &str) -> Option<f64> {
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if raw.is_empty() || !raw.bytes().all(numeric) {
        return None;
    }
    check_number(raw).ok()?;
    raw.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Microseconds since the epoch.
pub(super) fn timestamp(raw: &str) -> Option<i64> {
    match string(raw) {
        Some(text) => time::timestamp(&text),
        None => time::epoch(raw),
    }
}

/// Days since the epoch.
pub(super) fn date(raw: &str) -> Option<i32> {
    match string(raw) {
        Some(text) => time::date(&text),
        None => time::day_of(time::epoch(raw)?),
    }
}

/// A decimal number, from a number or from text.
pub(super) fn decimal(raw: &str, to: &DataType) -> Option<i128> {
    let DataType::Decimal128(precision, scale) = to else {
        return None;
    };
    let number = plain(raw).unwrap_or(raw);
    float(number)?;
    // Arrow counts digits and exponents in few bits.
    let exponent = number
        .split_once(['e', 'E'])
        .map_or("0", |(_, exponent)| exponent);
    let exponent: i16 = exponent.parse().ok()?;
    if number.len() > LONGEST_DECIMAL || exponent.unsigned_abs() > 100 {
        return None;
    }
    parse_decimal::<Decimal128Type>(number, *precision, *scale).ok()
}

/// One nested value by arrow's own reader, alone, so that a wrong one harms no other.
pub(super) fn nested(
    decoder: &mut Option<Box<Decoder>>,
    field: &FieldRef,
    raw: &str,
) -> Option<ArrayRef> {
    let mut reader = match decoder.take() {
        Some(reader) => reader,
        None => Box::new(
            ReaderBuilder::new_with_field(Arc::clone(field))
                .build_decoder()
                .ok()?,
        ),
    };
    let read = reader.decode(raw.as_bytes()).ok()?;
    let batch = reader.flush().ok()??;
    if read != raw.len() || batch.num_rows() != 1 {
        return None;
    }
    *decoder = Some(reader);
    batch.columns().first().map(Arc::clone)
}
