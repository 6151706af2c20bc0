//! Rows into the bytes of Parquet files, one file for each partition of the table. Nothing here
//! waits for anybody: it is work for a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, GenericByteViewArray};
use arrow::datatypes::{ByteViewType, DataType, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sluice_engine::error::{Error, Result};

use super::align::Alignment;
use super::encoding;
use super::partition::{Splitter, Values, folder};
use super::statistics::{self, Indexed};

/// Bytes of rows given to a column at once: a page ends only between two such pieces.
const PIECE_BYTES: usize = 16 << 20;
/// Bytes of a file that are handed on before it is complete.
const PART_BYTES: usize = 8 << 20;
/// Bytes of rows after which the files of a partitioned table are closed and others begun: it caps
/// what thousands of open files hold.
const PARTITIONED_BYTES: usize = 512 << 20;
/// Files open at once: one of a table with twenty columns holds a fifth of a megabyte before rows.
const OPEN_FILES: usize = 256;

/// What rows are encoded for.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The table's name, for messages.
    pub(super) table: Arc<str>,
    /// The columns by which the table is partitioned.
    pub(super) partition_columns: Vec<String>,
    /// The columns that the log keeps bounds of.
    pub(super) indexed: Indexed,
    /// Bytes at which a file is closed and another begun.
    pub(super) file_bytes: u64,
}

/// Bytes that go to the end of a file, which may not be complete yet.
pub(super) struct Piece {
    /// Which file.
    pub(super) path: Path,
    /// The bytes.
    pub(super) bytes: Bytes,
    /// Present on the last piece.
    pub(super) done: Option<Complete>,
}

/// What is known of a file once it is complete.
pub(super) struct Complete {
    /// Its length.
    pub(super) size: u64,
    /// The values that all its rows have in the partition columns.
    pub(super) values: Values,
    /// What the log says of its rows.
    pub(super) statistics: String,
}

/// Files in the making.
pub(super) struct Encoder {
    layout: Layout,
    alignment: Alignment,
    splitter: Splitter,
    properties: Option<WriterProperties>,
    /// By partition.
    open: BTreeMap<usize, Open>,
    held_bytes: usize,
    rows: u64,
    writes: u64,
}

struct Open {
    path: Path,
    /// How many writes there were to any file when this one was last written to.
    used: u64,
    writer: ArrowWriter<Vec<u8>>,
}

impl Encoder {
    /// For rows of the schema `rows` in a table of the schema `target`.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] when the rows do not fit the table.
    pub(super) fn new(layout: Layout, target: SchemaRef, rows: &Schema) -> Result<Self> {
        let columns = &layout.partition_columns;
        let alignment = Alignment::for_files(&layout.table, target, columns, rows)?;
        let splitter = Splitter::new(Arc::clone(&layout.table), alignment.schema(), columns)?;
        Ok(Self {
            layout,
            alignment,
            splitter,
            properties: None,
            open: BTreeMap::new(),
            held_bytes: 0,
            rows: 0,
            writes: 0,
        })
    }

    /// Whether rows go to more than one file.
    pub(super) fn partitioned(&self) -> bool {
        self.splitter.partitioned()
    }

    /// How many rows were taken.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether every file is complete.
    pub(super) fn finished(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes rows; returns what of their files, and of those before, can be stored.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] when a value does not fit its column.
    pub(super) fn push(&mut self, batches: &[RecordBatch]) -> Result<Vec<Piece>> {
        let aligned = batches.iter().map(|batch| self.alignment.apply(batch));
        let aligned = aligned.collect::<Result<Vec<_>>>()?;
        for batch in &aligned {
            self.rows += batch.num_rows() as u64;
            self.held_bytes += bytes_of(batch);
        }
        if self.properties.is_none() {
            let sample = aligned.iter().max_by_key(|batch| batch.num_rows());
            self.properties = sample.map(encoding::properties);
        }
        let mut pieces = Vec::new();
        for (partition, rows) in self.splitter.split(&aligned)? {
            if rows.num_rows() > 0 {
                self.make_way(partition, &mut pieces)?;
                self.write(partition, &rows)?;
                self.hand_on(partition, &mut pieces)?;
            }
        }
        if self.partitioned() && self.held_bytes >= PARTITIONED_BYTES {
            while self.finish_one(&mut pieces)? {}
            self.held_bytes = 0;
        }
        Ok(pieces)
    }

    /// Completes files until their last pieces make a part, or none is left.
    ///
    /// # Errors
    /// When a file cannot be completed.
    pub(super) fn finish(&mut self) -> Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        while pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() < PART_BYTES
            && self.finish_one(&mut pieces)?
        {}
        Ok(pieces)
    }

    /// Completes the file that has gone longest without rows where one too many would be open.
    fn make_way(&mut self, partition: usize, pieces: &mut Vec<Piece>) -> Result<()> {
        if self.open.len() < OPEN_FILES || self.open.contains_key(&partition) {
            return Ok(());
        }
        let idlest = self.open.iter().min_by_key(|(_, open)| open.used);
        match idlest.map(|(partition, _)| *partition) {
            Some(idlest) => self.finish_file(idlest, pieces),
            None => Ok(()),
        }
    }

    fn write(&mut self, partition: usize, rows: &RecordBatch) -> Result<()> {
        let row_bytes = (bytes_of(rows) / rows.num_rows()).max(1);
        let at_once = (PIECE_BYTES / row_bytes).max(1);
        if !self.open.contains_key(&partition) {
            let begun = self.begin(partition)?;
            self.open.insert(partition, begun);
        }
        self.writes += 1;
        let Some(open) = self.open.get_mut(&partition) else {
            return Ok(());
        };
        open.used = self.writes;
        for start in (0..rows.num_rows()).step_by(at_once) {
            let piece = rows.slice(start, at_once.min(rows.num_rows() - start));
            let written = open.writer.write(&piece);
            written.map_err(|error| failed(&self.layout.table, error))?;
        }
        Ok(())
    }

    fn begin(&self, partition: usize) -> Result<Open> {
        let properties = self.properties.clone().unwrap_or_default();
        // The table's schema says what columns are: a file's own would tell how its rows came.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let schema = Arc::clone(self.splitter.file_schema());
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options);
        let name = format!("part-00000-{}-c000.zstd.parquet", uuid::Uuid::new_v4());
        Ok(Open {
            path: folder(self.splitter.values(partition)).join(name),
            used: 0,
            writer: writer.map_err(|error| failed(&self.layout.table, error))?,
        })
    }

    fn hand_on(&mut self, partition: usize, pieces: &mut Vec<Piece>) -> Result<()> {
        let Some(open) = self.open.get_mut(&partition) else {
            return Ok(());
        };
        let written = open.writer.bytes_written() + open.writer.in_progress_size();
        if written as u64 >= self.layout.file_bytes {
            return self.finish_file(partition, pieces);
        }
        if open.writer.inner().len() >= PART_BYTES {
            pieces.push(Piece {
                path: open.path.clone(),
                bytes: std::mem::take(open.writer.inner_mut()).into(),
                done: None,
            });
        }
        Ok(())
    }

    fn finish_one(&mut self, pieces: &mut Vec<Piece>) -> Result<bool> {
        let Some(partition) = self.open.keys().next().copied() else {
            return Ok(false);
        };
        self.finish_file(partition, pieces)?;
        Ok(true)
    }

    fn finish_file(&mut self, partition: usize, pieces: &mut Vec<Piece>) -> Result<()> {
        let Some(mut open) = self.open.remove(&partition) else {
            return Ok(());
        };
        let table = &self.layout.table;
        let file = open.writer.finish().map_err(|error| failed(table, error))?;
        let schema = self.splitter.file_schema();
        pieces.push(Piece {
            path: open.path,
            done: Some(Complete {
                size: open.writer.bytes_written() as u64,
                values: self.splitter.values(partition).clone(),
                statistics: statistics::of_file(schema, &file, &self.layout.indexed),
            }),
            bytes: std::mem::take(open.writer.inner_mut()).into(),
        });
        Ok(())
    }
}

/// How many bytes the rows of a batch are, wherever they lie.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let bytes = columns.map(|column| match column.data_type() {
        DataType::Utf8View => viewed(column.as_string_view()),
        DataType::BinaryView => viewed(column.as_binary_view()),
        _ => column.to_data().get_slice_memory_size().unwrap_or_default(),
    });
    bytes.sum()
}

fn viewed<T: ByteViewType>(column: &GenericByteViewArray<T>) -> usize {
    column.total_buffer_bytes_used() + column.views().len() * size_of::<u128>()
}

/// Nothing but a value can be at fault where nothing is stored yet.
fn failed(table: &str, error: ParquetError) -> Error {
    Error::user(format!("cannot encode rows of table \"{table}\": {error}")).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Field;

    fn of_hosts(hosts: impl Iterator<Item = usize>) -> RecordBatch {
        let hosts: Vec<usize> = hosts.collect();
        let host: ArrayRef = Arc::new(StringArray::from_iter_values(
            hosts.iter().map(ToString::to_string),
        ));
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(
            hosts.iter().map(|host| *host as i64),
        ));
        let columns = [("host", host, true), ("number", number, true)];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    #[test]
    fn few_files_are_open_whatever_the_partitions() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("host", DataType::Utf8, true),
            Field::new("number", DataType::Int64, true),
        ]));
        let layout = Layout {
            table: "logs".into(),
            partition_columns: vec!["host".to_owned()],
            indexed: Indexed::First(32),
            file_bytes: 1 << 30,
        };
        let mut encoder = Encoder::new(layout, Arc::clone(&schema), &schema).unwrap();
        let mut done = Vec::new();
        for round in 0..4 {
            // Host 0 has rows every time, the others once.
            let hosts = (0..400).map(|row| if row % 40 == 0 { 0 } else { round * 400 + row });
            let pieces = encoder.push(&[of_hosts(hosts)]).unwrap();
            done.extend(pieces.into_iter().filter_map(|piece| piece.done));
            assert!(encoder.open.len() <= OPEN_FILES, "{}", encoder.open.len());
        }
        while !encoder.finished() {
            let pieces = encoder.finish().unwrap();
            done.extend(pieces.into_iter().filter_map(|piece| piece.done));
        }
        assert_eq!(encoder.rows(), 1600);
        let rows = |complete: &Complete| -> u64 {
            let said: serde_json::Value = serde_json::from_str(&complete.statistics).unwrap();
            said["numRecords"].as_u64().unwrap()
        };
        assert_eq!(done.iter().map(rows).sum::<u64>(), 1600);
        let hosts: std::collections::BTreeSet<_> = done.iter().map(|of| &of.values).collect();
        assert_eq!(hosts.len(), 1 + 4 * 390);
    }
}
