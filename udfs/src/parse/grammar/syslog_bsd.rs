//! Syslog as it was before it had a standard, as RFC 3164 describes it: a date without a year, a
//! host, and a text that tends to begin with a program's name. Whatever else follows the priority
//! is a message without these.

use chrono::{DateTime, Datelike};

use super::moment::MONTHS;
use super::time;

/// The longest name of a program.
const TAG: usize = 64;

/// When a message says that it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp<'a> {
    /// A time as RFC 3339 has it, or resembling that, and its microseconds since the epoch; without
    /// a zone as if it were in UTC.
    Time(&'a str, i64),
    /// A date as RFC 3164 has it.
    Date(Date<'a>),
}

/// The parts of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bsd<'a> {
    /// When it was written.
    pub stamp: Option<Stamp<'a>>,
    /// The host.
    pub hostname: Option<&'a str>,
    /// The program.
    pub app_name: Option<&'a str>,
    /// Its process.
    pub proc_id: Option<&'a str>,
    /// The text.
    pub message: &'a str,
}

/// Reads what follows the priority.
#[must_use]
pub fn parse(text: &str) -> Bsd<'_> {
    let mut parts = Bsd {
        message: text,
        ..Bsd::default()
    };
    let rest = if let Some(date) = Date::of(text) {
        parts.stamp = Some(Stamp::Date(date));
        text.get(date.text.len()..).unwrap_or_default()
    } else {
        let (token, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_date = token.len() >= 19 && token.as_bytes().get(4) == Some(&b'-');
        let Some(us) = is_date.then(|| time::timestamp(token)).flatten() else {
            return parts;
        };
        parts.stamp = Some(Stamp::Time(token, us));
        rest
    };
    let mut rest = rest.strip_prefix(' ').unwrap_or(rest);
    let mut tag = Tag::of(rest);
    if tag.is_none()
        && let Some((host, further)) = rest.split_once(' ')
        && !host.is_empty()
    {
        parts.hostname = Some(host);
        rest = further;
        tag = Tag::of(rest);
    }
    match tag {
        Some(Tag { name, id, message }) => {
            (parts.app_name, parts.proc_id, parts.message) = (Some(name), id, message);
        }
        None => parts.message = rest,
    }
    parts
}

/// `Oct 11 22:14:15`, perhaps with a year before the time and a fraction after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date<'a> {
    /// The year, where it is there.
    pub year: Option<i64>,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
    /// Hours, minutes, seconds and the fraction, as they stand there.
    pub clock: &'a str,
    /// All of it.
    pub text: &'a str,
}

impl<'a> Date<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let name = text.get(..3)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        let rest = text.get(3..)?.strip_prefix(' ')?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let (day, rest) = number(rest, 2)?;
        let rest = rest.strip_prefix(' ')?;
        let (year, rest) = match number(rest, 4) {
            Some((year @ 1000.., rest)) => (Some(year), rest.strip_prefix(' ')?),
            _ => (None, rest),
        };
        let clock = clock(rest)?;
        let after = rest.get(clock.len()..)?;
        if !after.is_empty() && !after.starts_with(' ') {
            return None;
        }
        let month = i64::try_from(month + 1).ok()?;
        // A date that is in no year is none; in a leap year all others are.
        time::days(year.unwrap_or(2000), month, day)?;
        Some(Self {
            year,
            month,
            day,
            clock,
            text: text.get(..text.len() - after.len())?,
        })
    }

    /// The date in a year, microseconds since the epoch; None when the year has no such day.
    #[must_use]
    pub fn in_year(&self, year: i64) -> Option<i64> {
        let day = time::days(year, self.month, self.day)?;
        Some(day * time::DAY + clock_us(self.clock)?)
    }

    /// The year and the microseconds since the epoch: the date's own year, or else the latest that
    /// does not put it more than `ahead_us` after `reference_us`.
    #[must_use]
    pub fn latest(&self, reference_us: i64, ahead_us: i64) -> Option<(i64, i64)> {
        if let Some(year) = self.year {
            return Some((year, self.in_year(year)?));
        }
        let last = i64::from(DateTime::from_timestamp_micros(reference_us)?.year()) + 1;
        let bound = reference_us.saturating_add(ahead_us);
        // Leap years may be eight years apart.
        (last - 9..=last)
            .rev()
            .filter_map(|year| Some((year, self.in_year(year)?)))
            .find(|(_, us)| *us <= bound)
    }
}

/// Microseconds since midnight of what [`clock`] has found.
fn clock_us(clock: &str) -> Option<i64> {
    let part = |from: usize| clock.get(from..from + 2)?.parse::<i64>().ok();
    let seconds = part(0)? * 3600 + part(3)? * 60 + part(6)?;
    let fraction = clock.get(9..).unwrap_or_default();
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = digits.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
    Some(seconds * 1_000_000 + micros)
}

/// A number of at most `digits` digits, and what follows.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(length)?;
    (length <= digits).then_some(())?;
    Some((number.parse().ok()?, rest))
}

/// `22:14:15` with up to nine digits of a fraction at the beginning of `text`.
pub(super) fn clock(text: &str) -> Option<&str> {
    let fixed = text.get(..8)?;
    let is_time = fixed.bytes().enumerate().all(|(at, byte)| match at {
        2 | 5 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let ranges = fixed.get(..2)? <= "23" && fixed.get(3..5)? <= "59" && fixed.get(6..)? <= "59";
    if !is_time || !ranges {
        return None;
    }
    let fraction = text
        .get(8..)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or_default();
    match fraction.bytes().take_while(u8::is_ascii_digit).count() {
        0 => Some(fixed),
        digits @ 1..=9 => text.get(..9 + digits),
        _ => None,
    }
}

/// `su: `, `sshd[42]: `: a program, its process, and the text after them.
struct Tag<'a> {
    name: &'a str,
    id: Option<&'a str>,
    message: &'a str,
}

impl<'a> Tag<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let is_end = |byte: u8| byte == b':' || byte == b'[' || byte <= b' ';
        let end = text.bytes().take(TAG + 1).position(is_end)?;
        let (name, rest) = text.split_at_checked(end)?;
        if name.is_empty() {
            return None;
        }
        let (id, rest) = match rest.strip_prefix('[') {
            Some(inner) => {
                let end = inner.bytes().take(TAG + 1).position(|byte| byte == b']')?;
                let (id, rest) = inner.split_at_checked(end)?;
                let rest = rest.strip_prefix(']')?;
                (Some(id), rest.strip_prefix(':').unwrap_or(rest))
            }
            None => (None, rest.strip_prefix(':')?),
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        let message = rest.strip_prefix(' ').unwrap_or(rest);
        Some(Self { name, id, message })
    }
}
