//! One decoder over all encodings.

use arrow::array::ArrayRef;
use sluice_engine::error::Result;

use super::cef;
use super::fault::Fault;
use super::json::JsonReader;
use super::layout::Layout;
use super::logfmt;
use super::options::Encoding;
use super::rows::Rows;
use super::syslog;

/// Appends records to columns, one at a time.
#[derive(Debug)]
pub struct Decoder {
    rows: Rows,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Json(Box<JsonReader>),
    Raw,
    Syslog,
    Cef,
    Logfmt,
}

impl Decoder {
    /// A decoder without rows.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let reader = match layout.encoding() {
            Encoding::Json => Reader::Json(Box::new(JsonReader::new())),
            Encoding::Raw => Reader::Raw,
            Encoding::Syslog => Reader::Syslog,
            Encoding::Cef => Reader::Cef,
            Encoding::Logfmt => Reader::Logfmt,
        };
        Self {
            rows: Rows::new(layout),
            reader,
        }
    }

    /// Appends the record as one row. `written_us` says about when it was written, microseconds
    /// since the epoch, for a text whose date has no year.
    ///
    /// # Errors
    /// When the record cannot be decoded; the columns are as they were before.
    pub fn append(&mut self, record: &[u8], written_us: Option<i64>) -> Result<(), Fault> {
        let rows = &mut self.rows;
        if let Reader::Json(reader) = &mut self.reader {
            return reader.append(record, rows);
        }
        let text = simdutf8::compat::from_utf8(record)
            .map_err(|error| Fault::bad_utf8(error.valid_up_to()))?;
        if matches!(self.reader, Reader::Raw) {
            return rows.fill_text(text);
        }
        let mut found = rows.found();
        match self.reader {
            Reader::Syslog => syslog::read(text, written_us, &mut found)?,
            Reader::Cef => cef::read(text, written_us, &mut found)?,
            Reader::Logfmt => logfmt::read(text, &mut found)?,
            Reader::Json(_) | Reader::Raw => {}
        }
        rows.fill(&found)
    }

    /// Takes the rows appended so far, an array for each decoded column.
    ///
    /// # Errors
    /// Only by a fault of this crate.
    pub fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows.finish()
    }
}
