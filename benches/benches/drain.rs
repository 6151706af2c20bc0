//! Drains a preloaded topic of a real Kafka into a Delta table, and beside it reads the same topic
//! with librdkafka alone, which is what no consumer can beat.
//!
//! `make bench BENCH_ARGS='--bench drain'` starts the broker and says in `SLUICE_KAFKA` where it
//! is. The topic has 8 partitions of lz4-compressed JSON events (`sluice_benches::events`);
//! `EVENTS` sets how many. Every drained table is verified before its time counts.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints; criterion makes its main"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use sluice_benches::events::{COLUMNS, Events};
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::session::Session;
use sluice_udfs::Function;
use tokio::runtime::Runtime;

const PARTITIONS: i32 = 8;
const EVENTS_DEFAULT: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn events() -> u64 {
    std::env::var("EVENTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(EVENTS_DEFAULT)
}

fn preload(runtime: &Runtime, kafka: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .create()
        .expect("a client");
    let new = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()));
    assert!(
        made.expect("a broker").iter().all(Result::is_ok),
        "the topic is new"
    );
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .expect("a producer");
    for (number, event) in (0..events()).zip(Events::new(7)) {
        let partition = i32::try_from(number % 8).expect("one of eight");
        let mut record = BaseRecord::<(), _>::to(topic)
            .partition(partition)
            .payload(&event);
        while let Err((_, back)) = producer.send(record) {
            record = back;
            std::thread::yield_now();
        }
    }
    producer.flush(PATIENCE).expect("a broker that keeps up");
}

/// Reads every record and does nothing with it.
fn read_bare(kafka: &str, topic: &str) -> Duration {
    let began = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("queued.min.messages", "1000000")
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .expect("a consumer");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(topic, partition, Offset::Beginning)
            .expect("a partition");
    }
    consumer.assign(&all).expect("an assignment");
    let mut left = events();
    while left > 0 {
        let message = consumer
            .poll(PATIENCE)
            .expect("a record in time")
            .expect("a record");
        left -= u64::from(rdkafka::Message::payload(&message).is_some());
    }
    began.elapsed()
}

/// Drains the topic into a new table; `message` is the expression for that column.
async fn drain(kafka: &str, topic: &str, message: &str) -> Duration {
    let mut plugin = sluice_connectors::plugin();
    for function in sluice_udfs::functions() {
        if let Function::Scalar(udf) = function {
            plugin.scalars.push(std::sync::Arc::new(udf));
        }
    }
    let engine = Engine::open(Config::default(), plugin, None)
        .await
        .expect("an engine");
    let session = engine.session(Authority::Owner);
    let columns = COLUMNS.replace(" TIMESTAMP", "").replace(" VARCHAR", "");
    let columns = columns.replace(" DOUBLE", "").replace(" BIGINT", "");
    let columns = columns.replace(" message,", &format!(" {message} AS message,"));
    for sql in [
        format!(
            "CREATE EXTERNAL TABLE s ({COLUMNS}) STORED AS KAFKA \
             LOCATION 'kafka://{kafka}/{topic}' OPTIONS ('format' 'json')"
        ),
        format!("CREATE TABLE logs ({COLUMNS})"),
        format!("CREATE PIPELINE drain AS INSERT INTO logs SELECT {columns} FROM s"),
    ] {
        run(&session, &sql).await;
    }
    let began = Instant::now();
    engine.start_pipelines();
    while engine.progress()[0].events < events() {
        assert!(began.elapsed() < PATIENCE * 10, "{:?}", engine.progress());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    let verified = run(&session, "VERIFY TABLE logs").await;
    let ok = verified.iter().all(|batch| {
        let verdict = batch.column_by_name("verdict").expect("a verdict");
        let verdict = arrow::array::AsArray::as_string::<i32>(verdict);
        verdict.iter().all(|verdict| verdict == Some("ok"))
    });
    assert!(ok, "{verified:?}");
    assert_eq!(engine.progress()[0].rows, events());
    engine.shutdown().await;
    took
}

async fn run(session: &Session, sql: &str) -> Vec<arrow::record_batch::RecordBatch> {
    let prepared = session.prepare(sql).await.expect(sql);
    let answer = session.execute(&prepared).await.expect(sql);
    futures::TryStreamExt::try_collect(answer.rows)
        .await
        .expect(sql)
}

fn bench(criterion: &mut Criterion) {
    let Ok(kafka) = std::env::var("SLUICE_KAFKA") else {
        println!("drain: skipped, SLUICE_KAFKA names no broker; `make bench` starts one");
        return;
    };
    let runtime = Runtime::new().expect("a runtime");
    let topic = "drain";
    preload(&runtime, &kafka, topic);
    let mut group = criterion.benchmark_group("drain");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(events()));
    group.bench_function("librdkafka alone", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| read_bare(&kafka, topic)).sum());
    });
    for (name, message) in [
        ("to Delta", "message"),
        ("to Delta, redacted", "redact(message)"),
    ] {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|times| {
                (0..times)
                    .map(|_| runtime.block_on(drain(&kafka, topic, message)))
                    .sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
