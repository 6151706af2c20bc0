//! Pipelines from files to Delta tables: what a table cannot hold harms no other record, and what a
//! store does wrong loses none and doubles none.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_connectors::delta::DeltaFormat;
use sluice_engine::authority::Authority;
use sluice_engine::config::{self, Config};
use sluice_engine::engine::Engine;
use sluice_engine::session::Session;
use tempfile::TempDir;

use crate::flaky::Flaky;
use crate::session::{ask, run, until};

fn append(path: &Path, lines: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(lines.as_bytes()).unwrap();
}

/// How many lines of all files are committed.
const COMMITTED: &str = "SELECT sum(next_offset) FROM system.partitions";

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_name_no_partition_are_dead_letters() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.ndjson");
    let times = [
        "\"2026-02-05T10:00:00Z\"",
        // The zero time of Go, as it is written in a zone of the east.
        "\"0001-01-01T00:00:00+02:00\"",
        "\"0000-01-01T00:00:00Z\"",
        "-99999999999",
        "\"9999-12-31T23:59:59Z\"",
        "\"0001-01-01T00:00:00Z\"",
    ];
    let lines = times
        .iter()
        .enumerate()
        .fold(String::new(), |mut lines, (n, at)| {
            writeln!(lines, "{{\"n\":{n},\"at\":{at}}}").unwrap();
            lines
        });
    append(&path, &lines);
    let engine = Engine::open(Config::default(), sluice_connectors::plugin(), None)
        .await
        .unwrap();
    let session = engine.session(Authority::Owner);
    let shown = folder.path().display();
    for sql in [
        format!(
            "CREATE EXTERNAL TABLE events (n BIGINT, at TIMESTAMP) STORED AS FILE \
             LOCATION '{shown}/events.ndjson' OPTIONS ('follow' 'true')"
        ),
        format!(
            "CREATE EXTERNAL TABLE logs (n BIGINT, day DATE) STORED AS DELTA \
             PARTITIONED BY (day) LOCATION '{shown}/logs'"
        ),
        "CREATE PIPELINE keep WITH (max_latency = '50ms') AS INSERT INTO logs \
         SELECT n, CAST(at AS DATE) AS day FROM events"
            .to_owned(),
    ] {
        ask(&session, &sql).await;
    }
    engine.start_pipelines();
    until(&session, COMMITTED, "6").await;
    let kept = "SELECT n FROM logs ORDER BY n";
    assert_eq!(ask(&session, kept).await, ["0", "4", "5"]);
    let dead = ask(
        &session,
        "SELECT _offset, code, reason FROM logs__dlq ORDER BY _offset",
    )
    .await;
    let says = ["0000-12-31", "0000-01-01", "-1199-02-15"];
    assert_eq!(dead.len(), says.len(), "{dead:?}");
    for ((letter, value), offset) in dead.iter().zip(says).zip(1..) {
        assert!(
            letter.starts_with(&format!("{offset}|refused|")),
            "{letter}"
        );
        assert!(
            letter.contains("column \"day\"") && letter.contains(value),
            "{letter}"
        );
    }
    append(&path, "{\"n\":6,\"at\":\"2026-02-06T00:00:00Z\"}\n");
    until(&session, "SELECT max(n) FROM logs", "6").await;
    let verdicts = ask(&session, "VERIFY TABLE logs").await;
    assert!(
        verdicts.iter().all(|verdict| verdict.contains("|ok|")),
        "{verdicts:?}"
    );
    engine.shutdown().await;
}

/// Files of the stream, and the lines of each.
const FILES: usize = 3;
const ROUNDS: usize = 8;
const LINES: usize = 90;

/// The lines of one round: mostly records whose text does not compress, some that are none, some
/// that the query refuses.
fn round(file: usize, round: usize) -> String {
    let mut state = (1 + file * ROUNDS + round) as u64;
    let mut lines = String::new();
    for n in round * LINES..(round + 1) * LINES {
        if n % 23 == 7 {
            lines.push_str("{\"n\": nothing\n");
            continue;
        }
        let number = if n % 31 == 5 { "x" } else { "" };
        write!(
            lines,
            "{{\"n\":\"{number}{n}\",\"k\":\"{}\",\"noise\":\"",
            n % 2
        )
        .unwrap();
        for _ in 0..1000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            write!(lines, "{state:016x}").unwrap();
        }
        lines.push_str("\"}\n");
    }
    lines
}

async fn over(store: &Arc<Flaky>, data: &Path) -> (Arc<Engine>, Session) {
    let mut plugin = sluice_connectors::plugin();
    let format = DeltaFormat::with_store(Arc::clone(store) as _);
    plugin.tables.insert("DELTA", Arc::new(format));
    let often = Duration::from_millis(150);
    let config = Config {
        maintenance: config::Maintenance {
            checkpoint_interval: often,
            checkpoint_commits: 5,
            compact_interval: often,
            ..Config::default().maintenance
        },
        ..Config::default()
    };
    let engine = Engine::open(config, plugin, Some(data)).await.unwrap();
    let session = engine.session(Authority::Owner);
    (engine, session)
}

/// Waits for what is committed, whatever the store makes of questions meanwhile.
async fn committed(session: &Session, lines: usize) {
    let since = Instant::now();
    loop {
        let answer = run(session, COMMITTED).await;
        if answer
            .as_ref()
            .is_ok_and(|answer| *answer == [lines.to_string()])
        {
            return;
        }
        let state = run(session, "SHOW PIPELINES").await;
        assert!(
            since.elapsed() < Duration::from_secs(90),
            "{answer:?} of {lines}: {state:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn survives(seed: u64) -> Arc<Flaky> {
    let folder = TempDir::new().unwrap();
    let (data, stream) = (folder.path().join("data"), folder.path().join("stream"));
    std::fs::create_dir(&stream).unwrap();
    let feed = |number| {
        for file in 0..FILES {
            append(&stream.join(file.to_string()), &round(file, number));
        }
    };
    feed(0);
    let store = Flaky::new(seed);
    let (mut engine, mut session) = over(&store, &data).await;
    let shown = folder.path().display();
    for sql in [
        format!(
            "CREATE EXTERNAL TABLE events (n VARCHAR, k VARCHAR, noise VARCHAR) STORED AS FILE \
             LOCATION '{shown}/stream' OPTIONS ('follow' 'true')"
        ),
        format!(
            "CREATE EXTERNAL TABLE logs (n BIGINT, k VARCHAR, noise VARCHAR) STORED AS DELTA \
             PARTITIONED BY (k) LOCATION '{shown}/logs'"
        ),
        "CREATE PIPELINE keep WITH (max_latency = '20ms', max_rows = 100) AS INSERT INTO logs \
         SELECT CAST(n AS BIGINT) AS n, k, noise FROM events"
            .to_owned(),
    ] {
        ask(&session, &sql).await;
    }
    store.fail(true);
    engine.start_pipelines();
    for number in 1..ROUNDS {
        committed(&session, FILES * number * LINES).await;
        feed(number);
        if number == ROUNDS / 2 {
            // Another process goes on, in the middle of whatever this one does.
            engine.shutdown().await;
            drop((engine, session));
            store.fail(false);
            (engine, session) = over(&store, &data).await;
            store.fail(true);
            engine.start_pipelines();
        }
    }
    let lines = ROUNDS * LINES;
    committed(&session, FILES * lines).await;
    let since = Instant::now();
    while let Err(error) = run(&session, "CALL optimize('logs')").await {
        assert!(since.elapsed() < Duration::from_secs(60), "{error}");
    }
    store.fail(false);
    let broken = (0..lines).filter(|n| n % 23 == 7).count();
    let refused = (0..lines).filter(|n| n % 23 != 7 && n % 31 == 5).count();
    let (dead, kept) = (
        FILES * (broken + refused),
        FILES * (lines - broken - refused),
    );
    let counts = |table: &str| {
        format!("SELECT count(*), count(DISTINCT _topic || ':' || _offset) FROM {table}")
    };
    let found = ask(&session, &counts("logs")).await;
    assert_eq!(found, [format!("{kept}|{kept}")], "seed {seed}");
    let found = ask(&session, &counts("logs__dlq")).await;
    assert_eq!(found, [format!("{dead}|{dead}")], "seed {seed}");
    let verdicts = ask(&session, "VERIFY TABLE logs").await;
    assert_eq!(verdicts.len(), FILES);
    for verdict in &verdicts {
        assert!(verdict.contains("|ok|"), "seed {seed}: {verdicts:?}");
    }
    engine.shutdown().await;
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_record_survives_a_store_that_fails_at_every_call() {
    let mut all = std::collections::BTreeMap::<_, u64>::new();
    for seed in 1..=3 {
        for (call, count) in survives(seed).await.calls() {
            *all.entry(call).or_default() += count;
        }
    }
    for call in [
        "create",
        "put",
        "multipart",
        "part",
        "complete",
        "get",
        "list",
        "delete",
    ] {
        assert!(
            all.get(call).is_some_and(|count| *count > 0),
            "{call}: {all:?}"
        );
    }
    assert!(all["failed"] >= 30, "{all:?}");
}
