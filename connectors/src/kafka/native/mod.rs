//! What has no safe call, asked of C interfaces: the ids of topics and many records at once of
//! librdkafka, and one setting of the C library's allocator.
//!
//! This folder is the only place in the project with `unsafe` code. What librdkafka hands out is
//! owned by a guard that gives it back, and the guard ends before the client does; what it lends is
//! read or copied while its owner is borrowed. No pointer leaves this folder.

mod memory;
mod owned;
mod topic_id;
mod records;

pub use memory::keep_memory;
pub(super) use records::{Message, Records};
pub(super) use topic_id::topic_ids;
