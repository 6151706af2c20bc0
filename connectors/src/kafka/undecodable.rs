//! Batches of records that librdkafka cannot decode: corrupt ones, and compressed ones that would
//! grow beyond `receive.message.max.bytes`.
//!
//! librdkafka asks for such a batch again and again and says neither which partition it is in nor
//! where it ends, only the offset at which it begins. Both are found with other clients, each of
//! which is put on one offset and tells what comes first there. The batch comes first at each of
//! its own offsets and at no other, so its end is found by halves; no record that can be read is
//! passed over.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::contact::{Connection, cannot};
use super::trouble::Meaning;
use crate::decode::{Chunk, Fault, Position, Record};
use crate::handoff::Stop;

/// How long the first record, error or end at an offset may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for it before looking at anything else.
const IDLE: Duration = Duration::from_millis(100);

/// Offsets that hold records which cannot be decoded.
#[derive(Debug)]
pub(super) struct Undecodable {
    from: i64,
    to: i64,
    fault: Fault,
}

impl Undecodable {
    /// Covers the offsets with one reject.
    pub(super) fn reject(self, at: &mut Position, chunk: &mut Chunk) {
        let record = Record {
            offset: self.from,
            timestamp_us: None,
            key: None,
            value: None,
            headers: None,
        };
        chunk.reject(at, &record, self.fault);
        chunk.skip(at, self.to);
    }
}

/// What comes first at an offset.
enum First {
    Batch(Bad),
    /// A record, or the end.
    Other,
}

/// librdkafka's words about a batch, and the offset in them.
struct Bad {
    base: i64,
    reason: String,
}

/// Looks beside a reader.
pub(super) struct Probe<'a, 'b>(&'b Connection<'a>);

impl<'a, 'b> Probe<'a, 'b> {
    pub(super) fn beside(link: &'b Connection<'a>) -> Self {
        Self(link)
    }

    /// The batch that keeps the reader from going on in the partition of `at`, if one does.
    pub(super) fn find(&self, at: &Position) -> Result<Option<Undecodable>, Stop> {
        let (_, high) = self.0.extent(&at.partition().topic, at.partition().index)?;
        if at.next() >= high {
            return Ok(None);
        }
        let First::Batch(bad) = self.first(at, at.next())? else {
            return Ok(None);
        };
        let same = |offset: i64| {
            let first = self.first(at, offset)?;
            Ok::<_, Stop>(matches!(first, First::Batch(other) if other.base == bad.base))
        };
        // At `inside` the batch comes first, at `beyond` it does not.
        let from = bad.base.max(at.next());
        let (mut inside, mut beyond, mut step) = (from, high, 1);
        while inside + step < beyond {
            if same(inside + step)? {
                inside += step;
                step *= 2;
            } else {
                beyond = inside + step;
            }
        }
        while inside + 1 < beyond {
            let middle = inside + (beyond - inside) / 2;
            if same(middle)? {
                inside = middle;
            } else {
                beyond = middle;
            }
        }
        let code = if bad.reason.starts_with("Decompression") {
            "bad_compression"
        } else {
            "bad_batch"
        };
        let reason = format!(
            "the batch with the offsets {from} to {inside} cannot be decoded: {}",
            bad.reason
        );
        let fault = Fault { code, reason };
        Ok(Some(Undecodable {
            from,
            to: inside + 1,
            fault,
        }))
    }

    /// What the brokers have first at `offset`. Each look has a client of its own: one that is put
    /// on another offset before it has left the last may answer for that one, and librdkafka
    /// aborts the process when a partition is given up twice before it has stopped.
    fn first(&self, at: &Position, offset: i64) -> Result<First, Stop> {
        let (link, of) = (self.0.beside()?, at.partition());
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&of.topic, of.index, Offset::Offset(offset))
            .map_err(|error| cannot("look at an offset", &error))?;
        let assigned = link.client.assign(&list);
        assigned.map_err(|error| cannot("look at an offset", &error))?;
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if link.outlet.is_closed() {
                return Err(Stop::Gone);
            }
            match link.client.poll(IDLE) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(First::Other),
                Some(Err(error)) => match link.meaning(&error)? {
                    Meaning::Undecodable(reason) => {
                        let base = base(&reason).ok_or_else(|| link.stopped(&reason))?;
                        return Ok(First::Batch(Bad { base, reason }));
                    }
                    Meaning::Passing => {}
                    Meaning::OutOfRange(error) | Meaning::Final(error) => return Err(error.into()),
                },
                None => {}
            }
        }
        Err(link.unreachable().into())
    }
}

/// Puts the partition first that stands at the offset which librdkafka names, if one does: there is
/// one in most cases, and each look at another costs a client.
pub(super) fn likeliest_first<T>(places: &mut [T], reason: &str, next: impl Fn(&T) -> i64) {
    if let Some(base) = base(reason) {
        places.sort_by_key(|place| next(place) != base);
    }
}

/// The offset that librdkafka names: `message at 17 of 9 bytes`, `MessageSet at offset 17`.
fn base(reason: &str) -> Option<i64> {
    let (_, rest) = reason.split_once(" at ")?;
    let rest = rest.strip_prefix("offset ").unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest.get(..end.unwrap_or(rest.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_that_stands_at_the_bad_batch_is_looked_at_first() {
        let mut places = [3, 7, 9];
        likeliest_first(
            &mut places,
            "MessageSet at offset 9 (91 bytes) failed",
            |at| *at,
        );
        assert_eq!(places, [9, 3, 7]);
        likeliest_first(
            &mut places,
            "MessageSet at offset 1 (91 bytes) failed",
            |at| *at,
        );
        assert_eq!(places, [9, 3, 7]);
    }

    #[test]
    fn the_offset_of_a_bad_batch_is_read_from_the_reason() {
        for (reason, wanted) in [
            (
                "Decompression (codec 0x4) of message at 12 of 6240 bytes failed: Local: Bad",
                Some(12),
            ),
            (
                "MessageSet at offset 7 (91 bytes) failed CRC32C check (original 0x1 != \
                 calculated 0x2)",
                Some(7),
            ),
            (
                "Message at offset 3 might be too large to fetch, try increasing",
                Some(3),
            ),
            ("Local: Bad message format", None),
        ] {
            assert_eq!(base(reason), wanted, "{reason}");
        }
    }
}
