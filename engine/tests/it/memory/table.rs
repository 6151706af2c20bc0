//! A table in memory that keeps every version.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::Utc;
use datafusion::catalog::{MemTable, TableProvider};
use futures::StreamExt;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::Partition;
use sluice_engine::table::{Append, Commit, Maintained, Maintenance, Table};

use super::Faults;

/// What happens at an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The store is away before anything is stored.
    Before,
    /// The process dies, or never hears the answer, after all is stored.
    After,
    /// The store has no room left.
    Full,
    /// It takes this long.
    Slow(Duration),
}

/// A table in memory.
#[derive(Debug)]
pub(crate) struct MemoryTable {
    id: String,
    partitioned: Vec<String>,
    state: Mutex<TableState>,
    faults: Faults,
    appends: AtomicU64,
}

#[derive(Debug)]
struct TableState {
    schema: SchemaRef,
    versions: Vec<Version>,
    offsets: BTreeMap<(String, Partition), i64>,
    properties: BTreeMap<String, String>,
    /// Commits below are forgotten.
    cleaned: u64,
    /// Files of versions below are gone.
    vacuumed: u64,
}

#[derive(Debug)]
struct Version {
    commit: Commit,
    rows: Vec<RecordBatch>,
}

impl MemoryTable {
    pub(super) fn new(definition: &TableDefinition, schema: SchemaRef, faults: Faults) -> Self {
        let state = TableState {
            schema,
            versions: Vec::new(),
            offsets: BTreeMap::new(),
            properties: BTreeMap::new(),
            cleaned: 0,
            vacuumed: 0,
        };
        let table = Self {
            id: definition.name.clone(),
            partitioned: definition.partition_columns.clone(),
            state: Mutex::new(state),
            faults,
            appends: AtomicU64::new(0),
        };
        table.state.lock().unwrap().alter("CREATE TABLE");
        table
    }

    /// How many appends were tried.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// Every commit ever made, cleaned up or not.
    pub(crate) fn history(&self) -> Vec<Commit> {
        let state = self.state.lock().unwrap();
        state.versions.iter().map(|v| v.commit.clone()).collect()
    }

    /// Takes the newest rows away, and no commit says so.
    pub(crate) fn lose_newest(&self) {
        let mut state = self.state.lock().unwrap();
        let mut versions = state.versions.iter_mut().rev();
        let newest = versions.find(|version| version.commit.rows > 0);
        newest.unwrap().rows.clear();
    }

    /// What is kept of `writer`, whoever it is.
    pub(crate) fn offset(&self, writer: &str, topic: &str, index: i32) -> Option<i64> {
        let state = self.state.lock().unwrap();
        let mut found = state.offsets.iter().filter(|((of, partition), _)| {
            of == writer && partition.topic == topic && partition.index == index
        });
        found.next_back().map(|(_, offset)| *offset)
    }
}

impl TableState {
    fn alter(&mut self, operation: &str) {
        let commit = Commit {
            version: self.versions.len() as u64,
            timestamp_us: Utc::now().timestamp_micros(),
            writer: String::new(),
            rows: 0,
            ranges: Vec::new(),
            redactions: Vec::new(),
            operation: operation.to_owned(),
        };
        self.versions.push(Version {
            commit,
            rows: Vec::new(),
        });
    }

    fn fit(&self, rows: &RecordBatch) -> RecordBatch {
        let column = |field: &FieldRef| match rows.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None => new_null_array(field.data_type(), rows.num_rows()),
        };
        let columns = self.schema.fields().iter().map(column).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).unwrap()
    }

    fn read(&self, versions: &[Version]) -> Result<Arc<dyn TableProvider>> {
        let rows = versions.iter().flat_map(|version| &version.rows);
        let rows = rows.map(|rows| self.fit(rows)).collect();
        Ok(Arc::new(MemTable::try_new(
            Arc::clone(&self.schema),
            vec![rows],
        )?))
    }

    fn place(&self, version: u64) -> Result<usize> {
        let there = version >= self.vacuumed && version < self.versions.len() as u64;
        match there {
            true => Ok(usize::try_from(version).unwrap()),
            false => Err(Error::not_found(format!("there is no version {version}"))),
        }
    }
}

#[async_trait]
impl Table for MemoryTable {
    fn identity(&self) -> String {
        self.id.clone()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        Ok(Arc::clone(&self.state.lock().unwrap().schema))
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let state = self.state.lock().unwrap();
        state.read(&state.versions)
    }

    async fn offsets(&self, writer: &str, partitions: &[Partition]) -> Result<Vec<Option<i64>>> {
        let state = self.state.lock().unwrap();
        let key = |p: &Partition| (writer.to_owned(), p.clone());
        Ok(partitions
            .iter()
            .map(|p| state.offsets.get(&key(p)).copied())
            .collect())
    }

    fn partitions_of(&self, rows: &RecordBatch) -> Result<Vec<u64>> {
        let columns = self.partitioned.iter();
        let values = columns.flat_map(|name| rows[name.as_str()].as_string::<i32>());
        let number = |value: Option<&str>| {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        };
        Ok(values.map(number).collect())
    }

    async fn positions(&self, writer: &str) -> Result<Vec<(Partition, i64)>> {
        let state = self.state.lock().unwrap();
        let own = state.offsets.iter().filter(|((of, _), _)| of == writer);
        Ok(own.map(|((_, p), at)| (p.clone(), *at)).collect())
    }

    async fn append(&self, append: Append) -> Result<Commit> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst);
        let faults = self.faults.lock().unwrap().clone();
        let fault = faults.iter().find(|fault| fault.0 == number);
        let fault = fault.map(|(_, fault)| *fault);
        match fault {
            Some(Fault::Before) => return Err(Error::unavailable("the store is away")),
            Some(Fault::Full) => {
                return Err(Error::unavailable("no space left on the device")
                    .hint("free some, and the pipeline goes on"));
            }
            Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
            Some(Fault::After) | None => {}
        }
        let Append {
            writer,
            mut rows,
            ranges,
            redactions,
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
            let key = (writer.clone(), range.partition.clone());
            state.offsets.insert(key, range.to);
        }
        let operation = match ranges.is_empty() {
            true => "WRITE",
            false => "STREAMING UPDATE",
        };
        let rows: Vec<RecordBatch> = batches.iter().map(|rows| state.fit(rows)).collect();
        let commit = Commit {
            version: state.versions.len() as u64,
            timestamp_us: Utc::now().timestamp_micros(),
            writer,
            rows: rows.iter().map(|rows| rows.num_rows() as u64).sum(),
            ranges,
            redactions,
            operation: operation.to_owned(),
        };
        state.versions.push(Version {
            commit: commit.clone(),
            rows,
        });
        match fault {
            Some(Fault::After) => Err(Error::unavailable("the process dies")),
            _ => Ok(commit),
        }
    }

    async fn commits(&self) -> Result<Vec<Commit>> {
        let state = self.state.lock().unwrap();
        let commits = state.versions.iter().map(|version| version.commit.clone());
        Ok(commits
            .filter(|commit| commit.version >= state.cleaned)
            .collect())
    }

    async fn add_columns(&self, columns: &[FieldRef]) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let mut fields: Vec<FieldRef> = state.schema.fields().iter().cloned().collect();
        let before = fields.len();
        for column in columns {
            match state.schema.field_with_name(column.name()) {
                Ok(there) if there.data_type() != column.data_type() => {
                    let name = column.name();
                    return Err(Error::user(format!("column \"{name}\" has another type")));
                }
                Ok(_) => {}
                Err(_) => fields.push(Arc::clone(column)),
            }
        }
        if fields.len() > before {
            state.schema = Arc::new(Schema::new(fields));
            state.alter("ADD COLUMN");
        }
        Ok(())
    }

    async fn version(&self) -> Result<u64> {
        Ok(self.state.lock().unwrap().versions.len() as u64 - 1)
    }

    async fn provider_at(&self, version: u64) -> Result<Arc<dyn TableProvider>> {
        let state = self.state.lock().unwrap();
        let place = state.place(version)?;
        state.read(&state.versions[..=place])
    }

    async fn appended(&self, version: u64) -> Result<Arc<dyn TableProvider>> {
        let state = self.state.lock().unwrap();
        let place = state.place(version)?;
        state.read(&state.versions[place..=place])
    }

    async fn property(&self, key: &str) -> Result<Option<String>> {
        Ok(self.state.lock().unwrap().properties.get(key).cloned())
    }

    async fn set_property(&self, key: &str, expected: Option<&str>, value: &str) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.properties.get(key).map(String::as_str) != expected {
            return Err(Error::conflict(format!("property \"{key}\" has changed")));
        }
        state.properties.insert(key.to_owned(), value.to_owned());
        state.alter("SET TBLPROPERTIES");
        Ok(())
    }

    async fn maintain(&self, work: &Maintenance) -> Result<Maintained> {
        let mut state = self.state.lock().unwrap();
        let newest = state.versions.len() as u64 - 1;
        let old = |state: &TableState, retention: Duration| {
            let age = i64::try_from(retention.as_micros()).unwrap();
            let bound = Utc::now().timestamp_micros() - age;
            let kept = |version: &&Version| version.commit.timestamp_us > bound;
            let first = state.versions.iter().find(kept);
            first.map_or(newest, |version| version.commit.version)
        };
        let mut done = Maintained::default();
        match work {
            // There is one piece always, and rows lie in it as they came.
            Maintenance::Checkpoint | Maintenance::Compact(_) => {}
            Maintenance::CleanLog { retention } => {
                let bound = old(&state, *retention).max(state.cleaned);
                done.files_removed = bound - state.cleaned;
                state.cleaned = bound;
            }
            Maintenance::Vacuum {
                retention, dry_run, ..
            } => {
                let bound = old(&state, retention.unwrap_or_default()).max(state.vacuumed);
                done.files_removed = bound - state.vacuumed;
                if !dry_run {
                    state.vacuumed = bound;
                }
            }
        }
        Ok(done)
    }
}
