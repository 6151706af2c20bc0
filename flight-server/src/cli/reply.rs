//! What a statement gives, wherever it ran.

use std::fmt;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use sluice_engine::error::Result;

/// The answer to one statement.
pub(crate) struct Reply {
    /// Rows inserted, 0 for other effects, `None` for queries.
    pub(crate) affected: Option<u64>,
    /// The columns; none for effects.
    pub(crate) schema: SchemaRef,
    /// The rows as they are computed; dropping the stream stops the query.
    pub(crate) batches: BoxStream<'static, Result<RecordBatch>>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
