//! The ledger over real functions and real tables: what it says is what a recount of the source
//! says, over restarts, dead letters that are replayed, and a log that was cleaned.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::session::Session;
use sluice_flight_server::compose;

const RECORDS: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(60);
const CARD: &str = "4111 1111 1111 1111";

async fn run(session: &Session, sql: &str) -> Vec<String> {
    let prepared = session.prepare(sql).await.unwrap();
    let answer = session.execute(&prepared).await.unwrap();
    let batches: Vec<_> = answer.rows.try_collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter_map(|line| line.strip_prefix('|'));
    let cells = |line: &str| {
        let cells = line.trim_end_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>().join("|")
    };
    lines.skip(1).map(cells).collect()
}

async fn until(session: &Session, sql: &str, want: &str) {
    let since = Instant::now();
    loop {
        let answer = run(session, sql).await;
        if answer == [want] {
            return;
        }
        let pipelines = run(session, "SHOW PIPELINES").await;
        assert!(since.elapsed() < PATIENCE, "{answer:?} {pipelines:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the record `n` cannot be cast at first, and whether it is left out.
fn is_refused(n: usize) -> bool {
    n.is_multiple_of(13)
}

fn is_filtered(n: usize) -> bool {
    n.is_multiple_of(7)
}

/// The categories in the record `n`.
fn held(n: usize) -> Vec<&'static str> {
    let mut held = Vec::new();
    held.extend(n.is_multiple_of(3).then_some("email"));
    held.extend(n.is_multiple_of(5).then_some("credit_card"));
    held
}

fn records(from: usize, to: usize) -> String {
    let mut lines = String::new();
    for n in from..to {
        let mut message = format!("request {n} done");
        for category in held(n) {
            match category {
                "email" => write!(message, ", user{n}@example.com asked").unwrap(),
                _ => write!(message, ", card {CARD} charged").unwrap(),
            }
        }
        let severity = if is_filtered(n) { "DEBUG" } else { "INFO" };
        let latency = if is_refused(n) { "slow" } else { "1.5" };
        writeln!(
            lines,
            "{{\"severity\":\"{severity}\",\"latency\":\"{latency}\",\"message\":\"{message}\"}}"
        )
        .unwrap();
    }
    lines
}

fn wanted(to: usize, category: &str, refused: bool) -> usize {
    let stored = |n: &usize| !is_filtered(*n) && (refused || !is_refused(*n));
    let holds = |n: &usize| held(*n).contains(&category);
    (0..to).filter(stored).filter(holds).count()
}

async fn open(data: &Path) -> (Arc<Engine>, Session) {
    let mut config = Config::default();
    let modes = [("tier1", "mask"), ("email", "label")];
    let modes = modes.map(|(category, mode)| (category.to_owned(), mode.to_owned()));
    config
        .redaction
        .policies
        .insert("bank".to_owned(), modes.into());
    let engine = Engine::open(config, compose::plugin(), Some(data))
        .await
        .unwrap();
    let session = engine.session(Authority::Owner);
    (engine, session)
}

async fn check(session: &Session, to: usize, refused: bool) {
    for category in ["credit_card", "email"] {
        let told = format!(
            "SELECT sum(count) FROM system.redactions WHERE category = '{category}' \
             AND policy = 'bank' AND \"table\" = 'logs'"
        );
        let told = run(session, &told).await;
        assert_eq!(
            told,
            [wanted(to, category, refused).to_string()],
            "{category}"
        );
        let pii = format!("SELECT count(*) FROM logs WHERE array_has(pii, '{category}')");
        assert_eq!(run(session, &pii).await, told, "{category}");
    }
    let others = "SELECT count(*) FROM system.redactions \
                  WHERE category NOT IN ('credit_card', 'email')";
    assert_eq!(run(session, others).await, ["0"]);
    let masked = "SELECT count(*) FROM logs WHERE message LIKE '%[EMAIL] asked%'";
    let want = wanted(to, "email", refused).to_string();
    assert_eq!(run(session, masked).await, [want]);
    let raw = "SELECT count(*) FROM logs WHERE message LIKE '%@%' OR message LIKE '%4111%'";
    assert_eq!(run(session, raw).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_a_recount_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    let data = folder.path().join("data");
    std::fs::write(&file, records(0, RECORDS)).unwrap();
    let pipeline = "CREATE PIPELINE ingest WITH (max_latency = '20ms', max_rows = 500, \
                    'redact.message' = 'bank') AS \
                    INSERT INTO logs SELECT severity, message, CAST(latency AS DOUBLE) AS latency \
                    FROM events WHERE severity <> 'DEBUG'";
    let kept = (0..RECORDS).filter(|n| !is_filtered(*n));
    let refused = kept.clone().filter(|n| is_refused(*n)).count();
    let kept = kept.count();
    {
        let (engine, session) = open(&data).await;
        let stream = format!(
            "CREATE EXTERNAL TABLE events (severity VARCHAR, latency VARCHAR, message VARCHAR) \
             STORED AS FILE LOCATION '{}'",
            file.display()
        );
        run(&session, &stream).await;
        let table = "CREATE TABLE logs (severity VARCHAR, message VARCHAR, latency DOUBLE, \
                     pii VARCHAR[])";
        run(&session, table).await;
        run(&session, pipeline).await;
        engine.start_pipelines();
        // Somewhere in the middle, whatever is in flight.
        let some = "SELECT count(*) > 0 FROM logs";
        until(&session, some, "true").await;
        engine.shutdown().await;
    }
    let (engine, session) = open(&data).await;
    engine.start_pipelines();
    let rows = (kept - refused).to_string();
    until(&session, "SELECT count(*) FROM logs", &rows).await;
    until(
        &session,
        "SELECT count(*) FROM logs__dlq",
        &refused.to_string(),
    )
    .await;
    check(&session, RECORDS, false).await;
    run(&session, "CALL checkpoint('logs')").await;
    run(&session, "CALL clean_log('logs', retention => '0s')").await;
    check(&session, RECORDS, false).await;
    let lenient = pipeline
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("CAST(latency", "TRY_CAST(latency");
    run(&session, &lenient).await;
    run(&session, "CALL replay('logs')").await;
    check(&session, RECORDS, true).await;
    let verdict = run(&session, "VERIFY TABLE logs").await;
    assert!(
        verdict.iter().all(|line| line.contains("|ok|")),
        "{verdict:?}"
    );
    engine.shutdown().await;
}
