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

use arrow::datatypes::{FieldRef, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use serde::{Deserialize, Serialize};

use crate::definition::TableDefinition;
use crate::error::Result;
use crate::source::Partition;

/// What one commit says of one partition: `stored + rejected + filtered + missing = to - from`.
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
    /// Offsets without a record.
    pub missing: u64,
}

/// Rows to append, with the offsets they bring a writer to.
pub struct Append {
    /// The pipeline; offsets are kept under its name. Empty for statements, which have no offsets.
    pub writer: String,
    /// Rows in the table's schema. Read once; what was read is bounded by the implementation.
    pub rows: SendableRecordBatchStream,
    /// The ranges covered; may be empty, and may come with no rows at all (a claim).
    pub ranges: Vec<CommitRange>,
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
