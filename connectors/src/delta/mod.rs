//! Delta Lake tables: rows and the offsets they bring a writer to are one commit.
//!
//! **What is promised.** Whatever fails or runs twice, every range of offsets is in the table
//! exactly once or not at all, and [`sluice_engine::table::Table::append`] says which.
//!
//! **How.** The log of a Delta table is a row of numbered files, and a number can be taken only
//! once. A writer's position in a partition is a `txn` action under an application id of its own
//! (`offsets.rs`); its version is the offset to read next. An append
//!
//! 1. compares the positions stored in a version S of the table with those its ranges continue
//!    from, and is refused when they differ (`head.rs`);
//! 2. writes its rows to Parquet files that nothing refers to yet (`encode.rs`, `write.rs`);
//! 3. proposes one commit of files, positions and a stamp that tells what they mean (`history.rs`)
//!    as version S + 1, and as no other (`commit.rs`).
//!
//! Nobody can have moved the positions between S and S + 1, so ranges join without gap or overlap.
//! After any error the outcome is unknown: the versions after S are read and decide. A commit with
//! this proposal's id, or positions where they should be, means it landed; positions untouched mean
//! that the same files are proposed again; anything else is a conflict. A store that does not
//! answer is asked until it does.
//!
//! **What is left to others.** Commits run no hooks: a task of its own writes checkpoints
//! (`checkpoint.rs`), and maintenance does the rest (`maintain`). Queries read a version that stays
//! fixed (`scan.rs`, `reader.rs`).

mod fault;

mod location;
mod durable;
#[cfg(feature = "s3")]
mod s3;
mod store;

mod schema;
mod align;

mod offsets;
mod process;
mod history;
mod positions;
mod head;

mod encoding;
mod statistics;
mod partition;
mod partition_columns;
mod encode;
mod upload;
mod write;
mod commit;
mod amend;
mod maintain;
mod checkpoint;

mod scan;
mod appended;
mod reader;
mod table;
mod options;
mod format;

pub use format::DeltaFormat;
pub use table::DeltaTable;
