//! Staying a member of a group, taking a member's place, and leaving it to another.

use std::time::Duration;

use sluice_engine::error::Kind;
use sluice_engine::source::Member;
use tokio::time::{Instant, sleep};

use super::broker::{Kafka, Pipeline};

fn member(group: &str, instance: &str) -> Member {
    let instance = Some(instance.to_owned());
    Member {
        instance,
        ..Member::of(group)
    }
}

#[tokio::test]
async fn an_engine_that_takes_nothing_for_long_stays_in_the_group() {
    let kafka = Kafka::shared();
    kafka.create("stuck", 2).await;
    for partition in 0..2 {
        kafka.send_numbers("stuck", partition, 0..150_000);
    }
    let interval = Duration::from_millis(6000);
    let options = [
        ("kafka.session.timeout.ms", "6000"),
        ("kafka.max.poll.interval.ms", "6000"),
    ];
    let source = kafka.source("stuck", &options).await;
    let mut pipeline = Pipeline::of(&source, Member::of("stuck")).await;
    pipeline.until("the first batch", |of| of.count() > 0).await;
    // A commit that takes longer than the group would wait for a member that does not poll.
    sleep(interval * 3 / 2).await;
    pipeline
        .until("everything", |of| of.count() == 300_000)
        .await;
    assert_eq!(pipeline.lost, 0, "no partition went to somebody else");
    assert_eq!(
        pipeline.offered.len(),
        2,
        "each partition was assigned once"
    );
}

#[tokio::test]
async fn an_engine_that_takes_nothing_does_not_hold_up_the_group() {
    let kafka = Kafka::shared();
    kafka.create("hold", 2).await;
    for partition in 0..2 {
        kafka.send_numbers("hold", partition, 0..150_000);
    }
    let options = [
        ("kafka.session.timeout.ms", "6000"),
        ("kafka.max.poll.interval.ms", "12000"),
    ];
    let source = kafka.source("hold", &options).await;
    let mut first = Pipeline::of(&source, Member::of("hold")).await;
    first.until("the first batch", |of| of.count() > 0).await;
    // The first takes nothing more until another has one of its partitions.
    let mut second = Pipeline::of(&source, Member::of("hold")).await;
    second.until("a partition", |of| of.held.len() == 1).await;
    first.until("the loss of it", |of| of.lost == 1).await;
    assert_eq!(first.held.len(), 1);
    assert!(first.held.is_disjoint(&second.held));
}

#[tokio::test]
async fn a_process_that_comes_back_takes_its_place_at_once() {
    let kafka = Kafka::shared();
    kafka.create("place", 2).await;
    let options = [("kafka.session.timeout.ms", "45000")];
    let source = kafka.source("place", &options).await;
    let mut first = Pipeline::of(&source, member("place", "a")).await;
    first
        .until("both partitions", |of| of.held.len() == 2)
        .await;
    // The first has not left the group: it is as if it had been killed.
    let since = Instant::now();
    let mut again = Pipeline::of(&source, member("place", "a")).await;
    again
        .until("both partitions", |of| of.held.len() == 2)
        .await;
    assert!(
        since.elapsed() < Duration::from_secs(30),
        "without waiting for the session"
    );
    // And should it live, it hears that it is not the one.
    let error = first.fails().await;
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(
        error.hint_text().is_some_and(|hint| hint.contains("copy")),
        "{error}"
    );
    kafka.send_numbers("place", 1, 0..3);
    again.until("records", |of| of.count() == 3).await;
}

#[tokio::test]
async fn a_member_without_partitions_knows_it() {
    let kafka = Kafka::shared();
    kafka.create("single", 1).await;
    let source = kafka.source("single", &[]).await;
    let mut first = Pipeline::of(&source, member("single", "a")).await;
    first.until("the partition", |of| of.held.len() == 1).await;
    let mut second = Pipeline::of(&source, member("single", "b")).await;
    second.until("nothing to read", |of| of.idle > 0).await;
    kafka.send_numbers("single", 0, 0..3);
    first.until("records", |of| of.count() == 3).await;
    assert!(second.held.is_empty() && first.lost == 0);
}

#[tokio::test]
async fn a_broker_that_restarts_is_waited_for() {
    let kafka = Kafka::start("restart");
    kafka.create("restart", 2).await;
    let source = kafka.source("restart", &[]).await;
    let mut pipeline = Pipeline::of(&source, member("restart", "a")).await;
    kafka.send_numbers("restart", 0, 0..10);
    pipeline
        .until("records before", |of| of.count() == 10)
        .await;
    kafka.kill();
    kafka.resume();
    kafka.send_numbers("restart", 0, 10..20);
    kafka.send_numbers("restart", 1, 0..10);
    pipeline.until("records after", |of| of.count() == 30).await;
}

#[tokio::test]
async fn the_brokers_own_group_protocol_works() {
    let kafka = Kafka::shared();
    kafka.create("kip848", 2).await;
    kafka.send_numbers("kip848", 1, 0..10);
    let options = [("kafka.group.protocol", "consumer")];
    let source = kafka.source("kip848", &options).await;
    let mut pipeline = Pipeline::of(&source, member("kip848", "a")).await;
    let all = |of: &Pipeline| of.held.len() == 2 && of.count() == 10;
    pipeline.until("both partitions", all).await;
}
