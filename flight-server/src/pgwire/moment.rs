//! Dates, times and intervals as PostgreSQL writes them, and the day that it counts from.

use std::fmt::{self, Write};

use arrow::array::timezone::Tz;
use arrow::datatypes::IntervalMonthDayNano;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};

/// Days from 1970-01-01 to 2000-01-01, which PostgreSQL counts from.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A day, counted from 1970-01-01.
pub(super) fn date(out: &mut impl Write, days: i32) -> fmt::Result {
    let start = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default();
    let step = Days::new(u64::from(days.unsigned_abs()));
    let day = match days >= 0 {
        true => start.checked_add_days(step),
        false => start.checked_sub_days(step),
    };
    match day {
        Some(day) => {
            ymd(out, day)?;
            era(out, day)
        }
        // Beyond the calendar in use here.
        None if days > 0 => out.write_str("infinity"),
        None => out.write_str("-infinity"),
    }
}

fn ymd(out: &mut impl Write, day: NaiveDate) -> fmt::Result {
    let (_, year) = day.year_ce();
    write!(out, "{year:04}-{:02}-{:02}", day.month(), day.day())
}

fn era(out: &mut impl Write, day: NaiveDate) -> fmt::Result {
    match day.year_ce() {
        (true, _) => Ok(()),
        (false, _) => out.write_str(" BC"),
    }
}

/// A time of day in microseconds.
pub(super) fn time(out: &mut impl Write, micros: i64) -> fmt::Result {
    let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    write!(out, "{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
    fraction(out, rest)
}

/// Microseconds behind a point, without the zeros at their end.
fn fraction(out: &mut impl Write, micros: i64) -> fmt::Result {
    if micros == 0 {
        return Ok(());
    }
    let digits = format!("{micros:06}");
    write!(out, ".{}", digits.trim_end_matches('0'))
}

/// A point in time in microseconds from 1970; with a zone where there is one.
pub(super) fn timestamp(out: &mut impl Write, micros: i64, zone: Option<&Tz>) -> fmt::Result {
    let Some(utc) = DateTime::<Utc>::from_timestamp_micros(micros) else {
        let text = if micros > 0 { "infinity" } else { "-infinity" };
        return out.write_str(text);
    };
    let (local, offset) = match zone {
        None => (utc.naive_utc(), None),
        Some(zone) => {
            let there = zone.from_utc_datetime(&utc.naive_utc());
            let offset = there.offset().fix().local_minus_utc();
            (there.naive_local(), Some(offset))
        }
    };
    clock(out, &local)?;
    if let Some(offset) = offset {
        zone_of(out, offset)?;
    }
    era(out, local.date())
}

fn clock(out: &mut impl Write, local: &NaiveDateTime) -> fmt::Result {
    ymd(out, local.date())?;
    let time = local.time();
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    write!(out, " {hour:02}:{minute:02}:{second:02}")?;
    fraction(out, i64::from(time.nanosecond() / 1000))
}

/// Seconds east of Greenwich.
fn zone_of(out: &mut impl Write, offset: i32) -> fmt::Result {
    let (sign, offset) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    write!(out, "{sign}{:02}", offset / 3600)?;
    if !offset.is_multiple_of(3600) {
        write!(out, ":{:02}", offset / 60 % 60)?;
    }
    if !offset.is_multiple_of(60) {
        write!(out, ":{:02}", offset % 60)?;
    }
    Ok(())
}

/// An interval in PostgreSQL's own style.
pub(super) fn interval(out: &mut impl Write, value: IntervalMonthDayNano) -> fmt::Result {
    let (years, months) = (value.months / 12, value.months % 12);
    let micros = value.nanoseconds / 1000;
    let mut first = true;
    for (count, one, many) in [
        (years, "year", "years"),
        (months, "mon", "mons"),
        (value.days, "day", "days"),
    ] {
        if count != 0 {
            let space = if first { "" } else { " " };
            let unit = if count == 1 { one } else { many };
            write!(out, "{space}{count} {unit}")?;
            first = false;
        }
    }
    if first || micros != 0 {
        let space = if first { "" } else { " " };
        let sign = if micros < 0 { "-" } else { "" };
        write!(out, "{space}{sign}")?;
        let micros = i64::try_from(micros.unsigned_abs()).unwrap_or(i64::MAX);
        time(out, micros)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_postgres_does() {
        let zone: Tz = "+05:30".parse().unwrap();
        let written = |micros, zone: Option<&Tz>| {
            let mut text = String::new();
            timestamp(&mut text, micros, zone).unwrap();
            text
        };
        assert_eq!(written(0, None), "1970-01-01 00:00:00");
        assert_eq!(written(1_500_000, None), "1970-01-01 00:00:01.5");
        assert_eq!(written(-1, None), "1969-12-31 23:59:59.999999");
        assert_eq!(written(0, Some(&zone)), "1970-01-01 05:30:00+05:30");
        assert_eq!(written(i64::MAX, None), "infinity");
        let mut text = String::new();
        date(&mut text, -719_529).unwrap();
        assert_eq!(text, "0002-12-31 BC");
    }

    #[test]
    fn intervals_are_written_as_postgres_does() {
        for (months, days, nanoseconds, want) in [
            (0, 0, 0, "00:00:00"),
            (
                14,
                3,
                14_706_789_000_000,
                "1 year 2 mons 3 days 04:05:06.789",
            ),
            (0, 1, 0, "1 day"),
            (0, 0, -1_500_000_000, "-00:00:01.5"),
        ] {
            let mut text = String::new();
            let value = IntervalMonthDayNano::new(months, days, nanoseconds);
            interval(&mut text, value).unwrap();
            assert_eq!(text, want);
        }
    }
}
