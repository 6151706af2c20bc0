//! Which rows belong to which partition of the table, and what the log calls each partition.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{
    DataType, Date32Type, FieldRef, Schema, SchemaRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Datelike, NaiveDate};
use object_store::path::Path;
use sluice_engine::error::{Error, Result};

/// Shortest average run of rows of one partition that is written without gathering rows.
const RUN_ROWS: usize = 256;
/// Longest name of a folder; file systems take no longer ones.
const FOLDER_BYTES: usize = 255;
/// Longest path of folders; object stores take keys of a kilobyte.
const FOLDERS_BYTES: usize = 700;
/// What a folder is called that holds rows without a value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The value of each partition column, as the log writes it.
pub(super) type Values = Vec<(String, Option<String>)>;

/// Splits rows by partition.
pub(super) struct Splitter {
    table: Arc<str>,
    columns: Vec<(usize, FieldRef)>,
    /// The columns that go into files.
    stored: Vec<usize>,
    schema: SchemaRef,
    keys: Option<RowConverter>,
    known: HashMap<Box<[u8]>, usize>,
    partitions: Vec<Values>,
}

impl Splitter {
    /// For rows of `schema` in a table partitioned by `partition_columns`.
    ///
    /// # Errors
    /// When a column cannot tell partitions apart.
    pub(super) fn new(
        table: Arc<str>,
        schema: &Schema,
        partition_columns: &[String],
    ) -> Result<Self> {
        let places = partition_columns.iter().map(|name| schema.index_of(name));
        let places: Result<Vec<_>, ArrowError> = places.collect();
        let places = places.map_err(|error| failed(&table, error))?;
        let columns: Vec<_> = places
            .into_iter()
            .map(|index| (index, Arc::clone(&schema.fields()[index])))
            .collect();
        let stored: Vec<usize> = (0..schema.fields().len())
            .filter(|index| columns.iter().all(|(key, _)| key != index))
            .collect();
        let files = schema.project(&stored);
        let sorts = columns
            .iter()
            .map(|(_, field)| SortField::new(field.data_type().clone()));
        let keys = match columns.len() {
            0 => None,
            _ => Some(RowConverter::new(sorts.collect()).map_err(|error| failed(&table, error))?),
        };
        Ok(Self {
            schema: Arc::new(files.map_err(|error| failed(&table, error))?),
            partitions: if columns.is_empty() {
                vec![Values::new()]
            } else {
                Vec::new()
            },
            table,
            columns,
            stored,
            keys,
            known: HashMap::new(),
        })
    }

    /// The columns of files.
    pub(super) fn file_schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether there is more than one partition.
    pub(super) fn partitioned(&self) -> bool {
        self.keys.is_some()
    }

    /// The values of a partition that [`Splitter::split`] has named.
    pub(super) fn values(&self, partition: usize) -> &Values {
        &self.partitions[partition]
    }

    /// The rows of each partition, in their order, without the columns it is by.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] naming the column whose value cannot be a partition's.
    pub(super) fn split(&mut self, batches: &[RecordBatch]) -> Result<Vec<(usize, RecordBatch)>> {
        let Some(keys) = self.keys.take() else {
            let stored = batches
                .iter()
                .map(|batch| Ok((0, batch.project(&self.stored)?)));
            let stored: Result<_, ArrowError> = stored.collect();
            return stored.map_err(|error| failed(&self.table, error));
        };
        let split = self.split_by(&keys, batches);
        self.keys = Some(keys);
        split
    }

    fn split_by(
        &mut self,
        keys: &RowConverter,
        batches: &[RecordBatch],
    ) -> Result<Vec<(usize, RecordBatch)>> {
        let mut runs = Vec::new();
        let mut files = Vec::with_capacity(batches.len());
        let mut rows = 0;
        for (number, batch) in batches.iter().enumerate() {
            self.find_runs(keys, number, batch, &mut runs)?;
            let stored = batch.project(&self.stored);
            files.push(stored.map_err(|error| failed(&self.table, error))?);
            rows += batch.num_rows();
        }
        if runs.len() <= batches.len() || rows / runs.len().max(1) >= RUN_ROWS {
            let slices = runs.into_iter();
            return Ok(slices
                .map(|run| (run.partition, files[run.batch].slice(run.start, run.rows)))
                .collect());
        }
        gather(&files, runs).map_err(|error| failed(&self.table, error))
    }

    fn find_runs(
        &mut self,
        keys: &RowConverter,
        number: usize,
        batch: &RecordBatch,
        runs: &mut Vec<Run>,
    ) -> Result<()> {
        let columns = self.columns.iter();
        let columns: Vec<ArrayRef> = columns
            .map(|(index, field)| distinguishable(&self.table, field, batch.column(*index)))
            .collect::<Result<_>>()?;
        let converted = keys.convert_columns(&columns);
        let converted = converted.map_err(|error| failed(&self.table, error))?;
        let mut start = 0;
        while start < batch.num_rows() {
            let key = converted.row(start);
            let mut end = start + 1;
            while end < batch.num_rows() && converted.row(end) == key {
                end += 1;
            }
            let partition = match self.known.get(key.as_ref()) {
                Some(partition) => *partition,
                None => {
                    let values = self.describe(&columns, start)?;
                    self.partitions.push(values);
                    let partition = self.partitions.len() - 1;
                    self.known.insert(key.as_ref().into(), partition);
                    partition
                }
            };
            runs.push(Run {
                partition,
                batch: number,
                start,
                rows: end - start,
            });
            start = end;
        }
        Ok(())
    }

    fn describe(&self, columns: &[ArrayRef], row: usize) -> Result<Values> {
        let fields = self.columns.iter().map(|(_, field)| field);
        fields
            .zip(columns)
            .map(|(field, column)| {
                let value = text(&self.table, field, column.as_ref(), row)?;
                Ok((field.name().clone(), value))
            })
            .collect()
    }
}

/// Rows that follow each other and are of one partition.
struct Run {
    partition: usize,
    batch: usize,
    start: usize,
    rows: usize,
}

/// One batch for each partition. Each row is copied once.
fn gather(files: &[RecordBatch], runs: Vec<Run>) -> Result<Vec<(usize, RecordBatch)>, ArrowError> {
    let mut places: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
    let mut order = Vec::new();
    for run in runs {
        let rows = places.entry(run.partition).or_insert_with(|| {
            order.push(run.partition);
            Vec::new()
        });
        rows.extend((run.start..run.start + run.rows).map(|row| (run.batch, row)));
    }
    let files: Vec<&RecordBatch> = files.iter().collect();
    let gathered = order.into_iter().map(|partition| {
        let rows = places.remove(&partition).unwrap_or_default();
        Ok((partition, interleave_record_batch(&files, &rows)?))
    });
    gathered.collect()
}

/// The column with every value that the log tells from others; to Delta, no text is no value.
pub(super) fn distinguishable(
    table: &str,
    field: &FieldRef,
    column: &ArrayRef,
) -> Result<ArrayRef> {
    let Some(texts) = column.as_string_opt::<i32>() else {
        return Ok(ArrayRef::clone(column));
    };
    let empty = |text: Option<&str>| text.is_some_and(str::is_empty);
    if !texts.iter().any(empty) {
        return Ok(ArrayRef::clone(column));
    }
    if !field.is_nullable() {
        let name = field.name();
        return Err(Error::user(format!(
            "column \"{name}\" of table \"{table}\" is NOT NULL and names partitions, where '' is \
             no value"
        ))
        .hint("store another value than '', or make the column nullable"));
    }
    let values = texts
        .iter()
        .map(|text| text.filter(|text| !text.is_empty()));
    Ok(Arc::new(values.collect::<arrow::array::StringArray>()))
}

/// A value as the log writes it.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the column and a value that readers cannot read.
pub(super) fn text(
    table: &str,
    field: &FieldRef,
    column: &dyn Array,
    row: usize,
) -> Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let past = |value: String| {
        let name = field.name();
        Error::user(format!(
            "column \"{name}\" of table \"{table}\" names partitions, and its value {value} is not \
             in the years 1 to 9999"
        ))
    };
    let in_range = |year: i32| (1..=9999).contains(&year);
    match column.data_type() {
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            match NaiveDate::from_epoch_days(days) {
                Some(date) if in_range(date.year()) => Ok(Some(date.to_string())),
                Some(date) => Err(past(date.to_string())),
                None => Err(past(format!("{days} days after 1970"))),
            }
        }
        DataType::Timestamp(_, _) => {
            let times = column.as_primitive_opt::<TimestampMicrosecondType>();
            let micros = times.map_or(i64::MAX, |times| times.value(row));
            match DateTime::from_timestamp_micros(micros) {
                Some(time) if in_range(time.year()) => {
                    Ok(Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()))
                }
                Some(time) => Err(past(time.format("%Y-%m-%d %H:%M:%S").to_string())),
                None => Err(past(format!("{micros} microseconds after 1970"))),
            }
        }
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column, &options);
            let formatter = formatter.map_err(|error| failed(table, error))?;
            Ok(Some(formatter.value(row).to_string()))
        }
    }
}

/// The folder for files of a partition, from the table's; the table's own when a name would be too
/// long. Nobody reads values from it: the log has them.
pub(super) fn folder(values: &Values) -> Path {
    let mut parts = Vec::with_capacity(values.len());
    for (name, value) in values {
        let value = value
            .as_deref()
            .map_or_else(|| NO_VALUE.to_owned(), encoded);
        parts.push(format!("{}={value}", encoded(name)));
    }
    let length: usize = parts.iter().map(String::len).sum();
    if length > FOLDERS_BYTES || parts.iter().any(|part| part.len() > FOLDER_BYTES) {
        return Path::default();
    }
    Path::parse(parts.join("/")).unwrap_or_default()
}

/// As Hive writes values in paths: letters and digits of every script, and little else, stay.
fn encoded(value: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(value.len());
    for character in value.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '~') {
            encoded.push(character);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn failed(table: &str, error: ArrowError) -> Error {
    Error::internal(format!(
        "cannot split rows of table \"{table}\" by partition: {error}"
    ))
    .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::Field;

    fn splitter(schema: &Schema, columns: &[&str]) -> Splitter {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        Splitter::new("logs".into(), schema, &columns).unwrap()
    }

    fn batch(hosts: &[&str]) -> RecordBatch {
        let host: ArrayRef = Arc::new(StringArray::from(hosts.to_vec()));
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(0..hosts.len() as i64));
        RecordBatch::try_from_iter_with_nullable([("host", host, true), ("number", number, true)])
            .unwrap()
    }

    fn numbers(rows: &RecordBatch) -> Vec<i64> {
        let column = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
        column.values().to_vec()
    }

    #[test]
    fn interleaved_rows_are_gathered_in_their_order() {
        let first = batch(&["a", "b", "a", "", "b"]);
        let mut splitter = splitter(&first.schema(), &["host"]);
        let split = splitter.split(&[first.clone(), first]).unwrap();
        let found: Vec<_> = split
            .iter()
            .map(|(partition, rows)| (splitter.values(*partition)[0].1.as_deref(), numbers(rows)))
            .collect();
        assert_eq!(
            found,
            [
                (Some("a"), vec![0, 2, 0, 2]),
                (Some("b"), vec![1, 4, 1, 4]),
                (None, vec![3, 3]),
            ]
        );
        assert_eq!(split[0].1.num_columns(), 1);
    }

    #[test]
    fn long_runs_are_not_copied() {
        let hosts: Vec<&str> = (0..2000).map(|row| ["a", "b"][row / 1000]).collect();
        let rows = batch(&hosts);
        let mut splitter = splitter(&rows.schema(), &["host"]);
        let split = splitter.split(std::slice::from_ref(&rows)).unwrap();
        let lengths: Vec<_> = split.iter().map(|(_, rows)| rows.num_rows()).collect();
        assert_eq!(lengths, [1000, 1000]);
        let pointer =
            |rows: &RecordBatch, column| rows.column(column).to_data().buffers()[0].as_ptr();
        assert_eq!(pointer(&split[0].1, 0), pointer(&rows, 1));
    }

    #[test]
    fn values_are_written_as_delta_reads_them() {
        let one = |column: ArrayRef| {
            let field = Arc::new(Field::new("c", column.data_type().clone(), true));
            text("logs", &field, column.as_ref(), 0)
        };
        let decimal = Decimal128Array::from(vec![-105]).with_precision_and_scale(9, 2);
        let written = one(Arc::new(decimal.unwrap())).unwrap();
        assert_eq!(written.as_deref(), Some("-1.05"));
        let time = |micros| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"))
        };
        let written = one(time(1_500_000)).unwrap();
        assert_eq!(written.as_deref(), Some("1970-01-01 00:00:01.500000"));
        for past in [i64::MAX, i64::MIN, 253_402_300_800_000_000] {
            let error = one(time(past)).unwrap_err();
            assert!(error.message().contains("years 1 to 9999"), "{error}");
        }
    }

    #[test]
    fn a_folder_takes_any_value() {
        let of = |value: Option<&str>| {
            let values = vec![("h/st".to_owned(), value.map(str::to_owned))];
            folder(&values).to_string()
        };
        assert_eq!(of(Some("a b/ü")), "h%2Fst=a%20b%2F%C3%BC");
        assert_eq!(of(None), "h%2Fst=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(of(Some(&"x".repeat(248))).len(), 255);
        assert_eq!(of(Some(&"x".repeat(249))), "");
    }
}
