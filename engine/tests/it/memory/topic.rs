//! Records of a topic, and a group that tests give partitions to and take them from.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow::array::{
    Int32Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use sluice_engine::lineage;
use sluice_engine::source::{Offered, Partition, ReadRange, Reject, SourceBatch};
use tokio::sync::Notify;

/// What a test makes of a reader's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It gains these.
    Assign(Vec<usize>),
    /// It gives these up in good order.
    Revoke(Vec<usize>),
    /// It has lost these to others.
    Lose(Vec<usize>),
    /// It is told of rows of a partition that it does not own.
    Stray(usize),
}

/// Records of a topic: the text of each partition's records in order. A record that begins with `!`
/// cannot be decoded; one that is empty is missing. What follows a `|` are undeclared keys.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    partitions: Mutex<Vec<Vec<String>>>,
    changes: Mutex<Vec<(usize, Change)>>,
    readers: AtomicUsize,
    names: Mutex<(Option<String>, Option<String>)>,
    pub(super) grown: Notify,
    /// Oldest offset left.
    pub(crate) low: AtomicUsize,
    /// Readers get no partition by themselves.
    pub(crate) scripted: AtomicBool,
}

impl Topic {
    pub(crate) fn push(&self, partition: usize, records: &[&str]) {
        let mut all = self.partitions.lock().unwrap();
        while all.len() <= partition {
            all.push(Vec::new());
        }
        all[partition].extend(records.iter().map(|r| (*r).to_owned()));
        drop(all);
        self.grown.notify_waiters();
    }

    /// Loses the records of `partition` from `offset` on.
    pub(crate) fn truncate(&self, partition: usize, offset: usize) {
        self.partitions.lock().unwrap()[partition].truncate(offset);
    }

    /// Deletes the topic and makes it anew, empty.
    pub(crate) fn recreate(&self, identity: &str) {
        self.partitions
            .lock()
            .unwrap()
            .iter_mut()
            .for_each(Vec::clear);
        self.low.store(0, Ordering::SeqCst);
        self.names.lock().unwrap().0 = Some(identity.to_owned());
    }

    /// From here on the same topic has another identity.
    pub(crate) fn rename(&self, identity: &str) {
        let before = self.identity();
        *self.names.lock().unwrap() = (Some(identity.to_owned()), Some(before));
    }

    /// Changes the partitions of the reader that was opened as number `reader`.
    pub(crate) fn change(&self, reader: usize, change: Change) {
        self.changes.lock().unwrap().push((reader, change));
        self.grown.notify_waiters();
    }

    /// How many readers were opened.
    pub(crate) fn readers(&self) -> usize {
        self.readers.load(Ordering::SeqCst)
    }

    pub(super) fn next_reader(&self) -> usize {
        self.readers.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn take_change(&self, reader: usize) -> Option<Change> {
        let mut changes = self.changes.lock().unwrap();
        let place = changes.iter().position(|(of, _)| *of == reader)?;
        Some(changes.remove(place).1)
    }

    fn identity(&self) -> String {
        let names = self.names.lock().unwrap();
        names.0.clone().unwrap_or_else(|| "m".to_owned())
    }

    pub(super) fn partition(&self, topic: &str, index: usize) -> Partition {
        Partition {
            topic: topic.to_owned(),
            identity: self.identity(),
            index: i32::try_from(index).unwrap(),
        }
    }

    pub(super) fn offer(&self, name: &str, index: usize) -> Offered {
        let low = i64::try_from(self.low.load(Ordering::SeqCst)).unwrap();
        let high = i64::try_from(self.ends()[index]).unwrap();
        Offered {
            partition: self.partition(name, index),
            low,
            high,
            start: low,
            formerly: self.names.lock().unwrap().1.clone(),
        }
    }

    pub(super) fn ends(&self) -> Vec<usize> {
        let partitions = self.partitions.lock().unwrap();
        partitions.iter().map(Vec::len).collect()
    }

    pub(super) fn read(
        &self,
        name: &str,
        partition: usize,
        from: usize,
        extra: bool,
    ) -> Option<SourceBatch> {
        let all = self.partitions.lock().unwrap();
        let records = all.get(partition)?.get(from..).filter(|r| !r.is_empty())?;
        // Short batches, so that cuts hold several.
        let records = records[..records.len().min(3)].to_vec();
        drop(all);
        Some(self.decode(name, partition, from, (&records, extra)))
    }

    fn decode(
        &self,
        name: &str,
        partition: usize,
        from: usize,
        (records, extra): (&[String], bool),
    ) -> SourceBatch {
        let index = i32::try_from(partition).unwrap();
        let (mut offsets, mut texts, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
        for (at, record) in records.iter().enumerate() {
            let offset = i64::try_from(from + at).unwrap();
            if record.starts_with('!') {
                rejects.push(Reject {
                    topic: name.to_owned(),
                    partition: index,
                    offset,
                    timestamp_us: Some(offset),
                    key: None,
                    raw: Some(record.clone().into_bytes()),
                    code: "bad_json",
                    reason: "begins with !".to_owned(),
                });
            } else if !record.is_empty() {
                offsets.push(offset);
                texts.push(record.as_str());
            }
        }
        let split = |text: &&str| match text.split_once('|') {
            Some((value, extra)) => (value.to_owned(), Some(extra.to_owned())),
            None => ((*text).to_owned(), None),
        };
        let (values, extras): (Vec<String>, Vec<Option<String>>) = texts.iter().map(split).unzip();
        let mut columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(StringArray::from(values))];
        if extra {
            columns.push(Arc::new(StringArray::from(extras)));
        }
        columns.push(Arc::new(StringArray::from(vec![name; offsets.len()])));
        columns.push(Arc::new(Int32Array::from(vec![index; offsets.len()])));
        columns.push(Arc::new(Int64Array::from(offsets.clone())));
        let times = TimestampMicrosecondArray::from(offsets.clone()).with_timezone("UTC");
        columns.push(Arc::new(times));
        let rows = RecordBatch::try_new(schema(extra), columns).unwrap();
        let range = ReadRange {
            partition: self.partition(name, partition),
            from: i64::try_from(from).unwrap(),
            to: i64::try_from(from + records.len()).unwrap(),
            decoded: offsets.len() as u64,
            rejected: rejects.len() as u64,
        };
        SourceBatch {
            rows,
            rejects,
            ranges: vec![range],
            raw: Some(LargeBinaryArray::from_iter_values(&texts)),
            bytes: 1,
        }
    }
}

pub(super) fn schema(extra: bool) -> SchemaRef {
    let text = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true)) as FieldRef;
    let mut fields: Vec<FieldRef> = vec![text("value")];
    fields.extend(extra.then(|| text("_extra")));
    fields.extend(lineage::fields());
    Arc::new(Schema::new(fields))
}
