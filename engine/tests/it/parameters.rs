//! Parameters: the types that statements show for them, and values of every type in their places.

use std::sync::Arc;

use datafusion::common::{ParamValues, ScalarValue};
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::session::Session;

use crate::memory::World;
use crate::statements::{engine, run, values};

async fn session() -> Session {
    let world = Arc::new(World::default());
    let session = engine(&world, None).await.session(Authority::Owner);
    let table = "CREATE TABLE t (id BIGINT, name VARCHAR, at TIMESTAMP, day DATE, rate DOUBLE, \
                 price DECIMAL(10, 2), ok BOOLEAN)";
    run(&session, table).await.unwrap();
    session
}

/// The types of the parameters of `sql`, in their order.
async fn types(session: &Session, sql: &str) -> Result<String> {
    let prepared = session.prepare(sql).await?;
    let fields = prepared.parameters()?;
    let types = fields.iter().map(|field| {
        assert!(field.is_nullable(), "{sql}: {field}");
        format!("{} {}", field.name(), field.data_type())
    });
    Ok(types.collect::<Vec<_>>().join(", "))
}

/// Statements, and the parameters that they have.
const INFERRED: &[(&str, &str)] = &[
    ("SELECT 1", ""),
    ("SELECT $1", "$1 Utf8"),
    ("SELECT id FROM t WHERE id = $1", "$1 Int64"),
    ("SELECT id FROM t WHERE $1 < rate", "$1 Float64"),
    (
        "SELECT id FROM t WHERE name = $2 AND id > $1 AND rate = $10 AND ok = $3 AND day = $4 AND \
         at = $5 AND price = $6 AND name LIKE $7 AND id IN ($8, $9)",
        "$1 Int64, $2 Utf8, $3 Boolean, $4 Date32, $5 Timestamp(µs, \"UTC\"), \
         $6 Decimal128(10, 2), $7 Utf8, $8 Int64, $9 Int64, $10 Float64",
    ),
    ("SELECT id FROM t LIMIT $1 OFFSET $2", "$1 Int64, $2 Int64"),
    (
        "SELECT id FROM t ORDER BY id OFFSET $1 ROWS FETCH NEXT $2 ROWS ONLY",
        "$1 Int64, $2 Int64",
    ),
    (
        "SELECT id FROM t WHERE id BETWEEN $1 AND $2",
        "$1 Int64, $2 Int64",
    ),
    ("SELECT id FROM t WHERE $1 BETWEEN id AND rate", "$1 Int64"),
    ("SELECT id FROM t WHERE $1 IN (id)", "$1 Int64"),
    ("SELECT id FROM t WHERE name ILIKE $1", "$1 Utf8"),
    ("SELECT id + $1 FROM t", "$1 Int64"),
    ("SELECT (id + $1) * $2 FROM t", "$1 Int64, $2 Int64"),
    ("SELECT -$1 + rate FROM t", "$1 Float64"),
    ("SELECT name || $1 FROM t", "$1 Utf8"),
    (
        "SELECT id FROM t WHERE at > now() - $1",
        "$1 Interval(MonthDayNano)",
    ),
    (
        "SELECT at + $1, $2 + at FROM t",
        "$1 Interval(MonthDayNano), $2 Interval(MonthDayNano)",
    ),
    (
        "SELECT id FROM t WHERE at > $1 - INTERVAL '1 hour'",
        "$1 Timestamp(µs, \"UTC\")",
    ),
    ("SELECT CAST($1 AS INT)", "$1 Int32"),
    ("SELECT $1::DOUBLE", "$1 Float64"),
    ("SELECT TRY_CAST($1 AS DATE)", "$1 Date32"),
    (
        "SELECT CAST($1 AS INT) AS a, CAST($1 AS VARCHAR) AS b",
        "$1 Int32",
    ),
    ("SELECT id FROM t WHERE id = $1 AND name = $1", "$1 Int64"),
    ("SELECT upper($1)", "$1 Utf8"),
    ("SELECT substr(name, $1) FROM t", "$1 Int64"),
    ("SELECT round($1)", "$1 Float64"),
    ("SELECT coalesce(id, $1) FROM t", "$1 Int64"),
    ("SELECT nullif($1, rate) FROM t", "$1 Float64"),
    ("SELECT CASE WHEN ok THEN $1 ELSE id END FROM t", "$1 Int64"),
    ("SELECT CASE id WHEN $1 THEN 1 END FROM t", "$1 Int64"),
    ("SELECT CASE WHEN $1 THEN 1 END", "$1 Boolean"),
    ("SELECT id FROM t WHERE $1", "$1 Boolean"),
    ("SELECT id FROM t WHERE NOT $1", "$1 Boolean"),
    ("SELECT id FROM t WHERE $1 IS NULL", "$1 Utf8"),
    (
        "SELECT id FROM t WHERE id = (SELECT max(id) FROM t WHERE name = $1)",
        "$1 Utf8",
    ),
    (
        "SELECT id FROM t WHERE $1 IN (SELECT id FROM t WHERE rate = $2)",
        "$1 Int64, $2 Float64",
    ),
    (
        "SELECT a.id FROM t a JOIN t b ON a.id = b.id AND b.name = $1",
        "$1 Utf8",
    ),
    (
        "SELECT id FROM t WHERE id = $1 UNION ALL SELECT id FROM t WHERE rate = $2",
        "$1 Int64, $2 Float64",
    ),
    (
        "INSERT INTO t (id, name, at) VALUES ($1, $2, $3)",
        "$1 Int64, $2 Utf8, $3 Timestamp(µs, \"UTC\")",
    ),
    (
        "INSERT INTO t (rate, day) VALUES ($1, $2), ($3, DATE '2026-01-02')",
        "$1 Float64, $2 Date32, $3 Float64",
    ),
    (
        "INSERT INTO t (id, ok) SELECT $1, $2",
        "$1 Int64, $2 Boolean",
    ),
    (
        "SELECT * FROM (VALUES ($1, 2), (3, $2)) AS v(a, b)",
        "$1 Int64, $2 Int64",
    ),
    ("WITH w AS (SELECT $1 AS x) SELECT x FROM w", "$1 Utf8"),
    ("EXPLAIN SELECT id FROM t WHERE id = $1", "$1 Int64"),
    ("BEGIN", ""),
];

#[tokio::test]
async fn types_follow_from_where_parameters_stand() {
    let session = session().await;
    let mut wrong = Vec::new();
    for (sql, wanted) in INFERRED {
        match types(&session, sql).await {
            Ok(found) if found == *wanted => {}
            Ok(found) => wrong.push(format!("{sql}\n  is  {found}\n  not {wanted}")),
            Err(error) => wrong.push(format!("{sql}\n  {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn bound(session: &Session, sql: &str, given: Vec<ScalarValue>) -> Result<Vec<String>> {
    let prepared = session.prepare(sql).await?;
    let prepared = prepared.with_parameters(ParamValues::from(given))?;
    assert!(prepared.parameters()?.is_empty());
    let answer = session.execute(&prepared).await?;
    let rows: Vec<_> = answer.rows.try_collect().await?;
    let table = arrow::util::pretty::pretty_format_batches(&rows).unwrap();
    let table = table.to_string();
    Ok(table
        .lines()
        .skip(3)
        .filter_map(|line| {
            Some(
                line.strip_prefix("| ")?
                    .trim_end_matches(" |")
                    .trim()
                    .to_owned(),
            )
        })
        .collect())
}

#[tokio::test]
async fn values_are_cast_to_where_they_stand() {
    let session = session().await;
    let text = |text: &str| ScalarValue::from(text);
    let fill = "INSERT INTO t (id, name, at, rate) VALUES ($1, $2, $3, $4)";
    bound(
        &session,
        fill,
        vec![
            ScalarValue::Int32(Some(7)),
            text("seven"),
            ScalarValue::TimestampMillisecond(Some(1_767_225_600_000), None),
            text("0.5"),
        ],
    )
    .await
    .unwrap();
    assert_eq!(
        values(
            &session,
            "SELECT id || ' ' || name || ' ' || CAST(at AS VARCHAR) || ' ' || rate FROM t"
        )
        .await,
        ["7 seven 2026-01-01T00:00:00Z 0.5"]
    );
    let select = "SELECT name FROM t WHERE id = $1 AND rate < $2 LIMIT $3";
    let given = vec![text("7"), ScalarValue::Int64(Some(1)), text("5")];
    assert_eq!(bound(&session, select, given).await.unwrap(), ["seven"]);
    let twice = "SELECT (CAST($1 AS INT) + 1) || CAST($1 AS VARCHAR)";
    let given = vec![text("41")];
    assert_eq!(bound(&session, twice, given).await.unwrap(), ["4241"]);
    let both = "SELECT name FROM t WHERE id = $1 AND name <> $1";
    let given = vec![ScalarValue::Int64(Some(7))];
    assert_eq!(bound(&session, both, given).await.unwrap(), ["seven"]);
    let null = "SELECT coalesce($1, 'none')";
    assert_eq!(
        bound(&session, null, vec![ScalarValue::Null])
            .await
            .unwrap(),
        ["none"]
    );
}

async fn refused(session: &Session, sql: &str, given: Vec<ScalarValue>) -> Error {
    let error = bound(session, sql, given).await.unwrap_err();
    assert_eq!(error.kind(), Kind::User, "{error}");
    error
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let session = session().await;
    let one = || ScalarValue::Int64(Some(1));
    let error = refused(&session, "SELECT $1", vec![]).await;
    assert!(
        error.message().contains("takes 1 parameters, but 0"),
        "{error}"
    );
    let error = refused(&session, "SELECT $1", vec![one(), one()]).await;
    assert!(
        error.message().contains("takes 1 parameters, but 2"),
        "{error}"
    );
    let sql = "SELECT id FROM t WHERE id = $1";
    let error = refused(&session, sql, vec![ScalarValue::from("many")]).await;
    assert!(error.message().contains("parameter \"$1\""), "{error}");
    for (sql, named) in [
        ("SELECT $1, $3", "$3 and no $2"),
        ("SELECT $2", "$2 and no $1"),
        ("SELECT $name", "\"$name\" is not a parameter"),
        ("SELECT $100000", "not a parameter"),
    ] {
        let error = session.prepare(sql).await.unwrap_err();
        assert_eq!(error.kind(), Kind::User);
        assert!(error.message().contains(named), "{sql}: {error}");
    }
}
