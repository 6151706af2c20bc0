//! Batches to messages of one schema: cast, cut, compressed where the client asked for it.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{
    CompressionContext, DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions,
};
use arrow_flight::FlightData;
use sluice_engine::error::Error;

use super::size::{array_bytes, batch_bytes};
use crate::schema::{conform, parts_share};
use crate::status::Result;

/// Bytes of rows in one message; some clients keep gRPC's limit of 4 MiB for a message.
pub(super) const MESSAGE_BYTES_MAX: usize = 2 << 20;

/// How messages are compressed. Not all clients can read compressed ones, so they have to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compression {
    /// Not at all.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// The names of all kinds, for messages.
    pub(crate) const NAMES: &str = "none, lz4, zstd";

    /// The kind that is called so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "none" => Some(Self::None),
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    fn codec(self) -> Option<CompressionType> {
        match self {
            Self::None => None,
            Self::Lz4 => Some(CompressionType::LZ4_FRAME),
            Self::Zstd => Some(CompressionType::ZSTD),
        }
    }
}

/// Makes the messages of one stream.
pub(super) struct Encoder {
    wire: SchemaRef,
    row_bytes_max: usize,
    options: IpcWriteOptions,
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    compression: CompressionContext,
    /// Parts of a batch hold more than their own values until they are conformed once more.
    parts_share: bool,
}

/// Parts of a batch that are as large as a message, or a single row.
pub(super) struct Pieces(VecDeque<RecordBatch>);

impl Encoder {
    /// For rows of the schema `wire`.
    ///
    /// # Errors
    /// When the compression is not to be had.
    pub(super) fn new(
        wire: SchemaRef,
        compression: Compression,
        row_bytes_max: usize,
    ) -> Result<Self> {
        Ok(Self {
            parts_share: parts_share(&wire),
            wire,
            row_bytes_max,
            options: IpcWriteOptions::default().try_with_compression(compression.codec())?,
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            compression: CompressionContext::default(),
        })
    }

    /// The message that comes first.
    ///
    /// # Errors
    /// When the schema cannot be encoded.
    pub(super) fn schema(&mut self) -> Result<FlightData> {
        let encoded = self.generator.schema_to_bytes_with_dictionary_tracker(
            &self.wire,
            &mut self.dictionaries,
            &self.options,
        );
        Ok(encoded.into())
    }

    /// A message without rows; `None` where it would need a dictionary that was not sent.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(super) fn silence(&mut self) -> Result<Option<FlightData>> {
        let fields = self.wire.flattened_fields();
        if fields
            .iter()
            .any(|field| matches!(field.data_type(), DataType::Dictionary(..)))
        {
            return Ok(None);
        }
        let empty = RecordBatch::new_empty(SchemaRef::clone(&self.wire));
        Ok(self.encode(empty)?.pop())
    }

    /// `batch` cast to the wire's schema, in parts. Where the whole does not fit the wire's types
    /// (as text beyond 2 GiB in one batch), its halves do.
    ///
    /// # Errors
    /// When a value does not fit, or a row is too large for a message.
    pub(super) fn pieces(&self, batch: RecordBatch) -> Result<Pieces> {
        let mut parts = VecDeque::from([batch]);
        let mut pieces = VecDeque::new();
        while let Some(part) = parts.pop_front() {
            match conform(&part, &self.wire) {
                // Empty batches say nothing that the schema did not.
                Ok(part) if part.num_rows() == 0 => {}
                Ok(part) => pieces.push_back(part),
                Err(error) if part.num_rows() <= 1 => return Err(error.into()),
                Err(_) => halve(&part, &mut parts),
            }
        }
        Ok(Pieces(pieces))
    }

    /// The messages of `piece`: its dictionaries, then itself.
    ///
    /// # Errors
    /// When it is a row too large for a message, naming its largest column.
    pub(super) fn encode(&mut self, mut piece: RecordBatch) -> Result<Vec<FlightData>> {
        if piece.num_rows() == 1 && batch_bytes(&piece) > self.row_bytes_max {
            return Err(too_large(&piece, self.row_bytes_max).into());
        }
        if self.parts_share {
            piece = conform(&piece, &self.wire)?;
        }
        let (dictionaries, rows) = self.generator.encode(
            &piece,
            &mut self.dictionaries,
            &self.options,
            &mut self.compression,
        )?;
        let all = dictionaries.into_iter().chain([rows]);
        Ok(all.map(|data: EncodedData| data.into()).collect())
    }
}

impl Pieces {
    /// The next part.
    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        loop {
            let piece = self.0.pop_front()?;
            if piece.num_rows() <= 1 || batch_bytes(&piece) <= MESSAGE_BYTES_MAX {
                return Some(piece);
            }
            halve(&piece, &mut self.0);
        }
    }
}

fn halve(batch: &RecordBatch, parts: &mut VecDeque<RecordBatch>) {
    let middle = batch.num_rows() / 2;
    parts.push_front(batch.slice(middle, batch.num_rows() - middle));
    parts.push_front(batch.slice(0, middle));
}

fn too_large(row: &RecordBatch, max: usize) -> Error {
    let sizes = row
        .columns()
        .iter()
        .map(|column| array_bytes(column.as_ref()));
    let largest = sizes
        .zip(row.schema_ref().fields())
        .max_by_key(|(bytes, _)| *bytes);
    let (bytes, column) = largest.map_or((0, ""), |(bytes, field)| (bytes, field.name()));
    let text =
        format!("a row is larger than {max} bytes: column \"{column}\" has {bytes} bytes in it");
    Error::limit(text).hint(format!(
        "select a part of \"{column}\", or name a larger size in the header x-sluice-row-bytes"
    ))
}
