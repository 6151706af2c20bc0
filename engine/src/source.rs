//! Contract 1: what a stream is to the engine.
//!
//! A [`Source`] yields *batches*, never single records: each [`SourceBatch`] is decoded rows, the
//! records that could not be decoded, and for every partition it touches the range of offsets it
//! covers. Offsets are positions in the stream; the next offset is the one to read next (Kafka's
//! own convention), so a range is `[from, to)`.
//!
//! Positions belong to the table, not to the source. When a reader gains partitions it sends
//! [`Event::Assigned`] and waits for the reply before it reads the first record; when it loses them
//! it sends [`Event::Revoked`] and waits, so that what was read can be committed first. Events
//! arrive in order: no batch of a partition comes before its assignment or after its revocation.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::LargeBinaryArray;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::definition::TableDefinition;
use crate::error::{Error, Result};

/// One partition of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition {
    /// The topic, or the file.
    pub topic: String,
    /// What tells this topic from another of the same name made later or elsewhere, for example
    /// `c-` and the cluster's id. Part of the name under which offsets are stored.
    pub identity: String,
    /// The number of the partition within the topic.
    pub index: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.index)
    }
}

/// The part of one partition that a batch covers.
///
/// Offsets in the range without a row or a reject hold no record (transaction markers, compaction).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRange {
    /// Which partition.
    pub partition: Partition,
    /// The first offset covered.
    pub from: i64,
    /// One past the last offset covered.
    pub to: i64,
    /// Records decoded into rows.
    pub decoded: u64,
    /// Records that could not be decoded.
    pub rejected: u64,
}

/// A record that could not be decoded, kept whole for the dead-letter table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The topic it came from.
    pub topic: String,
    /// The partition it came from.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was produced, microseconds since the epoch, where known.
    pub timestamp_us: Option<i64>,
    /// The record's key, where it has one.
    pub key: Option<Vec<u8>>,
    /// The record's value, byte for byte; `None` when the record has no value.
    pub raw: Option<Vec<u8>>,
    /// A short stable code for the reason, for grouping: `bad_json`, `wrong_type`, `no_value`.
    pub code: &'static str,
    /// The reason in words, naming the column and position where known.
    pub reason: String,
}

/// Decoded rows with the ranges of offsets they cover.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// Rows in [`Source::schema`], in offset order within each partition.
    pub rows: RecordBatch,
    /// Records of the same ranges that could not be decoded.
    pub rejects: Vec<Reject>,
    /// What the rows and rejects cover, one range for each partition.
    pub ranges: Vec<ReadRange>,
    /// The bytes of the record of each row, in the order of `rows`, for records that the query
    /// refuses later; `None` where the source has no such bytes.
    pub raw: Option<LargeBinaryArray>,
    /// About how many bytes the batch takes in memory.
    pub bytes: usize,
}

/// A partition offered to a reader, with what the source knows of its extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Which partition.
    pub partition: Partition,
    /// The oldest offset that can still be read.
    pub low: i64,
    /// One past the newest record.
    pub high: i64,
    /// Where to start when the table has no position: `low`, `high` or what the options say.
    pub start: i64,
    /// The identity under which this very partition's positions may have been stored before the
    /// stream could tell a better one.
    pub formerly: Option<String>,
}

/// Partitions gained. The reader reads nothing of them until it has the reply.
#[derive(Debug)]
pub struct Assigned {
    /// The partitions; none when the group has nothing for this member now.
    pub offered: Vec<Offered>,
    /// Takes the next offset of each, in the order of `offered`; an error ends the reader.
    pub reply: oneshot::Sender<Result<Vec<i64>>>,
}

/// Partitions lost. The reader gives them up when it has the reply.
#[derive(Debug)]
pub struct Revoked {
    /// The partitions.
    pub partitions: Vec<Partition>,
    /// They belong to somebody else already: what was read of them must not be committed.
    pub lost: bool,
    /// Takes the word that everything read of them is committed or given up.
    pub reply: oneshot::Sender<()>,
}

/// What a reader tells the engine.
#[derive(Debug)]
pub enum Event {
    /// Partitions gained.
    Assigned(Assigned),
    /// Partitions lost.
    Revoked(Revoked),
    /// Rows.
    Batch(SourceBatch),
}

/// Who reads, where several processes share a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Members of one group share the partitions.
    pub group: String,
    /// What tells this member from the others and stays the same over its restarts, so that a
    /// process that was killed gets its partitions back without a wait; `None` for a member of one
    /// life.
    pub instance: Option<String>,
}

impl Member {
    /// A member of `group` of one life.
    #[must_use]
    pub fn of(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            instance: None,
        }
    }
}

/// Which columns of [`crate::lineage::record_fields`] somebody selects. The others may come as
/// NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The key.
    pub key: bool,
    /// The headers.
    pub headers: bool,
}

/// A continuous or bounded reading of a source. Dropping it ends the reading.
#[async_trait]
pub trait Reader: Send {
    /// The next event; `None` when a bounded reading is complete. Cancel-safe.
    ///
    /// # Errors
    /// When the stream cannot be read further: unreachable brokers after the source's own retries,
    /// an unknown topic, positions that are gone. [`crate::error::Kind::retry`] says if a new
    /// reader may succeed.
    async fn next(&mut self) -> Result<Option<Event>>;

    /// Tells the stream what is committed. For monitoring by others only: positions are never read
    /// back from the stream.
    fn acknowledge(&mut self, next: &[(Partition, i64)]);

    /// One past the newest record of each partition being read, as last heard; for lag.
    fn high_watermarks(&self) -> Vec<(Partition, i64)>;
}

/// A stream that can be read for ever by a pipeline, or once by a query.
#[async_trait]
pub trait Source: Send + Sync + fmt::Debug {
    /// The decoded columns followed by those of [`crate::lineage::fields`], and then by those of
    /// [`crate::lineage::record_fields`] where records have them.
    fn schema(&self) -> SchemaRef;

    /// Whether keys that no column is declared for become columns of the table that a pipeline
    /// writes.
    fn evolves(&self) -> bool {
        false
    }

    /// What beside [`Source::schema`] decides which rows records become, as users write it: topics,
    /// format, how a record is decoded. Not where the stream is, or how it is reached. Processes
    /// that share a pipeline must agree on it.
    fn settings(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Reads for ever as a member of a group; positions come from the replies to
    /// [`Event::Assigned`].
    ///
    /// # Errors
    /// When the stream cannot be opened.
    async fn follow(&self, member: &Member, wanted: Wanted) -> Result<Box<dyn Reader>>;

    /// Reads once, from the start of every partition up to its end at the time of the call, and
    /// sends only [`Event::Batch`].
    ///
    /// # Errors
    /// When the stream cannot be opened.
    async fn scan(&self, wanted: Wanted) -> Result<Box<dyn Reader>>;

    /// Decodes records that were dead letters, as the stream's definition is now: `records` are
    /// their bytes. Gives rows of the declared columns alone, and for each record its row or `None`
    /// and why.
    ///
    /// # Errors
    /// [`crate::error::Kind::Unsupported`] when the source keeps no such bytes.
    fn decode(&self, records: &[&[u8]]) -> Result<Redecoded> {
        let _ = records;
        Err(Error::unsupported(
            "this stream's records cannot be decoded again",
        ))
    }

    /// The columns that rows written to the stream may have; what `INSERT` matches a query with.
    ///
    /// # Errors
    /// [`crate::error::Kind::Unsupported`] when the stream is only read.
    fn sink_schema(&self) -> Result<SchemaRef> {
        Err(Error::unsupported("the stream is only read"))
    }

    /// Writes `rows`, all of them or none, and gives their number. Rows have columns of
    /// [`Source::sink_schema`].
    ///
    /// # Errors
    /// [`crate::error::Kind::Unsupported`] when the stream is only read; any other kind when rows
    /// or stream are at fault. Readers of committed records see none of the rows then.
    async fn write(&self, rows: SendableRecordBatchStream) -> Result<u64> {
        drop(rows);
        Err(Error::unsupported("the stream is only read"))
    }
}

/// Records decoded again.
#[derive(Debug, Clone)]
pub struct Redecoded {
    /// The rows, in the order of their records.
    pub rows: RecordBatch,
    /// For every record, `None` when it is in `rows`, or the reason in words.
    pub faults: Vec<Option<String>>,
}

/// Makes sources of one kind from their definitions (`STORED AS` some word).
#[async_trait]
pub trait SourceFormat: Send + Sync + fmt::Debug {
    /// Opens the source that `definition` describes. It may talk to the stream, but an unreachable
    /// stream is no error here: a definition is made before or after its broker.
    ///
    /// # Errors
    /// When an option, column type or location is wrong, naming it and the valid ones.
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>>;
}
