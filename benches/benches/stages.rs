//! Where the time of an ingested event goes: each stage alone over the same topic, in the order in
//! which a record meets them, and then all of them at once as the pipeline runs them.
//!
//! A stage's figure is its time on the processor for an event, all threads of this process added
//! up, so that the stages can be compared with the whole. What the whole takes beyond their sum is
//! the pipeline's own work: cutting, lineage, threads waiting for each other. `make bench
//! BENCH_ARGS='--bench stages'` runs it; `EVENTS` sets how many events are in the topic.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::stream;
use sluice_benches::cpu::{Clock, Taken, each, of};
use sluice_benches::events::NAMES;
use sluice_benches::ingest::{JOBS, Job, Sluice, drain};
use sluice_benches::kafka::Topic;
use sluice_engine::definition::TableDefinition;
use sluice_engine::lineage;
use sluice_engine::source::{Event, Partition, Wanted};
use sluice_engine::table::{Append, CommitRange, Table};
use tokio::runtime::Runtime;

const EVENTS_DEFAULT: u64 = 4_000_000;
/// Rows of a commit, as the pipeline cuts them at this size of event.
const CUT_ROWS: usize = 200_000;
const EMPTY_COMMITS: u32 = 20;

fn main() {
    // As the server does.
    sluice_connectors::kafka::keep_memory();
    let Ok(kafka) = std::env::var("SLUICE_KAFKA") else {
        println!("stages: skipped, SLUICE_KAFKA names no broker; `make bench` starts one");
        return;
    };
    let events = std::env::var("EVENTS").map_or(EVENTS_DEFAULT, |text| {
        text.parse().expect("EVENTS is a number")
    });
    let runtime = Runtime::new().expect("a runtime");
    let topic = runtime.block_on(Topic::make(&kafka, "drain"));
    topic.fill(events);
    topic.read_bare(events);
    let clock = Clock::start();
    topic.read_bare(events);
    let poll = clock.stop();
    let schema = runtime.block_on(columns(&topic, NAMES));
    let clock = Clock::start();
    let decoded = runtime.block_on(decode(&topic, schema));
    let read = clock.stop();
    assert_eq!(count(&decoded), events, "every event was decoded");
    for job in JOBS {
        runtime.block_on(report(&topic, events, &job, (poll, read, &decoded)));
    }
}

/// The broker's process, where the environment says which it is.
fn broker() -> Option<String> {
    let folder = std::env::var("KAFKA_DIR").ok()?;
    let pid = std::fs::read_to_string(format!("{folder}/pid")).ok()?;
    Some(pid.trim().to_owned())
}

async fn report(
    topic: &Topic,
    events: u64,
    job: &Job,
    (poll, read, decoded): (Taken, Taken, &[RecordBatch]),
) {
    let (rows, transform) = transform(job, decoded).await;
    let (append, appends, commit) = append(topic, job, &rows).await;
    drop(rows);
    let broker = broker();
    let broker_before = broker.as_deref().map(of);
    let whole = drain(topic, events, job).await;
    let broker_cpu = broker.as_deref().map(of).zip(broker_before);
    let cpu = |taken: Taken| each(taken.cpu, events);
    let commit_each = cpu(commit) / f64::from(EMPTY_COMMITS);
    let stages = [
        (
            "poll: librdkafka's threads",
            cpu(poll) - each(poll.own, events),
        ),
        ("poll: application", each(poll.own, events)),
        ("copy and decode", cpu(read) - cpu(poll)),
        ("transform", cpu(transform)),
        (
            "encode and write Parquet",
            cpu(append) - commit_each * appends as f64,
        ),
        ("commit", commit_each * whole.commits as f64),
    ];
    let (sum, total) = (
        stages.iter().map(|stage| stage.1).sum::<f64>(),
        cpu(whole.taken),
    );
    println!(
        "\n{}, {events} events: ns of processor time for an event",
        job.name
    );
    for (name, figure) in stages {
        println!("  {name:<28}{figure:>8.0}{:>6.0} %", figure / total * 100.0);
    }
    let rest = total - sum;
    println!(
        "  {:<28}{rest:>8.0}{:>6.0} %",
        "the pipeline itself",
        rest / total * 100.0
    );
    println!("  {:<28}{total:>8.0}   100 %", "end to end");
    if let Some((after, before)) = broker_cpu {
        println!(
            "  {:<28}{:>8.0}",
            "the broker, beside it",
            each(after.saturating_sub(before), events)
        );
    }
    let seconds = whole.taken.wall.as_secs_f64();
    println!(
        "  {:.0} thousand events/s: {seconds:.2} s, {} commits; an empty commit takes {:.1} ms",
        events as f64 / seconds / 1e3,
        whole.commits,
        commit.wall.as_secs_f64() * 1e3 / f64::from(EMPTY_COMMITS),
    );
}

fn count(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// Polls and decodes the whole topic.
async fn decode(topic: &Topic, schema: SchemaRef) -> Vec<RecordBatch> {
    let definition = TableDefinition {
        name: "events".to_owned(),
        format: "KAFKA".to_owned(),
        location: format!("kafka://{}/{}", topic.broker, topic.name),
        schema,
        partition_columns: Vec::new(),
        options: BTreeMap::from([("format".to_owned(), "json".to_owned())]),
    };
    let format = &sluice_connectors::plugin().sources["KAFKA"];
    let source = format.open(&definition).await.expect("a stream");
    let mut reader = source.scan(Wanted::default()).await.expect("a topic");
    let mut batches = Vec::new();
    while let Some(event) = reader.next().await.expect("a broker that answers") {
        match event {
            Event::Batch(batch) => batches.push(batch.rows),
            other => unreachable!("only batches come when a topic is read once: {other:?}"),
        }
    }
    batches
}

/// The columns that a list gives of the stream, as the engine types them.
async fn columns(topic: &Topic, list: &str) -> SchemaRef {
    let sluice = Sluice::open(None).await;
    sluice.run(&JOBS[0].pipeline(topic, "")[0]).await;
    sluice.schema(&format!("SELECT {list} FROM events")).await
}

/// What a job stores of each event.
fn list(job: &Job) -> String {
    format!("{}, {}", job.list(), lineage::NAMES.join(", "))
}

/// Runs the job's query over what was decoded.
async fn transform(job: &Job, decoded: &[RecordBatch]) -> (Vec<RecordBatch>, Taken) {
    let config = SessionConfig::new().with_target_partitions(1);
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).expect("a new session takes every function");
    let table = MemTable::try_new(decoded[0].schema(), vec![decoded.to_vec()]);
    let table = Arc::new(table.expect("batches of one schema"));
    context.register_table("events", table).expect("a new name");
    let sql = format!("SELECT {} FROM events", list(job));
    let frame = context.sql(&sql).await.expect("a valid query");
    let clock = Clock::start();
    let rows = frame.collect().await.expect("rows");
    (rows, clock.stop())
}

/// Appends the rows to a new table in cuts: what that took, how many appends it was, and what as
/// many empty commits as [`EMPTY_COMMITS`] take.
async fn append(topic: &Topic, job: &Job, rows: &[RecordBatch]) -> (Taken, usize, Taken) {
    let folder = tempfile::tempdir().expect("a folder");
    let partition_columns = job.partitioned.then(|| "date".to_owned());
    let definition = TableDefinition {
        name: "logs".to_owned(),
        format: "DELTA".to_owned(),
        location: folder.path().join("logs").display().to_string(),
        schema: columns(topic, &list(job)).await,
        partition_columns: partition_columns.into_iter().collect(),
        options: BTreeMap::new(),
    };
    let format = &sluice_connectors::plugin().tables["DELTA"];
    let table = format.create(&definition).await.expect("a table");
    let schema = table.schema().await.expect("a schema");
    let rows: Vec<RecordBatch> = rows.iter().map(|batch| align(batch, &schema)).collect();
    let mut cuts: Vec<Vec<RecordBatch>> = vec![Vec::new()];
    let mut held = 0;
    for batch in rows {
        held += batch.num_rows();
        cuts.last_mut().expect("one cut at least").push(batch);
        if held >= CUT_ROWS {
            (held, _) = (0, cuts.push(Vec::new()));
        }
    }
    cuts.retain(|cut| !cut.is_empty());
    let appends = cuts.len();
    let mut next = None;
    let clock = Clock::start();
    for cut in cuts {
        next = Some(store(table.as_ref(), &schema, next, cut).await);
    }
    let taken = clock.stop();
    let clock = Clock::start();
    for _ in 0..EMPTY_COMMITS {
        next = Some(store(table.as_ref(), &schema, next, Vec::new()).await);
    }
    (taken, appends, clock.stop())
}

/// The columns in the table's order and types.
fn align(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let column = |field: &FieldRef| {
        let column = batch
            .column_by_name(field.name())
            .expect("a column of that name");
        cast(column, field.data_type()).expect("a column of that type")
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the table")
}

/// One append of one range; gives where the next begins.
async fn store(
    table: &dyn Table,
    schema: &SchemaRef,
    from: Option<i64>,
    rows: Vec<RecordBatch>,
) -> i64 {
    let partition = Partition {
        topic: "drain".to_owned(),
        identity: "bench".to_owned(),
        index: 0,
    };
    let records = count(&rows).max(1);
    let to = from.unwrap_or(0) + i64::try_from(records).expect("a count");
    let range = CommitRange {
        stored: records,
        ..CommitRange::empty(partition, from, to)
    };
    let rows = stream::iter(rows.into_iter().map(Ok));
    let append = Append {
        writer: "bench".to_owned(),
        rows: Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows)),
        ranges: vec![range],
        redactions: Vec::new(),
    };
    table
        .append(append)
        .await
        .expect("a table that can be written");
    to
}
