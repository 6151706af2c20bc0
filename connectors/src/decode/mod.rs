//! Bytes to rows, one record at a time, for every stream.
//!
//! A [`Layout`] is what a definition declares; its [`Decoder`] appends records into typed columns.
//! A record that cannot be decoded is a [`Fault`], a value with a stable code and a reason, and
//! leaves no trace in the columns. A [`Chunk`] joins the decoder with lineage columns, rejects and
//! ranges of offsets into one [`sluice_engine::source::SourceBatch`].

mod layout;
mod fault;
mod check;
mod column;
mod json;
mod raw;
mod decoder;
mod chunk;

pub use chunk::{Chunk, Position, Record};
pub use decoder::Decoder;
pub use fault::Fault;
pub use layout::{Encoding, Layout};
