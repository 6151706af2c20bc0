//! Times at the beginning of a line, in the forms that programs write: what they say and where they
//! end. A time without a zone is given as if it were UTC, and says so.

use super::time::{DAY, days, fraction};

/// Names of months in dates.
pub(super) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A date and a time at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds since the epoch; of a time without a zone as if it were in UTC.
    pub us: i64,
    /// Whether the text says how far local time is ahead.
    pub has_zone: bool,
    /// Bytes that the time takes.
    pub length: usize,
}

/// `2026-02-05T10:20:30.123Z` and what resembles it: a space, a comma before the fraction, an
/// offset without a colon, or no zone.
#[must_use]
pub fn iso(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let (year, month, day) = (four(bytes, 0)?, two(bytes, 5)?, two(bytes, 8)?);
    let marks = [*bytes.get(4)?, *bytes.get(7)?];
    let parted = matches!(*bytes.get(10)?, b'T' | b't' | b' ' | b'_');
    if !parted || !(marks == *b"--" || marks == *b"//" || marks == *b"..") {
        return None;
    }
    moment(bytes, days(year, month, day)?, 11)
}

/// `17/06/09 20:10:40` (year, month, day) and `081109 203615`, as Hadoop's tools write them.
#[must_use]
pub fn slashed(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let year = 2000 + two(bytes, 0)?;
    if bytes.get(2) == Some(&b'/') && bytes.get(5) == Some(&b'/') && bytes.get(8) == Some(&b' ') {
        return moment(bytes, days(year, two(bytes, 3)?, two(bytes, 6)?)?, 9);
    }
    let day = days(year, two(bytes, 2)?, two(bytes, 4)?)?;
    let (hour, minute, second) = (two(bytes, 7)?, two(bytes, 9)?, two(bytes, 11)?);
    let ends = bytes.get(13).is_none_or(|byte| *byte == b' ');
    if bytes.get(6) != Some(&b' ') || !ends || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let us = (day * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000;
    let (has_zone, length) = (false, 13);
    Some(Moment {
        us,
        has_zone,
        length,
    })
}

/// `10/Oct/2000:13:55:36 -0700`, as web servers write it, `Sun Dec 04 04:47:44 2005`, as C's
/// `asctime` does, and `05 Feb 2026 10:20:30`, as mail and Redis do.
#[must_use]
pub fn named(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let first = *bytes.first()?;
    if first.is_ascii_alphabetic() {
        let (month, day) = (month(bytes.get(4..7)?)?, padded(bytes, 8)?);
        let spaces = [bytes.get(3)?, bytes.get(7)?, bytes.get(10)?];
        let clock = moment(bytes, 0, 11)?;
        let end = clock.length;
        let year = four(bytes, end + 1)?;
        if spaces != [&b' '; 3] || clock.has_zone || bytes.get(end) != Some(&b' ') {
            return None;
        }
        let us = days(year, month, day)? * DAY + clock.us;
        let (has_zone, length) = (false, end + 5);
        return Some(Moment {
            us,
            has_zone,
            length,
        });
    }
    let (day, month, year) = (two(bytes, 0)?, month(bytes.get(3..6)?)?, four(bytes, 7)?);
    let marks = [*bytes.get(2)?, *bytes.get(6)?, *bytes.get(11)?];
    if !matches!(&marks, b"//:" | b"   " | b"---" | b"-- " | b"// ") {
        return None;
    }
    moment(bytes, days(year, month, day)?, 12)
}

/// The number of a month by its name of three letters.
fn month(name: &[u8]) -> Option<i64> {
    let at = MONTHS.iter().position(|month| month.as_bytes() == name)?;
    i64::try_from(at + 1).ok()
}

/// The time of the day at `at`, with fraction and zone, on the day `day`.
fn moment(bytes: &[u8], day: i64, at: usize) -> Option<Moment> {
    let (hour, minute, second) = (two(bytes, at)?, two(bytes, at + 3)?, two(bytes, at + 6)?);
    let marks = [*bytes.get(at + 2)?, *bytes.get(at + 5)?];
    if marks != *b"::" || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut end = at + 8;
    let mut micros = 0;
    if let Some((b'.' | b',', digits)) = bytes.get(end..).and_then(<[u8]>::split_first)
        && let Some((fraction, rest)) = fraction(digits)
    {
        micros = fraction;
        end = bytes.len() - rest.len();
    }
    let (ahead, zone) = zone(bytes.get(end..).unwrap_or_default());
    end += zone;
    if bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let seconds = day * 86_400 + hour * 3600 + minute * 60 + second.min(59) - ahead;
    Some(Moment {
        us: seconds * 1_000_000 + micros,
        has_zone: zone > 0,
        length: end,
    })
}

/// The seconds that a zone at the beginning is ahead, and the bytes that it takes; none of both
/// when there is no zone.
fn zone(bytes: &[u8]) -> (i64, usize) {
    let spaces = usize::from(bytes.first() == Some(&b' '));
    let rest = bytes.get(spaces..).unwrap_or_default();
    let ends = |length: usize| !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
    match rest {
        [b'Z' | b'z', ..] if ends(1) && spaces == 0 => (0, 1),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] if ends(3) => (0, spaces + 3),
        [sign @ (b'+' | b'-'), ..] => {
            let length = if rest.get(3) == Some(&b':') { 6 } else { 5 };
            let (hours, minutes) = (two(rest, 1), two(rest, length - 2));
            match (hours, minutes) {
                (Some(hours @ 0..=23), Some(minutes @ 0..=59)) if ends(length) => {
                    let seconds = hours * 3600 + minutes * 60;
                    let seconds = if *sign == b'+' { seconds } else { -seconds };
                    (seconds, spaces + length)
                }
                _ => (0, 0),
            }
        }
        _ => (0, 0),
    }
}

/// The number of two digits at `at`.
#[inline]
fn two(bytes: &[u8], at: usize) -> Option<i64> {
    let tens = bytes.get(at)?.wrapping_sub(b'0');
    let ones = bytes.get(at + 1)?.wrapping_sub(b'0');
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

/// The number of two digits at `at`, the first of which may be a space.
fn padded(bytes: &[u8], at: usize) -> Option<i64> {
    match (bytes.get(at)?, bytes.get(at + 1)?) {
        (b' ', ones @ b'0'..=b'9') => Some(i64::from(ones - b'0')),
        _ => two(bytes, at),
    }
}

#[inline]
fn four(bytes: &[u8], at: usize) -> Option<i64> {
    Some(two(bytes, at)? * 100 + two(bytes, at + 2)?)
}

#[cfg(test)]
mod tests {
    use super::super::time::timestamp;
    use super::*;

    type Reader = fn(&str) -> Option<Moment>;

    /// How a time is read, what it says in UTC, whether it has a zone, and its length.
    const TIMES: [(Reader, &str, &str, bool, usize); 13] = [
        (
            iso,
            "2015-10-18 18:01:47,978 INFO",
            "2015-10-18T18:01:47.978Z",
            false,
            23,
        ),
        (
            iso,
            "2026-02-05T10:20:30.5+0130] x",
            "2026-02-05T08:50:30.5Z",
            true,
            26,
        ),
        (
            iso,
            "2026-02-05T10:20:30Z",
            "2026-02-05T10:20:30Z",
            true,
            20,
        ),
        (
            iso,
            "2026/02/05 10:20:30 msg",
            "2026-02-05T10:20:30Z",
            false,
            19,
        ),
        (
            iso,
            "2026-02-05 10:20:30.1 UTC [7]",
            "2026-02-05T10:20:30.1Z",
            true,
            25,
        ),
        (
            iso,
            "2026-02-05 10:20:30 -0800 x",
            "2026-02-05T18:20:30Z",
            true,
            25,
        ),
        (
            iso,
            "2026-02-05 10:20:30 - x",
            "2026-02-05T10:20:30Z",
            false,
            19,
        ),
        (
            slashed,
            "17/06/09 20:10:40 INFO",
            "2017-06-09T20:10:40Z",
            false,
            17,
        ),
        (
            slashed,
            "081109 203615 148 INFO",
            "2008-11-09T20:36:15Z",
            false,
            13,
        ),
        (
            named,
            "10/Oct/2000:13:55:36 -0700]",
            "2000-10-10T20:55:36Z",
            true,
            26,
        ),
        (
            named,
            "Sun Dec 04 04:47:44 2005] x",
            "2005-12-04T04:47:44Z",
            false,
            24,
        ),
        (
            named,
            "Tue Jun  8 11:54:08.929301 2021]",
            "2021-06-08T11:54:08.929301Z",
            false,
            31,
        ),
        (
            named,
            "05 Feb 2026 10:20:30.123 * x",
            "2026-02-05T10:20:30.123Z",
            false,
            24,
        ),
    ];

    #[test]
    fn times_at_the_beginning_of_a_line() {
        for (reader, text, wanted, has_zone, length) in TIMES {
            let us = timestamp(wanted).unwrap();
            let wanted = Moment {
                us,
                has_zone,
                length,
            };
            assert_eq!(reader(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-02-05",
            "2026-13-05 10:20:30",
            "2026-02-05 24:20:30",
            "2026-02-05 10:20:30x",
            "\u{e9}026-02-05 10:20:30",
            "17/13/09 20:10:40",
            "081109 253615 ",
            "99/Foo/2000:13:55:36",
        ] {
            let all = [iso(text), slashed(text), named(text)];
            assert_eq!(all, [None; 3], "{text}");
        }
    }
}
