//! Syslog as it was before it had a standard, as RFC 3164 describes it: a date without a year, a
//! host, and a text that tends to begin with a program's name. Whatever else follows the priority
//! is a message without these.

use std::borrow::Cow;

use chrono::{DateTime, Datelike};

use super::time;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// The longest name of a program.
const TAG: usize = 64;
/// How far a device's clock may be ahead of the stream's.
const AHEAD: i64 = 7 * 86_400_000_000;

/// The parts of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bsd<'a> {
    pub(super) timestamp: Option<Cow<'a, str>>,
    /// A date whose year nothing tells.
    pub(super) timestamp_text: Option<&'a str>,
    pub(super) hostname: Option<&'a str>,
    pub(super) app_name: Option<&'a str>,
    pub(super) proc_id: Option<&'a str>,
    pub(super) message: &'a str,
}

/// Reads what follows the priority. The year of a date is the latest that does not put it more than
/// a week after `written_us`.
pub(super) fn parse(text: &str, written_us: Option<i64>) -> Bsd<'_> {
    let mut parts = Bsd {
        message: text,
        ..Bsd::default()
    };
    let rest = if let Some(date) = Date::of(text) {
        let (date_text, rest) = text.split_at(date.length);
        match date.with_year(written_us) {
            Some(timestamp) => parts.timestamp = Some(Cow::Owned(timestamp)),
            None => parts.timestamp_text = Some(date_text),
        }
        rest
    } else {
        let (token, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_date = token.len() >= 19 && token.as_bytes().get(4) == Some(&b'-');
        if !is_date || time::timestamp(token).is_none() {
            return parts;
        }
        parts.timestamp = Some(Cow::Borrowed(token));
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
struct Date<'a> {
    year: Option<i64>,
    month: i64,
    day: i64,
    /// Hours, minutes, seconds and the fraction, as they stand there.
    clock: &'a str,
    /// Bytes of all of it.
    length: usize,
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
            length: text.len() - after.len(),
        })
    }

    fn with_year(&self, written_us: Option<i64>) -> Option<String> {
        let Self {
            month, day, clock, ..
        } = self;
        let in_year = |year: i64| format!("{year:04}-{month:02}-{day:02}T{clock}Z");
        if let Some(year) = self.year {
            return Some(in_year(year));
        }
        let written_us = written_us?;
        let last = i64::from(DateTime::from_timestamp_micros(written_us)?.year()) + 1;
        // Leap years may be eight years apart.
        (last - 9..=last).rev().map(in_year).find(|date| {
            let date = time::timestamp(date);
            date.is_some_and(|date| date <= written_us.saturating_add(AHEAD))
        })
    }
}

/// A number of at most `digits` digits, and what follows.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(length)?;
    (length <= digits).then_some(())?;
    Some((number.parse().ok()?, rest))
}

/// `22:14:15` with up to nine digits of a fraction at the beginning of `text`.
fn clock(text: &str) -> Option<&str> {
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
