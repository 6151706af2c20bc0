//! Taking a source's batch apart: at a row, and by partition. What comes out are batches again,
//! whose ranges join as those of the whole did.

use arrow::array::{Array, BooleanArray, Int32Array, Int64Array, StringArray};
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{cast, filter, filter_record_batch};
use arrow::datatypes::{DataType, Int32Type, Int64Type};

use arrow::error::ArrowError;

use crate::error::{Error, Result};
use crate::lineage;
use crate::source::{Partition, ReadRange, SourceBatch};

/// Where each row of a batch came from.
#[derive(Debug)]
pub struct Origins {
    topics: StringArray,
    partitions: Int32Array,
    offsets: Int64Array,
}

impl Origins {
    /// Reads the lineage columns of `rows`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when they are missing.
    pub fn of(rows: &RecordBatch) -> Result<Self> {
        let fault = |name: &str| Error::internal(format!("rows came without {name}"));
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| fault(name));
        let topics = cast(column(lineage::TOPIC)?, &DataType::Utf8).map_err(fault_of)?;
        let partitions = column(lineage::PARTITION)?.as_primitive_opt::<Int32Type>();
        let offsets = column(lineage::OFFSET)?.as_primitive_opt::<Int64Type>();
        Ok(Self {
            topics: topics.as_string::<i32>().clone(),
            partitions: partitions.ok_or_else(|| fault(lineage::PARTITION))?.clone(),
            offsets: offsets.ok_or_else(|| fault(lineage::OFFSET))?.clone(),
        })
    }

    /// The topic of `row`.
    #[must_use]
    pub fn topic(&self, row: usize) -> &str {
        self.topics.value(row)
    }

    /// The partition of `row` within its topic.
    #[must_use]
    pub fn partition(&self, row: usize) -> i32 {
        self.partitions.value(row)
    }

    /// The offset of `row`.
    #[must_use]
    pub fn offset(&self, row: usize) -> i64 {
        self.offsets.value(row)
    }

    /// Whether `row` came from `partition`.
    #[must_use]
    pub fn is(&self, row: usize, partition: &Partition) -> bool {
        self.partition(row) == partition.index && self.topic(row) == partition.topic
    }
}

/// Splits `batch` before `row`, which is one of its rows and not the first: every range is split at
/// the offset of its first row from there on.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when the rows do not say where they came from.
pub fn split(batch: SourceBatch, row: usize) -> Result<(SourceBatch, SourceBatch)> {
    let origins = Origins::of(&batch.rows)?;
    let count = batch.rows.num_rows();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for range in &batch.ranges {
        let next = (row..count).find(|at| origins.is(*at, &range.partition));
        let middle = next.map_or(range.to, |at| origins.offset(at));
        let rejected = batch.rejects.iter().filter(|reject| {
            reject.partition == range.partition.index
                && reject.topic == range.partition.topic
                && reject.offset < middle
        });
        let (before, rejected) = (
            (0..row)
                .filter(|at| origins.is(*at, &range.partition))
                .count() as u64,
            rejected.count() as u64,
        );
        let counts = range
            .decoded
            .checked_sub(before)
            .zip(range.rejected.checked_sub(rejected));
        let (after, left) = counts.ok_or_else(|| {
            Error::internal(format!("the counts of {} do not add up", range.partition))
        })?;
        let part = |from, to, decoded, rejected| ReadRange {
            partition: range.partition.clone(),
            from,
            to,
            decoded,
            rejected,
        };
        if range.from < middle {
            first.push(part(range.from, middle, before, rejected));
        }
        if middle < range.to {
            rest.push(part(middle, range.to, after, left));
        }
    }
    let (early, late) = batch.rejects.into_iter().partition(|reject| {
        first.iter().any(|range: &ReadRange| {
            range.partition.index == reject.partition
                && range.partition.topic == reject.topic
                && reject.offset < range.to
        })
    });
    let bytes = batch.bytes / count.max(1) * row;
    let piece = |rows: RecordBatch, raw, rejects, ranges, bytes| SourceBatch {
        rows,
        rejects,
        ranges,
        raw,
        bytes,
    };
    let raw = |from: usize, length: usize| batch.raw.as_ref().map(|raw| raw.slice(from, length));
    Ok((
        piece(batch.rows.slice(0, row), raw(0, row), early, first, bytes),
        piece(
            batch.rows.slice(row, count - row),
            raw(row, count - row),
            late,
            rest,
            batch.bytes - bytes,
        ),
    ))
}

/// What of `batch` is not of the partitions `lost`.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when the rows do not say where they came from.
pub fn without(mut batch: SourceBatch, lost: &[Partition]) -> Result<SourceBatch> {
    let before = batch.ranges.len();
    batch
        .ranges
        .retain(|range| !lost.contains(&range.partition));
    if batch.ranges.len() == before {
        return Ok(batch);
    }
    let origins = Origins::of(&batch.rows)?;
    let ours = |row| !lost.iter().any(|partition| origins.is(row, partition));
    let kept: BooleanArray = (0..batch.rows.num_rows())
        .map(|row| Some(ours(row)))
        .collect();
    batch.rows = filter_record_batch(&batch.rows, &kept).map_err(fault_of)?;
    if let Some(raw) = &batch.raw {
        let raw = filter(raw, &kept).map_err(fault_of)?;
        batch.raw = Some(raw.as_binary::<i64>().clone());
    }
    batch.rejects.retain(|reject| {
        !lost
            .iter()
            .any(|of| of.index == reject.partition && of.topic == reject.topic)
    });
    Ok(batch)
}

/// The rows of `batch` for which `stays` holds, with their bytes; its rejects and ranges are left
/// out.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when the rows do not say where they came from.
pub fn only(batch: &SourceBatch, stays: &impl Fn(&Origins, usize) -> bool) -> Result<SourceBatch> {
    let origins = Origins::of(&batch.rows)?;
    let rows = 0..batch.rows.num_rows();
    let kept: BooleanArray = rows.map(|row| Some(stays(&origins, row))).collect();
    let raw = batch.raw.as_ref().map(|raw| filter(raw, &kept));
    let raw = raw.transpose().map_err(fault_of)?;
    Ok(SourceBatch {
        rows: filter_record_batch(&batch.rows, &kept).map_err(fault_of)?,
        rejects: Vec::new(),
        ranges: Vec::new(),
        raw: raw.map(|raw| raw.as_binary::<i64>().clone()),
        bytes: batch.bytes,
    })
}

/// About how many bytes `batch` holds in memory, where its source says less.
#[must_use]
pub fn bytes_of(batch: &SourceBatch) -> usize {
    let raw = batch.raw.as_ref().map_or(0, |raw| bytes_of_array(raw));
    let rejects = batch.rejects.iter().map(|reject| {
        let held = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::capacity);
        size_of_val(reject) + held(&reject.raw) + held(&reject.key) + reject.reason.capacity()
    });
    let counted = bytes_of_rows(&batch.rows) + raw + rejects.sum::<usize>();
    batch.bytes.max(counted)
}

/// About how many bytes the very rows take; those of a slice are not those of the whole.
#[must_use]
pub fn bytes_of_rows(rows: &RecordBatch) -> usize {
    let columns = rows.columns().iter();
    columns.map(|column| bytes_of_array(column.as_ref())).sum()
}

fn bytes_of_array(array: &dyn Array) -> usize {
    let sliced = array.to_data().get_slice_memory_size();
    sliced.unwrap_or_else(|_| array.get_array_memory_size())
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn fault_of(error: ArrowError) -> Error {
    Error::internal(format!("rows cannot be taken apart: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, LargeBinaryArray};

    use super::*;
    use crate::source::Reject;

    fn partition(index: i32) -> Partition {
        Partition {
            topic: "t".to_owned(),
            identity: "i".to_owned(),
            index,
        }
    }

    fn reject(partition: i32, offset: i64) -> Reject {
        Reject {
            topic: "t".to_owned(),
            partition,
            offset,
            timestamp_us: None,
            key: None,
            raw: None,
            code: "bad",
            reason: String::new(),
        }
    }

    /// Rows of two partitions in turns; offset 2 of partition 0 and the last of partition 1 are
    /// rejects, offset 4 of partition 0 is no record.
    fn mixed() -> SourceBatch {
        let rows = [(0, 0), (1, 10), (0, 1), (0, 3), (1, 11), (1, 12), (0, 5)];
        let columns: [(&str, ArrayRef); 3] = [
            (lineage::TOPIC, Arc::new(StringArray::from(vec!["t"; 7]))),
            (
                lineage::PARTITION,
                Arc::new(Int32Array::from_iter_values(rows.map(|row| row.0))),
            ),
            (
                lineage::OFFSET,
                Arc::new(Int64Array::from_iter_values(rows.map(|row| row.1))),
            ),
        ];
        let range = |index, from, to, decoded, rejected| ReadRange {
            partition: partition(index),
            from,
            to,
            decoded,
            rejected,
        };
        let raw = rows.map(|(partition, offset)| format!("{partition}/{offset}"));
        SourceBatch {
            rows: RecordBatch::try_from_iter(columns).unwrap(),
            rejects: vec![reject(0, 2), reject(1, 13)],
            ranges: vec![range(0, 0, 6, 4, 1), range(1, 10, 14, 3, 1)],
            raw: Some(LargeBinaryArray::from_iter_values(raw)),
            bytes: 700,
        }
    }

    /// What each part says adds up by itself.
    fn check(part: &SourceBatch) {
        let origins = Origins::of(&part.rows).unwrap();
        let raw = part.raw.as_ref().unwrap();
        let mut rows: BTreeMap<i32, u64> = BTreeMap::new();
        for row in 0..part.rows.num_rows() {
            let (index, offset) = (origins.partition(row), origins.offset(row));
            *rows.entry(index).or_default() += 1;
            assert_eq!(raw.value(row), format!("{index}/{offset}").as_bytes());
            let mut ranges = part.ranges.iter();
            let range = ranges.find(|range| range.partition.index == index).unwrap();
            assert!(range.from <= offset && offset < range.to, "{part:?}");
        }
        for range in &part.ranges {
            let index = range.partition.index;
            assert_eq!(rows.get(&index).copied().unwrap_or(0), range.decoded);
            let rejects = part.rejects.iter().filter(|reject| {
                reject.partition == index && range.from <= reject.offset && reject.offset < range.to
            });
            assert_eq!(rejects.count() as u64, range.rejected, "{part:?}");
        }
    }

    #[test]
    fn a_batch_split_anywhere_covers_what_it_did() {
        for row in 1..7 {
            let (first, rest) = split(mixed(), row).unwrap();
            check(&first);
            check(&rest);
            assert_eq!(first.rows.num_rows(), row);
            assert_eq!(first.bytes + rest.bytes, 700);
            let mut joined = BTreeMap::new();
            for range in first.ranges.iter().chain(&rest.ranges) {
                let (from, to) = joined
                    .entry(range.partition.index)
                    .or_insert((range.from, range.from));
                assert_eq!(*to, range.from, "{row}");
                assert!(*from < range.to);
                *to = range.to;
            }
            assert_eq!(joined, BTreeMap::from([(0, (0, 6)), (1, (10, 14))]));
            assert_eq!(first.rejects.len() + rest.rejects.len(), 2);
        }
    }

    #[test]
    fn what_others_own_is_taken_out_whole() {
        let left = without(mixed(), &[partition(1)]).unwrap();
        check(&left);
        assert_eq!(left.ranges.len(), 1);
        assert_eq!(left.rows.num_rows(), 4);
        assert_eq!(left.rejects, [reject(0, 2)]);
        let nothing = without(mixed(), &[partition(0), partition(1)]).unwrap();
        assert!(nothing.ranges.is_empty() && nothing.rejects.is_empty());
        assert_eq!(without(mixed(), &[partition(7)]).unwrap().ranges.len(), 2);
    }
}
