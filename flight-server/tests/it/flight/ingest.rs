//! Bulk ingestion in the modes that ADBC has: rows by name into one commit, or nothing at all.

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, StringViewArray,
    Time32SecondArray, UInt64Array,
};
use arrow_flight::sql::{
    CommandStatementIngest, TableDefinitionOptions, TableExistsOption as Exists,
    TableNotExistOption as Missing,
};
use futures::{StreamExt, stream};

use super::*;

/// The modes by the names of ADBC.
fn mode(name: &str) -> CommandStatementIngest {
    let (if_not_exist, if_exists) = match name {
        "create" => (Missing::Create, Exists::Fail),
        "append" => (Missing::Fail, Exists::Append),
        "replace" => (Missing::Create, Exists::Replace),
        _ => (Missing::Create, Exists::Append),
    };
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: if_not_exist.into(),
            if_exists: if_exists.into(),
        }),
        table: "t".to_owned(),
        ..CommandStatementIngest::default()
    }
}

fn rows(from: i64, to: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    let texts = (from..to).map(|n| format!("row {n}"));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("a", numbers), ("b", texts)]).unwrap()
}

async fn ingest(
    client: &mut Client,
    command: CommandStatementIngest,
    batches: Vec<RecordBatch>,
) -> Result<i64, FlightError> {
    let batches = stream::iter(batches.into_iter().map(Ok));
    client.execute_ingest(command, batches).await
}

const FOUND: &str = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'";

async fn commits(client: &mut Client) -> i64 {
    let sql = "SELECT count(*) FROM system.commits WHERE \"table\" = 't' AND rows > 0";
    number(client, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_does_what_adbc_says() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let (code, _) = status(ingest(&mut client, mode("append"), vec![rows(0, 2)]).await);
    assert_eq!(code, Code::NotFound);
    let many = (0..20)
        .map(|n| rows(n * 1_000, n * 1_000 + 1_000))
        .collect();
    assert_eq!(
        ingest(&mut client, mode("create"), many).await.unwrap(),
        20_000
    );
    assert_eq!(commits(&mut client).await, 1, "one commit for all batches");
    let (code, text) = status(ingest(&mut client, mode("create"), vec![rows(0, 1)]).await);
    assert_eq!(code, Code::AlreadyExists, "{text}");
    let more = ingest(&mut client, mode("append"), vec![rows(20_000, 20_001)]).await;
    assert_eq!(more.unwrap(), 1);
    assert_eq!(
        number(&mut client, "SELECT count(DISTINCT b) FROM t").await,
        20_001
    );
    let more = ingest(&mut client, mode("create_append"), vec![rows(0, 1)]).await;
    assert_eq!(more.unwrap(), 1);
    let other: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
    let other = RecordBatch::try_from_iter([("x", other)]).unwrap();
    assert_eq!(
        ingest(&mut client, mode("replace"), vec![other])
            .await
            .unwrap(),
        2
    );
    assert!(
        query(&mut client, "SELECT * FROM t ORDER BY 1")
            .await
            .contains("| 2.5 |")
    );
    client
        .execute_update("DROP TABLE t".into(), None)
        .await
        .unwrap();
    assert_eq!(
        ingest(&mut client, mode("replace"), vec![rows(0, 3)])
            .await
            .unwrap(),
        3
    );
    assert_eq!(number(&mut client, "SELECT sum(a) FROM t").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_matched_by_name_and_cast() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "CREATE TABLE t (a BIGINT, b VARCHAR, c DOUBLE)";
    client.execute_update(sql.into(), None).await.unwrap();
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let turned = RecordBatch::try_from_iter([("b", Arc::clone(&texts)), ("A", numbers)]).unwrap();
    assert_eq!(
        ingest(&mut client, mode("append"), vec![turned])
            .await
            .unwrap(),
        2
    );
    let drawn = query(&mut client, "SELECT a, b, c FROM t ORDER BY a").await;
    assert!(drawn.contains("| 1 | x |   |"), "{drawn}");
    let strange = [("b", Arc::clone(&texts)), ("left", texts)];
    let strange = RecordBatch::try_from_iter(strange).unwrap();
    let (code, text) = status(ingest(&mut client, mode("append"), vec![strange]).await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    assert!(
        text.contains("\"left\"") && text.contains("\"c\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_leaves_nothing() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let large = |number: u64| {
        let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![number]));
        RecordBatch::try_from_iter([("a", numbers)]).unwrap()
    };
    let large = vec![large(1), large(u64::MAX)];
    let (code, text) = status(ingest(&mut client, mode("create"), large).await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    assert_eq!(number(&mut client, FOUND).await, 0);
    assert_eq!(
        ingest(&mut client, mode("create"), vec![rows(0, 2)])
            .await
            .unwrap(),
        2
    );
    let words: ArrayRef = Arc::new(StringArray::from(vec!["3", "no number"]));
    let words = RecordBatch::try_from_iter([("a", words)]).unwrap();
    let (code, text) = status(ingest(&mut client, mode("append"), vec![words]).await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    let time: ArrayRef = Arc::new(Time32SecondArray::from(vec![1]));
    let time = RecordBatch::try_from_iter([("at", time)]).unwrap();
    let (code, text) = status(ingest(&mut client, mode("replace"), vec![time]).await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    assert!(text.contains("\"at\""), "{text}");
    assert_eq!(number(&mut client, "SELECT sum(a) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_has_stored_nothing() {
    let served = Served::start().await;
    let (mut client, mut other) = (served.client().await, served.client().await);
    // The rest never comes.
    let batches = stream::iter([Ok(rows(0, 10))]).chain(stream::pending());
    let putting = client.execute_ingest(mode("create"), batches);
    let begun = async {
        while served.running.running_queries() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = putting => panic!("it was not all there: {done:?}"),
        () = begun => {}
    }
    while served.running.running_queries() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(number(&mut other, FOUND).await, 0);
    assert_eq!(
        ingest(&mut other, mode("create"), vec![rows(0, 2)])
            .await
            .unwrap(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_can_be_is_asked_for() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let right = CommandStatementIngest {
        schema: Some("public".into()),
        catalog: Some("sluice".into()),
        ..mode("create")
    };
    assert_eq!(
        ingest(&mut client, right, vec![rows(0, 1)]).await.unwrap(),
        1
    );
    let rows_of = || vec![rows(0, 1)];
    let wrong = [
        (
            CommandStatementIngest {
                catalog: Some("other".into()),
                ..mode("append")
            },
            Code::NotFound,
            "\"other\"",
        ),
        (
            CommandStatementIngest {
                schema: Some("system".into()),
                ..mode("append")
            },
            Code::NotFound,
            "\"system\"",
        ),
        (
            CommandStatementIngest {
                temporary: true,
                ..mode("append")
            },
            Code::InvalidArgument,
            "temporary",
        ),
        (
            CommandStatementIngest {
                transaction_id: Some("x".into()),
                ..mode("append")
            },
            Code::InvalidArgument,
            "transaction",
        ),
        (
            CommandStatementIngest {
                table: "no/name".into(),
                ..mode("create")
            },
            Code::InvalidArgument,
            "no/name",
        ),
    ];
    for (command, want, part) in wrong {
        let (code, text) = status(ingest(&mut client, command, rows_of()).await);
        assert_eq!(code, want, "{text}");
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(number(&mut client, "SELECT count(*) FROM t").await, 1);
    let none = ingest(&mut client, mode("append"), vec![rows(0, 0)]).await;
    assert_eq!(none.unwrap(), 0);
}
