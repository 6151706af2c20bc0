//! How old events are when SQL first sees them: a steady feed into Kafka, a pipeline into Delta,
//! and a client that keeps asking for what is new.
//!
//! An event's age is from its Kafka timestamp, which its producer set, to the arrival of the first
//! answer that has it. `make bench BENCH_ARGS='--bench freshness'` runs it; `RATE` (events a
//! second) and `SECONDS` set the feed, `MAX_LATENCY` is the pipeline's.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use sluice_benches::ingest::{JOBS, Sluice};
use sluice_benches::kafka::{Feed, Topic};
use tokio::runtime::Runtime;

/// The feed and the first commits settle before events count.
const WARM_UP: Duration = Duration::from_secs(3);
/// Events that arrive out of order by more than this would be missed, which the end would show.
const DISORDER_US: i64 = 3_000_000;
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a setting is a number"))
}

fn main() {
    let Ok(kafka) = std::env::var("SLUICE_KAFKA") else {
        println!("freshness: skipped, SLUICE_KAFKA names no broker; `make bench` starts one");
        return;
    };
    let (rate, seconds) = (setting("RATE", 50_000), setting("SECONDS", 25));
    let max_latency = std::env::var("MAX_LATENCY").unwrap_or_else(|_| "500ms".to_owned());
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(measure(
        &kafka,
        rate,
        Duration::from_secs(seconds),
        &max_latency,
    ));
}

async fn measure(kafka: &str, rate: u64, time: Duration, max_latency: &str) {
    let began = now_us();
    let topic = Topic::make(kafka, &format!("freshness-{began}")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let sluice = Sluice::open(None).await;
    let job = JOBS[0];
    sluice.run(&job.table(&folder.path().join("logs"))).await;
    for sql in job.pipeline(&topic, &format!("WITH (max_latency = '{max_latency}')")) {
        sluice.run(&sql).await;
    }
    sluice.engine.start_pipelines();
    let feed = Feed::start(&topic, rate);
    let mut watch = Watch::default();
    let start = Instant::now();
    while start.elapsed() < WARM_UP + time {
        watch.look(&sluice).await;
        tokio::time::sleep(PAUSE).await;
    }
    let sent = feed.end();
    let deadline = Instant::now() + PATIENCE;
    while watch.seen < sent {
        assert!(
            Instant::now() < deadline,
            "{} of {sent} were seen",
            watch.seen
        );
        watch.look(&sluice).await;
    }
    sluice.verify(sent).await;
    sluice.engine.shutdown().await;
    let warm = began + i64::try_from(WARM_UP.as_micros()).expect("a few seconds");
    let mut ages: Vec<i64> = watch
        .ages
        .into_iter()
        .filter(|age| age.0 >= warm)
        .map(|age| age.1)
        .collect();
    ages.sort_unstable();
    let percentile = |part: usize| ages[(ages.len() - 1) * part / 1000] as f64 / 1e3;
    println!(
        "freshness at {rate} events/s, max_latency {max_latency}: p50 {:.0} ms, p95 {:.0} ms, p99 \
         {:.0} ms, most {:.0} ms; {} events, asked {} times",
        percentile(500),
        percentile(950),
        percentile(990),
        percentile(1000),
        ages.len(),
        watch.looks
    );
}

fn now_us() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is set");
    i64::try_from(now.as_micros()).expect("a time that is near")
}

/// What was seen so far.
#[derive(Default)]
struct Watch {
    /// The greatest offset seen of each partition.
    offsets: BTreeMap<i32, i64>,
    newest_us: i64,
    /// The time of each event, and its age when it was seen; microseconds.
    ages: Vec<(i64, i64)>,
    seen: u64,
    looks: u64,
}

impl Watch {
    /// Asks for what is new. Offsets tell which rows are: rows of a partition are stored in order.
    async fn look(&mut self, sluice: &Sluice) {
        let since = (self.newest_us - DISORDER_US).max(0);
        let sql = format!(
            "SELECT _partition, _offset, _kafka_ts FROM logs \
             WHERE _kafka_ts > to_timestamp_micros({since})"
        );
        let rows = sluice.run(&sql).await;
        let now = now_us();
        self.looks += 1;
        let before = self.offsets.clone();
        for batch in rows {
            let partitions = batch.column(0).as_primitive::<Int32Type>();
            let offsets = batch.column(1).as_primitive::<Int64Type>();
            let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                let (partition, offset) = (partitions.value(row), offsets.value(row));
                if before.get(&partition).is_none_or(|seen| offset > *seen) {
                    let time = times.value(row);
                    let most = self.offsets.entry(partition).or_insert(offset);
                    *most = offset.max(*most);
                    self.newest_us = self.newest_us.max(time);
                    self.ages.push((time, now - time));
                    self.seen += 1;
                }
            }
        }
    }
}
