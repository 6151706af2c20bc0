//! A stream as DataFusion sees it: reading it once is a bounded read up to its end at that time. In
//! a pipeline's plan the same table is fed one batch of records at a time.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;
use tracing::warn;

use crate::error::Error;
use crate::lineage;
use crate::source::{Event, Reader, Reject, Source, Wanted};

/// What a bounded reading does about a record that cannot be decoded. A session's configuration
/// holds it; without it such records are left out with a warning in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// The statement fails, because what it stores would lack the record.
    Fail,
    /// The record is left out.
    Skip,
}

/// A stream under its name.
#[derive(Debug)]
pub struct StreamTable {
    name: String,
    source: Arc<dyn Source>,
    schema: SchemaRef,
}

impl StreamTable {
    /// The stream `source`, called `name` in messages.
    #[must_use]
    pub fn new(name: String, source: Arc<dyn Source>) -> Self {
        let schema = source.schema();
        Self {
            name,
            source,
            schema,
        }
    }

    /// The name it was defined under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stream itself.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }
}

#[async_trait]
impl TableProvider for StreamTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let undecodable = state.config().get_extension::<Undecodable>();
        let part = Bounded {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            wanted: wanted(&self.schema, projection),
            undecodable: undecodable.map_or(Undecodable::Skip, |chosen| *chosen),
        };
        streaming(
            Arc::new(BoundedPartition {
                part,
                schema: self.schema(),
            }),
            projection,
            limit,
        )
    }
}

/// What a plan that reads `projection` of a stream's columns wants of its records.
fn wanted(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> Wanted {
    let reads = |name: &str| {
        let at = schema.index_of(name).ok();
        at.is_some_and(|at| projection.is_none_or(|columns| columns.contains(&at)))
    };
    Wanted {
        key: reads(lineage::KEY),
        headers: reads(lineage::HEADERS),
    }
}

fn streaming(
    partition: Arc<dyn PartitionStream>,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let schema = Arc::clone(partition.schema());
    let plan = StreamingTableExec::try_new(schema, vec![partition], projection, [], false, limit)?;
    Ok(Arc::new(plan))
}

#[derive(Debug, Clone)]
struct Bounded {
    name: String,
    source: Arc<dyn Source>,
    wanted: Wanted,
    undecodable: Undecodable,
}

#[derive(Debug)]
struct BoundedPartition {
    part: Bounded,
    schema: SchemaRef,
}

/// Where a bounded read stands.
enum Reading {
    Closed(Bounded),
    Open(Open),
}

struct Open {
    part: Bounded,
    reader: Box<dyn Reader>,
    rejected: usize,
}

impl PartitionStream for BoundedPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = stream::try_unfold(Reading::Closed(self.part.clone()), next_rows);
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

async fn next_rows(reading: Reading) -> DfResult<Option<(RecordBatch, Reading)>> {
    let mut open = match reading {
        Reading::Open(open) => open,
        Reading::Closed(part) => Open {
            reader: part.source.scan(part.wanted).await?,
            part,
            rejected: 0,
        },
    };
    loop {
        match open.reader.next().await? {
            Some(Event::Batch(batch)) => {
                if let Some(reject) = batch.rejects.first()
                    && open.part.undecodable == Undecodable::Fail
                {
                    return Err(undecodable(&open.part.name, reject).into());
                }
                open.rejected += batch.rejects.len();
                if batch.rows.num_rows() > 0 {
                    return Ok(Some((batch.rows, Reading::Open(open))));
                }
            }
            Some(Event::Assigned(_) | Event::Revoked(_)) => {}
            None => {
                let (stream, rejected) = (open.part.name, open.rejected);
                if rejected > 0 {
                    warn!(
                        stream,
                        rejected, "records that could not be decoded were left out"
                    );
                }
                return Ok(None);
            }
        }
    }
}

fn undecodable(stream: &str, reject: &Reject) -> Error {
    let Reject {
        topic,
        partition,
        offset,
        reason,
        ..
    } = reject;
    Error::user(format!(
        "the record at offset {offset} of \"{topic}\"/{partition} in stream \"{stream}\" cannot be \
         decoded: {reason}"
    ))
    .hint(
        "SET sluice.on_error = 'skip' leaves such records out; a pipeline keeps them in its \
         dead-letter table",
    )
}

/// Where a pipeline puts the batches that the next run of its plan reads.
#[derive(Debug, Clone, Default)]
pub struct Inlet(Arc<Mutex<Vec<RecordBatch>>>);

impl Inlet {
    /// Gives the next run `batches` to read.
    pub fn fill(&self, batches: Vec<RecordBatch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = batches;
    }
}

/// The stream's table in a pipeline's plan: reads what the [`Inlet`] holds.
pub struct InletTable {
    inlet: Inlet,
    schema: SchemaRef,
}

impl fmt::Debug for InletTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InletTable")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl InletTable {
    /// A table of `schema` over `inlet`.
    #[must_use]
    pub fn new(inlet: Inlet, schema: SchemaRef) -> Self {
        Self { inlet, schema }
    }
}

#[async_trait]
impl TableProvider for InletTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let (inlet, schema) = (self.inlet.clone(), self.schema());
        streaming(
            Arc::new(InletPartition { inlet, schema }),
            projection,
            limit,
        )
    }
}

#[derive(Debug)]
struct InletPartition {
    inlet: Inlet,
    schema: SchemaRef,
}

impl PartitionStream for InletPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches =
            std::mem::take(&mut *self.inlet.0.lock().unwrap_or_else(PoisonError::into_inner));
        let rows = stream::iter(batches.into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}
