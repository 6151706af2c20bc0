//! Step 8: a running query as a bounded stream.
//!
//! The plan runs on the CPU runtime and hands batches over a short channel, so a slow reader holds
//! the plan back instead of filling memory. Dropping the [`QueryStream`] stops the plan; so does
//! the timeout.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::{RecordBatchStream, execute_stream};
use datafusion::prelude::DataFrame;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::runtime::{AbortOnDrop, Cpu};

/// Batches between the plan and its reader; more would only hide a slow reader.
const CHANNEL_BATCHES_MAX: usize = 2;

/// Stands for no timeout where a point in time is needed.
const TIMEOUT_NONE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The rows of one query, as they are computed.
pub struct QueryStream {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch>>,
    /// Set when the plan has said its last word; a channel that closes before was cut off by a
    /// fault.
    complete: Arc<AtomicBool>,
    /// Ends the plan with the stream; `None` for results that are there already.
    _plan: Option<AbortOnDrop<()>>,
}

impl fmt::Debug for QueryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl QueryStream {
    /// Starts the plan of `frame` on `cpu`; after `timeout`, where one is
    /// given, the stream ends with an error.
    ///
    /// # Errors
    /// When the query cannot be planned.
    pub async fn start(
        frame: DataFrame,
        cpu: &Arc<Cpu>,
        timeout: Option<Duration>,
    ) -> Result<Self> {
        let timeout = timeout.unwrap_or(TIMEOUT_NONE);
        let deadline = Instant::now() + timeout;
        let late = move || {
            let shown = humantime::format_duration(timeout);
            Error::limit(format!("the statement ran longer than {shown}"))
                .hint("narrow it, or raise `query.timeout` in the configuration")
        };
        let opened = cpu.run(async move {
            let task = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            Ok(execute_stream(plan, task)?)
        });
        let mut stream = match tokio::time::timeout_at(deadline, opened).await {
            Ok(stream) => stream?,
            Err(_) => return Err(late()),
        };
        let schema = stream.schema();
        let (sender, batches) = mpsc::channel(CHANNEL_BATCHES_MAX);
        let complete = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&complete);
        let plan = cpu.spawn(async move {
            loop {
                let next = match tokio::time::timeout_at(deadline, stream.next()).await {
                    Ok(Some(next)) => next.map_err(Error::from),
                    Ok(None) => break,
                    Err(_) => Err(late()),
                };
                let last = next.is_err();
                // A reader that stops reading holds its plan no longer than the timeout either.
                match tokio::time::timeout_at(deadline, sender.send(next)).await {
                    Ok(Ok(())) if !last => {}
                    Ok(_) => break,
                    Err(_) => return,
                }
            }
            done.store(true, Ordering::Release);
        })?;
        Ok(Self {
            schema,
            batches,
            complete,
            _plan: Some(AbortOnDrop(plan)),
        })
    }

    /// A result that is there already, of at most one batch.
    #[must_use]
    pub fn ready(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        let (sender, batches) = mpsc::channel(1);
        // The channel has room for the one batch and nobody has closed it.
        let _sent = sender.try_send(Ok(batch));
        Self {
            schema,
            batches,
            complete: Arc::new(AtomicBool::new(true)),
            _plan: None,
        }
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The same rows for DataFusion's interfaces.
    #[must_use]
    pub fn into_record_batch_stream(self) -> SendableRecordBatchStream {
        Box::pin(Adapter(self))
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.batches.poll_recv(cx));
        if next.is_none() && !self.complete.swap(true, Ordering::AcqRel) {
            let fault = Error::internal("the query met a fault inside Sluice and was cut off");
            return Poll::Ready(Some(Err(fault)));
        }
        Poll::Ready(next)
    }
}

struct Adapter(QueryStream);

impl Stream for Adapter {
    type Item = datafusion::error::Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_next_unpin(cx)
            .map(|item| item.map(|batch| Ok(batch?)))
    }
}

impl RecordBatchStream for Adapter {
    fn schema(&self) -> SchemaRef {
        QueryStream::schema(&self.0)
    }
}
