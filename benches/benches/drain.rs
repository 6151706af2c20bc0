//! Drains a preloaded topic of a real Kafka into a Delta table, and beside it reads the same topic
//! with librdkafka alone, which is what no consumer can beat.
//!
//! `make bench BENCH_ARGS='--bench drain'` starts the broker and says in `SLUICE_KAFKA` where it
//! is. The topic `drain` has 8 partitions of lz4-compressed JSON events
//! (`sluice_benches::events`); `EVENTS` sets how many. Every drained table is verified; the time to
//! verify does not count.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints; criterion makes its main"
)]

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice_benches::ingest::{JOBS, drain};
use sluice_benches::kafka::Topic;
use tokio::runtime::Runtime;

const EVENTS_DEFAULT: u64 = 4_000_000;

fn bench(criterion: &mut Criterion) {
    let Ok(kafka) = std::env::var("SLUICE_KAFKA") else {
        println!("drain: skipped, SLUICE_KAFKA names no broker; `make bench` starts one");
        return;
    };
    let events = std::env::var("EVENTS").map_or(EVENTS_DEFAULT, |text| {
        text.parse().expect("EVENTS is a number")
    });
    // As the server does.
    sluice_connectors::kafka::keep_memory();
    let runtime = Runtime::new().expect("a runtime");
    let topic = runtime.block_on(Topic::make(&kafka, "drain"));
    topic.fill(events);
    let mut group = criterion.benchmark_group("drain");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(events));
    group.bench_function("librdkafka alone", |bencher| {
        bencher.iter_custom(|times| {
            let began = Instant::now();
            (0..times).for_each(|_| topic.read_bare(events));
            began.elapsed()
        });
    });
    for job in JOBS {
        group.bench_function(BenchmarkId::from_parameter(job.name), |bencher| {
            bencher.iter_custom(|times| {
                let drain = || runtime.block_on(drain(&topic, events, &job)).taken.wall;
                (0..times).map(|_| drain()).sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
