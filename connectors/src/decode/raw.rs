//! The encoding `raw`: the whole record is one text.

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use sluice_engine::error::Result;

use super::column::Column;
use super::fault::Fault;

/// Appends records to one text column.
#[derive(Debug)]
pub(super) struct RawDecoder {
    columns: Vec<Column>,
}

impl RawDecoder {
    pub(super) fn new(fields: &Fields) -> Self {
        Self {
            columns: fields.iter().map(Column::new).collect(),
        }
    }

    pub(super) fn append(&mut self, record: &[u8]) -> Result<(), Fault> {
        let text = simdutf8::compat::from_utf8(record)
            .map_err(|error| Fault::bad_utf8(error.valid_up_to()))?;
        self.columns
            .iter_mut()
            .try_for_each(|column| column.append_text(text))
    }

    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.columns.iter_mut().map(Column::finish).collect()
    }
}
