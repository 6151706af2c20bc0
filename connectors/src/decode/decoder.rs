//! One decoder over all encodings.

use arrow::array::ArrayRef;
use sluice_engine::error::Result;

use super::fault::Fault;
use super::json::JsonDecoder;
use super::layout::{Encoding, Layout};
use super::raw::RawDecoder;

/// Appends records to columns, one at a time.
#[derive(Debug)]
pub struct Decoder(Inner);

#[derive(Debug)]
enum Inner {
    Json(JsonDecoder),
    Raw(RawDecoder),
}

impl Decoder {
    /// A decoder without rows.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let fields = layout.fields();
        Self(match layout.encoding() {
            Encoding::Json => Inner::Json(JsonDecoder::new(fields)),
            Encoding::Raw => Inner::Raw(RawDecoder::new(fields)),
        })
    }

    /// Appends the record as one row.
    ///
    /// # Errors
    /// When the record cannot be decoded; the columns are as they were before.
    pub fn append(&mut self, record: &[u8]) -> Result<(), Fault> {
        match &mut self.0 {
            Inner::Json(decoder) => decoder.append(record),
            Inner::Raw(decoder) => decoder.append(record),
        }
    }

    /// Takes the rows appended so far, a column for each declared one.
    ///
    /// # Errors
    /// Only by a fault of this crate.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        match &mut self.0 {
            Inner::Json(decoder) => decoder.finish(),
            Inner::Raw(decoder) => decoder.finish(),
        }
    }
}
