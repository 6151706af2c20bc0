//! Batches that cannot be decoded, or grow beyond measure, end in rejects and stop nothing.

use std::fs;

use sluice_engine::source::{Event, Member, Reject, Wanted};

use super::broker::{Kafka, Pipeline, send};
use super::event;

fn rejects(pipeline: &Pipeline) -> Vec<&Reject> {
    let batches = pipeline.batches.iter();
    batches.flat_map(|batch| &batch.rejects).collect()
}

#[tokio::test]
async fn compressed_bombs_are_rejects() {
    let kafka = Kafka::shared();
    kafka.create("bombs", 2).await;
    let zeros = vec![b'0'; 200_000_000];
    let third = &zeros[..60_000_000];
    for compression in ["gzip", "zstd", "lz4"] {
        let producer = kafka.producer(compression);
        send(&producer, ("bombs", 0), &[b"{\"n\":1}"], None);
        send(&producer, ("bombs", 0), &[&zeros], None);
        send(&producer, ("bombs", 1), &[b"{\"n\":2}"], None);
    }
    // Three records that only together are too much, and are one batch.
    send(
        &kafka.producer("zstd"),
        ("bombs", 1),
        &[third, third, third],
        None,
    );
    kafka.send_numbers("bombs", 0, 3..6);
    kafka.send_numbers("bombs", 1, 6..9);
    let source = kafka.source("bombs", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("bombs")).await;
    let ends = |of: &Pipeline| of.next.values().copied().collect::<Vec<_>>() == [9, 9];
    pipeline.until("both partitions to their ends", ends).await;
    let mut numbers: Vec<i64> = pipeline.rows().into_iter().map(|(_, _, n)| n).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8]);
    let mut found: Vec<_> = rejects(&pipeline)
        .into_iter()
        .map(|of| {
            (
                of.partition,
                of.offset,
                of.code,
                of.raw.as_ref().map(Vec::len),
            )
        })
        .collect();
    found.sort_unstable();
    let wanted = [
        (0, 1, "too_large", Some(65536)),
        (0, 3, "bad_compression", None),
        (0, 5, "too_large", Some(65536)),
        (1, 3, "bad_compression", None),
    ];
    assert_eq!(found, wanted);
    let bad = |of: &&Reject| of.partition == 1 && of.code == "bad_compression";
    let reason = &rejects(&pipeline).into_iter().find(bad).unwrap().reason;
    assert!(reason.contains("the offsets 3 to 5"), "{reason}");
    // A query passes over them as well.
    let mut reader = source.scan(Wanted::default()).await.expect("a topic");
    let mut rows = 0;
    while let Some(Event::Batch(batch)) = event(&mut *reader).await {
        rows += batch.rows.num_rows();
    }
    assert_eq!(rows, 12);
}

#[tokio::test]
async fn a_batch_that_the_disk_has_harmed_is_a_reject() {
    let kafka = Kafka::start("harmed");
    kafka.create("harmed", 1).await;
    for batch in 0..4 {
        kafka.send_numbers("harmed", 0, batch * 10..batch * 10 + 10);
    }
    // The broker would mend a log that it had not closed.
    kafka.stop();
    let log = kafka.log("harmed", 0);
    let mut bytes = fs::read(&log).expect("the log");
    let third = bytes
        .windows(8)
        .position(|of| of == b"{\"n\":25}")
        .expect("a record");
    bytes[third + 6] ^= 1;
    fs::write(&log, bytes).expect("a log that can be written");
    kafka.resume();
    let source = kafka.source("harmed", &[]).await;
    let mut pipeline = Pipeline::of(&source, Member::of("harmed")).await;
    let end = |of: &Pipeline| of.next.values().all(|next| *next == 40) && !of.next.is_empty();
    pipeline.until("the end", end).await;
    let numbers: Vec<i64> = pipeline.rows().into_iter().map(|(_, _, n)| n).collect();
    assert_eq!(numbers, (0..20).chain(30..40).collect::<Vec<_>>());
    let found = rejects(&pipeline);
    let [
        Reject {
            offset: 20,
            code: "bad_batch",
            raw: None,
            reason,
            ..
        },
    ] = found.as_slice()
    else {
        panic!("one reject, not {found:?}");
    };
    assert!(reason.contains("the offsets 20 to 29"), "{reason}");
}
