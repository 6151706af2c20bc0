//! The grammars of log formats: text in, pieces of it out. They know nothing of Arrow and SQL,
//! allocate nothing, and read every text once, whoever wrote it. Decoders of streams use the same
//! ones, so that a format means the same in a stream and in a query.
//!
//! | format | file |
//! |---|---|
//! | syslog, RFC 5424 and RFC 3164 | `syslog.rs`, `syslog_bsd.rs` |
//! | CEF and LEEF | `cef.rs`, `leef.rs` |
//! | logfmt, other pairs of keys and values | `logfmt.rs`, `kv.rs` |
//! | access logs of web servers | `clf.rs` |
//! | CSV | `csv.rs` |
//! | JSON | `json.rs`, `scan.rs` |
//! | what lines of text begin with | `header.rs`, `severity.rs` |
//!
//! What a value means with its escapes is [`text`], when something happened is [`time`] and
//! [`moment`], and why a
//! text is not of its format is [`wrong`].

pub mod wrong;
pub mod text;
pub mod time;
pub mod moment;
pub mod syslog_bsd;
pub mod syslog;
pub mod cef;
pub mod leef;
pub mod logfmt;
pub mod kv;
pub mod clf;
pub mod csv;
pub mod scan;
pub mod json;
pub mod severity;
pub mod header;
