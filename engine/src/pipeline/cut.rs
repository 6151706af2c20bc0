//! What a pipeline has read and not yet committed: batches and the ranges they cover. A pure state
//! machine without a clock or I/O.

use std::collections::{BTreeMap, VecDeque};

use crate::error::{Error, Result};
use crate::pipeline::batch::{bytes_of, split, without};
use crate::pipeline::definition::Limits;
use crate::source::{Partition, ReadRange, SourceBatch};

/// Read and not yet committed.
#[derive(Debug, Default)]
pub struct Cut {
    batches: VecDeque<SourceBatch>,
    ranges: BTreeMap<Partition, ReadRange>,
    records: usize,
    bytes: usize,
}

impl Cut {
    /// Takes a batch in. Its ranges must continue where the cut's end, or else where `next` says:
    /// partitions that are not in `next` belong to somebody else.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when a range does not continue the one before: committing
    /// it would lose or double records.
    pub fn push(&mut self, batch: SourceBatch, next: &BTreeMap<Partition, i64>) -> Result<()> {
        for range in &batch.ranges {
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
            join(&mut self.ranges, range);
        }
        self.records += batch.rows.num_rows() + batch.rejects.len();
        self.bytes += bytes_of(&batch);
        self.batches.push_back(batch);
        Ok(())
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a bound is reached, where `running` pipelines share the memory.
    #[must_use]
    pub fn is_full(&self, limits: Limits, running: usize) -> bool {
        self.records >= limits.rows_max || self.bytes >= limits.bytes_for(running)
    }

    /// Whether anything was read of `partition`.
    #[must_use]
    pub fn touches(&self, partition: &Partition) -> bool {
        self.ranges.contains_key(partition)
    }

    /// Where each partition stands before this cut is committed.
    pub fn starts(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.ranges
            .values()
            .map(|range| (&range.partition, range.from))
    }

    /// Where each partition stands when this cut is committed.
    pub fn next(&self) -> impl Iterator<Item = (&Partition, i64)> {
        self.ranges
            .values()
            .map(|range| (&range.partition, range.to))
    }

    /// Gives up what was read of `lost`, which somebody else reads again.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when rows do not say where they came from.
    pub fn give_up(&mut self, lost: &[Partition]) -> Result<()> {
        self.ranges.retain(|partition, _| !lost.contains(partition));
        let batches = std::mem::take(&mut self.batches);
        (self.records, self.bytes) = (0, 0);
        for batch in batches {
            let batch = without(batch, lost)?;
            if batch.ranges.is_empty() {
                continue;
            }
            self.records += batch.rows.num_rows() + batch.rejects.len();
            self.bytes += bytes_of(&batch);
            self.batches.push_back(batch);
        }
        Ok(())
    }

    /// Takes out the next batches of about `rows` rows together; none when all are taken. Small
    /// batches come several at once, a large one comes in pieces.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when rows do not say where they came from.
    pub fn take(&mut self, rows: usize) -> Result<Vec<SourceBatch>> {
        let (mut taken, mut held) = (Vec::new(), 0);
        while held < rows
            && let Some(batch) = self.batches.pop_front()
        {
            let length = batch.rows.num_rows();
            if length <= rows - held {
                held += length;
                taken.push(batch);
            } else if taken.is_empty() {
                let (first, rest) = split(batch, rows)?;
                self.batches.push_front(rest);
                taken.push(first);
                break;
            } else {
                self.batches.push_front(batch);
                break;
            }
        }
        Ok(taken)
    }
}

/// Adds `range` to those before it, which it continues.
pub fn join(ranges: &mut BTreeMap<Partition, ReadRange>, range: &ReadRange) {
    match ranges.get_mut(&range.partition) {
        Some(before) => {
            before.to = range.to;
            before.decoded += range.decoded;
            before.rejected += range.rejected;
        }
        None => {
            ranges.insert(range.partition.clone(), range.clone());
        }
    }
}
