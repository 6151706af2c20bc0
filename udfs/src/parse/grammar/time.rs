//! Times as text and as numbers: microseconds since the epoch, cut off, never rounded.

use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::Date32Type;
use chrono::Utc;

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;
/// Digits of a number that tells a time, at most; more cannot be one.
const DIGITS: usize = 60;

/// A time from text: RFC 3339 and what resembles it, without a zone in UTC, or a number.
#[must_use]
pub fn timestamp(text: &str) -> Option<i64> {
    if let Some(time) = rfc3339(text.as_bytes()) {
        return Some(time);
    }
    // Arrow takes positions within the text for those of characters.
    if !text.is_ascii() {
        return None;
    }
    match string_to_datetime(&Utc, text) {
        Ok(time) => Some(time.timestamp_micros()),
        Err(_) => epoch(text),
    }
}

/// Days since the epoch from text, as [`timestamp`] reads it.
#[must_use]
pub fn date(text: &str) -> Option<i32> {
    if !text.is_ascii() {
        return None;
    }
    if let Some(day) = Date32Type::parse(text).filter(|_| text.contains('-')) {
        return Some(day);
    }
    day_of(timestamp(text)?)
}

/// The day of a time.
#[must_use]
pub fn day_of(us: i64) -> Option<i32> {
    i32::try_from(us.div_euclid(DAY)).ok()
}

/// A time from a number whose magnitude tells its unit: seconds below 1e11, milliseconds below
/// 1e14, microseconds below 1e17, nanoseconds up to what 64 bits hold.
#[must_use]
pub fn epoch(number: &str) -> Option<i64> {
    if (1..=17).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = number.parse().ok()?;
        return Some(match number {
            0..100_000_000_000 => number * 1_000_000,
            100_000_000_000..100_000_000_000_000 => number * 1000,
            _ => number,
        });
    }
    let (negative, rest) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits.clone().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The point may move by the exponent, and then once more by the unit.
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let seconds = Digits(digits.collect()).before(point)?;
    let unit = match seconds {
        0..100_000_000_000 => 6,
        100_000_000_000..100_000_000_000_000 => 3,
        100_000_000_000_000..100_000_000_000_000_000 => 0,
        _ if seconds <= i128::from(i64::MAX) + i128::from(negative) => -3,
        _ => return None,
    };
    let digits = Digits(whole.bytes().chain(fraction.bytes()).collect());
    let us = digits.before(point.checked_add(unit)?)?;
    let us = match negative {
        true if digits.is_more_than(point + unit) => -us - 1,
        true => -us,
        false => us,
    };
    i64::try_from(us).ok()
}

/// Decimal digits in which a point may stand anywhere.
struct Digits(Vec<u8>);

impl Digits {
    /// The number before the point.
    fn before(&self, point: i32) -> Option<i128> {
        let Ok(point) = usize::try_from(point) else {
            return Some(0);
        };
        let leading = self.0.iter().take_while(|digit| **digit == b'0').count();
        if leading == self.0.len() {
            return Some(0);
        }
        if point.saturating_sub(leading) > DIGITS / 2 {
            return None;
        }
        let digits = self.0.iter().copied().chain(std::iter::repeat(b'0'));
        digits.take(point).try_fold(0_i128, |number, digit| {
            number
                .checked_mul(10)?
                .checked_add(i128::from(digit - b'0'))
        })
    }

    /// Whether anything but zeros follows the point.
    fn is_more_than(&self, point: i32) -> bool {
        let point = usize::try_from(point).unwrap_or(0);
        self.0.iter().skip(point).any(|digit| *digit != b'0')
    }
}

/// `YYYY-MM-DD?HH:MM:SS[.fraction][Z|+HH:MM|-HH:MM]`; None for every other form.
fn rfc3339(text: &[u8]) -> Option<i64> {
    let (fixed, rest) = text.split_first_chunk::<19>()?;
    let two = |at: usize| -> Option<i64> {
        let (tens, ones) = (
            fixed[at].wrapping_sub(b'0'),
            fixed[at + 1].wrapping_sub(b'0'),
        );
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let marks = [fixed[4], fixed[7], fixed[13], fixed[16]] == *b"--::";
    if !marks || !matches!(fixed[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, zone) = match rest {
        [b'.', digits @ ..] => fraction(digits)?,
        _ => (0, rest),
    };
    let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset(zone)?) * 1_000_000 + micros)
}

/// The microseconds of a fraction of one to nine digits, and what follows it.
pub(super) fn fraction(digits: &[u8]) -> Option<(i64, &[u8])> {
    let (mut micros, mut count) = (0, 0);
    for digit in digits.iter().take_while(|digit| digit.is_ascii_digit()) {
        if count < 6 {
            micros = micros * 10 + i64::from(digit - b'0');
        }
        count += 1;
    }
    if !(1..=9).contains(&count) {
        return None;
    }
    const SCALE: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Some((micros * SCALE[count.min(6)], &digits[count..]))
}

/// The seconds that local time is ahead.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => {
            let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
            let (hours, minutes) = (digit(a)? * 10 + digit(b)?, digit(c)? * 10 + digit(d)?);
            let seconds = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            Some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

/// Days since the epoch of a date in the Gregorian calendar; None when there is no such date.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // The year begins in March, so that the day which may be missing is its last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_agree_with_the_calendar() {
        let epoch = chrono::NaiveDate::default();
        for year in [
            0, 1, 1600, 1899, 1900, 1970, 1999, 2000, 2024, 2026, 2100, 9999,
        ] {
            for month in 0..14 {
                for day in 0..33 {
                    let theirs = chrono::NaiveDate::from_ymd_opt(year, month, day);
                    let theirs = theirs.map(|date| (date - epoch).num_days());
                    assert_eq!(days(year.into(), month.into(), day.into()), theirs);
                }
            }
        }
    }

    #[test]
    fn the_fast_way_reads_what_arrow_reads() {
        for text in [
            "2026-02-05T10:20:30Z",
            "2026-02-05 10:20:30",
            "2026-02-05T10:20:30.1",
            "1969-12-31T23:59:59.999999999Z",
            "2026-02-05T10:20:30.123456789+05:30",
            "2024-02-29t00:00:00-00:01",
            "0000-01-01T00:00:00Z",
        ] {
            let arrow = string_to_datetime(&Utc, text)
                .expect("a time")
                .timestamp_micros();
            assert_eq!(rfc3339(text.as_bytes()), Some(arrow), "{text}");
        }
    }

    #[test]
    fn numbers_are_exact_at_the_boundaries() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1", Some(1_000_000)),
            ("-1", Some(-1_000_000)),
            ("1700000000.123", Some(1_700_000_000_123_000)),
            ("1700000000.1234569", Some(1_700_000_000_123_456)),
            ("-0.0000001", Some(-1)),
            ("1.7000000001234567e+09", Some(1_700_000_000_123_456)),
            ("1e-7", Some(0)),
            ("99999999999", Some(99_999_999_999_000_000)),
            ("99999999999.999999", Some(99_999_999_999_999_999)),
            ("100000000000", Some(100_000_000_000_000)),
            ("-100000000000", Some(-100_000_000_000_000)),
            ("99999999999999", Some(99_999_999_999_999_000)),
            ("100000000000000", Some(100_000_000_000_000)),
            ("99999999999999999", Some(99_999_999_999_999_999)),
            ("100000000000000000", Some(100_000_000_000_000)),
            ("1700000000123456789", Some(1_700_000_000_123_456)),
            ("-1700000000123456789", Some(-1_700_000_000_123_457)),
            ("9223372036854775807", Some(9_223_372_036_854_775)),
            ("-9223372036854775808", Some(-9_223_372_036_854_776)),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e2147483647", None),
            ("0e2147483647", None),
            ("0e99", Some(0)),
            ("", None),
            ("-", None),
            (".5", None),
            ("1.2.3", None),
            ("+1", None),
            ("12x", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(epoch(text), wanted, "{text}");
        }
    }
}
