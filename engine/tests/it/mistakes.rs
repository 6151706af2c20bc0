//! Mistakes of users: each is an error of their own with its place, none is a fault of Sluice, and
//! no statement is too deep or too long for the process.

use std::sync::Arc;

use sluice_engine::authority::Authority;
use sluice_engine::error::Kind;
use sluice_engine::session::Session;

use crate::memory::World;
use crate::statements::{engine, fails, run};

async fn session() -> Session {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Network);
    run(
        &session,
        "CREATE TABLE t (id BIGINT, name VARCHAR, at TIMESTAMP)",
    )
    .await
    .unwrap();
    run(
        &session,
        "INSERT INTO t VALUES (1, 'x', now()), (2, '{bad', now())",
    )
    .await
    .unwrap();
    session
}

/// Statements that are wrong, and what their message or hint names.
const MISTAKES: &[(&str, &str)] = &[
    ("SELECT id / 0 FROM t", "divide by zero"),
    ("SELECT id % (id - id) FROM t", "divide by zero"),
    ("SELECT CAST(name AS INT) FROM t", "'x'"),
    ("SELECT CAST('2026-13-01' AS DATE)", "2026-13-01"),
    ("SELECT CAST('x' AS TIMESTAMP)", "x"),
    ("SELECT CAST(300 AS TINYINT)", "300"),
    ("SELECT CAST(id AS nonsense) FROM t", "nonsense"),
    ("SELECT name ~ '(' FROM t", "regex"),
    ("SELECT regexp_replace(name, '[', '') FROM t", "regex"),
    ("SELECT regexp_like(name, '(?<x') FROM t", "regex"),
    ("SELECT upper()", "upper"),
    ("SELECT upper(name, name) FROM t", "upper"),
    ("SELECT abs(name) FROM t", "abs"),
    ("SELECT nosuch(id) FROM t", "nosuch"),
    ("SELECT uper(name) FROM t", "\"upper\""),
    ("SELECT nme FROM t", "\"name\""),
    ("SELECT t.nme FROM t", "\"name\""),
    ("SELECT id FROM t ORDER BY nme", "nme"),
    ("SELECT id FROM t GROUP BY nme", "nme"),
    ("SELECT id, count(*) FROM t GROUP BY name", "id"),
    ("SELECT id FROM t WHERE count(*) > 1", "aggregate"),
    ("SELECT name FROM t a JOIN t b ON a.id = b.id", "name"),
    ("SELECT id FROM tt", "\"t\""),
    ("SELECT id FROM nowhere.t", "nowhere"),
    ("SELECT id FROM a.b.t", "a"),
    ("SELECT x.id FROM t", "x"),
    ("SELECT id = (SELECT id, name FROM t) FROM t", "column"),
    (
        "SELECT id FROM t WHERE id IN (SELECT id, name FROM t)",
        "column",
    ),
    ("SELECT INTERVAL '1 fortnight'", "fortnight"),
    ("SELECT INTERVAL 'x'", "x"),
    ("SELECT at + 1 FROM t", ""),
    ("SELECT name + 1 FROM t", ""),
    ("SELECT name AND id FROM t", ""),
    ("SELECT id FROM t WHERE id", ""),
    ("SELECT id FROM t LIMIT -1", "-1"),
    ("SELECT id FROM t LIMIT 99999999999999999999", ""),
    ("SELECT id FROM t LIMIT name", ""),
    ("SELECT id FROM t LIMIT 'x'", ""),
    ("SELECT id FROM t UNION SELECT id, name FROM t", "column"),
    ("SELECT date_trunc('fortnight', at) FROM t", "fortnight"),
    ("SELECT date_part('fortnight', at) FROM t", "fortnight"),
    ("SELECT extract(fortnight FROM at) FROM t", ""),
    ("SELECT to_timestamp('x')", "x"),
    ("SELECT to_date('x')", "Date32"),
    ("SELECT make_date(2026, 13, 1)", "month"),
    (
        "SELECT date_trunc('day', at AT TIME ZONE 'Middle/Earth') FROM t",
        "Middle/Earth",
    ),
    ("SELECT repeat('x', 1000000000000)", "repeat"),
    ("SELECT chr(-1)", ""),
    ("SELECT array_element(id, 1) FROM t", ""),
    ("SELECT [1, 2]['x']", ""),
    ("SELECT id['x'] FROM t", ""),
    ("SELECT decode('x', 'base63')", "base63"),
    ("SELECT decode('!', 'base64')", ""),
    ("SELECT arrow_cast(id, 'Nonsense') FROM t", "Nonsense"),
    ("SELECT rank() FROM t", ""),
    ("SELECT row_number() OVER (ORDER BY nme) FROM t", "nme"),
    (
        "SELECT sum(id) OVER (ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM t",
        "",
    ),
    ("SELECT lag(id, 'x') OVER (ORDER BY id) FROM t", ""),
    ("SELECT ntile(0) OVER (ORDER BY id) FROM t", ""),
    ("SELECT approx_percentile_cont(id, 2) FROM t", ""),
    ("SELECT * FROM generate_series(1, 2, 0)", ""),
    ("SELECT * FROM generate_series('a', 2)", ""),
    ("SELECT * FROM nosuch(1)", "nosuch"),
    ("SELECT 1 AS a, 2 AS a FROM (SELECT 1 AS b, 2 AS b)", ""),
    ("WITH w AS (SELECT 1), w AS (SELECT 2) SELECT * FROM w", "w"),
    (
        "WITH RECURSIVE w AS (SELECT 1 AS n UNION ALL SELECT n, n FROM w) SELECT * FROM w",
        "",
    ),
    (
        "SELECT * FROM t WHERE id = ALL (SELECT name, id FROM t)",
        "",
    ),
    ("SELECT DISTINCT ON (nme) id FROM t", "nme"),
    ("SELECT id FROM t QUALIFY id > 1", ""),
    ("SELECT * EXCEPT (nme) FROM t", "nme"),
    ("SELECT unnest(id) FROM t", ""),
    ("SELECT struct(1)['c9']", ""),
    ("SELECT map(['a'], [1, 2])", ""),
    ("INSERT INTO t (id) VALUES ('x')", "x"),
    ("INSERT INTO t (nme) VALUES ('x')", "nme"),
    ("INSERT INTO t (id) VALUES (1, 2)", ""),
    ("SELECT", ""),
    ("SELECT FROM", ""),
    ("SELECT * FROM", ""),
    ("SELECT 1 +", ""),
    ("SELECT (1", ""),
    ("SELECT 'open", "nterminated"),
    ("SELECT $$open", ""),
    ("SELECT 1 2 3", ""),
    ("SELECT * FROM t WHERE", ""),
    ("EXPLAIN", ""),
    ("CREATE TABLE", ""),
    ("CREATE INDEX i ON t (id)", ""),
    ("CREATE VIEW", ""),
    ("GRANT SELECT ON t TO x", ""),
    (
        "MERGE INTO t USING t AS u ON t.id = u.id WHEN MATCHED THEN DELETE",
        "",
    ),
    ("TRUNCATE TABLE t", ""),
    ("ALTER TABLE t ADD COLUMN x INT", ""),
    ("LOCK TABLE t", ""),
    ("VACUUM", ""),
    ("COPY t TO 'x'", ""),
    ("PREPARE p AS SELECT 1", ""),
    ("EXECUTE p", ""),
    ("SET", ""),
    ("SHOW", ""),
    ("\u{0}", ""),
    ("SELECT \u{1F600}", ""),
];

#[tokio::test]
async fn mistakes_are_their_users_own() {
    let session = session().await;
    let mut wrong = Vec::new();
    for (sql, named) in MISTAKES {
        let error = match run(&session, sql).await {
            Ok(rows) => {
                wrong.push(format!("{sql} gave\n{rows}"));
                continue;
            }
            Err(error) => error,
        };
        let theirs = matches!(
            error.kind(),
            Kind::User | Kind::Limit | Kind::NotFound | Kind::Unsupported | Kind::Denied
        );
        let text = error.to_string();
        if !theirs || !text.contains(named) || text.len() > 2_000 || text.contains("DataFusion") {
            wrong.push(format!("{sql}\n  {:?} {text}", error.kind()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn errors_say_where_they_are() {
    let session = session().await;
    for (sql, place) in [
        ("SELECT nme FROM t", "(line 1, column 8)"),
        ("SELECT id\nFROM t\nWHERE nme = 1", "(line 3, column 7)"),
        ("-- a comment\n\nSELECT id FROM tt", "(line 3, column 16)"),
        ("SELECT id,, name FROM t", "(line 1, column 11)"),
        ("SELECT uper(name) FROM t", "(line 1, column 8)"),
        ("  SELECT 'open", "(line 1, column 10)"),
        ("ALTER PIPELINE p STOP", "(line 1, column 18)"),
    ] {
        let error = fails(&session, sql).await;
        assert!(error.message().ends_with(place), "{sql}: {error}");
    }
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!(
        "SELECT {}{inner}{}",
        open.repeat(levels),
        close.repeat(levels)
    )
}

/// Statements of `size` parts, each of which may be nested in the next when it is planned.
#[expect(clippy::too_many_lines, reason = "a table")]
fn deep(size: usize) -> Vec<(&'static str, String)> {
    let chain = |part: &str, joint: &str| vec![part; size].join(joint);
    let queries = |joint: &str| vec!["SELECT 1"; size].join(joint);
    let withs = (1..size).map(|n| format!("w{n} AS (SELECT * FROM w{})", n - 1));
    let withs: Vec<String> = withs.collect();
    vec![
        ("sum", format!("SELECT {}", chain("1", "+"))),
        ("text", format!("SELECT {}", chain("'a'", " || "))),
        (
            "or",
            format!("SELECT 1 FROM t WHERE {}", chain("id = 1", " OR ")),
        ),
        (
            "and",
            format!("SELECT 1 FROM t WHERE {}", chain("id = 1", " AND ")),
        ),
        ("parentheses", nested("(", "1", ")", size)),
        ("functions", nested("abs(", "1", ")", size)),
        ("cases", nested("CASE WHEN true THEN ", "1", " END", size)),
        ("casts", format!("SELECT 1{}", "::INT".repeat(size))),
        ("minus", format!("SELECT {}1", "- ".repeat(size))),
        ("not", format!("SELECT {}true", "NOT ".repeat(size))),
        ("lists", nested("[", "1", "]", size)),
        (
            "subscripts",
            format!("SELECT id{} FROM t", "[1]".repeat(size)),
        ),
        ("fields", format!("SELECT id{} FROM t", ".a".repeat(size))),
        (
            "types",
            format!("SELECT CAST(1 AS INT{})", "[]".repeat(size)),
        ),
        (
            "generic types",
            format!(
                "SELECT CAST(1 AS {}INT{})",
                "ARRAY<".repeat(size),
                ">".repeat(size)
            ),
        ),
        ("queries", nested("(SELECT ", "1", ")", size)),
        (
            "subqueries",
            format!(
                "{}t{}",
                "SELECT * FROM (".repeat(size),
                ") AS x".repeat(size)
            ),
        ),
        ("union all", queries(" UNION ALL ")),
        ("union", queries(" UNION ")),
        ("except", queries(" EXCEPT ")),
        (
            "joins",
            format!(
                "SELECT 1 FROM t {}",
                (0..size)
                    .map(|n| format!("CROSS JOIN (SELECT 1 AS a{n}) "))
                    .collect::<String>()
            ),
        ),
        (
            "tables",
            format!(
                "SELECT 1 FROM {}",
                (0..size)
                    .map(|n| format!("(SELECT 1 AS a{n})"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        ("explains", format!("{}SELECT 1", "EXPLAIN ".repeat(size))),
        (
            "between",
            format!(
                "SELECT {}1{}",
                "1 BETWEEN ".repeat(size),
                " AND 1".repeat(size)
            ),
        ),
        (
            "intervals",
            format!("SELECT {}'1'", "INTERVAL ".repeat(size)),
        ),
        ("exists", nested("EXISTS (SELECT ", "1", ")", size)),
        (
            "table parentheses",
            format!("SELECT 1 FROM {}t{}", "(".repeat(size), ")".repeat(size)),
        ),
        (
            "withs",
            format!(
                "WITH w0 AS (SELECT 1 AS a), {} SELECT * FROM w{}",
                withs.join(", "),
                size - 1
            ),
        ),
        ("escapes", nested("{fn abs(", "1", ")}", size)),
        ("maps", nested("{'a': ", "1", "}", size)),
    ]
}

#[tokio::test]
async fn nothing_is_too_deep_for_the_process() {
    let session = session().await;
    for size in [3_000, 100_000] {
        for (what, sql) in deep(size) {
            let Err(error) = session.prepare(&sql).await else {
                continue;
            };
            let kind = error.kind();
            let text: String = error.to_string().chars().take(400).collect();
            assert!(
                matches!(kind, Kind::Limit | Kind::User),
                "{size} {what}: {kind:?} {text}"
            );
            assert!(
                kind == Kind::User || error.hint_text().is_some(),
                "{size} {what}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn honest_statements_are_not_too_deep() {
    let session = session().await;
    for (what, sql) in deep(40) {
        match session.prepare(&sql).await {
            Ok(_) => {}
            Err(error) => {
                let expected = ["fields", "types", "generic types", "subscripts", "explains"];
                let expected = [&expected[..], &["between", "intervals", "maps", "lists"]].concat();
                assert!(expected.contains(&what), "{what}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn long_lists_are_planned_and_endless_texts_are_not() {
    let session = session().await;
    let values: Vec<String> = (0..400_000).map(|n| format!("{n:>13}")).collect();
    let list = format!("SELECT count(*) FROM t WHERE id IN ({})", values.join(", "));
    assert!(list.len() > 5 << 20);
    session.prepare(&list).await.unwrap();
    let endless = format!("SELECT '{}'", "x".repeat(33 << 20));
    let error = session.prepare(&endless).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
}
