//! A pipeline is a continuous `INSERT INTO table SELECT ... FROM stream`.
//!
//! [`definition`] is what the statement says, [`status`] what the pipeline says of itself, and
//! [`registration`] what its target remembers of it. Then, in the order in which a record meets
//! them: [`cut`] holds what was read and not yet committed, in batches that [`mod@batch`] takes
//! apart, [`positions`] where the pipeline stands, [`carry`], [`redact`] and [`transform`] run the
//! SELECT, [`isolate`] finds the records it fails over, [`dead_letters`] take what does not reach
//! the table, [`evolve`] makes columns of undeclared keys, which [`extra`] reads, [`event_time`]
//! says which column tells when something happened, [`dedup`] leaves out what repeats a stored row,
//! and [`commit`] stores a cut [`part`] by part. A [`runner`] is what all of them work with,
//! [`drive`] is one reading of the stream, and [`retry`] the loop around it. [`rewind`] goes back.
//! [`Pipelines`] starts and stops pipelines.

pub mod definition;
pub mod status;

pub mod registration;

pub mod batch;
pub mod cut;
pub mod part;
pub mod positions;

pub mod carry;
pub mod redact;
pub mod transform;

pub mod dead_letters;
pub mod isolate;

pub mod extra;
pub mod evolve;

pub mod event_time;

pub mod dedup;

pub mod commit;
pub mod runner;
pub mod drive;
pub mod retry;

pub mod rewind;

mod pipelines;

pub use pipelines::Pipelines;
