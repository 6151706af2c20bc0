//! Dead letters of a pipeline that ran, replayed by several at once: every record is stored once,
//! and the table still proves it.

use std::sync::Arc;

use futures::future::join_all;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use tempfile::TempDir;

use crate::session::{ask, until};

const RECORDS: usize = 20_000;
/// One in so many is refused at first.
const REFUSED: usize = 5;

/// An engine that reads a file of which some records are refused.
async fn refusing(folder: &TempDir) -> Arc<Engine> {
    let file = folder.path().join("events.ndjson");
    let record = |n: usize| match n % REFUSED {
        0 => format!("{{\"n\":\"x{n}\"}}\n"),
        _ => format!("{{\"n\":\"{n}\"}}\n"),
    };
    std::fs::write(&file, (0..RECORDS).map(record).collect::<String>()).unwrap();
    let data = folder.path().join("data");
    let plugin = sluice_connectors::plugin();
    let engine = Engine::open(Config::default(), plugin, Some(&data))
        .await
        .unwrap();
    let session = engine.session(Authority::Owner);
    let stream = format!(
        "CREATE EXTERNAL TABLE events (n VARCHAR) STORED AS FILE LOCATION '{}'",
        file.display()
    );
    ask(&session, &stream).await;
    ask(&session, "CREATE TABLE logs (n BIGINT)").await;
    let pipeline = "CREATE PIPELINE keep WITH (max_latency = '100ms') AS \
                    INSERT INTO logs SELECT CAST(n AS BIGINT) AS n FROM events";
    ask(&session, pipeline).await;
    engine.start_pipelines();
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_at_once_store_every_record_once() {
    let folder = TempDir::new().unwrap();
    let engine = refusing(&folder).await;
    let session = engine.session(Authority::Owner);
    let (good, bad) = (RECORDS - RECORDS / REFUSED, RECORDS / REFUSED);
    until(&session, "SELECT count(*) FROM logs", &good.to_string()).await;
    let dead = "SELECT count(*) FROM system.dead_letters WHERE error_code = 'refused'";
    until(&session, dead, &bad.to_string()).await;
    let mended = "CREATE OR REPLACE PIPELINE keep WITH (max_latency = '100ms') AS \
                  INSERT INTO logs SELECT CAST(replace(n, 'x', '') AS BIGINT) AS n FROM events";
    ask(&session, mended).await;

    let parts = (0..6).map(|part| {
        let session = engine.session(Authority::Owner);
        async move {
            // They overlap: each asks for a part, and then for all.
            let some = format!("CALL replay('logs', where => '\"offset\" % 6 >= {part}')");
            ask(&session, &some).await;
            ask(&session, "CALL replay('logs')").await
        }
    });
    for outcome in join_all(parts).await {
        assert!(
            outcome[0].starts_with(&format!("keep|{bad}|")),
            "{outcome:?}"
        );
        assert!(outcome[0].ends_with("|0|0|"), "nothing fails: {outcome:?}");
    }
    let counts = "SELECT count(*), count(DISTINCT n), count(DISTINCT _offset) FROM logs";
    let all = format!("{RECORDS}|{RECORDS}|{RECORDS}");
    assert_eq!(ask(&session, counts).await, [all]);
    let again = ask(&session, "CALL replay('logs')").await;
    assert_eq!(again, [format!("keep|{bad}|0|0|{bad}|0|0|")]);
    let replayed = "SELECT sum(stored) FROM system.commits \
                    WHERE \"table\" = 'logs' AND pipeline = 'keep:replay'";
    assert_eq!(ask(&session, replayed).await, [bad.to_string()]);
    let verdicts = ask(&session, "VERIFY TABLE logs").await;
    assert!(!verdicts.is_empty(), "no verdict");
    for verdict in &verdicts {
        assert!(verdict.contains("|ok|"), "{verdicts:?}");
    }
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn system_tables_say_where_a_pipeline_stands() {
    let folder = TempDir::new().unwrap();
    let engine = refusing(&folder).await;
    let session = engine.session(Authority::Owner);
    let (good, bad) = (RECORDS - RECORDS / REFUSED, RECORDS / REFUSED);
    let stands = "SELECT pipeline, partition, next_offset, lag, rejected, gap, \
                  committed_at IS NOT NULL FROM system.partitions";
    until(
        &session,
        stands,
        &format!("keep|0|{RECORDS}|0|{bad}|0|true"),
    )
    .await;
    let sums = "SELECT sum(stored), sum(rejected), sum(filtered), sum(missing), sum(gap), \
                max(to_offset) FROM system.commits \
                WHERE \"table\" = 'logs' AND pipeline = 'keep'";
    assert_eq!(
        ask(&session, sums).await,
        [format!("{good}|{bad}|0|0|0|{RECORDS}")]
    );
    let join = "SELECT count(*) FROM system.commits a JOIN system.commits b \
                ON a.\"table\" = b.\"table\" AND a.partition = b.partition \
                AND a.pipeline = b.pipeline AND a.to_offset = b.from_offset \
                WHERE a.\"table\" = 'logs' AND a.version >= b.version";
    assert_eq!(
        ask(&session, join).await,
        ["0"],
        "ranges join in the order of versions"
    );
    ask(&session, "ALTER PIPELINE keep PAUSE").await;
    until(&session, "SELECT count(*) FROM system.partitions", "0").await;
    engine.shutdown().await;
}
