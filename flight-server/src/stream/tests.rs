//! Messages hold all rows once and in order, are small enough, and come while a query is silent.

mod random;

use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StringDictionaryBuilder,
    StringViewArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::utils::flight_data_to_batches;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::TryStreamExt;
use sluice_engine::error::Error;

use super::encode::MESSAGE_BYTES_MAX;
use super::*;
use crate::queries::Queries;
use crate::schema::{Profile, wire_schema};

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("c", column)]).unwrap()
}

/// What `start` gives, as it is sent to a client with `wishes`.
fn sending(
    wire: SchemaRef,
    start: impl Future<Output = Result<QueryStream>> + Send + 'static,
    wishes: Wishes,
) -> (Arc<Cpu>, Arc<Queries>, Messages) {
    let (cpu, queries) = (Cpu::new().unwrap(), Arc::new(Queries::new(Arc::default())));
    let listed = queries.begin(uuid::Uuid::nil(), (&"me".into(), uuid::Uuid::nil()));
    let messages = rows(wire, start, (&cpu, listed), wishes).unwrap();
    (cpu, queries, messages)
}

async fn sent(batch: RecordBatch) -> Vec<FlightData> {
    sent_as(batch, Profile::Compat, Wishes::default())
        .await
        .unwrap()
}

async fn sent_as(
    batch: RecordBatch,
    profile: Profile,
    wishes: Wishes,
) -> Result<Vec<FlightData>, Status> {
    let wire = wire_schema(&batch.schema(), profile);
    let start = async { Ok(QueryStream::ready(batch)) };
    let (_cpu, _queries, messages) = sending(wire, start, wishes);
    messages.try_collect().await
}

async fn received(messages: Vec<FlightData>) -> Vec<RecordBatch> {
    let messages = futures::stream::iter(messages.into_iter().map(Ok::<_, FlightError>));
    let batches = FlightRecordBatchStream::new_from_flight_data(messages);
    batches.try_collect().await.unwrap()
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
    let (_cpu, _queries, mut messages) = sending(wire, std::future::pending(), Wishes::default());
    let first = messages.next().await.unwrap().unwrap();
    assert!(!first.data_header.is_empty() && first.data_body.is_empty());
    assert!(futures::poll!(messages.next()).is_pending());
}

#[tokio::test]
async fn a_failing_query_ends_in_a_status() {
    let wire = Arc::new(Schema::empty());
    let start = async { Err(Error::limit("too much").into()) };
    let (_cpu, _queries, mut messages) = sending(wire, start, Wishes::default());
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
    let mut encoder = Encoder::new(empty.schema(), Compression::None, usize::MAX).unwrap();
    let silence = encoder.silence().unwrap().unwrap();
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

/// A query that gives `batches` one by one.
async fn query_of(batches: Vec<RecordBatch>, cpu: &Arc<Cpu>) -> QueryStream {
    let context = datafusion::prelude::SessionContext::default();
    let schema = batches[0].schema();
    let table = datafusion::datasource::MemTable::try_new(schema, vec![batches]).unwrap();
    let frame = context.read_table(Arc::new(table)).unwrap();
    QueryStream::start(frame, cpu, None).await.unwrap()
}

#[tokio::test]
async fn small_batches_share_a_message_and_the_first_waits_for_none() {
    let batches: Vec<_> = (0..1_000)
        .map(|n| batch(Arc::new(Int64Array::from_iter_values(n * 10..n * 10 + 10))))
        .collect();
    let wire = wire_schema(&batches[0].schema(), Profile::Compat);
    let cpu = Cpu::new().unwrap();
    let query = query_of(batches, &cpu).await;
    let (_cpu, _queries, messages) = sending(wire, async { Ok(query) }, Wishes::default());
    let messages: Vec<_> = messages.try_collect().await.unwrap();
    assert!(messages.len() < 100, "{} messages", messages.len());
    let batches = received(messages).await;
    assert_eq!(batches[0].num_rows(), 10);
    let numbers = batches
        .iter()
        .flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
    // The plan may read its partitions in any order.
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..10_000));
}

/// Rows as somebody sends them.
#[derive(Debug)]
struct Live(
    SchemaRef,
    Mutex<Option<mpsc::UnboundedReceiver<RecordBatch>>>,
);

impl PartitionStream for Live {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut receiver = self.1.lock().unwrap().take().unwrap();
        let rows = futures::stream::poll_fn(move |cx| {
            let next = receiver.poll_recv(cx);
            next.map(|batch| batch.map(Ok))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0), rows))
    }
}

#[tokio::test]
async fn rows_that_no_others_follow_are_sent_soon() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let wire = wire_schema(&batch(Arc::clone(&column)).schema(), Profile::Compat);
    let cpu = Cpu::new().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    let live = Live(Arc::clone(&wire), Mutex::new(Some(receiver)));
    let source = StreamingTable::try_new(Arc::clone(&wire), vec![Arc::new(live)]).unwrap();
    let context = datafusion::prelude::SessionContext::default();
    let frame = context.read_table(Arc::new(source)).unwrap();
    let query = QueryStream::start(frame, &cpu, None).await.unwrap();
    let (_cpu, queries, mut messages) = sending(wire, async { Ok(query) }, Wishes::default());
    messages.next().await.unwrap().unwrap();
    for _ in 0..3 {
        sender.send(batch(Arc::clone(&column))).unwrap();
        let message = messages.next().await.unwrap().unwrap();
        assert!(!message.data_body.is_empty());
    }
    assert_eq!(queries.count(), 1);
    drop(messages);
    while queries.count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_row_that_no_message_holds_names_its_column() {
    let big: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(3 << 20)]));
    let small: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = RecordBatch::try_from_iter([("small", small), ("big", big)]).unwrap();
    let wishes = Wishes {
        row_bytes_max: 2 << 20,
        ..Wishes::default()
    };
    let status = sent_as(rows.clone(), Profile::Compat, wishes)
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert!(status.message().contains("\"big\""), "{status}");
    assert_eq!(sent(rows).await.len(), 2);
}

#[tokio::test]
async fn messages_are_compressed_for_those_who_ask() {
    let lines: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..10_000).map(|n| format!("the same words in line {n}")),
    ));
    let plain = sent(batch(Arc::clone(&lines))).await;
    for compression in [Compression::Lz4, Compression::Zstd] {
        let wishes = Wishes {
            compression,
            ..Wishes::default()
        };
        let packed = sent_as(batch(Arc::clone(&lines)), Profile::Compat, wishes)
            .await
            .unwrap();
        assert!(packed[1].data_body.len() < plain[1].data_body.len() / 2);
        assert_eq!(received(packed).await, received(plain.clone()).await);
    }
}

#[tokio::test]
async fn a_query_ends_at_its_deadline_and_when_it_is_cancelled() {
    let wire = Arc::new(Schema::empty());
    let wishes = Wishes {
        deadline: Some(Instant::now() + Duration::from_millis(1)),
        ..Wishes::default()
    };
    let (_cpu, queries, messages) = sending(Arc::clone(&wire), std::future::pending(), wishes);
    let status = messages.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
    assert_eq!(queries.count(), 0);

    let (_cpu, queries, messages) = sending(wire, std::future::pending(), Wishes::default());
    assert_eq!(queries.cancel(uuid::Uuid::nil()), 1);
    let status = messages.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Cancelled);
    assert_eq!(queries.count(), 0);
}

#[tokio::test]
async fn a_fault_while_rows_are_made_is_no_end_of_them() {
    let wire = Arc::new(Schema::empty());
    let start = async { panic!("a fault") };
    let (_cpu, _queries, messages) = sending(wire, start, Wishes::default());
    let status = messages.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
}

#[tokio::test]
async fn values_that_a_filter_took_out_do_not_leave() {
    let secret = "a secret that is too long to be inlined";
    let views: ArrayRef = Arc::new(StringViewArray::from(vec![
        secret,
        "a public and long text",
    ]));
    let mut dictionary = StringDictionaryBuilder::<Int32Type>::new();
    dictionary.append_value(secret);
    dictionary.append_value("a public and long text");
    let dictionary: ArrayRef = Arc::new(dictionary.finish());
    let rows = RecordBatch::try_from_iter([("v", views), ("d", dictionary)]).unwrap();
    let rest = rows.slice(1, 1);
    for profile in [Profile::Compat, Profile::Full] {
        let messages = sent_as(rest.clone(), profile, Wishes::default())
            .await
            .unwrap();
        for message in &messages {
            let leaks = message
                .data_body
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!leaks, "{profile:?}");
        }
        let got = received(messages).await;
        let shown = arrow::util::pretty::pretty_format_batches(&got)
            .unwrap()
            .to_string();
        assert_eq!(
            shown.matches("a public and long text").count(),
            2,
            "{shown}"
        );
    }
}
