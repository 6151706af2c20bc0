//! Small batches become one of a good size: what a message costs beside its bytes is then shared by
//! many rows. Batches that are large already pass as they are.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;

use super::size::batch_bytes;
use crate::status::Result;

/// Rows that are worth a message.
const ROWS: usize = 64 << 10;
/// Bytes that are worth a message; more would cost another copy to gain little.
const BYTES: usize = 512 << 10;

/// Batches that wait for more.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Gathered {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether what waits is worth a message.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Whether `batch` can be joined with what waits.
    pub(super) fn takes(&self, batch: &RecordBatch) -> bool {
        let Some(first) = self.batches.first() else {
            return true;
        };
        if Arc::ptr_eq(first.schema_ref(), batch.schema_ref()) {
            return true;
        }
        let kinds = |batch: &RecordBatch| -> Vec<_> {
            let columns = batch.columns().iter();
            columns.map(|column| column.data_type().clone()).collect()
        };
        kinds(first) == kinds(batch)
    }

    /// Lets `batch` wait with the others, which it must fit.
    pub(super) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += batch_bytes(&batch);
        self.batches.push(batch);
    }

    /// All that waited as one batch; `None` when nothing did.
    ///
    /// # Errors
    /// When the batches do not fit each other.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>> {
        let mut batches = std::mem::take(self).batches;
        if batches.len() < 2 {
            return Ok(batches.pop());
        }
        let schema = batches[0].schema();
        Ok(Some(concat_batches(&schema, &batches)?))
    }
}
