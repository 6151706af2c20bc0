//! Messages hold all rows once and in order, are small enough, and come while a query is silent.

use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StringViewArray};
use arrow::datatypes::{Field, Int64Type};
use arrow_flight::utils::flight_data_to_batches;
use futures::TryStreamExt;
use sluice_engine::error::Error;

use super::*;
use crate::schema::wire_schema;

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("c", column)]).unwrap()
}

async fn sent(batch: RecordBatch) -> Vec<FlightData> {
    let wire = wire_schema(&batch.schema());
    let messages = rows(wire, async { Ok(QueryStream::ready(batch)) });
    messages.try_collect().await.unwrap()
}

#[tokio::test]
async fn large_batches_are_cut_into_messages_with_all_rows_in_order() {
    let numbers = Int64Array::from_iter_values(0..1_000_000);
    let messages = sent(batch(Arc::new(numbers.clone()))).await;
    assert!(messages.len() > 4);
    assert!(
        messages
            .iter()
            .all(|message| message.data_body.len() <= MESSAGE_BYTES_MAX + 4_096)
    );
    let batches = flight_data_to_batches(&messages).unwrap();
    let got: Vec<i64> = batches
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(got, numbers.values().to_vec());
}

#[tokio::test]
async fn skewed_rows_are_cut_where_the_bytes_are() {
    let texts = (0..64).map(|row| "x".repeat(if row == 7 { 3 << 20 } else { 100 * row }));
    let texts = StringArray::from_iter_values(texts);
    let messages = sent(batch(Arc::new(texts))).await;
    let over = messages
        .iter()
        .filter(|m| m.data_body.len() > MESSAGE_BYTES_MAX + 4_096)
        .count();
    assert_eq!(over, 1, "only the row that is too large by itself");
    let batches = flight_data_to_batches(&messages).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 64);
}

#[tokio::test]
async fn a_few_rows_of_a_large_batch_are_one_small_message() {
    let lines =
        StringViewArray::from_iter_values((0..200_000).map(|n| format!("log line number {n}")));
    let nested = ListArray::from_iter_primitive::<Int64Type, _, _>(
        (0..200_000).map(|n| Some(vec![Some(n), Some(n)])),
    );
    for column in [Arc::new(lines) as ArrayRef, Arc::new(nested)] {
        let messages = sent(batch(column.slice(100_000, 10))).await;
        assert_eq!(messages.len(), 2, "a schema and one batch");
        assert!(messages[1].data_body.len() < 4_096);
    }
}

#[tokio::test]
async fn the_schema_comes_before_the_query_starts() {
    let wire = Arc::new(Schema::new(vec![Field::new("c", DataType::Utf8, true)]));
    let mut messages = rows(wire, std::future::pending());
    let first = messages.next().await.unwrap().unwrap();
    assert!(!first.data_header.is_empty() && first.data_body.is_empty());
    assert!(futures::poll!(messages.next()).is_pending());
}

#[tokio::test]
async fn a_failing_query_ends_in_a_status() {
    let wire = Arc::new(Schema::empty());
    let mut messages = rows(wire, async { Err(Error::limit("too much").into()) });
    assert!(messages.next().await.unwrap().is_ok());
    let status = messages.next().await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (tonic::Code::ResourceExhausted, "too much")
    );
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn silence_is_filled_with_empty_batches() {
    let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let silence = Encoder::default().batch(&empty).unwrap();
    let silent = futures::stream::pending();
    let mut messages = KeepAlive::new(silent, silence.clone(), Duration::from_millis(1));
    for _ in 0..3 {
        assert_eq!(messages.next().await.unwrap().unwrap(), silence);
    }
}

#[test]
fn metadata_without_rows_is_its_schema() {
    let empty = batch(Arc::new(StringArray::from(Vec::<&str>::new())));
    let messages = futures::executor::block_on_stream(ready_rows(empty).unwrap());
    assert_eq!(messages.count(), 1);
}
