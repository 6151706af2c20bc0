//! The ledger says what was redacted in the rows that are stored, whatever fails; columns have
//! policies by default.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::session::Session;

use crate::memory::{Fault, World, redaction};
use crate::statements::{run, values};

use super::{SOURCE, TABLE, until, until_query, verdicts};

const COUNT: &str = "SELECT coalesce(sum(count), 0) FROM system.redactions WHERE \"table\" = 't'";
/// The same, counted in what is stored.
const RECOUNT: &str = "SELECT coalesce(sum(length(v) - length(replace(v, '*', ''))) / 3, 0) FROM t";

fn config() -> Config {
    let mut config = Config::default();
    let modes = BTreeMap::from([("word".to_owned(), "mask".to_owned())]);
    config.redaction.policies.insert("bank".to_owned(), modes);
    config
}

async fn engine(world: &Arc<World>, config: Config, data: Option<&Path>) -> Result<Arc<Engine>> {
    let plugin = world.plugin().and(redaction::plugin());
    Engine::open(config, plugin, data).await
}

async fn set_up(world: &Arc<World>, pipeline: &str) -> (Arc<Engine>, Session) {
    let engine = engine(world, config(), None).await.unwrap();
    let session = engine.session(Authority::Owner);
    for sql in [TABLE, SOURCE, pipeline] {
        run(&session, sql).await.unwrap();
    }
    (engine, session)
}

async fn fails(session: &Session, sql: &str) -> Error {
    let done = run(session, sql).await;
    done.map(|rows| panic!("{sql} gave\n{rows}")).unwrap_err()
}

const REDACTING: &str = "CREATE PIPELINE p WITH (max_latency = '5ms', max_rows = 4) AS \
                         INSERT INTO t (v) SELECT redact(value, policy => 'bank') FROM s \
                         WHERE redact(value, policy => 'bank') NOT LIKE 'skip%'";

#[tokio::test]
async fn the_ledger_counts_what_is_stored_and_nothing_else() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(
        0,
        &["a secret", "b", "skip secret", "!secret", "secret secret"],
    );
    topic.push(1, &["secret"]);
    let (engine, session) = set_up(&world, REDACTING).await;
    engine.start_pipelines();
    until(&engine, 6).await;
    assert_eq!(values(&session, COUNT).await, ["4"]);
    assert_eq!(values(&session, RECOUNT).await, ["4"]);
    let line = "SELECT DISTINCT concat_ws(' ', pipeline, \"table\", policy, policy_hash, category) \
                FROM system.redactions";
    assert_eq!(values(&session, line).await, ["p t bank hash of bank word"]);
    let joined = "SELECT count(*) FROM system.redactions r JOIN system.commits c \
                  ON r.\"table\" = c.\"table\" AND r.version = c.version \
                  AND r.committed_at = c.timestamp WHERE c.stored = 0";
    assert_eq!(values(&session, joined).await, ["0"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn the_ledger_is_exact_whichever_commit_fails() {
    for number in 0..6 {
        for fault in [Fault::Before, Fault::After, Fault::Full] {
            let world = Arc::new(World::default());
            let topic = world.topic("events");
            topic.push(0, &["secret 1", "2", "!c", "4 secret", "secret, secret"]);
            topic.push(1, &["skip secret", "secret 2", "3", "!d", "secret"]);
            world.faults("t").lock().unwrap().push((number, fault));
            let (engine, session) = set_up(&world, REDACTING).await;
            engine.start_pipelines();
            let all = "SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM t__dlq)";
            until_query(&session, all, "9").await;
            engine.shutdown().await;
            assert_eq!(values(&session, COUNT).await, ["6"], "{number} {fault:?}");
            assert_eq!(values(&session, RECOUNT).await, ["6"], "{number} {fault:?}");
            let verdicts = verdicts(&session).await;
            assert_eq!(verdicts, ["ok", "ok"], "{number} {fault:?}");
        }
    }
}

#[tokio::test]
async fn runs_that_fail_over_a_record_count_once_and_refused_records_not_at_all() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    let records: Vec<String> = (0..900)
        .map(|n| match n % 7 {
            0 => format!("x{n} secret"),
            1 => format!("secret{n}"),
            _ => format!("{n}"),
        })
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    topic.push(0, &records);
    // The number is only read where the text does not begin with the word.
    let sql = "CREATE PIPELINE p WITH (max_latency = '50ms') AS INSERT INTO t \
               SELECT redact(value) AS v, \
               CASE WHEN value LIKE 'secret%' THEN 0 ELSE CAST(value AS INT) END AS n FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 900).await;
    assert_eq!(
        values(&session, "SELECT count(*) FROM t__dlq").await,
        ["129"]
    );
    assert_eq!(values(&session, COUNT).await, ["129"]);
    assert_eq!(values(&session, RECOUNT).await, ["129"]);
    let policy = "SELECT DISTINCT policy IS NULL FROM system.redactions";
    assert_eq!(values(&session, policy).await, ["true"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn the_ledger_survives_a_restart_and_counts_what_is_replayed() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["secret", "b", "secret secret"]);
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = engine(&world, config(), Some(folder.path())).await.unwrap();
        let session = engine.session(Authority::Owner);
        for sql in [TABLE, SOURCE, REDACTING] {
            run(&session, sql).await.unwrap();
        }
        engine.start_pipelines();
        until(&engine, 3).await;
        engine.shutdown().await;
    }
    let engine = engine(&world, config(), Some(folder.path())).await.unwrap();
    let session = engine.session(Authority::Owner);
    assert_eq!(values(&session, COUNT).await, ["3"]);
    run(&session, "ALTER PIPELINE p REWIND TO OFFSET 1")
        .await
        .unwrap();
    engine.start_pipelines();
    until(&engine, 2).await;
    assert_eq!(values(&session, COUNT).await, ["5"]);
    assert_eq!(values(&session, RECOUNT).await, ["5"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_column_has_a_policy_by_default_and_pii_says_what_was_there() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["a secret", "plain", "secret secret"]);
    let engine = engine(&world, config(), None).await.unwrap();
    let session = engine.session(Authority::Owner);
    let table = "CREATE TABLE t (v VARCHAR, w VARCHAR, n INT, pii VARCHAR[])";
    for sql in [table, SOURCE] {
        run(&session, sql).await.unwrap();
    }
    let sql = "CREATE PIPELINE p WITH (max_latency = '5ms', 'redact.v' = 'bank', \
               'redact.w' = 'plain') AS INSERT INTO t \
               SELECT value AS v, CASE WHEN value = 'plain' THEN value END AS w, 1 AS n FROM s";
    run(&session, sql).await.unwrap();
    let options = values(&session, "SELECT options FROM system.pipelines").await;
    assert_eq!(
        options,
        ["max_latency = '5ms', redact.v = 'bank', redact.w = 'plain'"]
    );
    engine.start_pipelines();
    until(&engine, 3).await;
    let rows = "SELECT concat_ws(' ', v, w, n, array_to_string(pii, '+')) FROM t ORDER BY _offset";
    assert_eq!(
        values(&session, rows).await,
        ["a *** 1 word", "plain plain 1", "*** *** 1 word"]
    );
    assert_eq!(values(&session, COUNT).await, ["3"]);
    assert_eq!(
        values(&session, "SELECT count(*) FROM t WHERE pii IS NULL").await,
        ["0"]
    );
    engine.shutdown().await;
    // A value that the query gives stays.
    let own = sql
        .replace("CREATE", "CREATE OR REPLACE")
        .replace("1 AS n", "1 AS n, make_array('mine') AS pii");
    run(&session, &own).await.unwrap();
    topic.push(0, &["secret"]);
    engine.start_pipelines();
    until_query(
        &session,
        "SELECT count(*) FROM t WHERE pii = make_array('mine')",
        "1",
    )
    .await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_text_is_looked_at_once_however_often_its_answer_is_used() {
    let world = Arc::new(World::default());
    world
        .topic("events")
        .push(0, &["a secret", "secret secret"]);
    let sql = "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t \
               SELECT redact(value) AS v, length(redact(value)) AS n FROM s";
    let (engine, session) = set_up(&world, sql).await;
    engine.start_pipelines();
    until(&engine, 2).await;
    let rows = "SELECT concat_ws(' ', v, n) FROM t ORDER BY _offset";
    assert_eq!(values(&session, rows).await, ["a *** 5", "*** *** 7"]);
    assert_eq!(values(&session, COUNT).await, ["3"]);
    engine.shutdown().await;
}

#[tokio::test]
async fn policies_are_listed_and_wrong_ones_are_refused_by_name() {
    let world = Arc::new(World::default());
    let plain = "CREATE PIPELINE p AS INSERT INTO t (v) SELECT value FROM s";
    let (_engine, session) = set_up(&world, plain).await;
    let shown = run(&session, "SHOW POLICIES").await.unwrap();
    assert!(
        shown.contains("| bank  | hash of bank  | word     | mask |"),
        "{shown}"
    );
    let names = "SELECT name FROM system.policies ORDER BY name";
    assert_eq!(values(&session, names).await, ["bank", "plain"]);
    for (option, message, hint) in [
        (
            "'redact.v' = 'bnk'",
            "no policy \"bnk\"",
            "there are \"bank\", \"plain\"",
        ),
        (
            "'redact.x' = 'bank'",
            "option \"redact.x\": the table has no such column",
            "\"v\"",
        ),
        (
            "'redact.n' = 'bank'",
            "option \"redact.n\": the column is no text",
            "\"v\"",
        ),
        (
            "'redact._topic' = 'bank'",
            "the table has no such column",
            "\"v\"",
        ),
        (
            "'redact.' = 'bank'",
            "has no option \"redact.\"",
            "redact.<column>",
        ),
    ] {
        let sql = plain.replace("PIPELINE p AS", &format!("PIPELINE q WITH ({option}) AS"));
        let error = fails(&session, &sql).await;
        assert_eq!(error.kind(), Kind::User);
        assert!(error.message().contains(message), "{error}");
        assert!(
            error.hint_text().unwrap_or_default().contains(hint),
            "{error}"
        );
    }
    let mut wrong = config();
    wrong
        .redaction
        .policies
        .insert("wrong".to_owned(), BTreeMap::new());
    let error = engine(&world, wrong, None).await.unwrap_err();
    assert!(error.message().contains("\"wrong\""), "{error}");
    let mut written = config();
    written.redaction.key = "written out".to_owned();
    let error = engine(&world, written, None).await.unwrap_err().to_string();
    assert!(
        error.contains("redaction.key") && !error.contains("written out\""),
        "{error}"
    );
}

#[tokio::test]
async fn the_ledger_outlives_the_log() {
    let world = Arc::new(World::default());
    let topic = world.topic("events");
    topic.push(0, &["secret", "b", "secret secret"]);
    let (engine, session) = set_up(&world, REDACTING).await;
    engine.start_pipelines();
    until(&engine, 3).await;
    let clean = "CALL clean_log('t', retention => '0s')";
    for more in 4..8 {
        topic.push(0, &["one more secret"]);
        until(&engine, more).await;
        run(&session, clean).await.unwrap();
        assert_eq!(values(&session, COUNT).await, [more.to_string()]);
        assert_eq!(values(&session, RECOUNT).await, [more.to_string()]);
    }
    let lines = "SELECT count(*) FROM system.redactions";
    assert_eq!(values(&session, lines).await, ["1"]);
    engine.shutdown().await;
}
