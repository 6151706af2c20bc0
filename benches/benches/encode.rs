//! What storing costs: rows of ten fields and about 320 bytes, decoded before, into a Delta table
//! on the local disk, for each row and for each commit.
//!
//! `cargo bench --locked --workspace --bench encode`; `EVENTS` sets how many rows.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::record_batch::RecordBatch;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use sluice_benches::cpu::{Clock, each};
use sluice_benches::events::Events;
use sluice_connectors::delta::DeltaFormat;
use sluice_engine::definition::TableDefinition;
use sluice_engine::lineage;
use sluice_engine::source::Partition;
use sluice_engine::table::{Append, CommitRange, Table, TableFormat};
use tokio::runtime::Runtime;

const EVENTS_DEFAULT: usize = 600_000;
/// Rows of a batch, as a decoder makes them.
const BATCH_ROWS: usize = 8192;
/// Rows of a commit, as a pipeline cuts them.
const CUT_ROWS: usize = 200_000;
const EMPTY_COMMITS: u32 = 50;

fn main() {
    let events = std::env::var("EVENTS").map_or(EVENTS_DEFAULT, |text| {
        text.parse().expect("EVENTS is a number")
    });
    // As the server does.
    sluice_connectors::kafka::keep_memory();
    let runtime = Runtime::new().expect("a runtime");
    let texts = batches(events);
    let views = texts.iter().map(viewed).collect::<Vec<_>>();
    runtime.block_on(async {
        run("text", &texts, &[]).await;
        run("views", &views, &[]).await;
        run("by day", &texts, &["day"]).await;
        run("by host", &texts, &["host"]).await;
        empty_commits().await;
    });
}

fn fields() -> Vec<Field> {
    let texts = [
        "severity",
        "source",
        "message",
        "host",
        "service_version",
        "trace_id",
        "user_id",
    ];
    let mut fields = vec![Field::new("timestamp", lineage::timestamp_type(), true)];
    fields.extend(texts.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.push(Field::new("latency_ms", DataType::Float64, true));
    fields.push(Field::new("status", DataType::Int64, true));
    fields
}

/// The rows with where they came from, and the day they tell of.
fn batches(events: usize) -> Vec<RecordBatch> {
    let mut made = Events::new(7);
    let mut first = 0;
    let mut batches = Vec::new();
    while first < events {
        let rows = BATCH_ROWS.min(events - first);
        let text: String = made.by_ref().take(rows).map(|event| event + "\n").collect();
        let read = ReaderBuilder::new(Arc::new(Schema::new(fields())))
            .with_batch_size(rows)
            .build(text.as_bytes());
        let decoded = read.expect("a reader").next().expect("rows").expect("JSON");
        batches.push(located(&decoded, first));
        first += rows;
    }
    batches
}

fn located(decoded: &RecordBatch, first: usize) -> RecordBatch {
    let rows = decoded.num_rows();
    let offset = i64::try_from(first).expect("few rows");
    let times = (0..rows as i64).map(|row| 1_770_000_000_000_000 + (offset + row) * 1000);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let day = cast(decoded.column(0), &DataType::Date32).expect("a day");
    let lineage: [ArrayRef; 4] = [
        Arc::new(StringArray::from(vec!["log-events"; rows])),
        Arc::new(Int32Array::from(vec![
            (first / BATCH_ROWS % 8) as i32;
            rows
        ])),
        Arc::new(Int64Array::from_iter_values(offset..offset + rows as i64)),
        Arc::new(times),
    ];
    let mut columns = vec![("day".to_owned(), day, true)];
    let schema = decoded.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    columns.extend(
        names
            .zip(decoded.columns().iter().cloned())
            .map(|(name, column)| (name, column, true)),
    );
    let names = lineage::NAMES.iter().map(ToString::to_string);
    columns.extend(
        names
            .zip(lineage)
            .map(|(name, column)| (name, column, true)),
    );
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// The same rows with texts as queries like to hold them.
fn viewed(batch: &RecordBatch) -> RecordBatch {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8 => cast(column, &DataType::Utf8View).expect("a view"),
            _ => ArrayRef::clone(column),
        });
    let columns: Vec<ArrayRef> = columns.collect();
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields: Vec<FieldRef> = fields
        .map(|(field, column)| {
            Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_data_type(column.data_type().clone()),
            )
        })
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the same rows")
}

async fn create(folder: &std::path::Path, schema: SchemaRef, by: &[&str]) -> Arc<dyn Table> {
    let definition = TableDefinition {
        name: "logs".into(),
        format: "DELTA".into(),
        location: folder.join("logs").to_str().expect("a path").to_owned(),
        schema,
        partition_columns: by.iter().map(ToString::to_string).collect(),
        options: BTreeMap::new(),
    };
    DeltaFormat::default()
        .create(&definition)
        .await
        .expect("a table")
}

fn append(schema: SchemaRef, rows: Vec<RecordBatch>, from: i64, to: i64) -> Append {
    let partition = Partition {
        topic: "log-events".into(),
        identity: "c-1".into(),
        index: 0,
    };
    Append {
        writer: "bench".into(),
        rows: Box::pin(RecordBatchStreamAdapter::new(
            schema,
            stream::iter(rows.into_iter().map(Ok)),
        )),
        ranges: vec![CommitRange::empty(
            partition,
            (from > 0).then_some(from),
            to,
        )],
        redactions: Vec::new(),
    }
}

async fn run(name: &str, batches: &[RecordBatch], by: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = batches[0].schema();
    let table = create(folder.path(), Arc::clone(&schema), by).await;
    let clock = Clock::start();
    let mut rows = 0;
    let mut at = 0;
    for cut in batches.chunks(CUT_ROWS / BATCH_ROWS) {
        let next = at + 1;
        let append = append(Arc::clone(&schema), cut.to_vec(), at, next);
        rows += table.append(append).await.expect("a commit").rows;
        at = next;
    }
    let taken = clock.stop();
    let bytes = files(folder.path());
    println!(
        "{name:<10} {:>6.0} ns a row on the processor, {:>6.0} ns by the clock, {:>5.1} bytes",
        each(taken.cpu, rows),
        each(taken.wall, rows),
        bytes as f64 / rows as f64,
    );
}

async fn empty_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema: SchemaRef = Arc::new(Schema::new(fields()));
    let table = create(folder.path(), Arc::clone(&schema), &[]).await;
    let clock = Clock::start();
    for at in 0..i64::from(EMPTY_COMMITS) {
        let claim = append(Arc::clone(&schema), Vec::new(), at, at + 1);
        table.append(claim).await.expect("a commit");
    }
    let taken = clock.stop();
    println!(
        "commit     {:>6.2} ms on the processor, {:>6.2} ms by the clock",
        taken.cpu.as_secs_f64() * 1e3 / f64::from(EMPTY_COMMITS),
        taken.wall.as_secs_f64() * 1e3 / f64::from(EMPTY_COMMITS),
    );
}

/// The bytes of the Parquet files in and below `folder`.
fn files(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let path = entry.path();
        if path.is_dir() {
            files(&path)
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            entry.metadata().map_or(0, |meta| meta.len())
        } else {
            0
        }
    });
    sizes.sum()
}
