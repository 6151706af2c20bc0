//! Contract 2: what a stored table is to the engine, and why rows arrive exactly once.
//!
//! A table keeps, for every *writer* (a pipeline) and partition, the offset to read next. Rows and
//! the offsets they bring the writer to are one atomic commit: [`Table::append`] stores both or
//! neither. Every range says which offset it expects to find stored (`from`); if another commit has
//! moved it, the append is refused with [`crate::error::Kind::Conflict`] and nothing is stored. So
//! ranges join without gap or overlap whoever crashes, retries or runs twice.
//!
//! An error of any other kind from `append` means that the table *knows* that nothing was stored:
//! an implementation whose store leaves the outcome open must find it out before it returns.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::definition::TableDefinition;
use crate::error::Result;
use crate::redaction::Redacted;
use crate::source::Partition;

/// What one commit says of one partition:
/// `stored + rejected + filtered + missing + gap = to - from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRange {
    /// Which partition.
    pub partition: Partition,
    /// The stored offset this range continues from; `None` when no offset may be stored yet.
    pub from: Option<i64>,
    /// The offset to read next once this range is committed.
    pub to: i64,
    /// Records with at least one row in this commit.
    pub stored: u64,
    /// Records in the dead-letter table.
    pub rejected: u64,
    /// Records that the pipeline's query left out.
    pub filtered: u64,
    /// Offsets without a record: transaction markers, compaction.
    pub missing: u64,
    /// Offsets whose records the stream had given up before they were read.
    #[serde(default)]
    pub gap: u64,
    /// The least and the greatest event time of the rows stored, microseconds since the epoch;
    /// `None` where no column is named or no row has one.
    #[serde(default)]
    pub event_time_us: Option<(i64, i64)>,
}

impl CommitRange {
    /// A range of `partition` without any record.
    #[must_use]
    pub fn empty(partition: Partition, from: Option<i64>, to: i64) -> Self {
        Self {
            partition,
            from,
            to,
            stored: 0,
            rejected: 0,
            filtered: 0,
            missing: 0,
            gap: 0,
            event_time_us: None,
        }
    }
}

/// Rows to append, with the offsets they bring a writer to.
pub struct Append {
    /// The pipeline; offsets are kept under its name. Empty for statements, which have no offsets.
    pub writer: String,
    /// Rows in the table's schema. Read once; what was read is bounded by the implementation.
    pub rows: SendableRecordBatchStream,
    /// The ranges covered; may be empty, and may come with no rows at all (a claim).
    pub ranges: Vec<CommitRange>,
    /// What was redacted in the rows; kept with the commit.
    pub redactions: Vec<Redacted>,
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Append")
            .field("writer", &self.writer)
            .field("ranges", &self.ranges)
            .finish_non_exhaustive()
    }
}

/// A commit that is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The table's version.
    pub version: u64,
    /// When it was made, microseconds since the epoch.
    pub timestamp_us: i64,
    /// The pipeline that made it; empty for a statement's or a foreign commit.
    pub writer: String,
    /// Rows appended.
    pub rows: u64,
    /// The ranges it covers; empty for commits that are not a pipeline's.
    pub ranges: Vec<CommitRange>,
    /// What was redacted in its rows.
    pub redactions: Vec<Redacted>,
    /// What kind of change it was, in the table format's words, such as `STREAMING UPDATE`.
    pub operation: String,
}

/// A stored table.
#[async_trait]
pub trait Table: Send + Sync + fmt::Debug {
    /// What tells this table from every other, kept with its data: an id made when it was created.
    /// Readers of streams form groups by pipeline and this id.
    fn identity(&self) -> String;

    /// The schema of the newest version.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn schema(&self) -> Result<SchemaRef>;

    /// The newest version, fixed for as long as the provider lives.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn provider(&self) -> Result<Arc<dyn TableProvider>>;

    /// The next offset stored for each of `partitions` under `writer`, in their order, read from
    /// the newest version; `None` where none is stored.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn offsets(&self, writer: &str, partitions: &[Partition]) -> Result<Vec<Option<i64>>>;

    /// Whether [`Table::append`] takes the values of these rows, which are of the table's types and
    /// NULL only where it may be. Told from the rows alone, so that whoever has many can look for
    /// the one at fault.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] naming the column and the value that cannot be stored.
    fn check_rows(&self, _rows: &RecordBatch) -> Result<()> {
        Ok(())
    }

    /// The partitions of the table that these rows go to, each by a number that is the same every
    /// time and may come more than once; none where the table has no partitions. A commit makes at
    /// least one file for each.
    ///
    /// # Errors
    /// As [`Table::check_rows`].
    fn partitions_of(&self, _rows: &RecordBatch) -> Result<Vec<u64>> {
        Ok(Vec::new())
    }

    /// Every partition that `writer` has an offset in, with the offset, read from the newest
    /// version.
    ///
    /// # Errors
    /// [`crate::error::Kind::Unsupported`] when the table is kept in a way that does not list them;
    /// any other kind when it cannot be read.
    async fn positions(&self, writer: &str) -> Result<Vec<(Partition, i64)>>;

    /// Stores rows and offsets in one commit.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] when a stored offset is not what a range expects; any other
    /// kind when the rows or the store are at fault. After every error nothing is stored.
    async fn append(&self, append: Append) -> Result<Commit>;

    /// The commits that the table still remembers, oldest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn commits(&self) -> Result<Vec<Commit>>;

    /// Adds nullable columns that the table lacks; those it has are left alone.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] when a column is there with another type.
    async fn add_columns(&self, columns: &[FieldRef]) -> Result<()>;

    /// The number of the newest version. Every commit makes one version; numbers grow by one.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn version(&self) -> Result<u64>;

    /// The version that `provider`, which this table gave, reads; `None` where versions have no
    /// numbers or somebody else gave it.
    fn version_of(&self, _provider: &dyn TableProvider) -> Option<u64> {
        None
    }

    /// The table as it was at `version`.
    ///
    /// # Errors
    /// [`crate::error::Kind::NotFound`] when there is no such version, or its log or files are
    /// gone.
    async fn provider_at(&self, version: u64) -> Result<Arc<dyn TableProvider>>;

    /// The rows that the commit of `version` appended, and no others; empty for a commit that only
    /// rearranged what was there.
    ///
    /// # Errors
    /// [`crate::error::Kind::NotFound`] when there is no such version, or its log or files are
    /// gone.
    async fn appended(&self, version: u64) -> Result<Arc<dyn TableProvider>>;

    /// What is kept with the table under `key`; `None` where nothing is. Keys are the engine's own.
    ///
    /// # Errors
    /// When the table cannot be read.
    async fn property(&self, key: &str) -> Result<Option<String>>;

    /// Keeps `value` under `key` if `expected` is what is there.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] when something else is there; any other kind when the store
    /// is at fault. After every error nothing is changed.
    async fn set_property(&self, key: &str, expected: Option<&str>, value: &str) -> Result<()>;

    /// Does one piece of maintenance. Readers and appends go on meanwhile; two that do the same at
    /// once do no harm. A piece with nothing to do changes nothing.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] when somebody else did the same meanwhile,
    /// [`crate::error::Kind::User`] for a column or a retention that cannot be; any other kind when
    /// the store is at fault. After every error the rows of the table are what they were.
    async fn maintain(&self, work: &Maintenance) -> Result<Maintained>;
}

/// One piece of maintenance. None changes the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maintenance {
    /// Writes the state of the newest version in one piece, so that opening the table need not read
    /// every commit.
    Checkpoint,
    /// Removes log entries that a checkpoint covers and that are older than this.
    CleanLog {
        /// Entries younger than this are kept.
        retention: Duration,
    },
    /// Merges small files.
    Compact(Compact),
    /// Deletes files that no version younger than `retention` names.
    Vacuum {
        /// Files that versions younger than this name are kept; `None` for the table's own setting.
        retention: Option<Duration>,
        /// Only says what would be deleted.
        dry_run: bool,
        /// Which files that no commit ever named are looked for, too.
        orphans: Orphans,
    },
}

/// Which of the files in a table's folder that no commit ever named may be deleted. Those of other
/// tables below the folder never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// None.
    Kept,
    /// Those that have names as Sluice gives them.
    Own,
    /// All that hold rows in the table's format.
    All,
}

/// Which files are merged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compact {
    /// Files of at least this many bytes are left alone; `None` for the table's own setting.
    pub target_bytes: Option<u64>,
    /// Only partitions of which this SQL predicate holds; it names partition columns alone.
    pub predicate: Option<String>,
    /// Sorts rows by these columns along a Z-order curve; empty to keep their order.
    pub zorder: Vec<String>,
    /// Only partitions into which nothing was written for this long, each once: they are merged
    /// for good, into larger files.
    pub closed_for: Option<Duration>,
}

/// What a piece of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// The version it made; `None` when it made none.
    pub version: Option<u64>,
    /// Files written.
    pub files_added: u64,
    /// Files, or log entries, removed.
    pub files_removed: u64,
    /// Bytes written.
    pub bytes_added: u64,
    /// Bytes removed.
    pub bytes_removed: u64,
}

/// Makes tables of one kind from their definitions (`STORED AS` some word).
#[async_trait]
pub trait TableFormat: Send + Sync + fmt::Debug {
    /// Opens the table at the definition's location; `None` if there is none.
    ///
    /// # Errors
    /// When the location is wrong or cannot be read.
    async fn open(&self, definition: &TableDefinition) -> Result<Option<Arc<dyn Table>>>;

    /// Creates the table, or opens it if somebody else just has: several processes may create the
    /// same location at once.
    ///
    /// # Errors
    /// When a column type or option is not supported, or the location cannot be written.
    async fn create(&self, definition: &TableDefinition) -> Result<Arc<dyn Table>>;

    /// Deletes the table and its data.
    ///
    /// # Errors
    /// When the location cannot be written.
    async fn remove(&self, definition: &TableDefinition) -> Result<()>;
}
