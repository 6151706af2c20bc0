//! What becomes one commit: rows as the target takes them, the records that do not reach it, and
//! the ranges of both. A cut becomes one part, or several where its query makes many rows of few.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::batch::{Origins, bytes_of_rows};
use crate::pipeline::cut::join;
use crate::redaction::{self, Redacted};
use crate::source::{Partition, ReadRange, Reject, SourceBatch};
use crate::table::CommitRange;

/// Rows, rejects and what they cover.
#[derive(Debug, Default)]
pub struct Part {
    /// Rows in the target's schema.
    pub rows: Vec<RecordBatch>,
    /// Records that could not be decoded, or that the query or the target refused.
    pub rejects: Vec<Reject>,
    /// What was redacted in the rows.
    pub redactions: Vec<Redacted>,
    /// About how many bytes the rows take.
    pub bytes: usize,
    /// The partitions of the table that the rows go to, as the table numbers them.
    pub partitions: HashSet<u64>,
    /// When the oldest record was produced, microseconds since the epoch, where records say so.
    pub oldest_us: Option<i64>,
    ranges: BTreeMap<Partition, ReadRange>,
    tallies: BTreeMap<(String, i32), Tally>,
}

/// What the rows of one topic and partition add up to.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    /// Records with at least one row.
    stored: u64,
    /// Records that were decoded and refused.
    refused: u64,
    last: Option<i64>,
    last_us: Option<i64>,
    event_time_us: Option<(i64, i64)>,
}

impl Part {
    /// Takes over what covers `batch`, and its rejects; its rows are dropped.
    pub fn cover(&mut self, batch: SourceBatch) {
        for range in &batch.ranges {
            join(&mut self.ranges, range);
        }
        self.oldest_us = [self.oldest_us, oldest(&batch.rows)]
            .into_iter()
            .flatten()
            .min();
        self.rejects.extend(batch.rejects);
    }

    /// Takes in what the query made of the rows covered last: rows of the target, whose column
    /// `event_time` says when they happened, and records that it refused.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when the rows do not say where they came from.
    pub fn fill(
        &mut self,
        rows: Vec<RecordBatch>,
        refused: Vec<Reject>,
        event_time: Option<&str>,
    ) -> Result<()> {
        for rows in &rows {
            self.count(rows, event_time)?;
            self.bytes += bytes_of_rows(rows);
        }
        for reject in &refused {
            let key = (reject.topic.clone(), reject.partition);
            self.tallies.entry(key).or_default().refused += 1;
        }
        self.rows.extend(rows);
        self.rejects.extend(refused);
        Ok(())
    }

    /// Notes what was redacted in rows taken in.
    pub fn redacted(&mut self, lines: Vec<Redacted>) {
        redaction::add(&mut self.redactions, lines);
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many records were read, in rows and rejects.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.ranges
            .values()
            .map(|range| range.decoded + range.rejected)
            .sum()
    }

    /// When the last row of each topic and partition was produced.
    #[must_use]
    pub fn last_us(&self) -> BTreeMap<(String, i32), i64> {
        self.tallies
            .iter()
            .filter_map(|(key, tally)| Some((key.clone(), tally.last_us?)))
            .collect()
    }

    /// The ranges as the table commits them.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when the numbers do not add up.
    pub fn commit_ranges(&self) -> Result<Vec<CommitRange>> {
        let ranges = self.ranges.values().map(|range| {
            let key = (range.partition.topic.clone(), range.partition.index);
            let tally = self.tallies.get(&key).copied().unwrap_or_default();
            let length = u64::try_from(range.to - range.from).unwrap_or(0);
            let counts = range
                .decoded
                .checked_sub(tally.stored + tally.refused)
                .zip(length.checked_sub(range.decoded + range.rejected));
            let (filtered, missing) = counts.ok_or_else(|| {
                Error::internal(format!("the counts of {} do not add up", range.partition))
            })?;
            Ok(CommitRange {
                stored: tally.stored,
                rejected: range.rejected + tally.refused,
                filtered,
                missing,
                event_time_us: tally.event_time_us,
                ..CommitRange::empty(range.partition.clone(), Some(range.from), range.to)
            })
        });
        ranges.collect()
    }

    /// Counts records, not rows: those of one record are neighbours, as pipelines neither sort nor
    /// regroup.
    fn count(&mut self, rows: &RecordBatch, event_time: Option<&str>) -> Result<()> {
        let origins = Origins::of(rows)?;
        let produced = times(rows, lineage::TIMESTAMP);
        let happened = event_time.and_then(|name| times(rows, name));
        let count = rows.num_rows();
        let mut row = 0;
        while row < count {
            let (topic, partition) = (origins.topic(row), origins.partition(row));
            let tally = self
                .tallies
                .entry((topic.to_owned(), partition))
                .or_default();
            while row < count && origins.partition(row) == partition && origins.topic(row) == topic
            {
                let offset = origins.offset(row);
                tally.stored += u64::from(tally.last != Some(offset));
                tally.last = Some(offset);
                if let Some(at) = happened.as_ref().and_then(|times| at(times, row)) {
                    let (least, most) = tally.event_time_us.unwrap_or((at, at));
                    tally.event_time_us = Some((least.min(at), most.max(at)));
                }
                row += 1;
            }
            let last = produced.as_ref().and_then(|times| at(times, row - 1));
            tally.last_us = last.or(tally.last_us);
        }
        Ok(())
    }
}

fn at(times: &TimestampMicrosecondArray, row: usize) -> Option<i64> {
    times.is_valid(row).then(|| times.value(row))
}

/// A column of times in microseconds; `None` where there is no such column.
#[must_use]
pub fn times(rows: &RecordBatch, name: &str) -> Option<TimestampMicrosecondArray> {
    let column = rows.column_by_name(name)?;
    let DataType::Timestamp(_, zone) = column.data_type() else {
        return None;
    };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    let column = cast(column, &micros).ok()?;
    column
        .as_primitive_opt::<TimestampMicrosecondType>()
        .cloned()
}

fn oldest(rows: &RecordBatch) -> Option<i64> {
    let times = rows.column_by_name(lineage::TIMESTAMP)?;
    arrow::compute::min(times.as_primitive_opt::<TimestampMicrosecondType>()?)
}
