//! The engine of Sluice: streams in, tables kept, queries out.
//!
//! It knows nothing of any broker, table format or network protocol: those come in as values
//! ([`plugin::Plugin`]) behind two contracts, [`source::Source`] and [`table::Table`].
//!
//! The path of a log line through this crate, in the numbers of `docs/ARCHITECTURE.md`:
//!
//! - 2 to 3: a [`source`] yields decoded batches with their offsets;
//! - 3: [`pipeline`] runs its SELECT over them;
//! - 4 to 6: [`table`] stores rows and offsets in one commit;
//! - 7: [`catalog`] gives names to tables;
//! - 8: [`session`] plans statements and [`query`] runs them as bounded streams.
//!
//! Modules import each other left to right in the order of the list below.

pub mod authority;
pub mod near;

pub mod error;

pub mod config;
pub mod fail_point;
pub mod runtime;
pub mod secret;

pub mod options;
pub mod references;

pub mod type_name;

pub mod definition;
pub mod lineage;
pub mod redaction;
pub mod source;
pub mod table;

pub mod plugin;

pub mod bounded;

pub mod enrichment;

pub mod budget;

pub mod statement;

pub mod plan;

pub mod parameters;

pub mod function;

pub mod query;

pub mod store;
pub mod stream_table;

pub mod catalog;

pub mod counting;

pub mod dialect;

pub mod context;
pub mod insert;

pub mod reference_tables;

pub mod ledger;

pub mod maintenance;

pub mod pipeline;

pub mod verify;

pub mod replay;

pub mod commands;
pub mod system;

pub mod information;
pub mod metrics;

pub mod session;

pub mod engine;
