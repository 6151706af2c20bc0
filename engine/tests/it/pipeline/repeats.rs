//! Rows that repeat a stored one within a window are left out, whatever fails and whoever reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::error::Error;
use sluice_engine::session::Session;

use crate::memory::{Fault, World};
use crate::statements::{engine, run, values};

use super::{SOURCE, proven, until, until_query, verdicts};

const TABLE: &str = "CREATE EXTERNAL TABLE t (k VARCHAR, at TIMESTAMP, n INT) STORED AS MEMORY \
                     LOCATION 'm://x/t'";
/// Records are `key@seconds`.
const PIPELINE: &str = "CREATE PIPELINE p WITH (max_latency = '5ms', max_rows = 7, \
                        event_time = 'at', dedup_key = 'k', dedup_window = '10s') AS \
                        INSERT INTO t (k, at) SELECT nullif(split_part(value, '@', 1), ''), \
                        to_timestamp(CAST(split_part(value, '@', 2) AS BIGINT)) FROM s";

async fn set_up(world: &Arc<World>) -> (Arc<Engine>, Session) {
    let engine = engine(world, None).await;
    let session = engine.session(Authority::Owner);
    for sql in [TABLE, SOURCE, PIPELINE] {
        run(&session, sql).await.unwrap();
    }
    (engine, session)
}

async fn stored(session: &Session) -> Vec<String> {
    let sql = "SELECT _partition || ':' || _offset FROM t ORDER BY _partition, _offset";
    values(session, sql).await
}

#[tokio::test]
async fn repeats_are_left_out_and_told_as_filtered() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(
        0,
        &[
            "a@100", "b@100", "a@109", "a@110", "!bad", "a@101", "@100", "@100",
        ],
    );
    topic.push(1, &["a@100", "a@95", "c@200", "a@100", "a@100"]);
    let (engine, session) = set_up(&world).await;
    engine.start_pipelines();
    until(&engine, 13).await;
    // The window begins at the stored row; what is late by it, and rows without a key, are stored.
    let want = [
        "0:0", "0:1", "0:3", "0:6", "0:7", "1:0", "1:2", "1:3", "1:4",
    ];
    assert_eq!(stored(&session).await, want);
    assert_eq!(proven(&session, "filtered").await, ["2", "1"]);
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
    engine.shutdown().await;
}

fn records(seed: u64, count: usize) -> Vec<String> {
    let mut state = seed;
    let mut below = |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let mut at = 1_000;
    let record = |_| {
        at += below(3);
        match below(12) {
            0 => "!bad".to_owned(),
            1 => format!("@{at}"),
            2 => format!("k{}@{}", below(9), at - below(40)),
            _ => format!("k{}@{}", below(9), at - below(6)),
        }
    };
    (0..count).map(record).collect()
}

/// What must be stored of the records of a partition, found out the slow way.
fn wanted(records: &[String]) -> Vec<usize> {
    let mut stored: Vec<(usize, &str, i64)> = Vec::new();
    let mut all = Vec::new();
    for (offset, record) in records
        .iter()
        .enumerate()
        .filter(|(_, r)| !r.starts_with('!'))
    {
        let (key, at) = record.split_once('@').unwrap();
        let at: i64 = at.parse().unwrap();
        let newest = stored.iter().map(|row| row.2).max().unwrap_or(at);
        let near = |row: &&(usize, &str, i64)| row.1 == key && (row.2 - at).abs() < 10;
        let repeat = !key.is_empty() && at > newest - 10 && stored.iter().any(|row| near(&row));
        if !repeat {
            all.push(offset);
            if !key.is_empty() {
                stored.push((offset, key, at));
            }
        }
    }
    all
}

#[tokio::test]
async fn restarts_and_failures_change_nothing() {
    for seed in 1..=6 {
        let world = Arc::new(World::default());
        let topic = world.topic("events");
        let all: BTreeMap<usize, Vec<String>> = (0..2)
            .map(|index| (index, records(seed * 7 + index as u64, 150)))
            .collect();
        let faults = [
            (3, Fault::Before),
            (6, Fault::After),
            (9, Fault::Full),
            (14, Fault::After),
        ];
        world.faults("t").lock().unwrap().extend(faults);
        let mut last = None;
        for part in 0..3 {
            for (index, records) in &all {
                let records: Vec<&str> = records[part * 50..][..50].iter().map(|r| &**r).collect();
                topic.push(*index, &records);
            }
            // Another process each time: what is remembered comes from the table.
            let (engine, session) = set_up(&world).await;
            engine.start_pipelines();
            let done = "SELECT sum(lag) FROM system.partitions";
            until_query(&session, done, "0").await;
            until_query(&session, "SELECT count(*) FROM system.partitions", "2").await;
            engine.shutdown().await;
            last = Some((engine, session));
        }
        let (_engine, session) = last.unwrap();
        let want: Vec<String> = all
            .iter()
            .flat_map(|(index, records)| {
                let offsets = wanted(records).into_iter();
                offsets.map(move |offset| format!("{index}:{offset}"))
            })
            .collect();
        assert_eq!(stored(&session).await, want, "{seed}");
        assert_eq!(verdicts(&session).await, ["ok", "ok"], "{seed}");
    }
}

#[tokio::test]
async fn records_that_are_read_again_are_no_repeats_of_themselves() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a@100", "b@100", "a@101", "c@102"]);
    let (engine, session) = set_up(&world).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    run(&session, "ALTER PIPELINE p REWIND TO OFFSET 1")
        .await
        .unwrap();
    until(&engine, 3).await;
    assert_eq!(stored(&session).await, ["0:0", "0:1", "0:1", "0:3", "0:3"]);
    engine.shutdown().await;
}

async fn refusal(session: &Session, sql: &str) -> Error {
    let done = run(session, sql).await;
    done.map(|rows| panic!("{sql} gave\n{rows}")).unwrap_err()
}

#[tokio::test]
async fn what_cannot_tell_repeats_is_refused() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a@1"]);
    let engine = engine(&world, None).await;
    let session = engine.session(Authority::Owner);
    for sql in [TABLE, SOURCE] {
        run(&session, sql).await.unwrap();
    }
    let query = "INSERT INTO t (k, at) SELECT value, now() FROM s";
    for (options, body, message) in [
        ("dedup_key = 'x'", query, "no column \"x\""),
        ("dedup_key = 'n'", query, "\"n\" gets no value"),
        ("dedup_key = 'k,,'", query, "no list of columns"),
        ("dedup_window = '1m'", query, "says nothing without"),
        (
            "dedup_window = '0s', dedup_key = 'k'",
            query,
            "some time apart",
        ),
        (
            "dedup_key = 'k'",
            "INSERT INTO t (k, n) SELECT unnest(string_to_array(value, ',')), 1 FROM s",
            "several rows for one record",
        ),
        (
            "dedup_key = 'k'",
            "INSERT INTO t (k, at) SELECT value, now() FROM s WHERE random() < 0.5",
            "random()",
        ),
    ] {
        let event_time = match options.contains("event_time") {
            true => "",
            false => ", event_time = 'at'",
        };
        let sql = format!("CREATE PIPELINE p WITH ({options}{event_time}) AS {body}");
        let error = refusal(&session, &sql).await.to_string();
        assert!(error.contains(message), "{error}");
    }
    let timeless = format!("CREATE PIPELINE p WITH (dedup_key = 'k') AS {query}");
    let error = refusal(&session, &timeless).await.to_string();
    assert!(error.contains("event_time"), "{error}");
}
