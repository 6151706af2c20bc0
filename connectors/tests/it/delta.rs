//! Delta tables: rows and offsets exactly once, whatever fails and whoever else writes.

mod contract;
mod faults;
mod large_rows;
mod layout;
mod maintain;
mod options;
mod protocol;
mod races;
mod room;
mod s3;
mod vacuum;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use sluice_connectors::delta::DeltaFormat;
use sluice_engine::definition::TableDefinition;
use sluice_engine::source::Partition;
use sluice_engine::table::{Append, CommitRange, Table, TableFormat};

/// The definition of a table with a text and an offset, in a folder whose name needs quoting.
fn definition(folder: &Path) -> TableDefinition {
    TableDefinition {
        name: "logs".into(),
        format: "DELTA".into(),
        location: folder.join("my logs").to_str().unwrap().to_owned(),
        schema: Arc::new(Schema::new(vec![
            Field::new("message", DataType::Utf8, true),
            Field::new("_offset", DataType::Int64, true),
        ])),
        partition_columns: Vec::new(),
        options: BTreeMap::new(),
    }
}

/// The definition of a table with these columns, in the same folder.
fn with(folder: &Path, schema: SchemaRef, partitioned: &[&str]) -> TableDefinition {
    TableDefinition {
        schema,
        partition_columns: partitioned.iter().map(ToString::to_string).collect(),
        ..definition(folder)
    }
}

/// The actions of one log entry.
fn entry(folder: &Path, version: u64) -> Vec<serde_json::Value> {
    let path = folder.join(format!("my logs/_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn create(folder: &Path) -> Arc<dyn Table> {
    DeltaFormat::default()
        .create(&definition(folder))
        .await
        .unwrap()
}

/// What another process would open.
async fn open(folder: &Path) -> Arc<dyn Table> {
    DeltaFormat::default()
        .open(&definition(folder))
        .await
        .unwrap()
        .expect("the table is there")
}

fn partition(index: i32) -> Partition {
    Partition {
        topic: "log:events".into(),
        identity: "c-50%".into(),
        index,
    }
}

/// One row for each offset in `[from, to)`.
fn batch(from: i64, to: i64) -> RecordBatch {
    let message: ArrayRef = Arc::new(StringArray::from_iter_values(
        (from..to).map(|at| format!("line {at}")),
    ));
    let offset: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    RecordBatch::try_from_iter_with_nullable([
        ("message", message, true),
        ("_offset", offset, true),
    ])
    .unwrap()
}

fn stream(schema: SchemaRef, batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

fn rows(batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    stream(batches[0].schema(), batches)
}

fn range(index: i32, from: Option<i64>, to: i64) -> CommitRange {
    CommitRange {
        stored: to.saturating_sub(from.unwrap_or(to)).unsigned_abs(),
        ..CommitRange::empty(partition(index), from, to)
    }
}

/// The rows and the range of `[from, to)` in partition 0, for the pipeline `ingest`.
fn append(from: i64, to: i64) -> Append {
    Append {
        writer: "ingest".into(),
        rows: rows(vec![batch(from, to)]),
        ranges: vec![range(0, (from > 0).then_some(from), to)],
        redactions: Vec::new(),
    }
}

/// Rows without offsets, as a statement stores them.
fn insert(batches: Vec<RecordBatch>) -> Append {
    Append {
        writer: String::new(),
        rows: rows(batches),
        ranges: Vec::new(),
        redactions: Vec::new(),
    }
}

/// The answer to `sql` over `table` under the name `logs`.
async fn query(table: &Arc<dyn Table>, sql: &str) -> Vec<RecordBatch> {
    let context = SessionContext::new();
    context
        .register_table("logs", table.provider().await.unwrap())
        .unwrap();
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

/// The offsets of all rows, sorted, doubles and all.
async fn stored(table: &Arc<dyn Table>) -> Vec<i64> {
    let answer = query(table, "SELECT _offset FROM logs ORDER BY _offset").await;
    answer
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect()
}

async fn next_offset(table: &Arc<dyn Table>) -> Option<i64> {
    table.offsets("ingest", &[partition(0)]).await.unwrap()[0]
}

/// The Parquet files in and below `folder`.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() && name != "_delta_log" {
            let inner = files(&entry.path());
            found.extend(inner.into_iter().map(|file| format!("{name}/{file}")));
        } else if name.ends_with(".parquet") {
            found.push(name);
        }
    }
    found
}
