//! What rows have in the columns that name partitions, told before anything is written: whether the
//! log can hold it, and how many partitions it makes.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, FieldRef, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use deltalake::table::state::DeltaTableState;
use sluice_engine::error::{Error, Result};

use super::partition::{distinguishable, text};

/// 0001-01-01 and 9999-12-31 in days from 1970.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
const DAY_MICROS: i64 = 86_400_000_000;
/// The first and the last microsecond of those days.
const MICROS: std::ops::RangeInclusive<i64> =
    *DAYS.start() as i64 * DAY_MICROS..=(*DAYS.end() as i64 + 1) * DAY_MICROS - 1;

/// The columns by which a table is partitioned, which never change.
#[derive(Debug)]
pub(super) struct PartitionColumns {
    table: Arc<str>,
    fields: Vec<FieldRef>,
}

impl PartitionColumns {
    /// Those of `state`.
    pub(super) fn new(table: &Arc<str>, state: &DeltaTableState) -> Self {
        let schema = state.snapshot().arrow_schema();
        let names = state.metadata().partition_columns().iter();
        let fields = names.filter_map(|name| schema.fields().find(name));
        Self {
            table: Arc::clone(table),
            fields: fields.map(|(_, field)| Arc::clone(field)).collect(),
        }
    }

    /// Refuses rows whose values the log cannot hold.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] naming the column and the first such value.
    pub(super) fn check(&self, rows: &RecordBatch) -> Result<()> {
        for field in &self.fields {
            let Some(column) = self.column(rows, field)? else {
                continue;
            };
            if let Some(row) = first_beyond(&column) {
                text(&self.table, field, &column, row)?;
            }
        }
        Ok(())
    }

    /// A number for the partition of each run of rows; none where all rows are of one.
    ///
    /// # Errors
    /// As [`PartitionColumns::check`].
    pub(super) fn numbers(&self, rows: &RecordBatch) -> Result<Vec<u64>> {
        let (mut columns, mut sorts) = (Vec::new(), Vec::new());
        for field in &self.fields {
            if let Some(column) = self.column(rows, field)? {
                sorts.push(SortField::new(column.data_type().clone()));
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let keys = RowConverter::new(sorts).and_then(|keys| keys.convert_columns(&columns));
        let keys = keys.map_err(|error| self.failed(&error))?;
        let mut numbers = Vec::new();
        let mut before = None;
        for key in &keys {
            if before.replace(key) != Some(key) {
                let mut hasher = DefaultHasher::new();
                hasher.write(key.as_ref());
                numbers.push(hasher.finish());
            }
        }
        Ok(numbers)
    }

    /// The column of `field` as it will be stored; `None` where rows lack it, which is NULL.
    fn column(&self, rows: &RecordBatch, field: &FieldRef) -> Result<Option<ArrayRef>> {
        let Some(column) = rows.column_by_name(field.name()) else {
            return Ok(None);
        };
        let column = match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => cast(column, field.data_type()).map_err(|error| self.failed(&error))?,
        };
        distinguishable(&self.table, field, &column).map(Some)
    }

    fn failed(&self, error: &arrow::error::ArrowError) -> Error {
        let table = &self.table;
        Error::user(format!(
            "cannot tell the partitions of table \"{table}\" from rows: {error}"
        ))
    }
}

/// The first row whose date is none that texts have four digits for.
fn first_beyond(column: &ArrayRef) -> Option<usize> {
    match column.data_type() {
        DataType::Date32 => {
            let mut days = column.as_primitive::<Date32Type>().iter();
            days.position(|day| day.is_some_and(|day| !DAYS.contains(&day)))
        }
        DataType::Timestamp(_, _) => {
            let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            let mut times = times.iter();
            times.position(|time| time.is_some_and(|time| !MICROS.contains(&time)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::Field;

    fn of(name: &str, column: ArrayRef, nullable: bool) -> (PartitionColumns, RecordBatch) {
        let field = Field::new(name, column.data_type().clone(), nullable);
        let columns = PartitionColumns {
            table: "logs".into(),
            fields: vec![Arc::new(field)],
        };
        let rows = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
        (columns, rows)
    }

    #[test]
    fn values_are_refused_that_cannot_be_written_and_no_others() {
        let (first, last) = (*DAYS.start(), *DAYS.end());
        let (begin, end) = (*MICROS.start(), *MICROS.end());
        let day = |day: i32| Arc::new(Date32Array::from(vec![Some(0), None, Some(day)])) as _;
        let time = |time: i64| {
            let times = TimestampMicrosecondArray::from(vec![Some(0), None, Some(time)]);
            Arc::new(times.with_timezone("UTC")) as _
        };
        for (column, value) in [
            (day(first), None),
            (day(last), None),
            (day(first - 1), Some("0000-12-31")),
            (day(last + 1), Some("+10000-01-01")),
            (day(i32::MIN), Some("-2147483648 days")),
            (time(begin), None),
            (time(end), None),
            (time(begin - 1), Some("0000-12-31 23:59:59")),
            (time(end + 1), Some("+10000-01-01 00:00:00")),
            (time(i64::MIN), Some("-9223372036854775808 micro")),
        ] {
            let (columns, rows) = of("at", column, true);
            match (columns.check(&rows), value) {
                (Ok(()), None) => {}
                (Err(error), Some(value)) => {
                    let says = error.message();
                    assert!(
                        says.contains("column \"at\"") && says.contains(value),
                        "{says}"
                    );
                }
                (other, value) => panic!("{other:?} for {value:?}"),
            }
        }
        let empty: ArrayRef = Arc::new(StringArray::from(vec!["a", ""]));
        let (columns, rows) = of("host", Arc::clone(&empty), false);
        assert!(
            columns
                .check(&rows)
                .unwrap_err()
                .message()
                .contains("\"host\"")
        );
        let (columns, rows) = of("host", empty, true);
        columns.check(&rows).unwrap();
    }

    #[test]
    fn rows_of_one_partition_have_one_number() {
        let hosts: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "b", "a", ""]));
        let (columns, rows) = of("host", hosts, true);
        let numbers = columns.numbers(&rows).unwrap();
        assert_eq!(numbers.len(), 4);
        assert_eq!(numbers[0], numbers[2]);
        assert_ne!(numbers[0], numbers[1]);
        assert_eq!(columns.numbers(&rows).unwrap(), numbers);
    }
}
