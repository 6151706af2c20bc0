//! Reference tables: rows of a file, found by their key.

use std::fmt;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, UInt32Array};
use arrow::compute::{CastOptions, cast, cast_with_options, concat_batches, take};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json;
use bytes::Bytes;
use datafusion::common::HashMap;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::enrich::fault::Fault;

/// How the file of a reference table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated, with a header.
    Csv,
    /// A JSON object in each line.
    NdJson,
    /// Apache Parquet.
    Parquet,
}

impl TableFormat {
    /// All formats by their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("csv", Self::Csv),
        ("ndjson", Self::NdJson),
        ("parquet", Self::Parquet),
    ];

    /// The format that a file of this name has, when nobody says.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending.to_ascii_lowercase().as_str() {
            "parquet" => Self::Parquet,
            "json" | "jsonl" | "ndjson" => Self::NdJson,
            _ => Self::Csv,
        }
    }
}

/// The rows of a reference table in memory, and where each key is.
pub struct ReferenceTable {
    rows: StructArray,
    keys: Keys,
    fields: Fields,
}

enum Keys {
    Text(HashMap<Box<str>, u32>),
    Number(HashMap<i64, u32>),
}

impl fmt::Debug for ReferenceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceTable")
            .field("fields", &self.fields)
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl ReferenceTable {
    /// Reads the content of a file. Its rows are found by the column `key`, the first unless named.
    ///
    /// A file that takes the place of `before` keeps its columns: running queries were planned with
    /// their types. Columns that are new are left out.
    ///
    /// # Errors
    /// When it is not in `format`, lacks the key or a column of `before`, or has a key twice.
    pub fn parse(
        bytes: Vec<u8>,
        format: TableFormat,
        key: Option<&str>,
        before: Option<&Self>,
    ) -> Result<Self, Fault> {
        let batch = match format {
            TableFormat::Csv => read_csv(&bytes),
            TableFormat::NdJson => read_ndjson(&bytes),
            TableFormat::Parquet => read_parquet(bytes),
        };
        let batch = batch.map_err(|error| {
            Fault::new(
                format!("it cannot be read: {error}"),
                "correct the file; where its ending does not say how it is written, `format` does: \
                 csv, ndjson or parquet",
            )
        })?;
        Self::of_batch(batch, key, before)
    }

    /// Takes rows that are in memory already, as those of a file.
    ///
    /// # Errors
    /// As [`ReferenceTable::parse`].
    pub fn of_rows(
        rows: &RecordBatch,
        key: Option<&str>,
        before: Option<&Self>,
    ) -> Result<Self, Fault> {
        let batch = with_plain_types(rows).map_err(|error| {
            let hint = "join the table instead";
            Fault::new(format!("its rows cannot be taken: {error}"), hint)
        })?;
        Self::of_batch(batch, key, before)
    }

    fn of_batch(
        batch: RecordBatch,
        key: Option<&str>,
        before: Option<&Self>,
    ) -> Result<Self, Fault> {
        let rows = match before {
            Some(before) => like(&batch, &before.fields)?,
            None => StructArray::from(batch),
        };
        let first = rows.fields().first().map(|field| field.name().clone());
        let key = key.map_or_else(|| first.unwrap_or_default(), str::to_owned);
        let Some(column) = rows.column_by_name(&key) else {
            let columns: Vec<&str> = rows.fields().iter().map(|f| f.name().as_str()).collect();
            return Err(Fault::new(
                format!("it has no column \"{key}\""),
                format!("set `key` to one of its columns: {}", columns.join(", ")),
            ));
        };
        let keys = Keys::new(column, &key)?;
        let fields = rows.fields().clone();
        Ok(Self { rows, keys, fields })
    }

    /// Its columns.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The row for each of `keys`, NULL where there is none; or only the value of `column` in it.
    ///
    /// # Errors
    /// When keys cannot be compared with the table's, or there is no such column.
    pub(crate) fn find(
        &self,
        keys: &ArrayRef,
        column: Option<&str>,
    ) -> Result<ArrayRef, ArrowError> {
        let rows = self.keys.find(keys)?;
        let values: ArrayRef = match column {
            None => Arc::new(self.rows.clone()),
            Some(name) => {
                let column = self.rows.column_by_name(name);
                Arc::clone(column.ok_or_else(|| {
                    ArrowError::SchemaError(format!("there is no column \"{name}\""))
                })?)
            }
        };
        take(&values, &rows, None)
    }
}

impl Keys {
    fn new(column: &ArrayRef, name: &str) -> Result<Self, Fault> {
        // What the rows hold is for those who may read the table, and no part of an error.
        let twice = |row: u32| {
            Fault::new(
                format!("the key of its row {} is there twice", u64::from(row) + 1),
                format!("keep one row for each value of \"{name}\", or choose another `key`"),
            )
        };
        let broken = |_: ArrowError| {
            Fault::new(
                format!("the keys in \"{name}\" are neither text nor numbers of 64 bits"),
                "correct them, or choose another `key`",
            )
        };
        if column.data_type().is_integer() {
            let numbers = cast(column, &DataType::Int64).map_err(broken)?;
            let mut keys = HashMap::with_capacity(numbers.len());
            for (row, key) in numbers.as_primitive::<Int64Type>().iter().enumerate() {
                let (Some(key), Ok(row)) = (key, u32::try_from(row)) else {
                    continue;
                };
                if keys.insert(key, row).is_some() {
                    return Err(twice(row));
                }
            }
            return Ok(Self::Number(keys));
        }
        let texts = cast(column, &DataType::LargeUtf8).map_err(broken)?;
        let mut keys = HashMap::with_capacity(texts.len());
        for (row, key) in texts.as_string::<i64>().iter().enumerate() {
            let (Some(key), Ok(row)) = (key, u32::try_from(row)) else {
                continue;
            };
            if keys.insert(Box::from(key), row).is_some() {
                return Err(twice(row));
            }
        }
        Ok(Self::Text(keys))
    }

    fn find(&self, keys: &ArrayRef) -> Result<UInt32Array, ArrowError> {
        Ok(match self {
            Self::Text(rows) => {
                let keys = cast(keys, &DataType::LargeUtf8)?;
                let keys = keys.as_string::<i64>().iter();
                keys.map(|key| rows.get(key?).copied()).collect()
            }
            Self::Number(rows) => {
                // Text that is no number is no key.
                let keys = cast(keys, &DataType::Int64)?;
                let keys = keys.as_primitive::<Int64Type>().iter();
                keys.map(|key| rows.get(&key?).copied()).collect()
            }
        })
    }
}

/// `batch` with the columns `fields`.
fn like(batch: &RecordBatch, fields: &Fields) -> Result<StructArray, Fault> {
    let hint = "keep the columns and their types, or restart to take new ones";
    let column = |field: &Arc<Field>| -> Result<ArrayRef, Fault> {
        let name = field.name();
        let Some(column) = batch.column_by_name(name) else {
            return Err(Fault::new(format!("its column \"{name}\" is gone"), hint));
        };
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        cast_with_options(column, field.data_type(), &options).map_err(|_| {
            let kind = field.data_type();
            Fault::new(format!("its column \"{name}\" is no longer {kind}"), hint)
        })
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, None, batch.num_rows())
        .map_err(|error| Fault::new(error.to_string(), hint))
}

fn read_csv(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let format = csv::reader::Format::default().with_header(true);
    let (schema, _) = format.infer_schema(Cursor::new(bytes), None)?;
    let schema = Arc::new(plain(&schema));
    let reader = csv::ReaderBuilder::new(Arc::clone(&schema))
        .with_format(format)
        .build(Cursor::new(bytes))?;
    whole(&schema, reader)
}

fn read_ndjson(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let (schema, _) = json::reader::infer_json_schema(Cursor::new(bytes), None)?;
    let schema = Arc::new(plain(&schema));
    let reader = json::ReaderBuilder::new(Arc::clone(&schema)).build(Cursor::new(bytes))?;
    whole(&schema, reader)
}

fn read_parquet(bytes: Vec<u8>) -> Result<RecordBatch, ArrowError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    let schema = Arc::clone(reader.schema());
    with_plain_types(&whole(&schema, reader.build()?)?)
}

fn with_plain_types(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let wanted = Arc::new(plain(&batch.schema()));
    let columns = batch.columns().iter().zip(wanted.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    RecordBatch::try_new(Arc::clone(&wanted), columns.collect::<Result<_, _>>()?)
}

/// All columns nullable, and text as plain UTF-8: a lookup that finds nothing gives NULL.
fn plain(schema: &Schema) -> Schema {
    let field = |field: &Arc<Field>| {
        let kind = match field.data_type() {
            DataType::Null | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::Dictionary(_, value) if value.is_string() => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), kind, true)
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn whole(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<RecordBatch, ArrowError> {
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    concat_batches(schema, &batches)
}
