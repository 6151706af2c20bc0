//! What the `rdkafka` crate has no safe call for, asked of librdkafka's C interface: the ids of
//! topics, and many records at once.
//!
//! This folder is the only place in the project with `unsafe` code. What librdkafka hands out is
//! owned by a guard that gives it back, and the guard ends before the client does; what it lends is
//! read or copied while its owner is borrowed. No pointer leaves this folder.

mod owned;
mod topic_id;
mod records;

pub(super) use records::{Message, Records};
pub(super) use topic_id::topic_ids;
