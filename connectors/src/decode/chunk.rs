//! Records of several partitions on their way to one batch.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, LargeBinaryArray, RecordBatch};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use sha2::{Digest, Sha256};
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{ReadRange, Reject, SourceBatch, Wanted};

use super::decoder::Decoder;
use super::fault::Fault;
use super::layout::Layout;
use super::origin::Origins;
use super::record::{Position, Record};

/// Records in a full chunk.
const MAX_RECORDS: u64 = 8192;
/// Bytes on the wire in a full chunk.
const MAX_BYTES: usize = 4 << 20;
/// How long a chunk waits for more records.
const MAX_AGE: Duration = Duration::from_millis(50);
/// How much is kept of a record that is too large.
pub(crate) const KEPT: usize = 64 << 10;

/// Rows, rejects and ranges being collected. Ranges begin where the partition's last one ended, so
/// they join without a gap whatever offsets hold no record. A record is copied once, into `slab`,
/// and decoded from there while it is in the processor's cache; nothing of it is borrowed.
#[derive(Debug)]
pub struct Chunk {
    schema: SchemaRef,
    decoder: Decoder,
    max_record_bytes: usize,
    /// Tells the ranges of this chunk from those of earlier ones.
    number: u64,
    ranges: Vec<ReadRange>,
    rejects: Vec<Reject>,
    origins: Origins,
    /// The bytes of the records that are rows, and where each of them ends.
    slab: Vec<u8>,
    ends: Vec<i64>,
    records: u64,
    bytes: usize,
    since: Option<Instant>,
}

impl Chunk {
    /// A chunk without records, for a stream of which `wanted` is selected.
    #[must_use]
    pub fn new(layout: &Layout, wanted: Wanted) -> Self {
        Self {
            schema: layout.schema(),
            decoder: Decoder::new(layout),
            max_record_bytes: layout.max_record_bytes(),
            number: 1,
            ranges: Vec::new(),
            rejects: Vec::new(),
            origins: Origins::new(layout, wanted),
            slab: Vec::new(),
            ends: Vec::new(),
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
        let Some(value) = record.value else {
            let key = record.key.map(beginning);
            return self.reject(at, &Record { key, ..*record }, Fault::no_value());
        };
        let size = self.origins.size(record);
        if size > self.max_record_bytes {
            let digest = Sha256::digest(value);
            let fault = Fault::too_large(size as u64, self.max_record_bytes, &digest);
            let cut = Record {
                key: record.key.map(beginning),
                value: Some(beginning(value)),
                ..*record
            };
            return self.reject(at, &cut, fault);
        }
        let before = self.slab.len();
        self.slab.extend_from_slice(value);
        let kept = self.slab.get(before..).unwrap_or_default();
        let written_us = record.timestamp_us.or(at.written_us);
        if let Err(fault) = self.decoder.append(kept, written_us) {
            self.slab.truncate(before);
            return self.reject(at, record, fault);
        }
        self.ends
            .push(i64::try_from(self.slab.len()).unwrap_or(i64::MAX));
        let origin = self.cover(at, record.offset.saturating_add(1));
        if let Some(range) = self.ranges.get_mut(origin) {
            range.decoded += 1;
        }
        self.bytes += value.len() + self.origins.push(origin, record);
        self.records += 1;
    }

    /// Keeps `record` as one that could not be decoded.
    pub fn reject(&mut self, at: &mut Position, record: &Record<'_>, fault: Fault) {
        let origin = self.cover(at, record.offset.saturating_add(1));
        if let Some(range) = self.ranges.get_mut(origin) {
            range.rejected += 1;
        }
        let reject = Reject {
            topic: at.partition.topic.clone(),
            partition: at.partition.index,
            offset: record.offset,
            timestamp_us: record.timestamp_us,
            key: record.key.map(<[u8]>::to_vec),
            raw: record.value.map(<[u8]>::to_vec),
            code: fault.code,
            reason: fault.reason,
        };
        self.bytes += size(&reject);
        self.rejects.push(reject);
        self.records += 1;
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
        (self.records, self.bytes, self.since) = (0, 0, None);
        let ranges = mem::take(&mut self.ranges);
        let columns = self.decoder.finish()?;
        let (rows, raw) = self.arrays(columns, &ranges).map_err(|error| {
            Error::internal("the decoded columns do not form a batch").source(error)
        })?;
        let rejects = mem::take(&mut self.rejects);
        let bytes = rows.get_array_memory_size()
            + raw.get_array_memory_size()
            + rejects.iter().map(size).sum::<usize>();
        Ok(Some(SourceBatch {
            rows,
            rejects,
            ranges,
            raw: Some(raw),
            bytes,
        }))
    }

    fn arrays(
        &mut self,
        mut columns: Vec<arrow::array::ArrayRef>,
        ranges: &[ReadRange],
    ) -> Result<(RecordBatch, LargeBinaryArray), ArrowError> {
        columns.extend(self.origins.finish(ranges)?);
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        // Chunks resemble each other, so there is room for as much again.
        let (room, count) = (self.slab.len(), self.ends.len());
        let slab = mem::replace(&mut self.slab, Vec::with_capacity(room));
        let ends = mem::replace(&mut self.ends, Vec::with_capacity(count));
        let offsets: Vec<i64> = std::iter::once(0).chain(ends).collect();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let raw = LargeBinaryArray::try_new(offsets, Buffer::from_vec(slab), None)?;
        Ok((rows, raw))
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
}

/// What is kept of the value or key of a record that is too large.
fn beginning(whole: &[u8]) -> &[u8] {
    whole.get(..KEPT).unwrap_or(whole)
}

/// What a reject takes in memory.
fn size(reject: &Reject) -> usize {
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    size_of::<Reject>() + length(&reject.key) + length(&reject.raw) + reject.reason.len()
}
