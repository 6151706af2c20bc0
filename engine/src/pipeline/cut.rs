//! What a pipeline has read and not yet committed: rows, rejects and the ranges they cover. A pure
//! state machine without a clock or I/O.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::definition::Limits;
use crate::source::{Partition, ReadRange, Reject, SourceBatch};
use crate::table::CommitRange;

/// Read and not yet committed.
#[derive(Debug, Default)]
pub struct Cut {
    /// Rows as the source decoded them.
    pub rows: Vec<RecordBatch>,
    /// Records that could not be decoded.
    pub rejects: Vec<Reject>,
    ranges: BTreeMap<Partition, ReadRange>,
    row_count: usize,
    bytes: usize,
    oldest_us: Option<i64>,
}

impl Cut {
    /// Takes a batch in. Its ranges must continue where the cut's end, or else where `next` says.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when a range does not continue the one before: committing
    /// it would lose or double records.
    pub fn push(&mut self, batch: SourceBatch, next: &BTreeMap<Partition, i64>) -> Result<()> {
        for range in batch.ranges {
            let at = match self.ranges.get(&range.partition) {
                Some(before) => Some(before.to),
                None => next.get(&range.partition).copied(),
            };
            if at != Some(range.from) || range.to < range.from {
                let ReadRange {
                    partition,
                    from,
                    to,
                    ..
                } = range;
                return Err(Error::internal(format!(
                    "the stream gave offsets {from} to {to} of {partition} where {at:?} comes next"
                )));
            }
            match self.ranges.get_mut(&range.partition) {
                Some(before) => {
                    before.to = range.to;
                    before.decoded += range.decoded;
                    before.rejected += range.rejected;
                }
                None => {
                    self.ranges.insert(range.partition.clone(), range);
                }
            }
        }
        self.row_count += batch.rows.num_rows();
        self.bytes += batch.bytes;
        self.oldest_us = [self.oldest_us, oldest(&batch.rows)]
            .into_iter()
            .flatten()
            .min();
        self.rejects.extend(batch.rejects);
        if batch.rows.num_rows() > 0 {
            self.rows.push(batch.rows);
        }
        Ok(())
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a bound is reached.
    #[must_use]
    pub fn is_full(&self, limits: Limits) -> bool {
        self.row_count + self.rejects.len() >= limits.rows_max || self.bytes >= limits.bytes_max
    }

    /// Where each partition stands when this cut is committed.
    pub fn next(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.ranges
            .values()
            .map(|range| (&range.partition, range.to))
    }

    /// When the oldest row was produced, microseconds since the epoch, where rows say so.
    #[must_use]
    pub fn oldest_us(&self) -> Option<i64> {
        self.oldest_us
    }

    /// How many records were read, in rows and rejects.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.ranges
            .values()
            .map(|range| range.decoded + range.rejected)
            .sum()
    }

    /// The ranges as the table commits them, given what the query made of the rows: `stored` rows,
    /// and `refused` records that were decoded and became dead letters later.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when the numbers do not add up.
    pub fn commit_ranges(
        &self,
        stored: &[RecordBatch],
        refused: &[Reject],
    ) -> Result<Vec<CommitRange>> {
        let stored = stored_records(stored)?;
        let key = |range: &ReadRange| (range.partition.topic.clone(), range.partition.index);
        self.ranges
            .values()
            .map(|range| {
                let key = key(range);
                let stored = stored.get(&key).copied().unwrap_or(0);
                let refused = refused
                    .iter()
                    .filter(|r| (r.topic.as_str(), r.partition) == (key.0.as_str(), key.1));
                let refused = refused.count() as u64;
                let length = u64::try_from(range.to - range.from).unwrap_or(0);
                let counts = range
                    .decoded
                    .checked_sub(stored + refused)
                    .zip(length.checked_sub(range.decoded + range.rejected));
                let (filtered, missing) = counts.ok_or_else(|| {
                    Error::internal(format!("the counts of {} do not add up", range.partition))
                })?;
                Ok(CommitRange {
                    partition: range.partition.clone(),
                    from: Some(range.from),
                    to: range.to,
                    stored,
                    rejected: range.rejected + refused,
                    filtered,
                    missing,
                })
            })
            .collect()
    }
}

/// How many records of each topic and partition have at least one row. Rows of one record are
/// neighbours: pipelines neither sort nor regroup.
fn stored_records(batches: &[RecordBatch]) -> Result<BTreeMap<(String, i32), u64>> {
    let mut counts: BTreeMap<(String, i32), (u64, Option<i64>)> = BTreeMap::new();
    for batch in batches {
        let topics = arrow::compute::cast(
            column(batch, lineage::TOPIC)?,
            &arrow::datatypes::DataType::Utf8,
        )
        .map_err(|error| Error::internal(format!("lineage: {error}")))?;
        let topics = topics.as_string::<i32>();
        let partitions = column(batch, lineage::PARTITION)?.as_primitive::<Int32Type>();
        let offsets = column(batch, lineage::OFFSET)?.as_primitive::<Int64Type>();
        let mut row = 0;
        while row < batch.num_rows() {
            let (topic, partition) = (topics.value(row), partitions.value(row));
            let (count, last) = counts.entry((topic.to_owned(), partition)).or_default();
            while row < batch.num_rows()
                && partitions.value(row) == partition
                && topics.value(row) == topic
            {
                let offset = offsets.value(row);
                *count += u64::from(*last != Some(offset));
                *last = Some(offset);
                row += 1;
            }
        }
    }
    Ok(counts
        .into_iter()
        .map(|(key, (count, _))| (key, count))
        .collect())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    let column = batch.column_by_name(name);
    column
        .map(AsRef::as_ref)
        .ok_or_else(|| Error::internal(format!("rows came without {name}")))
}

fn oldest(rows: &RecordBatch) -> Option<i64> {
    let times = rows.column_by_name(lineage::TIMESTAMP)?;
    arrow::compute::min(times.as_primitive_opt::<TimestampMicrosecondType>()?)
}
