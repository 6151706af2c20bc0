//! Statements: announced and sent schemas agree, effects happen once, tickets hold, errors name the
//! thing and the way out.

use arrow_flight::Ticket;
use arrow_flight::sql::{Any, ProstMessageExt, TicketStatementQuery};
use prost::Message;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_the_schema_that_was_announced() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client
        .execute_update(
            "CREATE TABLE t (a BIGINT, b VARCHAR, c DOUBLE)".into(),
            None,
        )
        .await
        .unwrap();
    client
        .execute_update(
            "INSERT INTO t VALUES (1, 'x', 1.5), (2, NULL, 2)".into(),
            None,
        )
        .await
        .unwrap();
    let queries = [
        "SELECT 1",
        "SELECT * FROM t",
        "SELECT * FROM t WHERE false",
        "SELECT * FROM t LIMIT 0",
        "SELECT min(a), max(b), count(*), avg(c) FROM t",
        "SELECT NULL, 'a' AS text, arrow_cast('v', 'Utf8View')",
        "SELECT arrow_cast('d', 'Dictionary(Int32, Utf8)'), X'00ff'",
        "SELECT [1, 2], arrow_cast([1.5], 'LargeList(Float16)')",
        "SELECT named_struct('k', arrow_cast('v', 'Utf8View'))",
        "SELECT map(['k'], [arrow_cast('v', 'LargeUtf8')]), arrow_cast(1.5, 'Decimal32(5, 1)')",
        "SELECT now(), current_date, interval '1 day', timestamp '2026-01-01 00:00:00'",
        "SELECT a, row_number() OVER (ORDER BY a) FROM t UNION ALL SELECT 3, 4 ORDER BY 1",
        "SELECT t.a, u.b FROM t LEFT JOIN t u ON t.a = u.a + 1",
        "VALUES (1, 'a'), (2, 'b')",
        "SHOW TABLES",
        "SHOW PIPELINES",
        "DESCRIBE t",
        "EXPLAIN SELECT * FROM t",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM system.functions",
    ];
    for sql in queries {
        let info = client
            .execute(sql.to_owned(), None)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!((info.total_records, info.total_bytes), (-1, -1));
        let (schema, _) = fetch(&mut client, info).await;
        assert!(
            schema.fields().iter().all(|field| field.is_nullable()),
            "{sql}: {schema:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_happens_once_and_before_its_ticket_is_redeemed() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client
        .execute("CREATE TABLE t (a BIGINT)".into(), None)
        .await
        .unwrap();
    assert_eq!(info.total_records, 0);
    let info = client
        .execute("INSERT INTO t VALUES (1), (2), (3)".into(), None)
        .await
        .unwrap();
    assert_eq!(info.total_records, 3);
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 3);
    for _ in 0..2 {
        let (schema, rows) = fetch(&mut client, info.clone()).await;
        assert!(schema.fields().is_empty() && rows.is_empty());
    }
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 3);
    let script =
        "INSERT INTO t VALUES (4); -- a comment; with a semicolon\nINSERT INTO t VALUES (5), (6);";
    assert_eq!(client.execute_update(script.into(), None).await.unwrap(), 3);
    assert_eq!(number(&mut client, "SELECT sum(a) FROM t").await, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_redeemed_anywhere_and_again() {
    let served = Served::start().await;
    let mut asked = served.client().await;
    let info = asked
        .execute("SELECT 7 AS seven".into(), None)
        .await
        .unwrap();
    drop(asked);
    let mut other = served.client().await;
    for _ in 0..2 {
        let (_, rows) = fetch(&mut other, info.clone()).await;
        assert!(draw(&rows).contains("| 7     |"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_were_not_issued_are_refused() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let info = client.execute("SELECT 1".into(), None).await.unwrap();
    let good = info.endpoint[0].ticket.clone().unwrap().ticket;
    let handle = Any::decode(&*good)
        .unwrap()
        .unpack::<TicketStatementQuery>()
        .unwrap()
        .unwrap();
    let command = arrow_flight::sql::CommandStatementQuery {
        query: "SELECT 1".into(),
        transaction_id: None,
    };
    let mut flipped = handle.statement_handle.to_vec();
    flipped[20] ^= 1;
    let forged = |handle: Vec<u8>| {
        TicketStatementQuery {
            statement_handle: handle.into(),
        }
        .as_any()
        .encode_to_vec()
    };
    let rows = [
        ("flipped", forged(flipped)),
        ("by hand", forged(b"SELECT 1".to_vec())),
        ("empty handle", forged(Vec::new())),
        ("garbage", b"\xff\xff\xff".to_vec()),
        ("nothing", Vec::new()),
        ("a command", command.as_any().encode_to_vec()),
    ];
    let bits = (0..good.len() * 8).map(|bit| {
        let mut forged = good.to_vec();
        forged[bit / 8] ^= 1 << (bit % 8);
        ("a bit", forged)
    });
    let rows = rows.into_iter().chain(bits);
    for (name, ticket) in rows {
        let (code, text) = status(client.do_get(Ticket::new(ticket)).await);
        assert_eq!(code, Code::InvalidArgument, "{name}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_the_statements_and_say_what_is_wrong() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let rows = [
        ("SELEC 1", Code::InvalidArgument, "SELEC"),
        (
            "SELECT nothing_called_so",
            Code::InvalidArgument,
            "nothing_called_so",
        ),
        (
            "SELECT no_such_function(1)",
            Code::InvalidArgument,
            "no_such_function",
        ),
        (
            "SELECT 1; SELECT 2",
            Code::InvalidArgument,
            "several statements",
        ),
        ("", Code::InvalidArgument, "no statement"),
        ("SELECT $1", Code::InvalidArgument, "$1"),
    ];
    for (sql, code, part) in rows {
        let (got, text) = status(client.execute(sql.to_owned(), None).await);
        assert_eq!(got, code, "{sql}: {text}");
        assert!(text.contains(part), "{sql}: {text}");
    }
    let (code, text) = status(
        client
            .execute("SELECT * FROM no_such_table".into(), None)
            .await,
    );
    assert!(
        matches!(code, Code::InvalidArgument | Code::NotFound),
        "{code}: {text}"
    );
    assert!(text.contains("no_such_table"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_in_the_middle_of_rows_reaches_the_client() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "SELECT 1 / (value - 500000) FROM generate_series(1, 1000000)";
    let info = client.execute(sql.into(), None).await.unwrap();
    let ticket = info.endpoint.into_iter().next().unwrap().ticket.unwrap();
    let rows = client.do_get(ticket).await.unwrap();
    let error = rows.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(
        error.to_string().to_lowercase().contains("divide by zero"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_client_sets_no_other_sees() {
    let served = Served::start().await;
    let (mut one, mut two) = (served.client().await, served.client().await);
    query(&mut one, "SET datafusion.execution.batch_size = 77").await;
    let size = "SHOW datafusion.execution.batch_size";
    assert!(query(&mut one, size).await.contains("77"));
    assert!(!query(&mut two, size).await.contains("77"));
}
