//! Step 9: rows to Flight messages. The schema goes out at once, before the plan has started; each
//! batch is cast to it, cut into messages that every client takes, and encoded when the client has
//! room for it. While a query is silent an empty batch goes out every few seconds, so that proxies
//! keep the call open. Dropping the stream drops the query.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{
    CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions,
};
use arrow_flight::{FlightData, SchemaAsIpc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use sluice_engine::query::QueryStream;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;

use crate::schema::conform;
use crate::status::{Refusal, Result};

/// Bytes of rows in one message; some clients keep gRPC's limit of 4 MiB for a message.
const MESSAGE_BYTES_MAX: usize = 2 << 20;
/// A silent query sends an empty batch this often.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What a DoGet answers with.
pub(crate) type Messages = BoxStream<'static, Result<FlightData, Status>>;

/// The rows that `start` gives, as messages of schema `wire`.
///
/// # Errors
/// Inside the stream: what `start` and the query give.
pub(crate) fn rows(
    wire: SchemaRef,
    start: impl Future<Output = Result<QueryStream>> + Send + 'static,
) -> Messages {
    let encoder = Encoder::default();
    let schema = encoder.schema(&wire);
    let silence = match encoder.batch(&RecordBatch::new_empty(Arc::clone(&wire))) {
        Ok(silence) => silence,
        Err(error) => return Box::pin(futures::stream::iter([Err(error.into())])),
    };
    let rows = Rows {
        wire,
        state: State::Starting(start.boxed()),
        pieces: VecDeque::new(),
        encoder,
    };
    let rows = KeepAlive::new(rows, silence, KEEP_ALIVE);
    Box::pin(futures::stream::iter([Ok(schema)]).chain(rows))
}

/// Rows that are there already, as messages of their own schema.
///
/// # Errors
/// When they cannot be encoded.
pub(crate) fn ready_rows(batch: RecordBatch) -> Result<Messages> {
    let encoder = Encoder::default();
    let mut messages = vec![encoder.schema(batch.schema_ref())];
    let mut pieces = VecDeque::from([batch]);
    while let Some(piece) = next_piece(&mut pieces).filter(|piece| piece.num_rows() > 0) {
        messages.push(encoder.batch(&piece)?);
    }
    Ok(Box::pin(futures::stream::iter(
        messages.into_iter().map(Ok),
    )))
}

/// A schema as clients find it in a flight info.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn schema_bytes(schema: &Schema) -> Result<bytes::Bytes> {
    let options = IpcWriteOptions::default();
    let message = arrow_flight::IpcMessage::try_from(SchemaAsIpc::new(schema, &options))?;
    Ok(message.0)
}

/// Batches to messages.
#[derive(Default)]
struct Encoder {
    options: IpcWriteOptions,
    generator: IpcDataGenerator,
}

impl Encoder {
    fn schema(&self, schema: &Schema) -> FlightData {
        FlightData::from(SchemaAsIpc::new(schema, &self.options))
    }

    fn batch(&self, batch: &RecordBatch) -> Result<FlightData> {
        // Wire schemas hold no dictionaries, so there is nothing to track or to send before.
        let mut dictionaries = DictionaryTracker::new(false);
        let mut compression = CompressionContext::default();
        let (_, encoded) =
            self.generator
                .encode(batch, &mut dictionaries, &self.options, &mut compression)?;
        Ok(encoded.into())
    }
}

enum State {
    Starting(BoxFuture<'static, Result<QueryStream>>),
    Running(QueryStream),
    Ended,
}

/// A query's rows as messages; ends after its first error.
struct Rows {
    wire: SchemaRef,
    state: State,
    /// Parts of the batch at hand that are not sent yet.
    pieces: VecDeque<RecordBatch>,
    encoder: Encoder,
}

impl Rows {
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            match &mut self.state {
                State::Starting(start) => {
                    self.state = State::Running(ready!(start.poll_unpin(cx))?)
                }
                State::Running(query) => {
                    let next = ready!(query.poll_next_unpin(cx));
                    return Poll::Ready(next.map(|batch| batch.map_err(Refusal::from)));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<FlightData>>> {
        loop {
            if let Some(piece) = next_piece(&mut self.pieces) {
                return Poll::Ready(Some(self.encoder.batch(&piece)));
            }
            match ready!(self.poll_batch(cx)) {
                Some(batch) => conform_in_parts(batch?, &self.wire, &mut self.pieces)?,
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Rows {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(self.poll_message(cx));
        if !matches!(message, Some(Ok(_))) {
            self.state = State::Ended;
            self.pieces.clear();
        }
        Poll::Ready(message.map(|message| message.map_err(Into::into)))
    }
}

/// Casts `batch` to `wire`; where the whole does not fit the wire types (as text beyond 2 GiB in
/// one batch), its halves do.
fn conform_in_parts(
    batch: RecordBatch,
    wire: &SchemaRef,
    pieces: &mut VecDeque<RecordBatch>,
) -> Result<()> {
    let mut parts = VecDeque::from([batch]);
    while let Some(part) = parts.pop_front() {
        match conform(&part, wire) {
            // Empty batches say nothing that the schema did not.
            Ok(part) if part.num_rows() == 0 => {}
            Ok(part) => pieces.push_back(part),
            Err(error) if part.num_rows() <= 1 => return Err(error.into()),
            Err(_) => halve(&part, &mut parts),
        }
    }
    Ok(())
}

/// The next part that fits a message, or that is a single row.
fn next_piece(pieces: &mut VecDeque<RecordBatch>) -> Option<RecordBatch> {
    loop {
        let piece = pieces.pop_front()?;
        if piece.num_rows() <= 1 || batch_bytes(&piece) <= MESSAGE_BYTES_MAX {
            return Some(piece);
        }
        halve(&piece, pieces);
    }
}

fn halve(batch: &RecordBatch, parts: &mut VecDeque<RecordBatch>) {
    let middle = batch.num_rows() / 2;
    parts.push_front(batch.slice(middle, batch.num_rows() - middle));
    parts.push_front(batch.slice(0, middle));
}

fn batch_bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| array_bytes(column.as_ref()))
        .sum()
}

/// Bytes of the rows in `array`; buffers it shares with other rows count for its own part only.
fn array_bytes(array: &dyn Array) -> usize {
    let nulls = array.len().div_ceil(8);
    nulls
        + match array.data_type() {
            DataType::Struct(_) => array
                .as_struct()
                .columns()
                .iter()
                .map(|child| array_bytes(child.as_ref()))
                .sum(),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                child_bytes(list.offsets(), list.values().as_ref())
            }
            DataType::Map(..) => {
                let map = array.as_map();
                child_bytes(map.offsets(), map.entries())
            }
            DataType::FixedSizeList(..) => {
                array_bytes(array.as_fixed_size_list().values().as_ref())
            }
            _ => {
                let whole = |_: ArrowError| array.get_buffer_memory_size();
                array
                    .to_data()
                    .get_slice_memory_size()
                    .unwrap_or_else(whole)
            }
        }
}

fn child_bytes(offsets: &OffsetBuffer<i32>, child: &dyn Array) -> usize {
    let bound = |offset: Option<&i32>| offset.map_or(0, |at| usize::try_from(*at).unwrap_or(0));
    let (start, end) = (bound(offsets.first()), bound(offsets.last()));
    let child = child.slice(start, end.saturating_sub(start));
    size_of_val(&**offsets) + array_bytes(child.as_ref())
}

/// A stream that says `silence` when it has said nothing for `period`.
struct KeepAlive<S> {
    inner: S,
    silence: FlightData,
    period: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<S> KeepAlive<S> {
    fn new(inner: S, silence: FlightData, period: Duration) -> Self {
        Self {
            inner,
            silence,
            period,
            timer: Box::pin(sleep(period)),
        }
    }
}

impl<S: Stream<Item = Result<FlightData, Status>> + Unpin> Stream for KeepAlive<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match self.inner.poll_next_unpin(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                ready!(self.timer.poll_unpin(cx));
                Some(Ok(self.silence.clone()))
            }
        };
        let later = Instant::now() + self.period;
        self.timer.as_mut().reset(later);
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests;
