//! Decoding records again that were dead letters.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::Redecoded;

use super::decoder::Decoder;
use super::layout::Layout;

impl Layout {
    /// Decodes `records`, alone and in their order, into the decoded columns. A date without a year
    /// stays a text then, as nothing says when they were written.
    ///
    /// # Errors
    /// Only by a fault of this crate.
    pub fn redecode(&self, records: &[&[u8]]) -> Result<Redecoded> {
        let mut decoder = Decoder::new(self);
        let decode = |record: &&[u8]| {
            let fault = decoder.append(record, None).err();
            fault.map(|fault| fault.to_string())
        };
        let faults: Vec<Option<String>> = records.iter().map(decode).collect();
        let schema = Arc::new(Schema::new(self.fields().clone()));
        let columns = decoder.finish()?;
        let count = faults.iter().filter(|fault| fault.is_none()).count();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(schema, columns, &options);
        let rows = rows.map_err(|error| {
            Error::internal("the decoded columns do not form a batch").source(error)
        })?;
        Ok(Redecoded { rows, faults })
    }
}
