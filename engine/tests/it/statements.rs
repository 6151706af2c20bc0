//! Statements over tables in memory: definitions, inserts, errors with their hints.

use std::path::Path;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::session::Session;

use crate::memory::World;

pub(crate) async fn engine(world: &Arc<World>, data: Option<&Path>) -> Arc<Engine> {
    Engine::open(Config::default(), world.plugin(), data)
        .await
        .unwrap()
}

/// Runs one statement and gives its rows as a printed table.
pub(crate) async fn run(session: &Session, sql: &str) -> Result<String> {
    let prepared = session.prepare(sql).await?;
    let answer = session.execute(&prepared).await?;
    let rows: Vec<_> = answer.rows.try_collect().await?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

/// The values of a query's only column, in order.
pub(crate) async fn values(session: &Session, sql: &str) -> Vec<String> {
    let table = run(session, sql).await.unwrap();
    table
        .lines()
        .skip(3)
        .filter_map(|l| {
            Some(
                l.strip_prefix("| ")?
                    .trim_end_matches(" |")
                    .trim()
                    .to_owned(),
            )
        })
        .collect()
}

const TABLES: &str = "SELECT table_name FROM information_schema.tables \
                      WHERE table_schema = 'public' ORDER BY 1";

pub(crate) async fn fails(session: &Session, sql: &str) -> Error {
    run(session, sql)
        .await
        .map(|rows| panic!("{sql} gave\n{rows}"))
        .unwrap_err()
}

#[tokio::test]
async fn tables_are_made_filled_read_and_dropped() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Owner);
    run(
        &session,
        "CREATE TABLE t (a INT NOT NULL, b VARCHAR, c TIMESTAMP)",
    )
    .await
    .unwrap();
    let prepared = session
        .prepare("INSERT INTO t VALUES (1, 'x', '2026-01-02T03:04:05Z'), (1 + 1, NULL, now())")
        .await
        .unwrap();
    assert!(prepared.has_effect());
    assert_eq!(session.execute(&prepared).await.unwrap().affected, Some(2));
    run(&session, "INSERT INTO t (b, a) SELECT 'y', 3")
        .await
        .unwrap();
    assert_eq!(
        values(&session, "SELECT a FROM t ORDER BY a").await,
        ["1", "2", "3"]
    );
    assert_eq!(
        values(&session, "SELECT c FROM t WHERE a = 1").await,
        ["2026-01-02T03:04:05Z"]
    );
    run(&session, "CREATE TABLE u AS SELECT a * 2 AS d FROM t")
        .await
        .unwrap();
    assert_eq!(values(&session, "SELECT sum(d) FROM u").await, ["12"]);
    assert_eq!(values(&session, TABLES).await, ["t", "u"]);
    run(&session, "DROP TABLE t").await.unwrap();
    assert_eq!(
        fails(&session, "SELECT * FROM t").await.kind(),
        Kind::NotFound
    );
    run(&session, "DROP TABLE IF EXISTS t").await.unwrap();
}

#[tokio::test]
async fn definitions_survive_a_restart() {
    let world = Arc::new(World::default());
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = engine(&world, Some(folder.path())).await;
        let session = engine.session(Authority::Owner);
        run(&session, "CREATE TABLE \"Big T\"(a INT)")
            .await
            .unwrap_err();
        run(&session, "CREATE TABLE t (a VARCHAR)").await.unwrap();
        run(&session, "INSERT INTO t VALUES ('kept')")
            .await
            .unwrap();
        let stream = "CREATE EXTERNAL TABLE s (value VARCHAR NOT NULL) STORED AS TOPIC \
                      LOCATION 'm://x/events' OPTIONS ('format' 'it''s')";
        run(&session, stream).await.unwrap();
        run(
            &session,
            "CREATE PIPELINE p WITH (max_latency = '2s') AS INSERT INTO t SELECT value FROM s",
        )
        .await
        .unwrap();
        run(&session, "ALTER PIPELINE p PAUSE").await.unwrap();
        engine.shutdown().await;
    }
    let engine = engine(&world, Some(folder.path())).await;
    let session = engine.session(Authority::Owner);
    assert_eq!(values(&session, "SELECT a FROM t").await, ["kept"]);
    assert_eq!(values(&session, "SELECT count(*) FROM s").await, ["0"]);
    let shown = run(&session, "SHOW PIPELINES").await.unwrap();
    assert!(
        shown.contains("paused") && shown.contains("INSERT INTO t SELECT value FROM s"),
        "{shown}"
    );
    let error = fails(&session, "DROP TABLE t").await;
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(error.to_string().contains("pipeline \"p\""), "{error}");
}

/// Statements that are wrong: what the message names, and what the hint says.
const WRONG: &[(&str, &str, &str)] = &[
    ("SELECT missing FROM t", "missing", "a"),
    ("SELEC 1", "SELEC", ""),
    (
        "INSERT INTO t VALUES (1)",
        "gives 1 columns",
        "no value for",
    ),
    (
        "INSERT INTO t (a) VALUES (1)",
        "\"b\" of table \"t\" is NOT NULL",
        "",
    ),
    (
        "INSERT INTO t (a, x) VALUES (1, 2)",
        "no column \"x\"",
        "it has \"a\", \"b\"",
    ),
    (
        "INSERT INTO nowhere VALUES (1)",
        "\"nowhere\" does not exist",
        "there are \"s\", \"t\"",
    ),
    (
        "CREATE TABLE t (a INT)",
        "\"t\" exists already",
        "IF NOT EXISTS",
    ),
    (
        "CREATE EXTERNAL TABLE q STORED AS NOTHING LOCATION 'x'",
        "NOTHING",
        "known are",
    ),
    (
        "CREATE EXTERNAL TABLE q STORED AS TOPIC LOCATION 'm://x/y' OPTIONS ('formt' 'json')",
        "\"formt\"",
        "\"format\"",
    ),
    (
        "DROP TABLE nowhere",
        "\"nowhere\" does not exist",
        "there are",
    ),
    (
        "CREATE PIPELINE p AS INSERT INTO t SELECT valu FROM s",
        "valu",
        "",
    ),
    (
        "CREATE PIPELINE p AS INSERT INTO t SELECT value FROM s",
        "gives 1 columns",
        "\"b\"",
    ),
    (
        "CREATE PIPELINE p AS SELECT 1",
        "not an INSERT",
        "INSERT INTO table SELECT",
    ),
    (
        "CREATE PIPELINE p AS INSERT INTO t SELECT a, b FROM t",
        "reads the table \"t\"",
        "",
    ),
    (
        "CREATE PIPELINE p AS INSERT INTO t SELECT count(*), 1 FROM s",
        "\"aggregate\"",
        "row by row",
    ),
    (
        "CREATE PIPELINE p WITH (speed = '1') AS INSERT INTO t SELECT 1, 2 FROM s",
        "\"speed\"",
        "max_latency",
    ),
    (
        "CREATE PIPELINE p WITH (max_latency = 'soon') AS INSERT INTO t SELECT 1, 2 FROM s",
        "\"soon\"",
        "500ms",
    ),
    (
        "DROP PIPELINE p",
        "pipeline \"p\" does not exist",
        "no pipelines",
    ),
    (
        "ALTER PIPELINE p PAUSE",
        "pipeline \"p\" does not exist",
        "",
    ),
    ("VERIFY TABLE t", "no pipeline has written", ""),
    ("CREATE VIEW v AS SELECT 1", "not supported", ""),
];

#[tokio::test]
async fn errors_name_the_thing_and_the_way_out() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Owner);
    run(&session, "CREATE TABLE t (a INT, b INT NOT NULL)")
        .await
        .unwrap();
    run(
        &session,
        "CREATE EXTERNAL TABLE s STORED AS TOPIC LOCATION 'm://x/events'",
    )
    .await
    .unwrap();
    for &(sql, message, hint) in WRONG {
        let error = fails(&session, sql).await;
        assert_ne!(error.kind(), Kind::Internal, "{sql}: {error}");
        assert!(error.message().contains(message), "{sql}: {error}");
        assert!(error.to_string().contains(hint), "{sql}: {error}");
    }
    // None of them left anything behind.
    assert_eq!(
        values(&session, "SELECT count(*) FROM system.pipelines").await,
        ["0"]
    );
    assert_eq!(values(&session, TABLES).await, ["s", "t"]);
}

#[tokio::test]
async fn a_client_on_the_network_cannot_touch_the_servers_disk() {
    let world = Arc::new(World::default());
    let engine = engine(&world, None).await;
    let session = engine.session(Authority::Network);
    for sql in [
        "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION 'file:///etc/passwd'",
        "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION 'FILE:///etc/passwd'",
        "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION ' file:///etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.csv' STORED AS CSV",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv' STORED AS CSV",
        "RESET datafusion.runtime.memory_limit",
        "SET datafusion.runtime.memory_limit = '8G'",
    ] {
        assert_eq!(fails(&session, sql).await.kind(), Kind::Denied, "{sql}");
    }
    run(&session, "SET datafusion.execution.batch_size = 17")
        .await
        .unwrap();
    let show = "SHOW datafusion.execution.batch_size";
    assert!(run(&session, show).await.unwrap().contains("17"));
    let other = engine.session(Authority::Network);
    assert!(!run(&other, show).await.unwrap().contains("17"));
}

#[tokio::test]
async fn long_chains_are_refused_and_long_lists_are_not() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Owner);
    let chain = |count: usize, joint: &str| vec!["1"; count].join(joint);
    for sql in [
        format!("SELECT {}", chain(20_000, " + ")),
        format!("SELECT 1 WHERE a = {}", chain(20_000, " OR a = ")),
        format!("SELECT ({})", chain(20_000, "||")),
        chain(1_000, " UNION ALL SELECT ").replacen('1', "SELECT 1", 1),
    ] {
        let error = session.prepare(&sql).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.hint_text().is_some());
    }
    let list = format!("SELECT 1 IN ({})", chain(20_000, ", "));
    assert!(run(&session, &list).await.unwrap().contains("true"));
    let rows = format!("VALUES ({})", chain(5_000, " + 1), ("));
    assert!(session.prepare(&rows).await.is_ok());
}

/// What a statement asks for, and how many bytes that is.
const TOO_LARGE: &[(&str, &str, &str)] = &[
    (
        "array_repeat(1, 1000000000000)",
        "array_repeat",
        "16000000000000",
    ),
    (
        "array_repeat(1, 9223372036854775807)",
        "array_repeat",
        "147573952589676412912",
    ),
    (
        "list_repeat(repeat('x', 1000000), 1000)",
        "array_repeat",
        "1000024000",
    ),
    (
        "array_resize([1], 1000000000000, 7)",
        "array_resize",
        "16000000000000",
    ),
    (
        "array_resize([1], 1000000000000)",
        "array_resize",
        "24000000000000",
    ),
    ("range(1000000000000)", "range", "8000000000008"),
    (
        "generate_series(1, 1000000000000)",
        "generate_series",
        "8000000000000",
    ),
    ("range(0, -1000000000000, -1)", "range", "8000000000008"),
    (
        "range(TIMESTAMP '1900-01-01', TIMESTAMP '2026-01-01', INTERVAL '1 microsecond')",
        "range",
        "31809715200000008",
    ),
    (
        "range(DATE '2026-01-01', DATE '2027-01-01', INTERVAL '1 month -31 days')",
        "range",
        "bytes without end",
    ),
    ("repeat('xy', 100000000)", "repeat", "200000000"),
    (
        "repeat(arrow_cast('xy', 'LargeUtf8'), 1000000000000)",
        "repeat",
        "2000000000000",
    ),
    ("lpad('x', 2000000000)", "lpad", "2000000001"),
    ("rpad('x', 2000000000, 'é')", "rpad", "4000000001"),
    (
        "replace(repeat('a', 10000000), 'a', repeat('b', 10000000))",
        "replace",
        "100000010000000",
    ),
    (
        "array_to_string(range(0, 1000000), repeat('x', 1000000))",
        "array_to_string",
        "1000000000000",
    ),
    // Constant folding does not see these.
    (
        "sum(length(repeat(CAST(value AS VARCHAR) || 'xxxxxxxxxx', 100000000)))",
        "repeat",
        "1400000000",
    ),
    (
        "max(cardinality(array_repeat(value, value * 1000000000000)))",
        "array_repeat",
        "",
    ),
];

#[tokio::test]
async fn what_would_take_all_memory_is_refused_and_the_process_lives() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Network);
    for (sql, function, asked) in TOO_LARGE {
        let error = fails(&session, &format!("SELECT {sql} FROM range(0, 8192)")).await;
        assert_eq!(error.kind(), Kind::Limit, "{sql}: {error}");
        let named = format!("function \"{function}\" was asked for {asked}");
        assert!(error.message().contains(&named), "{sql}: {error}");
        assert!(error.message().contains("the limit is"), "{sql}: {error}");
        assert!(error.hint_text().is_some(), "{sql}: {error}");
        assert_eq!(values(&session, "SELECT 1").await, ["1"]);
    }
    // A year of minutes, a text of some MiB, a million elements: nobody is kept from those.
    for (sql, wanted) in [
        ("length(repeat('x', 10000000))", "10000000"),
        ("length(lpad('é', 3000000, 'ab'))", "3000000"),
        ("cardinality(range(0, 10000000))", "10000000"),
        (
            "cardinality(generate_series(TIMESTAMP '2025-01-01', TIMESTAMP '2025-12-31', \
             INTERVAL '1 minute'))",
            "524161",
        ),
        (
            "cardinality(range(TIMESTAMP '2026-01-01', TIMESTAMP '2027-01-01', \
             INTERVAL '1 month -1 day'))",
            "13",
        ),
        ("cardinality(array_repeat([1, 2], 1000000))", "2000000"),
        (
            "length(replace(repeat('ab', 2000000), 'a', 'xyz'))",
            "8000000",
        ),
        ("array_to_string(array_resize([1], 3, 7), '-')", "1-7-7"),
        (
            "length(replace(repeat('b', 10000000), 'a', repeat('x', 1000)))",
            "10000000",
        ),
        ("repeat(NULL, 1000000000000)", ""),
        ("repeat('x', -1)", ""),
        ("cardinality(range(5, 1))", "0"),
    ] {
        assert_eq!(
            values(&session, &format!("SELECT {sql}")).await,
            [wanted],
            "{sql}"
        );
    }
}

#[tokio::test]
async fn predicates_of_procedures_have_the_bounds_of_statements() {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Owner);
    run(&session, "CREATE TABLE t (a INT)").await.unwrap();
    let chain = vec!["a = 1"; 20_000].join(" OR ");
    for procedure in ["optimize", "replay"] {
        let sql = format!("CALL {procedure}('t', where => '{chain}')");
        let error = fails(&session, &sql).await;
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.message().contains(procedure), "{error}");
    }
    run(&session, "CALL optimize('t', where => 'a = 1 OR a = 2')")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_query_stops_at_its_timeout() {
    let world = Arc::new(World::default());
    let mut config = Config::default();
    config.query.timeout = std::time::Duration::from_millis(200);
    let engine = Engine::open(config, world.plugin(), None).await.unwrap();
    let session = engine.session(Authority::Owner);
    let sql = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    let error = fails(&session, sql).await;
    assert_eq!(error.kind(), Kind::Limit);
    assert!(error.to_string().contains("200ms") && error.to_string().contains("query.timeout"));
}
