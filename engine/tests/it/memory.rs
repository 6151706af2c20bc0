//! The two contracts in memory: a stream of scripted partitions and a table whose commits can be
//! made to fail at any step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, TableProvider};
use futures::StreamExt;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage;
use sluice_engine::plugin::Plugin;
use sluice_engine::source::{
    Assigned, Event, Member, Offered, Partition, ReadRange, Reader, Reject, Source, SourceBatch,
    SourceFormat,
};
use sluice_engine::table::{Append, Commit, Table, TableFormat};
use tokio::sync::{Notify, oneshot};

/// Records of a topic: the text of each partition's records in order. A record that begins with `!`
/// cannot be decoded; one that is empty is missing.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    partitions: Mutex<Vec<Vec<String>>>,
    grown: Notify,
    /// Oldest offset left.
    pub(crate) low: AtomicU64,
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

    fn read(&self, name: &str, partition: usize, from: usize) -> Option<SourceBatch> {
        let all = self.partitions.lock().unwrap();
        let records = all.get(partition)?.get(from..).filter(|r| !r.is_empty())?;
        // Short batches, so that cuts hold several.
        let records = &records[..records.len().min(3)];
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
                texts.push(record.clone());
            }
        }
        let rows = RecordBatch::try_new(
            stream_schema(),
            vec![
                Arc::new(StringArray::from(texts)),
                Arc::new(StringArray::from(vec![name; offsets.len()])),
                Arc::new(Int32Array::from(vec![index; offsets.len()])),
                Arc::new(Int64Array::from(offsets.clone())),
                Arc::new(TimestampMicrosecondArray::from(offsets.clone()).with_timezone("UTC")),
            ],
        );
        let range = ReadRange {
            partition: partition_of(name, index),
            from: i64::try_from(from).unwrap(),
            to: i64::try_from(from + records.len()).unwrap(),
            decoded: offsets.len() as u64,
            rejected: rejects.len() as u64,
        };
        Some(SourceBatch {
            rows: rows.unwrap(),
            rejects,
            ranges: vec![range],
            bytes: 1,
        })
    }

    fn ends(&self) -> Vec<usize> {
        self.partitions
            .lock()
            .unwrap()
            .iter()
            .map(Vec::len)
            .collect()
    }
}

fn partition_of(topic: &str, index: i32) -> Partition {
    Partition {
        topic: topic.to_owned(),
        identity: "m".to_owned(),
        index,
    }
}

fn stream_schema() -> SchemaRef {
    let mut fields: Vec<FieldRef> = vec![Arc::new(Field::new("value", DataType::Utf8, true))];
    fields.extend(lineage::fields());
    Arc::new(Schema::new(fields))
}

#[derive(Debug)]
struct MemorySource {
    name: String,
    topic: Arc<Topic>,
}

struct MemoryReader {
    name: String,
    topic: Arc<Topic>,
    next: Vec<usize>,
    ends: Option<Vec<usize>>,
    asked: Option<oneshot::Receiver<Result<Vec<i64>>>>,
    begun: bool,
}

#[async_trait]
impl Source for MemorySource {
    fn schema(&self) -> SchemaRef {
        stream_schema()
    }

    async fn follow(&self, _member: &Member) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.reader(false)))
    }

    async fn scan(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.reader(true)))
    }
}

impl MemorySource {
    fn reader(&self, bounded: bool) -> MemoryReader {
        let ends = self.topic.ends();
        MemoryReader {
            name: self.name.clone(),
            topic: Arc::clone(&self.topic),
            next: vec![0; ends.len()],
            ends: bounded.then_some(ends),
            asked: None,
            begun: bounded,
        }
    }
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Event>> {
        if !self.begun {
            self.begun = true;
            let low = i64::try_from(self.topic.low.load(Ordering::SeqCst)).unwrap();
            let offered = self
                .topic
                .ends()
                .into_iter()
                .enumerate()
                .map(|(index, end)| Offered {
                    partition: partition_of(&self.name, i32::try_from(index).unwrap()),
                    low,
                    high: i64::try_from(end).unwrap(),
                    start: low,
                });
            let offered = offered.collect();
            let (reply, asked) = oneshot::channel();
            self.asked = Some(asked);
            return Ok(Some(Event::Assigned(Assigned { offered, reply })));
        }
        if let Some(asked) = &mut self.asked {
            let positions = asked.await.map_err(|_| Error::internal("no reply"))?;
            self.asked = None;
            self.next = positions?
                .into_iter()
                .map(|p| usize::try_from(p).unwrap())
                .collect();
        }
        loop {
            let topic = Arc::clone(&self.topic);
            let grown = topic.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            for partition in 0..self.next.len() {
                let from = self.next[partition];
                if let Some(batch) = self.topic.read(&self.name, partition, from) {
                    self.next[partition] = usize::try_from(batch.ranges[0].to).unwrap();
                    return Ok(Some(Event::Batch(batch)));
                }
            }
            if self.ends.is_some() {
                return Ok(None);
            }
            grown.await;
        }
    }

    fn acknowledge(&mut self, _next: &[(Partition, i64)]) {}

    fn high_watermarks(&self) -> Vec<(Partition, i64)> {
        let name = |index| partition_of(&self.name, i32::try_from(index).unwrap());
        let ends = self.topic.ends().into_iter().enumerate();
        ends.map(|(index, end)| (name(index), i64::try_from(end).unwrap()))
            .collect()
    }
}

/// Which appends fail: `(number of the append from 0, after it is stored)`.
pub(crate) type Faults = Arc<Mutex<Vec<(u64, bool)>>>;

/// A table in memory.
#[derive(Debug)]
pub(crate) struct MemoryTable {
    id: String,
    state: Mutex<TableState>,
    faults: Faults,
    appends: AtomicU64,
}

#[derive(Debug, Default)]
struct TableState {
    schema: Option<SchemaRef>,
    rows: Vec<RecordBatch>,
    commits: Vec<Commit>,
    offsets: BTreeMap<(String, Partition), i64>,
}

#[async_trait]
impl Table for MemoryTable {
    fn identity(&self) -> String {
        self.id.clone()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        Ok(Arc::clone(
            self.state.lock().unwrap().schema.as_ref().unwrap(),
        ))
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let state = self.state.lock().unwrap();
        let schema = Arc::clone(state.schema.as_ref().unwrap());
        Ok(Arc::new(MemTable::try_new(
            schema,
            vec![state.rows.clone()],
        )?))
    }

    async fn offsets(&self, writer: &str, partitions: &[Partition]) -> Result<Vec<Option<i64>>> {
        let state = self.state.lock().unwrap();
        let key = |p: &Partition| (writer.to_owned(), p.clone());
        Ok(partitions
            .iter()
            .map(|p| state.offsets.get(&key(p)).copied())
            .collect())
    }

    async fn append(&self, append: Append) -> Result<Commit> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        let fault = self
            .faults
            .lock()
            .unwrap()
            .iter()
            .find(|f| f.0 == number)
            .copied();
        if fault == Some((number, false)) {
            return Err(Error::unavailable("the store is away"));
        }
        let Append {
            writer,
            mut rows,
            ranges,
        } = append;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            batches.push(batch?);
        }
        let mut state = self.state.lock().unwrap();
        for range in &ranges {
            let key = (writer.clone(), range.partition.clone());
            if state.offsets.get(&key).copied() != range.from {
                return Err(Error::conflict(format!("{} has moved", range.partition)));
            }
        }
        for range in &ranges {
            state
                .offsets
                .insert((writer.clone(), range.partition.clone()), range.to);
        }
        let schema = Arc::clone(state.schema.as_ref().unwrap());
        let fit = |b: &RecordBatch| RecordBatch::try_new(Arc::clone(&schema), b.columns().to_vec());
        let batches: Vec<_> = batches.iter().map(|b| fit(b).unwrap()).collect();
        let commit = Commit {
            version: state.commits.len() as u64,
            timestamp_us: 0,
            writer,
            rows: batches.iter().map(|b| b.num_rows() as u64).sum(),
            ranges,
            operation: "STREAMING UPDATE".to_owned(),
        };
        state.rows.extend(batches);
        state.commits.push(commit.clone());
        // A process that dies here has committed and does not know it.
        if fault.is_some() {
            Err(Error::unavailable("the process dies"))
        } else {
            Ok(commit)
        }
    }

    async fn commits(&self) -> Result<Vec<Commit>> {
        Ok(self.state.lock().unwrap().commits.clone())
    }

    async fn add_columns(&self, columns: &[FieldRef]) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let schema = state.schema.take().unwrap();
        let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
        for column in columns {
            if schema.field_with_name(column.name()).is_err() {
                fields.push(Arc::clone(column));
            }
        }
        let schema = Arc::new(Schema::new(fields));
        for rows in &mut state.rows {
            let missing = schema.fields()[rows.num_columns()..].iter();
            let nulls = missing.map(|f| new_null_array(f.data_type(), rows.num_rows()));
            let columns = rows.columns().iter().cloned().chain(nulls).collect();
            *rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        }
        state.schema = Some(schema);
        Ok(())
    }
}

/// Topics and tables of one test by name; they outlive the engines that open them.
#[derive(Debug, Default)]
pub(crate) struct World {
    topics: Mutex<BTreeMap<String, Arc<Topic>>>,
    tables: Mutex<BTreeMap<String, Arc<MemoryTable>>>,
    faults: Mutex<BTreeMap<String, Faults>>,
}

impl World {
    pub(crate) fn topic(&self, name: &str) -> Arc<Topic> {
        Arc::clone(
            self.topics
                .lock()
                .unwrap()
                .entry(name.to_owned())
                .or_default(),
        )
    }

    pub(crate) fn faults(&self, table: &str) -> Faults {
        Arc::clone(
            self.faults
                .lock()
                .unwrap()
                .entry(table.to_owned())
                .or_default(),
        )
    }

    pub(crate) fn plugin(self: &Arc<Self>) -> Plugin {
        let mut plugin = Plugin {
            default_table: Some("MEMORY"),
            ..Plugin::default()
        };
        plugin
            .sources
            .insert("TOPIC", Arc::new(Format(Arc::clone(self))));
        plugin
            .tables
            .insert("MEMORY", Arc::new(Format(Arc::clone(self))));
        plugin
    }
}

#[derive(Debug)]
struct Format(Arc<World>);

#[async_trait]
impl SourceFormat for Format {
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>> {
        definition.check_options(&["format"])?;
        let name = definition.location.rsplit('/').next().unwrap().to_owned();
        let topic = self.0.topic(&name);
        Ok(Arc::new(MemorySource { name, topic }))
    }
}

#[async_trait]
impl TableFormat for Format {
    async fn open(&self, definition: &TableDefinition) -> Result<Option<Arc<dyn Table>>> {
        let tables = self.0.tables.lock().unwrap();
        Ok(tables
            .get(&definition.name)
            .map(|table| Arc::clone(table) as Arc<dyn Table>))
    }

    async fn create(&self, definition: &TableDefinition) -> Result<Arc<dyn Table>> {
        let faults = self.0.faults(&definition.name);
        let mut fields = Vec::new();
        for field in definition.schema.fields() {
            let kind = match field.data_type() {
                DataType::Timestamp(_, _) => lineage::timestamp_type(),
                other => other.clone(),
            };
            fields.push(field.as_ref().clone().with_data_type(kind));
        }
        let schema = Some(Arc::new(Schema::new(fields)));
        let state = Mutex::new(TableState {
            schema,
            ..TableState::default()
        });
        let id = definition.name.clone();
        let table = Arc::new(MemoryTable {
            id,
            state,
            faults,
            appends: AtomicU64::new(0),
        });
        self.0
            .tables
            .lock()
            .unwrap()
            .insert(definition.name.clone(), Arc::clone(&table));
        Ok(table)
    }

    async fn remove(&self, definition: &TableDefinition) -> Result<()> {
        self.0.tables.lock().unwrap().remove(&definition.name);
        Ok(())
    }
}
