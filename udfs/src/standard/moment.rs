//! Points in time and the units that they are counted in.

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Datelike, Days, Months, NaiveDateTime, TimeDelta};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::scalar::ScalarValue;

/// The type in which functions take a point in time that is text.
const PARSED: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// The type in which `function` takes a point in time of type `given`.
///
/// # Errors
/// Refuses what is no point in time, with the cast to write.
pub(super) fn moment_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Timestamp(..) | DataType::Date32 => Ok(given.clone()),
        DataType::Date64 => Ok(DataType::Date32),
        DataType::Null => Ok(PARSED),
        text if text.is_string() => Ok(PARSED),
        DataType::Dictionary(_, value) if value.is_string() => Ok(PARSED),
        other => plan_err!(
            "{function} takes a timestamp or a date, not {other}; cast it: CAST(... AS TIMESTAMP)"
        ),
    }
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Some months.
    Months(i64),
    /// Some microseconds.
    Micros(i64),
    /// Nanoseconds.
    Nanos,
}

/// Names of units: those that are listed to users come first.
const UNITS: [(&str, Unit); 36] = [
    ("year", Unit::Months(12)),
    ("quarter", Unit::Months(3)),
    ("month", Unit::Months(1)),
    ("week", Unit::Micros(7 * DAY_US)),
    ("day", Unit::Micros(DAY_US)),
    ("hour", Unit::Micros(DAY_US / 24)),
    ("minute", Unit::Micros(60_000_000)),
    ("second", Unit::Micros(1_000_000)),
    ("millisecond", Unit::Micros(1_000)),
    ("microsecond", Unit::Micros(1)),
    ("nanosecond", Unit::Nanos),
    ("yy", Unit::Months(12)),
    ("yyyy", Unit::Months(12)),
    ("qq", Unit::Months(3)),
    ("q", Unit::Months(3)),
    ("mm", Unit::Months(1)),
    ("m", Unit::Months(1)),
    ("ww", Unit::Micros(7 * DAY_US)),
    ("wk", Unit::Micros(7 * DAY_US)),
    ("dd", Unit::Micros(DAY_US)),
    ("d", Unit::Micros(DAY_US)),
    ("dayofyear", Unit::Micros(DAY_US)),
    ("dy", Unit::Micros(DAY_US)),
    ("hh", Unit::Micros(DAY_US / 24)),
    ("mi", Unit::Micros(60_000_000)),
    ("n", Unit::Micros(60_000_000)),
    ("ss", Unit::Micros(1_000_000)),
    ("s", Unit::Micros(1_000_000)),
    ("ms", Unit::Micros(1_000)),
    ("us", Unit::Micros(1)),
    ("mcs", Unit::Micros(1)),
    ("ns", Unit::Nanos),
    ("frac_second", Unit::Nanos),
    ("decade", Unit::Months(120)),
    ("century", Unit::Months(1_200)),
    ("millennium", Unit::Months(12_000)),
];
/// How many of [`UNITS`] are listed.
const LISTED: usize = 11;

impl Unit {
    /// The unit that a literal argument of `function` names.
    ///
    /// # Errors
    /// Refuses every other word, listing the units.
    pub(super) fn read(function: &str, value: &ScalarValue) -> Result<Self> {
        let list: Vec<&str> = UNITS[..LISTED].iter().map(|(name, _)| *name).collect();
        let list = list.join(", ");
        let Some(Some(text)) = value.try_as_str() else {
            return plan_err!("the unit of {function} is one of {list}");
        };
        let word = text.trim().to_lowercase();
        let word = word.strip_prefix("sql_tsi_").unwrap_or(&word);
        let known = |word: &str| UNITS.iter().find(|(name, _)| *name == word);
        let found = known(word).or_else(|| known(word.strip_suffix('s')?));
        match found {
            Some((_, unit)) => Ok(*unit),
            None => plan_err!("{function} does not know the unit \"{text}\"; valid are {list}"),
        }
    }

    /// Whether a date stays one when the unit is added.
    pub(super) fn is_of_days(self) -> bool {
        match self {
            Self::Months(_) => true,
            Self::Micros(micros) => micros % DAY_US == 0,
            Self::Nanos => false,
        }
    }

    /// `count` units after `micros`; `None` outside of what a timestamp holds.
    pub(super) fn add(self, micros: i64, count: i64) -> Option<i64> {
        match self {
            Self::Micros(unit) => unit.checked_mul(count)?.checked_add(micros),
            Self::Nanos => micros.checked_add(count.div_euclid(1_000)),
            Self::Months(months) => {
                let months = months.checked_mul(count)?;
                let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
                let moment = civil(micros)?;
                let moved = match months < 0 {
                    true => moment.checked_sub_months(step),
                    false => moment.checked_add_months(step),
                };
                Some(moved?.and_utc().timestamp_micros())
            }
        }
    }

    /// Whole units from `from` to `to`, both in microseconds; negative when `to` is before `from`.
    pub(super) fn whole(self, from: i64, to: i64) -> Option<i64> {
        match self {
            Self::Micros(unit) => Some(to.checked_sub(from)? / unit),
            Self::Nanos => to.checked_sub(from)?.checked_mul(1_000),
            Self::Months(unit) => {
                let months = month(to)? - month(from)?;
                // The last month counts when as much of it is over as was at the beginning.
                let within = |micros| {
                    let moment = civil(micros)?;
                    Some((moment.day(), moment.time()))
                };
                let (started, ended) = (within(from)?, within(to)?);
                let whole = match months {
                    1.. if ended < started => months - 1,
                    ..=-1 if ended > started => months + 1,
                    same => same,
                };
                Some(whole / unit)
            }
        }
    }

    /// Beginnings of units after `from` up to `to`; negative when `to` is before `from`.
    pub(super) fn begun(self, from: i64, to: i64) -> Option<i64> {
        // 1970 began on a Thursday, and weeks begin on Monday.
        let shift = |unit: i64| if unit == 7 * DAY_US { 3 * DAY_US } else { 0 };
        match self {
            Self::Micros(unit) => {
                let index = |micros: i64| Some(micros.checked_add(shift(unit))?.div_euclid(unit));
                index(to)?.checked_sub(index(from)?)
            }
            Self::Nanos => self.whole(from, to),
            Self::Months(unit) => Some(month(to)?.div_euclid(unit) - month(from)?.div_euclid(unit)),
        }
    }
}

/// The last day of the month of `day`, both in days since 1970.
pub(super) fn last_day(day: i32) -> Option<i32> {
    let date = civil(i64::from(day).checked_mul(DAY_US)?)?.date();
    let first = date.with_day(1)?;
    let next = first.checked_add_months(Months::new(1))?;
    let last = next.checked_sub_days(Days::new(1))?;
    let days: TimeDelta = last.signed_duration_since(date);
    day.checked_add(i32::try_from(days.num_days()).ok()?)
}

fn civil(micros: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp_micros(micros)?.naive_utc())
}

/// The number of the month since the year 0.
fn month(micros: i64) -> Option<i64> {
    let moment = civil(micros)?;
    Some(i64::from(moment.year()) * 12 + i64::from(moment.month0()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        let text = format!("{text}Z");
        DateTime::parse_from_rfc3339(&text)
            .unwrap()
            .timestamp_micros()
    }

    fn unit(name: &str) -> Unit {
        Unit::read("f", &ScalarValue::from(name)).unwrap()
    }

    #[test]
    fn whole_units_and_beginnings_of_units_differ() {
        for (name, from, to, whole, begun) in [
            ("day", "2026-01-01T23:00:00", "2026-01-02T01:00:00", 0, 1),
            ("hour", "2026-01-01T23:00:00", "2026-01-02T01:00:00", 2, 2),
            ("month", "2026-01-31T00:00:00", "2026-02-28T00:00:00", 0, 1),
            ("month", "2026-01-15T12:00:00", "2026-03-15T12:00:00", 2, 2),
            (
                "month",
                "2026-03-15T12:00:00",
                "2026-01-15T13:00:00",
                -1,
                -2,
            ),
            ("year", "2025-12-31T00:00:00", "2026-01-01T00:00:00", 0, 1),
            ("week", "2026-02-01T00:00:00", "2026-02-02T00:00:00", 0, 1),
            (
                "quarter",
                "2026-01-01T00:00:00",
                "2026-12-31T00:00:00",
                3,
                3,
            ),
            ("day", "1969-12-31T23:00:00", "1969-12-30T22:00:00", -1, -1),
        ] {
            let (from, to) = (at(from), at(to));
            assert_eq!(unit(name).whole(from, to), Some(whole), "{name}");
            assert_eq!(unit(name).begun(from, to), Some(begun), "{name}");
        }
    }

    #[test]
    fn months_end_where_they_are_shorter() {
        let moved = unit("month").add(at("2026-01-31T10:00:00"), 1);
        assert_eq!(moved, Some(at("2026-02-28T10:00:00")));
        let moved = unit("SQL_TSI_QUARTER").add(at("2026-05-31T10:00:00"), -1);
        assert_eq!(moved, Some(at("2026-02-28T10:00:00")));
        assert_eq!(unit("years").add(at("2026-01-01T00:00:00"), i64::MAX), None);
        assert_eq!(unit("day").add(i64::MAX, 1), None);
        assert!(Unit::read("f", &ScalarValue::from("fortnight")).is_err());
        assert_eq!(last_day(0), Some(30));
        assert_eq!(last_day(31), Some(58));
    }
}
