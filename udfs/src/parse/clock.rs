//! The options `ref_time` and `tz` of functions that read times: in which year a date without one
//! lies, and in which zone a time without one.

use std::str::FromStr;

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{DateTime, LocalResult, TimeDelta, TimeZone, Utc};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::columns::timestamp_type;
use super::grammar::moment::Moment;
use super::grammar::syslog_bsd::{Date, Stamp};

/// How far a device's clock may be ahead of the reference.
const AHEAD_US: i64 = 86_400_000_000;

/// The type in which an option is read: a time is a reference, text is a zone.
///
/// # Errors
/// When it is neither.
pub(crate) fn option_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Ok(timestamp_type()),
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(DataType::Utf8),
        other => plan_err!(
            "{function} takes a ref_time, which is a TIMESTAMP, and a tz, which is a string such \
as \
             'Europe/Berlin', not {other}"
        ),
    }
}

/// Checks the options that are known so far.
///
/// # Errors
/// When a zone is not known.
pub(crate) fn check(function: &str, options: &[Option<&ScalarValue>]) -> Result<()> {
    for option in options.iter().copied().flatten() {
        if let Some(Some(name)) = option.try_as_str() {
            zone(function, name)?;
        }
    }
    Ok(())
}

/// Turns times of lines into moments.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: Option<Tz>,
    reference: Reference,
}

#[derive(Debug)]
enum Reference {
    /// The same for all rows.
    At(i64),
    /// One for each row.
    Column(TimestampMicrosecondArray),
    /// None was given: the time of the call, which the answer does not repeat.
    Call(i64),
}

impl Clock {
    /// The clock of `options`, in any order.
    ///
    /// # Errors
    /// When a zone is not known, or is a column.
    pub(crate) fn of(function: &str, options: &[ColumnarValue]) -> Result<Self> {
        let mut clock = Self {
            zone: None,
            reference: Reference::Call(Utc::now().timestamp_micros()),
        };
        for option in options {
            match option {
                ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(us), _)) => {
                    clock.reference = Reference::At(*us);
                }
                ColumnarValue::Scalar(value) => {
                    if let Some(Some(name)) = value.try_as_str() {
                        clock.zone = Some(zone(function, name)?);
                    }
                }
                ColumnarValue::Array(array) => {
                    let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() else {
                        return plan_err!("the tz of {function} is a literal, not a column");
                    };
                    clock.reference = Reference::Column(times.clone());
                }
            }
        }
        Ok(clock)
    }

    /// Whether the answer differs from row to row for the same text.
    pub(crate) fn is_by_row(&self) -> bool {
        matches!(self.reference, Reference::Column(_))
    }

    /// The reference that was given for a row.
    pub(crate) fn given(&self, row: usize) -> Option<i64> {
        match &self.reference {
            Reference::At(us) => Some(*us),
            Reference::Column(times) => times.is_valid(row).then(|| times.value(row)),
            Reference::Call(_) => None,
        }
    }

    /// When a message was written, microseconds since the epoch.
    pub(crate) fn stamp(&self, stamp: &Stamp<'_>, row: usize) -> Option<i64> {
        match stamp {
            Stamp::Date(date) => self.date(date, row),
            Stamp::Time(text, us) => {
                let clock = text.as_bytes().get(10..).unwrap_or_default();
                let zoned = clock
                    .iter()
                    .any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
                Some(if zoned { *us } else { self.utc(*us) })
            }
        }
    }

    /// A date of a line in the latest year that does not put it more than a day after the
    /// reference.
    pub(crate) fn date(&self, date: &Date<'_>, row: usize) -> Option<i64> {
        let reference = match self.reference {
            Reference::Call(us) => Some(us),
            _ => self.given(row),
        };
        let Some(reference) = reference else {
            return Some(self.utc(date.in_year(date.year?)?));
        };
        // The date is local time, so the bound is made local too.
        let (_, local) = date.latest(self.local(reference), AHEAD_US)?;
        Some(self.utc(local))
    }

    /// A moment in UTC.
    pub(crate) fn moment(&self, moment: &Moment) -> i64 {
        match moment.has_zone {
            true => moment.us,
            false => self.utc(moment.us),
        }
    }

    /// Local time as UTC. Of a time that occurs twice the first is meant; one that a change of the
    /// clock leaves out is read as if the clock had not been changed.
    fn utc(&self, local_us: i64) -> i64 {
        let Some(zone) = self.zone else {
            return local_us;
        };
        let us = |local: DateTime<Utc>| match zone.from_local_datetime(&local.naive_utc()) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => {
                Some(time.timestamp_micros())
            }
            LocalResult::None => None,
        };
        let Some(local) = DateTime::from_timestamp_micros(local_us) else {
            return local_us;
        };
        let before = TimeDelta::hours(3);
        let earlier = || Some(us(local.checked_sub_signed(before)?)? + 3 * 3_600_000_000);
        us(local).or_else(earlier).unwrap_or(local_us)
    }

    fn local(&self, us: i64) -> i64 {
        let Some((zone, time)) = self.zone.zip(DateTime::from_timestamp_micros(us)) else {
            return us;
        };
        let local = time.with_timezone(&zone).naive_local();
        local.and_utc().timestamp_micros()
    }
}

fn zone(function: &str, name: &str) -> Result<Tz> {
    match Tz::from_str(name) {
        Ok(zone) => Ok(zone),
        Err(_) => plan_err!(
            "{function} does not know the time zone \"{name}\"; valid are names such as \
             'Europe/Berlin' and offsets such as '+02:00'"
        ),
    }
}
