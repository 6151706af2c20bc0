//! A column of maps being filled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::exec_err;
use datafusion::error::Result;

use super::columns::Texts;
use super::grammar::text::Text;

/// Rows with more keys than this look them up in a set.
const FEW: usize = 16;

/// A column of maps from text to text, in the order of the keys in the row. Of a key that occurs
/// twice the last value counts.
#[derive(Debug)]
pub(crate) struct Maps {
    keys: Texts,
    values: Texts,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
    /// One bit for each key of the row, by a cheap digest: a new bit is a new key.
    seen: u64,
    may_repeat: bool,
}

impl Maps {
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            keys: Texts::with_capacity(rows * 4, bytes / 2),
            values: Texts::with_capacity(rows * 4, bytes),
            ends: vec![0],
            valid: NullBufferBuilder::new(rows),
            seen: 0,
            may_repeat: false,
        }
    }

    /// Adds an entry to the row.
    #[inline]
    pub(crate) fn put(&mut self, key: Text<'_>, value: Option<Text<'_>>) {
        self.key(key);
        self.values.push_text(value);
    }

    /// Adds an entry whose value `write` writes.
    pub(crate) fn put_with(&mut self, key: Text<'_>, write: impl FnOnce(&mut String)) {
        self.key(key);
        self.values.push_with(write);
    }

    #[inline]
    fn key(&mut self, key: Text<'_>) {
        self.keys.push_text(Some(key));
        let bytes = key.raw.as_bytes();
        let ends = bytes.first().zip(bytes.last()).unwrap_or((&0, &0));
        let digest = bytes.len() * 31 + usize::from(*ends.0) * 7 + usize::from(*ends.1);
        let bit = 1 << (digest % 64);
        self.may_repeat |= self.seen & bit != 0 || key.as_plain().is_none();
        self.seen |= bit;
    }

    /// Ends the row.
    #[inline]
    pub(crate) fn end(&mut self) {
        if self.may_repeat {
            self.unite();
        }
        (self.seen, self.may_repeat) = (0, false);
        self.ends.push(self.keys.len() as i32);
        self.valid.append_non_null();
    }

    /// Drops the entries of the row, and makes it NULL.
    pub(crate) fn end_null(&mut self) {
        self.restart();
        self.ends.push(self.keys.len() as i32);
        self.valid.append_null();
    }

    /// Drops the entries of the row.
    pub(crate) fn restart(&mut self) {
        let from = self.from();
        self.keys.truncate(from);
        self.values.truncate(from);
        (self.seen, self.may_repeat) = (0, false);
    }

    fn from(&self) -> usize {
        let last = self.ends.last().copied().unwrap_or(0);
        usize::try_from(last).unwrap_or(0)
    }

    /// Leaves of each key of the row its last value, where the key first stood.
    fn unite(&mut self) {
        let rows = self.from()..self.keys.len();
        let count = rows.len();
        let repeats = match count {
            0..=FEW => {
                let earlier = |at: usize| rows.start..at;
                let mut all = rows.clone();
                all.any(|at| earlier(at).any(|other| self.keys.get(other) == self.keys.get(at)))
            }
            _ => {
                let keys: HashSet<&str> = rows.clone().map(|at| self.keys.get(at)).collect();
                keys.len() < count
            }
        };
        if !repeats {
            return;
        }
        let mut order: Vec<(String, Option<String>)> = Vec::with_capacity(count);
        let mut places = HashMap::with_capacity(count);
        for at in rows.clone() {
            let value = (!self.values.is_null(at)).then(|| self.values.get(at).to_owned());
            let key = self.keys.get(at);
            match places
                .get(key)
                .and_then(|place: &usize| order.get_mut(*place))
            {
                Some(entry) => entry.1 = value,
                None => {
                    places.insert(key.to_owned(), order.len());
                    order.push((key.to_owned(), value));
                }
            }
        }
        self.keys.truncate(rows.start);
        self.values.truncate(rows.start);
        for (key, value) in order {
            self.keys.push(&key);
            self.values.push_some(value.as_deref());
        }
    }

    pub(crate) fn data_type() -> DataType {
        map_type(DataType::Utf8)
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let values = self.values.finish()?;
        let maps = map_array(self.keys.finish()?, values, self.ends, &mut self.valid)?;
        Ok(Arc::new(maps))
    }
}

/// The type of a map from text, with the names that DataFusion's own maps have.
pub(crate) fn map_type(value: DataType) -> DataType {
    let key = Field::new("key", DataType::Utf8, false);
    let fields = Fields::from(vec![key, Field::new("value", value, true)]);
    let entries = Field::new("entries", DataType::Struct(fields), false);
    DataType::Map(entries.into(), false)
}

/// A column of maps, each of which ends at one of `ends`.
pub(crate) fn map_array(
    keys: ArrayRef,
    values: ArrayRef,
    ends: Vec<i32>,
    valid: &mut NullBufferBuilder,
) -> Result<MapArray> {
    let DataType::Map(entries, _) = map_type(values.data_type().clone()) else {
        return exec_err!("a map has entries");
    };
    let DataType::Struct(fields) = entries.data_type().clone() else {
        return exec_err!("entries are structs");
    };
    let columns = StructArray::try_new(fields, vec![keys, values], None)?;
    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
    Ok(MapArray::try_new(
        entries,
        ends,
        columns,
        valid.finish(),
        false,
    )?)
}
