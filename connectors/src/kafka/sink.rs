//! A Kafka table as the target of INSERT: the rows of one statement are the records of one
//! transaction. Readers of committed records see all of them or none.
//!
//! The statement's rows cross a short queue to a thread of their own, which encodes and produces
//! ([`transaction`]). When the queue closes before the statement has said that it is complete, the
//! transaction is aborted: so it is when a row fails, the client goes away, or the process ends.

mod client;
mod encode;
mod transaction;

use std::sync::Arc;
use std::thread;

use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::lineage;
use tokio::sync::{mpsc, oneshot};

use self::encode::Form;
use super::location::Topic;
use super::options::Options;
use crate::decode::{Encoding, Layout};

/// Batches that wait for the producing thread at most.
const WAITING: usize = 2;

/// A table that can be written.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    options: Options,
    topic: String,
    form: Form,
    schema: SchemaRef,
}

/// What the producing thread is given.
#[derive(Debug)]
enum Job {
    Rows(RecordBatch),
    /// There are no more rows, and they shall count.
    Commit,
}

impl Sink {
    /// The sink of a definition.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Unsupported`] when the definition can only be read, and why.
    pub(super) fn of(
        definition: &TableDefinition,
        options: &Options,
        layout: &Layout,
    ) -> Result<Self> {
        let only_read = |why: &str, hint: &str| {
            Err(Error::unsupported(format!("the table is only read: {why}")).hint(hint))
        };
        let [Topic::Named(topic)] = options.location.topics.as_slice() else {
            return only_read(
                "its location has several topics or a pattern",
                "define a table of the one topic to write to",
            );
        };
        if definition
            .options
            .keys()
            .any(|key| key.starts_with("column."))
        {
            return only_read(
                "its columns are mapped to other keys",
                "define a table of the topic whose columns have the names of the keys",
            );
        }
        let beside = |field: &&FieldRef| !lineage::is_lineage(field.name());
        let fields = layout
            .schema()
            .fields()
            .iter()
            .filter(beside)
            .cloned()
            .collect::<Fields>();
        let form = match layout.encoding() {
            Encoding::Json => Form::json(&fields),
            Encoding::Raw => Form::raw(&fields)?,
            _ => {
                return only_read(
                    "its format is neither json nor raw",
                    "define a table of the topic with the format json or raw",
                );
            }
        };
        Ok(Self {
            options: options.clone(),
            topic: topic.clone(),
            form,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The columns that rows may have: those of a record, its key and its headers.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Writes all rows in one transaction and gives their number.
    ///
    /// # Errors
    /// When a row cannot be had or be a record, or the brokers do not take it. None is committed
    /// then, unless the message says that this is not known.
    pub(super) async fn write(self, mut rows: SendableRecordBatchStream) -> Result<u64> {
        let (feed, jobs) = mpsc::channel(WAITING);
        let (reply, outcome) = oneshot::channel();
        let body = move || {
            // Nobody hears it when the statement was given up.
            let _unheard = reply.send(transaction::run(&self, jobs));
        };
        thread::Builder::new()
            .name("kafka-sink".to_owned())
            .spawn(body)
            .map_err(|error| {
                Error::unavailable("cannot start a thread to write a stream").source(error)
            })?;
        let fed = feed_all(&feed, &mut rows).await;
        drop(feed);
        let outcome = outcome
            .await
            .map_err(|_| Error::internal("the thread that writes the stream ended without a word"));
        // A row that failed is why the transaction was aborted.
        fed?;
        outcome?
    }
}

/// Sends rows until they end, or the thread does.
async fn feed_all(feed: &mpsc::Sender<Job>, rows: &mut SendableRecordBatchStream) -> Result<()> {
    while let Some(batch) = rows.next().await {
        if feed.send(Job::Rows(batch?)).await.is_err() {
            return Ok(());
        }
    }
    // Where nobody takes it, the thread has ended and says why.
    let _taken = feed.send(Job::Commit).await;
    Ok(())
}
