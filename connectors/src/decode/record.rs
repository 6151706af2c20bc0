//! One record as a stream has it, and how far a reader has come.

use std::fmt;

use sluice_engine::source::Partition;

/// The headers of a record, read only when somebody wants them.
pub trait Headers {
    /// Gives every header to `header`, in their order; a header may have no value.
    fn each(&self, header: &mut dyn FnMut(&str, Option<&[u8]>));
}

/// One record as the stream has it.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// When it was produced, microseconds since the epoch, where known.
    pub timestamp_us: Option<i64>,
    /// Its key, where it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` when the record has none.
    pub value: Option<&'a [u8]>,
    /// Its headers, where the stream has such.
    pub headers: Option<&'a dyn Headers>,
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("offset", &self.offset)
            .field("timestamp_us", &self.timestamp_us)
            .field("key", &self.key)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// How far a reader has come in one partition.
#[derive(Debug, Clone)]
pub struct Position {
    pub(super) partition: Partition,
    pub(super) next: i64,
    /// The chunk and the place in it where the partition's range is.
    pub(super) range: (u64, usize),
    pub(super) written_us: Option<i64>,
}

impl Position {
    /// The beginning of a reading of `partition` at the offset `next`.
    #[must_use]
    pub fn new(partition: Partition, next: i64) -> Self {
        Self {
            partition,
            next,
            range: (0, 0),
            written_us: None,
        }
    }

    /// Says about when records without a time of their own were written, microseconds since the
    /// epoch; a text whose date has no year takes it from there.
    pub fn written(&mut self, written_us: Option<i64>) {
        self.written_us = written_us;
    }

    /// Which partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The offset to read next.
    #[must_use]
    pub fn next(&self) -> i64 {
        self.next
    }
}
