//! Reading once: every partition from its beginning to where it ended when the reading began,
//! without a group.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sluice_engine::source::Wanted;

use super::client::listed;
use super::contact::{Connection, cannot};
use super::record;
use super::trouble::Meaning;
use super::undecodable::{Probe, likeliest_first};
use crate::decode::{Chunk, Layout, Position};
use crate::handoff::{Opened, Stop};

/// How long to wait for a record before looking at anything else.
const IDLE: Duration = Duration::from_millis(100);

/// A partition with records to come.
struct Remaining {
    at: Position,
    high: i64,
}

/// Reads every topic to its end.
pub(super) fn scan(
    link: &Connection<'_>,
    (layout, wanted): (&Layout, Wanted),
    opened: Opened,
) -> Result<(), Stop> {
    // All ends are taken first: a bounded reading is of one moment.
    let mut topics = Vec::new();
    for (topic, partitions) in link.topics()? {
        let list: Vec<_> = partitions
            .iter()
            .map(|index| (topic.clone(), *index))
            .collect();
        let extents = link
            .offer(&list)?
            .into_iter()
            .filter(|offer| offer.low < offer.high);
        let at = extents.map(|offer| Remaining {
            at: Position::new(offer.partition, offer.low),
            high: offer.high,
        });
        topics.push(at.collect::<Vec<_>>());
    }
    opened.announce();
    let mut chunk = Chunk::new(layout, wanted);
    // One after another: librdkafka reports the end of a partition without the topic.
    for remaining in topics {
        read(link, remaining, (&mut chunk, wanted))?;
    }
    link.outlet.flush(&mut chunk)
}

fn read(
    link: &Connection<'_>,
    mut remaining: Vec<Remaining>,
    (chunk, wanted): (&mut Chunk, Wanted),
) -> Result<(), Stop> {
    let mut offsets = TopicPartitionList::with_capacity(remaining.len());
    for Remaining { at, .. } in &remaining {
        let (topic, index) = (&at.partition().topic, at.partition().index);
        offsets
            .add_partition_offset(topic, index, Offset::Offset(at.next()))
            .map_err(|error| cannot("assign an offset", &error))?;
    }
    let assigned = link.client.assign(&offsets);
    assigned.map_err(|error| cannot("assign partitions", &error))?;
    let mut last = 0;
    while !remaining.is_empty() {
        if link.outlet.is_closed() {
            return Err(Stop::Gone);
        }
        let wait = chunk.patience().unwrap_or(IDLE);
        let ended = match link.client.poll(wait) {
            Some(Ok(message)) => {
                let of = |left: &Remaining| {
                    let of = left.at.partition();
                    of.index == message.partition() && of.topic == message.topic()
                };
                if !remaining.get(last).is_some_and(of) {
                    last = remaining.iter().position(of).unwrap_or(remaining.len());
                }
                let Some(left) = remaining.get_mut(last) else {
                    continue;
                };
                if message.offset() < left.high {
                    record::take(chunk, &mut left.at, &message, wanted);
                }
                (message.offset() + 1 >= left.high).then_some(last)
            }
            Some(Err(KafkaError::PartitionEOF(index))) => remaining
                .iter()
                .position(|left| left.at.partition().index == index),
            Some(Err(error)) => match link.meaning(&error)? {
                Meaning::Passing => None,
                Meaning::Undecodable(reason) => {
                    pass_undecodable(link, &mut remaining, (chunk, &reason))?
                }
                Meaning::OutOfRange(error) => {
                    let left: Vec<&Position> = remaining.iter().map(|left| &left.at).collect();
                    link.go_on_within(&left, error).map(|()| None)?
                }
                Meaning::Final(error) => return Err(error.into()),
            },
            None => link.check().map(|()| None)?,
        };
        if let Some(at) = ended {
            let Remaining { mut at, high } = remaining.swap_remove(at);
            // The last offsets may hold no record.
            chunk.skip(&mut at, high);
            let partition = at.partition();
            // Fetches no more of a partition that is complete.
            link.pause(&listed(&[(partition.topic.clone(), partition.index)]))?;
        }
        if chunk.is_full() || chunk.patience() == Some(Duration::ZERO) {
            link.check()?;
            link.outlet.flush(chunk)?;
        }
    }
    Ok(())
}

/// Goes on after a batch that cannot be decoded; gives the partition that it completes.
fn pass_undecodable(
    link: &Connection<'_>,
    remaining: &mut [Remaining],
    (chunk, reason): (&mut Chunk, &str),
) -> Result<Option<usize>, Stop> {
    let probe = Probe::beside(link);
    let mut places: Vec<(usize, &mut Remaining)> = remaining.iter_mut().enumerate().collect();
    likeliest_first(&mut places, reason, |(_, left)| left.at.next());
    for (index, left) in places {
        if let Some(found) = probe.find(&left.at)? {
            found.reject(&mut left.at, chunk);
            if left.at.next() >= left.high {
                return Ok(Some(index));
            }
            link.go_on(left.at.partition(), left.at.next())?;
            return Ok(None);
        }
    }
    tracing::debug!("no partition stands before a batch that cannot be decoded: {reason}");
    Ok(None)
}
