//! Bytes to rows, one record at a time, for every stream.
//!
//! A [`Layout`] is what a definition declares; its [`Decoder`] appends records into typed columns.
//! A record that cannot be decoded is a [`Fault`], a value with a stable code and a reason, and
//! leaves no trace in the columns. A [`Chunk`] joins the decoder with lineage columns, rejects and
//! ranges of offsets into one [`sluice_engine::source::SourceBatch`].
//!
//! The grammars of the text formats are those of the SQL functions, in
//! [`sluice_udfs::parse::grammar`]. Every format finds keys and values, and one place, `rows.rs`,
//! turns them into columns: known
//! keys by their names or mapped paths, the others as JSON in `_extra`.
//!
//! | format | a record is | file |
//! |---|---|---|
//! | `json` | one object | `json.rs`, and `shape.rs` for objects like those before |
//! | `raw` | one text | `decoder.rs` |
//! | `syslog` | a message by RFC 5424 or RFC 3164 | `syslog.rs` |
//! | `cef` | an event of ArcSight's format | `cef.rs` |
//! | `logfmt` | `key=value` pairs | `logfmt.rs` |

mod fault;
mod options;
mod path;
mod natural;
mod layout;
mod check;
mod number;
mod convert;
mod scan;
mod column;
mod rows;
mod shape;
mod json;
mod syslog;
mod cef;
mod logfmt;
mod decoder;
mod redecode;
mod record;
mod origin;
mod chunk;

pub use chunk::Chunk;
pub(crate) use chunk::KEPT;
pub use decoder::Decoder;
pub use fault::Fault;
pub use layout::Layout;
pub use options::Encoding;
pub(crate) use options::OPTIONS;
pub use record::{Headers, Position, Record};
