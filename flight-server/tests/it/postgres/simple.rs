//! Statements as text: rows, tags, transactions, settings, errors.

use super::Served;
use super::client::{kinds, tags};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_greeted_and_answered() {
    let served = Served::start().await;
    let mut client = super::Client::connect(served.address()).await;
    let greeting = client.start(&[("TimeZone", "Europe/Berlin")]).await;
    let settings: Vec<String> = greeting
        .iter()
        .filter(|answer| answer.kind == 'S')
        .map(|answer| answer.texts()[..2].join("="))
        .collect();
    for wanted in [
        "client_encoding=UTF8",
        "TimeZone=Europe/Berlin",
        "integer_datetimes=on",
    ] {
        assert!(
            settings.iter().any(|setting| setting == wanted),
            "{settings:?}"
        );
    }
    assert!(
        settings
            .iter()
            .any(|setting| setting.starts_with("server_version=16."))
    );
    assert!(
        client
            .value("SELECT version()")
            .await
            .unwrap()
            .starts_with("PostgreSQL 16.")
    );
    assert_eq!(client.value("SELECT current_user").await.unwrap(), "tester");

    let answers = client
        .query("SELECT 1 AS a; ; SELECT 'x' AS b, NULL AS c")
        .await;
    assert_eq!(kinds(&answers), "TDCTDCZ");
    assert_eq!(answers[0].columns(), [("a".to_owned(), 20)]);
    assert_eq!(answers[4].values(), [Some(b"x".to_vec()), None]);
    assert_eq!(tags(&answers), ["SELECT 1", "SELECT 1"]);
    assert_eq!(kinds(&client.query(" -- nothing\n").await), "IZ");
    let zoned = "SELECT arrow_cast('2026-01-01T00:00:00Z', 'Timestamp(us, \"UTC\")')";
    assert_eq!(client.value(zoned).await.unwrap(), "2026-01-01 01:00:00+01");
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_have_the_tags_that_drivers_read() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let script = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); SELECT a FROM t; \
                  EXPLAIN SELECT 1; DROP TABLE t";
    let answers = client.query(script).await;
    let wanted = [
        "CREATE TABLE",
        "INSERT 0 2",
        "SELECT 2",
        "EXPLAIN",
        "DROP TABLE",
    ];
    assert_eq!(tags(&answers), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_written_as_postgres_does() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for (sql, oid, want) in [
        ("true", 16, "t"),
        ("arrow_cast(1, 'Int8')", 21, "1"),
        ("arrow_cast(1, 'UInt32')", 20, "1"),
        (
            "arrow_cast(18446744073709551615, 'UInt64')",
            1700,
            "18446744073709551615",
        ),
        ("CAST(0.1 AS REAL)", 700, "0.1"),
        ("1e300", 701, "1e+300"),
        ("CAST('NaN' AS DOUBLE)", 701, "NaN"),
        ("CAST(12.30 AS DECIMAL(10, 2))", 1700, "12.30"),
        ("arrow_cast('x', 'Utf8View')", 25, "x"),
        ("arrow_cast('x', 'Dictionary(Int32, Utf8)')", 25, "x"),
        ("X'00ff'", 17, "\\x00ff"),
        ("DATE '2026-02-03'", 1082, "2026-02-03"),
        ("TIME '04:05:06.5'", 1083, "04:05:06.5"),
        (
            "arrow_cast('2026-02-03T04:05:06.123456789', 'Timestamp(ns)')",
            1114,
            "2026-02-03 04:05:06.123456",
        ),
        (
            "INTERVAL '1 month 2 days 3 seconds'",
            1186,
            "1 mon 2 days 00:00:03",
        ),
        ("[1, NULL, 3]", 1016, "{1,NULL,3}"),
        ("['a b', 'c', '']", 1009, "{\"a b\",c,\"\"}"),
        ("[[1], [2]]", 114, "[[1],[2]]"),
        (
            "named_struct('a', 1, 'b', NULL)",
            114,
            "{\"a\":1,\"b\":null}",
        ),
    ] {
        let answers = client.query(&format!("SELECT {sql} AS v")).await;
        assert_eq!(kinds(&answers), "TDCZ", "{sql}: {answers:?}");
        assert_eq!(answers[0].columns(), [("v".to_owned(), oid)], "{sql}");
        let value = answers[1].values().remove(0).unwrap();
        assert_eq!(String::from_utf8(value).unwrap(), want, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_transaction_is_kept() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for (sql, status, tag) in [
        ("BEGIN", b'T', Some("BEGIN")),
        ("SELECT 1", b'T', Some("SELECT 1")),
        ("SAVEPOINT a", b'T', Some("SAVEPOINT")),
        ("SELECT nothing", b'E', None),
        ("SELECT 1", b'E', None),
        ("ROLLBACK TO a", b'T', Some("ROLLBACK")),
        ("RELEASE a", b'T', Some("RELEASE")),
        ("SELECT nothing", b'E', None),
        ("COMMIT", b'I', Some("ROLLBACK")),
        ("START TRANSACTION", b'T', Some("BEGIN")),
        ("END", b'I', Some("COMMIT")),
        ("SELECT nothing", b'I', None),
    ] {
        let answers = client.query(sql).await;
        assert_eq!(answers.last().unwrap().body, [status], "{sql}");
        assert_eq!(tags(&answers).first().map(String::as_str), tag, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_the_connections_own() {
    let served = Served::start().await;
    let (mut one, mut two) = (served.client().await, served.client().await);
    let answers = one.query("SET TIME ZONE 'Asia/Tokyo'").await;
    assert_eq!(kinds(&answers), "SCZ", "the client is told");
    one.query("SET datafusion.execution.batch_size = 7; SET search_path = x")
        .await;
    assert_eq!(one.value("SHOW timezone").await.unwrap(), "Asia/Tokyo");
    assert_eq!(two.value("SHOW timezone").await.unwrap(), "UTC");
    let size = "SELECT value FROM information_schema.df_settings \
                WHERE name = 'datafusion.execution.batch_size'";
    assert_eq!(one.value(size).await.unwrap(), "7");
    assert_eq!(two.value(size).await.unwrap(), "8192");
    assert_eq!(tags(&one.query("DISCARD ALL").await), ["DISCARD ALL"]);
    assert_eq!(one.value(size).await.unwrap(), "8192");
    assert_eq!(one.value("SHOW timezone").await.unwrap(), "UTC");
    for nothing in [
        "LISTEN a",
        "UNLISTEN *",
        "DEALLOCATE ALL",
        "RESET ALL",
        "SET ROLE x",
    ] {
        assert!(
            kinds(&one.query(nothing).await).ends_with("CZ"),
            "{nothing}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_their_states() {
    let served = Served::start().await;
    let mut client = served.client().await;
    for (sql, want) in [
        ("SELEC 1", "42601"),
        ("SELECT 'open", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM (SELECT 1 AS a)", "42703"),
        ("SELECT no_such_function(1)", "42883"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT CAST('x' AS INT)", "22P02"),
        ("SHOW no_such_setting", "42704"),
        ("SET client_encoding = 'LATIN1'", "22023"),
        ("COPY t FROM STDIN", "0A000"),
        ("FETCH 1 FROM nobody", "34000"),
    ] {
        let (state, message) = client.refused(sql).await;
        assert_eq!(state, want, "{sql}: {message}");
    }
    assert_eq!(client.value("SELECT 1").await.unwrap(), "1");
}
