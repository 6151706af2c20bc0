//! Records of several partitions on their way to one batch.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, Int64Array, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage;
use sluice_engine::source::{Partition, ReadRange, Reject, SourceBatch};

use super::decoder::Decoder;
use super::fault::Fault;
use super::layout::Layout;

/// Records in a full chunk.
const MAX_RECORDS: u64 = 8192;
/// Bytes on the wire in a full chunk.
const MAX_BYTES: usize = 4 << 20;
/// How long a chunk waits for more records.
const MAX_AGE: Duration = Duration::from_millis(50);

/// One record as the stream has it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// When it was produced, microseconds since the epoch, where known.
    pub timestamp_us: Option<i64>,
    /// Its key, where it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` when the record has none.
    pub value: Option<&'a [u8]>,
}

/// How far a reader has come in one partition.
#[derive(Debug, Clone)]
pub struct Position {
    partition: Partition,
    next: i64,
    /// The chunk and the place in it where the partition's range is.
    range: (u64, usize),
}

impl Position {
    /// The beginning of a reading of `partition` at the offset `next`.
    #[must_use]
    pub fn new(partition: Partition, next: i64) -> Self {
        Self {
            partition,
            next,
            range: (0, 0),
        }
    }

    /// Which partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The offset to read next.
    #[must_use]
    pub fn next(&self) -> i64 {
        self.next
    }
}

/// Rows, rejects and ranges being collected. Ranges begin where the partition's last one ended, so
/// they join without a gap whatever offsets hold no record.
#[derive(Debug)]
pub struct Chunk {
    schema: SchemaRef,
    decoder: Decoder,
    /// Tells the ranges of this chunk from those of earlier ones.
    number: u64,
    ranges: Vec<ReadRange>,
    rejects: Vec<Reject>,
    /// For each row the index of its range.
    origins: Vec<usize>,
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
    records: u64,
    bytes: usize,
    since: Option<Instant>,
}

impl Chunk {
    /// A chunk without records.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            schema: layout.schema(),
            decoder: Decoder::new(layout),
            number: 1,
            ranges: Vec::new(),
            rejects: Vec::new(),
            origins: Vec::new(),
            offsets: Vec::new(),
            timestamps: Vec::new(),
            records: 0,
            bytes: 0,
            since: None,
        }
    }

    /// Decodes `record` into a row or a reject. A record before the position is one read before,
    /// and is dropped.
    pub fn push(&mut self, at: &mut Position, record: &Record<'_>) {
        if record.offset < at.next {
            return;
        }
        let decoded = match record.value {
            Some(value) => self.decoder.append(value),
            None => Err(Fault::no_value()),
        };
        if let Err(fault) = decoded {
            return self.reject(at, record, fault);
        }
        let origin = self.cover(at, record.offset.saturating_add(1));
        self.origins.push(origin);
        self.offsets.push(record.offset);
        self.timestamps.push(record.timestamp_us);
        if let Some(range) = self.ranges.get_mut(origin) {
            range.decoded += 1;
        }
        self.count(record);
    }

    /// Keeps `record` as one that could not be decoded.
    pub fn reject(&mut self, at: &mut Position, record: &Record<'_>, fault: Fault) {
        let origin = self.cover(at, record.offset.saturating_add(1));
        if let Some(range) = self.ranges.get_mut(origin) {
            range.rejected += 1;
        }
        self.rejects.push(Reject {
            topic: at.partition.topic.clone(),
            partition: at.partition.index,
            offset: record.offset,
            timestamp_us: record.timestamp_us,
            key: record.key.map(<[u8]>::to_vec),
            raw: record.value.map(<[u8]>::to_vec),
            code: fault.code,
            reason: fault.reason,
        });
        self.count(record);
    }

    /// Moves the position to `to` over offsets that hold no record.
    pub fn skip(&mut self, at: &mut Position, to: i64) {
        if to > at.next {
            self.cover(at, to);
        }
    }

    /// Whether it holds as much as a batch should.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records >= MAX_RECORDS || self.bytes >= MAX_BYTES
    }

    /// How long it may still wait for more; `None` while it is empty.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.since
            .map(|since| MAX_AGE.saturating_sub(since.elapsed()))
    }

    /// Takes the batch; `None` if nothing is covered.
    ///
    /// # Errors
    /// Only by a fault of this crate.
    pub fn finish(&mut self) -> Result<Option<SourceBatch>> {
        if self.ranges.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        (self.records, self.since) = (0, None);
        let ranges = mem::take(&mut self.ranges);
        let mut columns = self.decoder.finish()?;
        columns.extend(self.lineage(&ranges));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| {
            Error::internal("the decoded columns do not form a batch").source(error)
        })?;
        let rejects = mem::take(&mut self.rejects);
        Ok(Some(SourceBatch {
            rows,
            rejects,
            ranges,
            bytes: mem::take(&mut self.bytes),
        }))
    }

    /// Extends the partition's range in this chunk to `to`, and returns its index.
    fn cover(&mut self, at: &mut Position, to: i64) -> usize {
        if at.range.0 != self.number {
            at.range = (self.number, self.ranges.len());
            let (partition, from) = (at.partition.clone(), at.next);
            self.ranges.push(ReadRange {
                partition,
                from,
                to: from,
                decoded: 0,
                rejected: 0,
            });
            self.since.get_or_insert_with(Instant::now);
        }
        at.next = to;
        if let Some(range) = self.ranges.get_mut(at.range.1) {
            range.to = to;
        }
        at.range.1
    }

    fn count(&mut self, record: &Record<'_>) {
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        self.bytes += length(record.key) + length(record.value);
        self.records += 1;
    }

    fn lineage(&mut self, ranges: &[ReadRange]) -> [ArrayRef; 4] {
        let origins = mem::take(&mut self.origins);
        let partition = |at: &usize| ranges.get(*at).map(|range| &range.partition);
        let topics = origins
            .iter()
            .map(|at| partition(at).map(|of| of.topic.as_str()));
        let indexes = origins.iter().map(|at| partition(at).map(|of| of.index));
        let timestamps = mem::take(&mut self.timestamps).into_iter();
        let timestamps: PrimitiveArray<TimestampMicrosecondType> = timestamps.collect();
        [
            Arc::new(topics.collect::<StringArray>()),
            Arc::new(indexes.collect::<Int32Array>()),
            Arc::new(Int64Array::from(mem::take(&mut self.offsets))),
            Arc::new(timestamps.with_data_type(lineage::timestamp_type())),
        ]
    }
}
