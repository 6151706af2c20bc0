//! Prepared statements: schemas, parameters by position, updates row by row, closing.

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow_flight::Action;
use arrow_flight::sql::{ActionClosePreparedStatementRequest, ProstMessageExt};
use prost::Message;

use super::*;

fn row(columns: Vec<ArrayRef>) -> RecordBatch {
    // Drivers name bound columns by their position.
    let names = (0..columns.len())
        .map(|n| n.to_string())
        .collect::<Vec<_>>();
    RecordBatch::try_from_iter(names.iter().zip(columns)).unwrap()
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_prepared_bound_and_run_again() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let sql = "SELECT value FROM generate_series(1, 100) WHERE value > ? AND value < ?";
    let mut statement = client.prepare(sql.into(), None).await.unwrap();
    assert_eq!(statement.dataset_schema().unwrap().fields().len(), 1);
    let parameters = statement.parameter_schema().unwrap().clone();
    let names: Vec<&str> = parameters
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["$1", "$2"]);
    assert!(parameters.fields().iter().all(|f| f.is_nullable()));
    for (from, to, want) in [(10, 15, 4), (98, 200, 2), (5, 5, 0)] {
        statement
            .set_parameters(row(vec![numbers(&[from]), numbers(&[to])]))
            .unwrap();
        let info = statement.execute().await.unwrap();
        let (_, rows) = fetch(&mut client, info).await;
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), want);
    }
    statement.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_wrong_parameters_are_named() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let mut statement = client
        .prepare("SELECT 1 WHERE 1 = ?".into(), None)
        .await
        .unwrap();
    let (code, text) = status(statement.execute().await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    assert!(text.contains("$1"), "{text}");
    statement
        .set_parameters(row(vec![numbers(&[1]), numbers(&[2])]))
        .unwrap();
    let (code, text) = status(statement.execute().await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
    let word: ArrayRef = Arc::new(StringArray::from(vec!["no number"]));
    statement.set_parameters(row(vec![word])).unwrap();
    let (code, text) = status(statement.execute().await);
    assert_eq!(code, Code::InvalidArgument, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_runs_once_for_each_row_of_parameters() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client
        .execute_update("CREATE TABLE t (a BIGINT, b VARCHAR)".into(), None)
        .await
        .unwrap();
    let sql = "INSERT INTO t SELECT CAST(? AS BIGINT), CAST(? AS VARCHAR)";
    let mut statement = client.prepare(sql.into(), None).await.unwrap();
    assert!(
        statement.dataset_schema().unwrap().fields().is_empty(),
        "an effect has no columns"
    );
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "z"]));
    statement
        .set_parameters(row(vec![numbers(&[1, 2, 3]), texts]))
        .unwrap();
    assert_eq!(statement.execute_update().await.unwrap(), 3);
    assert_eq!(
        number(&mut client, "SELECT sum(a) FROM t WHERE b > 'x'").await,
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_prepared_earlier_reads_what_was_written_since() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client
        .execute_update("CREATE TABLE t (a BIGINT)".into(), None)
        .await
        .unwrap();
    let mut statement = client
        .prepare("SELECT a FROM t".into(), None)
        .await
        .unwrap();
    for want in 0..3 {
        let info = statement.execute().await.unwrap();
        let (_, rows) = fetch(&mut client, info).await;
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), want);
        client
            .execute_update("INSERT INTO t VALUES (1)".into(), None)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_what_is_not_open_succeeds() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let request = ActionClosePreparedStatementRequest {
        prepared_statement_handle: b"never opened".to_vec().into(),
    };
    let body = request.as_any().encode_to_vec();
    let action = Action::new("ClosePreparedStatement", body);
    let mut results = client.do_action(action).await.unwrap();
    assert!(results.try_next().await.unwrap().is_none());
}
