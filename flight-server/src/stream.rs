//! Step 9: rows to Flight messages. The schema goes out at once, before the plan has started. Rows
//! are gathered into batches of a good size, cast to the announced schema, cut into messages that
//! every client takes and encoded, all on the CPU runtime; a short channel hands the messages to
//! the call, so a client that reads slowly holds the query back. While a query is silent an empty
//! batch goes out every few seconds, so that proxies keep the call open. Dropping the stream drops
//! the query; so do its deadline and whoever cancels it.

mod size;

mod gather;

mod encode;

mod keep_alive;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{FlightData, SchemaAsIpc};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use sluice_engine::error::Error;
use sluice_engine::query::QueryStream;
use sluice_engine::runtime::{AbortOnDrop, Cpu};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Status;

use crate::queries::Listed;
use crate::status::{Refusal, Result};
pub(crate) use encode::Compression;
use encode::Encoder;
use gather::Gathered;
use keep_alive::KeepAlive;

/// A silent query sends an empty batch this often.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Rows wait so long for others that would share their message.
const GATHER_FOR: Duration = Duration::from_millis(50);
/// Messages between the encoder and the call; more would only hide a slow reader.
const CHANNEL_MESSAGES_MAX: usize = 3;
/// Bytes of one row unless the client takes more: the limit of a message in ADBC's drivers.
const ROW_BYTES: usize = 16_000_000;

/// What a DoGet answers with.
pub(crate) type Messages = BoxStream<'static, Result<FlightData, Status>>;

/// What a client asks for beside the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    /// How messages are compressed.
    pub(crate) compression: Compression,
    /// The bytes of the largest row that it can take.
    pub(crate) row_bytes_max: usize,
    /// When it will have lost interest.
    pub(crate) deadline: Option<Instant>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            compression: Compression::default(),
            row_bytes_max: ROW_BYTES,
            deadline: None,
        }
    }
}

/// The rows that `start` gives, as messages of schema `wire`; made on `cpu`, counted in `listed`.
///
/// # Errors
/// Inside the stream: what `start` and the query give.
pub(crate) fn rows(
    wire: SchemaRef,
    start: impl Future<Output = Result<QueryStream>> + Send + 'static,
    (cpu, listed): (&Cpu, Listed),
    wishes: Wishes,
) -> Result<Messages> {
    let mut encoder = Encoder::new(wire, wishes.compression, wishes.row_bytes_max)?;
    let schema = encoder.schema()?;
    let silence = encoder.silence()?;
    let (sender, messages) = mpsc::channel(CHANNEL_MESSAGES_MAX);
    let cancelled = listed.cancelled();
    let encoding = async move {
        let late = async {
            match wishes.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        // What ends first drops the others, and with them the query.
        let all = async {
            let mut listed = listed;
            let ended = encode_all(start, encoder, &mut listed, &sender).await;
            listed.ended(ended.as_ref().err().map(Refusal::kind));
            ended
        };
        let ended = tokio::select! {
            ended = all => ended,
            () = cancelled.cancelled() => Err(Error::cancelled("the query was cancelled").into()),
            () = late => Err(Refusal::Late),
        };
        if let Err(error) = ended {
            // Without a reader nobody wants to know.
            let _unread = sender.send(Err(error)).await;
        }
    };
    let task = AbortOnDrop(cpu.spawn(encoding)?);
    let encoded = Encoded {
        messages,
        task: Some(task),
    };
    let first = futures::stream::iter([Ok(schema)]);
    Ok(match silence {
        Some(silence) => Box::pin(first.chain(KeepAlive::new(encoded, silence, KEEP_ALIVE))),
        None => Box::pin(first.chain(encoded)),
    })
}

/// Rows that are there already, as messages of their own schema.
///
/// # Errors
/// When they cannot be encoded.
pub(crate) fn ready_rows(batch: RecordBatch) -> Result<Messages> {
    let mut encoder = Encoder::new(batch.schema(), Compression::None, usize::MAX)?;
    let mut messages = vec![encoder.schema()?];
    let mut pieces = encoder.pieces(batch)?;
    while let Some(piece) = pieces.next() {
        messages.extend(encoder.encode(piece)?);
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

/// Runs a query to its end and sends its rows. The first rows wait for no others.
async fn encode_all(
    start: impl Future<Output = Result<QueryStream>> + Send,
    mut encoder: Encoder,
    listed: &mut Listed,
    sender: &mpsc::Sender<Result<FlightData>>,
) -> Result<()> {
    let mut query = start.await?;
    let mut gathered = Gathered::default();
    let mut first = true;
    loop {
        let next = if gathered.is_empty() {
            query.next().await
        } else {
            match timeout(GATHER_FOR, query.next()).await {
                Ok(next) => next,
                Err(_) => {
                    send(gathered.take()?, &mut encoder, listed, sender).await?;
                    continue;
                }
            }
        };
        let Some(batch) = next.transpose()? else {
            return send(gathered.take()?, &mut encoder, listed, sender).await;
        };
        if batch.num_rows() == 0 {
            continue;
        }
        if !gathered.takes(&batch) {
            send(gathered.take()?, &mut encoder, listed, sender).await?;
        }
        gathered.push(batch);
        if first || gathered.is_full() {
            send(gathered.take()?, &mut encoder, listed, sender).await?;
        }
        first = false;
    }
}

async fn send(
    batch: Option<RecordBatch>,
    encoder: &mut Encoder,
    listed: &mut Listed,
    sender: &mpsc::Sender<Result<FlightData>>,
) -> Result<()> {
    let Some(batch) = batch else {
        return Ok(());
    };
    let mut pieces = encoder.pieces(batch)?;
    while let Some(piece) = pieces.next() {
        let rows = piece.num_rows();
        let messages = encoder.encode(piece)?;
        let bytes = messages.iter().map(|message| message.data_body.len()).sum();
        for message in messages {
            let gone = |_| Error::cancelled("the client is gone");
            sender.send(Ok(message)).await.map_err(gone)?;
        }
        listed.sent(rows, bytes);
    }
    Ok(())
}

/// Messages from the encoder, which ends with them.
struct Encoded {
    messages: mpsc::Receiver<Result<FlightData>>,
    /// `None` once it has ended and said how.
    task: Option<AbortOnDrop<()>>,
}

impl Stream for Encoded {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(message.map_err(Into::into)));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let ended = ready!(task.0.poll_unpin(cx));
        self.task = None;
        Poll::Ready(ended.err().map(|fault| {
            let error = Error::internal("sending the rows met a fault inside Sluice");
            Err(Refusal::from(error.source(fault)).into())
        }))
    }
}

#[cfg(test)]
mod tests;
