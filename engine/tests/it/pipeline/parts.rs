//! Cuts that become several commits, and what commits say of time.

use std::sync::Arc;

use sluice_engine::authority::Authority;

use crate::memory::World;
use crate::statements::{engine, run, values};

use super::{SOURCE, set_up, until, verdicts};

#[tokio::test]
async fn a_query_that_makes_much_of_little_is_committed_in_parts() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let records: Vec<String> = (0..3999).map(|n| format!("{}", 2000 + n % 5)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    topic.push(0, &["!bad"]);
    topic.push(0, &records);
    // One cut holds all records, and no commit may hold more than a part of what they become.
    let sql = "CREATE PIPELINE p WITH (max_latency = '1h', max_rows = 4000, max_bytes = '1MiB') AS \
               INSERT INTO t (v) SELECT repeat('x', CAST(value AS INT)) FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 4000).await;
    assert_eq!(
        values(&session, "SELECT count(*) || ' ' || max(length(v)) FROM t").await,
        ["3999 2004"]
    );
    let commits = world.table("t").history();
    let storing: Vec<u64> = commits
        .iter()
        .map(|commit| commit.rows)
        .filter(|rows| *rows > 0)
        .collect();
    assert!(storing.len() >= 3, "{storing:?}");
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn the_end_of_a_backlog_does_not_wait_for_more() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b", "!c"]);
    topic.push(1, &["d"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '1h') AS \
               INSERT INTO t (v) SELECT value FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn rows_of_very_many_partitions_are_committed_in_parts() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let records: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    topic.push(0, &records);
    let engine = engine(&world, None).await;
    let session = engine.session(Authority::Owner);
    let table = "CREATE EXTERNAL TABLE t (v VARCHAR, n INT) STORED AS MEMORY \
                 PARTITIONED BY (v) LOCATION 'm://x/t'";
    run(&session, table).await.unwrap();
    run(&session, SOURCE).await.unwrap();
    // One cut holds all records, each of which is a partition of its own.
    let sql = "CREATE PIPELINE p WITH (max_latency = '1h', max_rows = 20000) AS \
               INSERT INTO t (v) SELECT value FROM s";
    run(&session, sql).await.unwrap();
    engine.start_pipelines();
    until(&engine, 20_000).await;
    let commits = world.table("t").history();
    let most = commits.iter().map(|commit| commit.rows).max();
    assert!(most < Some(4096 + 8192), "{most:?} partitions in a commit");
    assert_eq!(
        values(&session, "SELECT count(DISTINCT v) FROM t").await,
        ["20000"]
    );
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn one_record_may_not_become_without_bound() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["1", "5000000", "2"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '20ms') AS INSERT INTO t (v) \
               SELECT CAST(unnest(range(0, CAST(value AS INT))) AS VARCHAR) AS v FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    assert_eq!(values(&session, "SELECT count(*) FROM t").await, ["3"]);
    let dead = values(&session, "SELECT reason FROM t__dlq").await.concat();
    assert!(dead.contains("MiB of one record"), "{dead}");
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn commits_say_when_their_rows_happened() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "!bad"]);
    topic.push(1, &["2026-03-01T00:00:00Z"]);
    let engine = engine(&world, None).await;
    let session = engine.session(Authority::Owner);
    let table = "CREATE TABLE t (\"timestamp\" TIMESTAMP, seen TIMESTAMP)";
    run(&session, table).await.unwrap();
    run(&session, SOURCE).await.unwrap();
    let sql = "CREATE PIPELINE p WITH (max_latency = '50ms') AS INSERT INTO t \
               SELECT CAST(value AS TIMESTAMP), TIMESTAMP '2020-01-01T00:00:00Z' FROM s";
    run(&session, sql).await.unwrap();
    engine.start_pipelines();
    until(&engine, 4).await;
    let times = |from: usize| {
        let commits = world.table("t").history().split_off(from);
        let ranges = commits.into_iter().flat_map(|commit| commit.ranges);
        let stored = ranges.filter(|range| range.stored > 0);
        let times = stored.filter_map(|range| range.event_time_us);
        let (least, most): (Vec<i64>, Vec<i64>) = times.unzip();
        (least.into_iter().min(), most.into_iter().max())
    };
    let micros = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    let micros = |text| Some(micros(text).timestamp_micros());
    let want = (
        micros("2026-01-01T00:00:00Z"),
        micros("2026-03-01T00:00:00Z"),
    );
    assert_eq!(times(0), want);
    let before = world.table("t").history().len();
    let named = sql
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("'50ms'", "'50ms', event_time = 'seen'");
    run(&session, &named).await.unwrap();
    topic.push(0, &["2026-05-01T00:00:00Z"]);
    until(&engine, 1).await;
    let seen = micros("2020-01-01T00:00:00Z");
    assert_eq!(times(before), (seen, seen));
    engine.shutdown().await;
}
