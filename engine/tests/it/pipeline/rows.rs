//! Records become rows, dead letters and offsets, each once.

use std::sync::Arc;

use crate::memory::{Fault, World};
use crate::statements::{run, values};

use super::{set_up, until, until_query, verdicts};

#[tokio::test]
async fn rows_arrive_with_their_lineage_and_bad_records_as_dead_letters() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "!bad", "", "b", "skip me", "c"]);
    topic.push(1, &["d", "not a number"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '10ms') AS INSERT INTO t \
               SELECT upper(value), CASE WHEN value LIKE 'not%' THEN CAST(value AS INT) END \
               FROM s WHERE value NOT LIKE 'skip%'";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 7).await;
    topic.push(1, &["e"]);
    until(&engine, 8).await;
    assert_eq!(
        values(&session, "SELECT v FROM t ORDER BY v").await,
        ["A", "B", "C", "D", "E"]
    );
    let lineage = "SELECT _topic || '/' || _partition || '/' || _offset FROM t ORDER BY 1";
    let want = [
        "events/0/0",
        "events/0/3",
        "events/0/5",
        "events/1/0",
        "events/1/2",
    ];
    assert_eq!(values(&session, lineage).await, want);
    let dead = "SELECT code || ' ' || _partition || '/' || _offset FROM t__dlq ORDER BY 1";
    assert_eq!(
        values(&session, dead).await,
        ["bad_json 0/1", "refused 1/1"]
    );
    let raw = "SELECT arrow_cast(raw, 'Utf8') FROM t__dlq WHERE code = 'bad_json'";
    assert_eq!(values(&session, raw).await, ["!bad"]);
    assert_eq!(verdicts(&session).await, ["ok", "ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn every_record_is_stored_once_whichever_commit_fails() {
    for number in 0..6 {
        for stored in [false, true] {
            let world = Arc::new(World::default());
            let topic = world.topic("events");
            topic.push(0, &["a", "b", "!c", "d", "e", "f", "!g", "h"]);
            let fault = if stored { Fault::After } else { Fault::Before };
            world.faults("t").lock().unwrap().push((number, fault));
            world
                .faults("t__dlq")
                .lock()
                .unwrap()
                .push((number / 2, fault));
            let sql = "CREATE PIPELINE p WITH (max_latency = '5ms', max_rows = 3) AS \
                       INSERT INTO t (v) SELECT value FROM s";
            let (engine, session) = set_up(&world, sql).await;
            engine.start_pipelines();
            let all = "SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM t__dlq)";
            until_query(&session, all, "8").await;
            engine.shutdown().await;
            let stored_rows = values(&session, "SELECT v FROM t ORDER BY v").await;
            assert_eq!(
                stored_rows,
                ["a", "b", "d", "e", "f", "h"],
                "{number} {stored}"
            );
            let dead = values(&session, "SELECT _offset FROM t__dlq ORDER BY 1").await;
            assert_eq!(dead, ["2", "6"], "{number} {stored}");
            assert_eq!(verdicts(&session).await, ["ok"], "{number} {stored}");
        }
    }
}

#[tokio::test]
async fn unnested_rows_share_an_offset_and_still_add_up() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a,b", "c", "d,e,f"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t (v) \
               SELECT unnest(string_to_array(value, ',')) AS v FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    assert_eq!(
        values(&session, "SELECT v FROM t ORDER BY v")
            .await
            .concat(),
        "abcdef"
    );
    assert_eq!(
        values(&session, "SELECT _offset FROM t ORDER BY v")
            .await
            .concat(),
        "001222"
    );
    assert_eq!(verdicts(&session).await, ["ok"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn pausing_replacing_and_restarting_keep_the_offsets() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a", "b"]);
    let sql =
        "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t (v) SELECT value FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
    assert_eq!(
        values(&session, "SELECT state FROM system.pipelines").await,
        ["paused"]
    );
    topic.push(0, &["c"]);
    let replace = sql
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("SELECT value", "SELECT upper(value)");
    run(&session, &replace).await.unwrap();
    run(&session, "ALTER PIPELINE p RESUME").await.unwrap();
    until(&engine, 1).await;
    assert_eq!(
        values(&session, "SELECT v FROM t ORDER BY _offset").await,
        ["a", "b", "C"]
    );
    run(&session, &sql.replace("PIPELINE", "PIPELINE IF NOT EXISTS"))
        .await
        .unwrap();
    assert_eq!(verdicts(&session).await, ["ok"]);
    run(&session, "DROP PIPELINE p").await.unwrap();
    engine.shutdown().await;
}

#[tokio::test]
async fn rewinding_reads_again_and_is_told_by_verify() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a", "b", "!c", "d"]);
    let sql =
        "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t (v) SELECT value FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    run(&session, "ALTER PIPELINE p REWIND TO OFFSET 1")
        .await
        .unwrap();
    until(&engine, 3).await;
    assert_eq!(
        values(&session, "SELECT v FROM t ORDER BY v")
            .await
            .concat(),
        "abbdd"
    );
    assert_eq!(values(&session, "SELECT count(*) FROM t__dlq").await, ["1"]);
    let verdict = verdicts(&session).await.concat();
    assert!(verdict.contains("rewound to offset 1"), "{verdict}");
    assert!(
        run(&session, "ALTER PIPELINE p REWIND TO OFFSET 9")
            .await
            .is_err()
    );
    run(&session, "ALTER PIPELINE p REWIND TO EARLIEST")
        .await
        .unwrap();
    until(&engine, 4).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn the_body_run_once_is_a_backfill_with_lineage() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["a", "!b", "c"]);
    let body = "INSERT INTO t (v) SELECT upper(value) FROM s";
    let (engine, session) = set_up(&world, &format!("CREATE PIPELINE p AS {body}")).await;
    assert!(run(&session, body).await.is_err());
    run(&session, "SET sluice.on_error = 'skip'").await.unwrap();
    run(&session, body).await.unwrap();
    let stored = "SELECT v || _offset FROM t ORDER BY 1";
    assert_eq!(values(&session, stored).await, ["A0", "C2"]);
    run(&session, "INSERT INTO t (n) SELECT count(*) FROM s")
        .await
        .unwrap();
    assert_eq!(
        values(&session, "SELECT n FROM t WHERE _offset IS NULL").await,
        ["2"]
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn another_body_may_refuse_records_that_are_below_the_dead_letters() {
    let world = Arc::new(World::default());
    world.topic("events").push(0, &["1", "x", "3", "!bad"]);
    let sql =
        "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t (v) SELECT value FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 4).await;
    let strict = "CREATE OR REPLACE PIPELINE p WITH (max_latency = '5ms') AS \
                  INSERT INTO t (v, n) SELECT value, CAST(value AS INT) AS n FROM s";
    run(&session, strict).await.unwrap();
    run(&session, "ALTER PIPELINE p REWIND TO EARLIEST")
        .await
        .unwrap();
    until(&engine, 4).await;
    let dead = "SELECT code || _offset FROM t__dlq ORDER BY 1";
    assert_eq!(values(&session, dead).await, ["bad_json3", "refused1"]);
    assert!(run(&session, "DROP TABLE t__dlq").await.is_err());
    let named = "CREATE PIPELINE q AS INSERT INTO t (v, _offset) SELECT value, _offset FROM s";
    run(&session, named).await.unwrap();
    engine.shutdown().await;
}
