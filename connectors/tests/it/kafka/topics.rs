//! Which topics a location is, over time: patterns, new partitions, and topics made anew.

use std::collections::BTreeSet;

use sluice_engine::error::Kind;
use sluice_engine::source::{Event, Member, Wanted};

use super::broker::{Kafka, Pipeline};
use super::event;

fn held(pipeline: &Pipeline) -> BTreeSet<(&str, i32)> {
    let held = pipeline.held.iter();
    held.map(|of| (of.topic.as_str(), of.index)).collect()
}

#[tokio::test]
async fn a_pattern_takes_up_topics_as_they_come() {
    let kafka = Kafka::shared();
    let source = kafka.source("^pattern-[a-z]+$", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("pattern")).await;
    // No topic matches yet, which the pipeline hears.
    pipeline.until("nothing to read", |of| of.idle > 0).await;
    kafka.create("pattern-a", 1).await;
    kafka.create("pattern-1", 1).await;
    kafka.create("no-pattern-a", 1).await;
    kafka.send_numbers("pattern-a", 0, 0..3);
    pipeline
        .until("the first topic", |of| of.count() == 3)
        .await;
    kafka.create("pattern-b", 2).await;
    kafka.send_numbers("pattern-b", 1, 0..4);
    pipeline
        .until("the second topic", |of| of.count() == 7)
        .await;
    let wanted = [("pattern-a", 0), ("pattern-b", 0), ("pattern-b", 1)];
    assert_eq!(held(&pipeline), wanted.into());
    let ids: BTreeSet<_> = pipeline.held.iter().map(|of| &of.identity).collect();
    assert_eq!(ids.len(), 2, "an identity for each topic: {ids:?}");
    // A query reads the same topics.
    let mut reader = source.scan(Wanted::default()).await.expect("topics");
    let mut read = BTreeSet::new();
    while let Some(Event::Batch(batch)) = event(&mut *reader).await {
        read.extend(
            batch
                .ranges
                .iter()
                .map(|of| (of.partition.topic.clone(), of.decoded)),
        );
    }
    assert_eq!(
        read,
        [("pattern-a".into(), 3), ("pattern-b".into(), 4)].into()
    );
    // A topic goes as it came.
    kafka.delete("pattern-a").await;
    pipeline
        .until("one topic less", |of| of.held.len() == 2)
        .await;
    kafka.send_numbers("pattern-b", 0, 0..1);
    pipeline
        .until("the other topic goes on", |of| of.count() == 8)
        .await;
}

#[tokio::test]
async fn new_partitions_are_read_from_their_beginning() {
    let kafka = Kafka::shared();
    kafka.create("growing", 1).await;
    let source = kafka.source("growing", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("growing")).await;
    pipeline
        .until("the first partition", |of| of.held.len() == 1)
        .await;
    let offered = &pipeline.offered[0];
    assert!(offered.partition.identity.starts_with("t-"), "{offered:?}");
    let formerly = offered.formerly.as_deref();
    assert!(
        formerly.is_some_and(|name| name.starts_with("c-")),
        "{offered:?}"
    );
    kafka.grow("growing", 3).await;
    kafka.send_numbers("growing", 2, 0..5);
    pipeline
        .until("all partitions", |of| of.held.len() == 3 && of.count() == 5)
        .await;
    let identities: BTreeSet<_> = pipeline.held.iter().map(|of| &of.identity).collect();
    assert_eq!(identities.len(), 1);
}

#[tokio::test]
async fn a_topic_made_anew_is_another_topic() {
    let kafka = Kafka::shared();
    kafka.create("anew", 1).await;
    kafka.send_numbers("anew", 0, 0..5);
    let source = kafka.source("anew", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("anew")).await;
    pipeline
        .until("the first topic", |of| of.count() == 5)
        .await;
    kafka.delete("anew").await;
    // Its name is free when the broker has let it go.
    kafka.create("anew", 1).await;
    // There is something to read at the offset that came next in the old topic.
    kafka.send_numbers("anew", 0, 100..150);
    let error = pipeline.fails().await;
    assert!(
        matches!(error.kind(), Kind::Conflict | Kind::NotFound),
        "{error}"
    );
    assert!(error.message().contains("anew"), "{error}");
    assert_eq!(
        pipeline.count(),
        5,
        "nothing of the new topic under the old name"
    );
    let old = pipeline.next;
    let mut again = Pipeline::of(&source, Member::of("anew")).await;
    again.next = old.clone();
    again.until("the new topic", |of| of.count() == 50).await;
    assert_eq!(again.rows()[0], (0, 0, 100));
    let identity = |of: &Pipeline| of.held.iter().next().map(|of| of.identity.clone());
    assert!(
        old.keys()
            .all(|of| Some(&of.identity) != identity(&again).as_ref())
    );
}

#[tokio::test]
async fn records_deleted_before_they_are_read_end_the_reader() {
    let kafka = Kafka::shared();
    kafka.create("deleted", 1).await;
    kafka.send_numbers("deleted", 0, 0..10);
    kafka.delete_records("deleted", 0, 8).await;
    let source = kafka.source("deleted", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("deleted")).await;
    // The answer of a table that did not look at how far the stream goes back.
    pipeline.at = Some(3);
    let error = pipeline.fails().await;
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(error.message().contains("\"deleted\""), "{error}");
    let offered = &pipeline.offered[0];
    assert_eq!((offered.low, offered.high), (8, 10));
    assert_eq!(pipeline.count(), 0);
}
