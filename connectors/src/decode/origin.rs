//! The columns that say where rows came from, and those that hold the keys and headers of their
//! records.

use std::mem;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Int32Array, Int64Array, ListArray, NullBufferBuilder,
    PrimitiveArray, StringArray, StructArray, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::error::ArrowError;
use sluice_engine::lineage;
use sluice_engine::source::{ReadRange, Wanted};

use super::layout::Layout;
use super::record::{Headers, Record};

/// The origins of the rows of a chunk.
#[derive(Debug)]
pub(super) struct Origins {
    /// For each row the index of its range.
    ranges: Vec<usize>,
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
    /// None for streams whose records have neither keys nor headers.
    keyed: Option<Keyed>,
}

/// The columns of keyed records; those that nobody wants are NULL and cost nothing.
#[derive(Debug)]
struct Keyed {
    keys: Option<Pieces>,
    headers: Option<HeaderLists>,
}

#[derive(Debug, Default)]
struct HeaderLists {
    names: Pieces,
    values: Pieces,
    ends: Vec<i32>,
}

/// Values of different lengths in one buffer.
#[derive(Debug)]
struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

impl Default for Pieces {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            valid: NullBufferBuilder::new(0),
        }
    }
}

impl Pieces {
    fn push(&mut self, piece: Option<&[u8]>) {
        self.bytes.extend_from_slice(piece.unwrap_or_default());
        self.ends.push(end(self.bytes.len()));
        self.valid.append(piece.is_some());
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<arrow::buffer::NullBuffer>) {
        let bytes = Buffer::from_vec(mem::take(&mut self.bytes));
        (offsets(&mut self.ends), bytes, self.valid.finish())
    }
}

impl Origins {
    pub(super) fn new(layout: &Layout, wanted: Wanted) -> Self {
        let keyed = layout.is_keyed().then(|| Keyed {
            keys: wanted.key.then(Pieces::default),
            headers: wanted.headers.then(HeaderLists::default),
        });
        Self {
            ranges: Vec::new(),
            offsets: Vec::new(),
            timestamps: Vec::new(),
            keyed,
        }
    }

    /// Bytes of the record's value, its key, and its headers where they are read.
    pub(super) fn size(&self, record: &Record<'_>) -> usize {
        let mut size = record.value.map_or(0, <[u8]>::len) + record.key.map_or(0, <[u8]>::len);
        let reads = |keyed: &Keyed| keyed.headers.is_some();
        if let Some(headers) = record.headers
            && self.keyed.as_ref().is_some_and(reads)
        {
            headers.each(&mut |name, value| {
                size += name.len() + value.map_or(0, <[u8]>::len);
            });
        }
        size
    }

    /// Adds a row of the range with the index `range`. Gives the bytes that key and headers took.
    pub(super) fn push(&mut self, range: usize, record: &Record<'_>) -> usize {
        self.ranges.push(range);
        self.offsets.push(record.offset);
        self.timestamps.push(record.timestamp_us);
        let Some(Keyed { keys, headers }) = &mut self.keyed else {
            return 0;
        };
        let mut taken = 0;
        if let Some(keys) = keys {
            keys.push(record.key);
            taken += record.key.map_or(0, <[u8]>::len);
        }
        if let Some(lists) = headers {
            taken += lists.push(record.headers);
        }
        taken
    }

    /// Takes the columns of the lineage, and of the records where the stream has them.
    pub(super) fn finish(&mut self, ranges: &[ReadRange]) -> Result<Vec<ArrayRef>, ArrowError> {
        let origins = mem::take(&mut self.ranges);
        let rows = origins.len();
        let partition = |at: &usize| ranges.get(*at).map(|range| &range.partition);
        let topics = origins
            .iter()
            .map(|at| partition(at).map(|of| of.topic.as_str()));
        let indexes = origins.iter().map(|at| partition(at).map(|of| of.index));
        let timestamps = mem::take(&mut self.timestamps).into_iter();
        let timestamps: PrimitiveArray<TimestampMicrosecondType> = timestamps.collect();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(topics.collect::<StringArray>()),
            Arc::new(indexes.collect::<Int32Array>()),
            Arc::new(Int64Array::from(mem::take(&mut self.offsets))),
            Arc::new(timestamps.with_data_type(lineage::timestamp_type())),
        ];
        if let Some(keyed) = &mut self.keyed {
            columns.extend(keyed.finish(rows)?);
        }
        Ok(columns)
    }
}

impl Keyed {
    fn finish(&mut self, rows: usize) -> Result<[ArrayRef; 2], ArrowError> {
        let [key, headers] = lineage::record_fields();
        let keys: ArrayRef = match &mut self.keys {
            Some(keys) => {
                let (offsets, bytes, valid) = keys.finish();
                Arc::new(BinaryArray::try_new(offsets, bytes, valid)?)
            }
            None => new_null_array(key.data_type(), rows),
        };
        let headers = match &mut self.headers {
            Some(lists) => lists.finish(headers.data_type())?,
            None => new_null_array(headers.data_type(), rows),
        };
        Ok([keys, headers])
    }
}

impl HeaderLists {
    fn push(&mut self, headers: Option<&dyn Headers>) -> usize {
        let mut taken = 0;
        if let Some(headers) = headers {
            headers.each(&mut |name, value| {
                taken += name.len() + value.map_or(0, <[u8]>::len);
                self.names.push(Some(name.as_bytes()));
                self.values.push(value);
            });
        }
        self.ends.push(end(self.names.ends.len()));
        taken
    }

    fn finish(&mut self, to: &DataType) -> Result<ArrayRef, ArrowError> {
        let (DataType::List(item), lists) = (to, offsets(&mut self.ends)) else {
            return Err(ArrowError::SchemaError("headers are a list".into()));
        };
        let DataType::Struct(fields) = item.data_type() else {
            return Err(ArrowError::SchemaError("a header is a struct".into()));
        };
        let (name_ends, name_bytes, _) = self.names.finish();
        let names = StringArray::try_new(name_ends, name_bytes, None)?;
        let (value_ends, value_bytes, valid) = self.values.finish();
        let values = BinaryArray::try_new(value_ends, value_bytes, valid)?;
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(values)];
        let headers = StructArray::try_new(fields.clone(), columns, None)?;
        debug_assert_eq!(
            headers.len(),
            usize::try_from(lists.last().copied().unwrap_or(0)).unwrap_or(0)
        );
        let array = ListArray::try_new(Arc::clone(item), lists, Arc::new(headers), None)?;
        Ok(Arc::new(array))
    }
}

/// An end as Arrow counts it. A chunk is given up long before it holds so much.
fn end(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let ends = mem::take(ends).into_iter();
    let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}
