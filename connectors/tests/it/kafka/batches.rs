//! What happens in the middle of a batch of records: an error, a pause, a change of partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::time::Duration;

use sluice_engine::source::{Member, Reject};
use tokio::time::sleep;

use super::broker::{Kafka, Pipeline};

/// More than an engine and what lies on the way to it take before they stop a reader.
const MANY: i64 = 150_000;

/// The offsets of each partition, in their order; panics where a number comes twice. A producer
/// that tries again may send its numbers in another order.
fn offsets(pipeline: &Pipeline) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let mut numbers = BTreeSet::new();
    for (partition, offset, n) in pipeline.rows() {
        assert!(numbers.insert((partition, n)), "{n} twice in {partition}");
        offsets.entry(partition).or_default().push(offset);
    }
    offsets
}

/// Harms the batch that holds the number `n`, of a broker that is stopped.
fn harm(kafka: &Kafka, topic: &str, n: i64) {
    let log = kafka.log(topic, 0);
    let mut bytes = fs::read(&log).expect("the log");
    let value = format!("{{\"n\":{n}}}");
    let at = bytes
        .windows(value.len())
        .position(|of| of == value.as_bytes())
        .expect("a record");
    bytes[at + 5] ^= 1;
    fs::write(&log, bytes).expect("a log that can be written");
}

#[tokio::test]
async fn an_error_among_records_costs_none_of_them() {
    let kafka = Kafka::start("among");
    kafka.create("among", 2).await;
    let batches: [Range<i64>; 4] = [0..1000, 1000..2000, 2000..2010, 2010..MANY];
    for batch in batches {
        kafka.send_numbers("among", 0, batch);
    }
    kafka.send_numbers("among", 1, 0..MANY);
    kafka.stop();
    harm(&kafka, "among", 1500);
    harm(&kafka, "among", 2005);
    kafka.resume();
    let interval = Duration::from_millis(6000);
    let options = [
        ("kafka.session.timeout.ms", "6000"),
        ("kafka.max.poll.interval.ms", "6000"),
    ];
    let source = kafka.source("among", &options).await;
    let mut pipeline = Pipeline::of(&source, Member::of("among")).await;
    pipeline.until("the first batch", |of| of.count() > 0).await;
    // The reader pauses with records in its hands, among them an error perhaps.
    sleep(interval * 3 / 2).await;
    let ends = |of: &Pipeline| of.next.values().copied().collect::<Vec<_>>() == [MANY, MANY];
    pipeline.until("both partitions to their ends", ends).await;
    let found = offsets(&pipeline);
    assert!(found[&0].iter().copied().eq((0..1000).chain(2010..MANY)));
    assert!(found[&1].iter().copied().eq(0..MANY));
    let rejects: Vec<&Reject> = pipeline.batches.iter().flat_map(|of| &of.rejects).collect();
    let places: Vec<_> = rejects
        .iter()
        .map(|of| (of.partition, of.offset, of.code))
        .collect();
    assert_eq!(places, [(0, 1000, "bad_batch"), (0, 2000, "bad_batch")]);
    assert!(rejects[0].reason.contains("the offsets 1000 to 1999"));
    assert!(rejects[1].reason.contains("the offsets 2000 to 2009"));
}

#[tokio::test]
async fn a_change_of_partitions_among_records_costs_none_of_them() {
    let kafka = Kafka::shared();
    kafka.create("change", 4).await;
    for partition in 0..4 {
        kafka.send_numbers("change", partition, 0..MANY);
    }
    let source = kafka.source("change", &[]).await;
    let mut first = Pipeline::of(&source, Member::of("change")).await;
    let begun = |of: &Pipeline| of.held.len() == 4 && of.count() > 0;
    first.until("all partitions", begun).await;
    let mut second = Pipeline::of(&source, Member::of("change")).await;
    let (left, taken) = tokio::join!(
        async {
            first.until("two are left", |of| of.held.len() == 2).await;
            first
        },
        async {
            second.until("two are taken", |of| of.held.len() == 2).await;
            second
        }
    );
    for mut pipeline in [left, taken] {
        let ends = |of: &Pipeline| of.held.iter().all(|held| of.next[held] == MANY);
        pipeline.until("its partitions to their ends", ends).await;
        // Of a partition that went to the other, as far as it was read: `until` has seen that
        // ranges join.
        let read = pipeline.next.iter().map(|(of, next)| (of.index, *next));
        let read: BTreeMap<i32, i64> = read.filter(|(_, next)| *next > 0).collect();
        let found = offsets(&pipeline);
        assert!(found.keys().eq(read.keys()));
        for (partition, offsets) in found {
            assert!(offsets.into_iter().eq(0..read[&partition]), "{partition}");
        }
    }
}

#[tokio::test]
async fn a_partition_that_comes_back_is_read_on() {
    let kafka = Kafka::shared();
    kafka.create("back", 2).await;
    let source = kafka.source("back", &[]).await;
    let mut first = Pipeline::of(&source, Member::of("back")).await;
    first
        .until("both partitions", |of| of.held.len() == 2)
        .await;
    for round in 0..3 {
        for partition in 0..2 {
            kafka.send_numbers("back", partition, round * 1000..round * 1000 + 1000);
        }
        let all = |of: &Pipeline| of.next.values().all(|next| *next == round * 1000 + 1000);
        first.until("what was sent", all).await;
        // Another comes and goes, and what it had comes back.
        let mut other = Pipeline::of(&source, Member::of("back")).await;
        other.next.clone_from(&first.next);
        tokio::join!(
            first.until("one is left", |of| of.held.len() == 1),
            other.until("one is taken", |of| of.held.len() == 1),
        );
        drop(other);
        first.until("both again", |of| of.held.len() == 2).await;
    }
    for (_, offsets) in offsets(&first) {
        assert!(offsets.into_iter().eq(0..3000));
    }
}
