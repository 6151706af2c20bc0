//! Reading once: every partition from its beginning to where it ended when the reading began,
//! without a group.

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use std::time::Duration;

use super::contact::Connection;
use super::reader::{cannot, record};
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
pub(super) fn scan(link: &Connection<'_>, layout: &Layout, opened: Opened) -> Result<(), Stop> {
    // All ends are taken first: a bounded reading is of one moment.
    let mut topics = Vec::new();
    for (topic, partitions) in &link.topics {
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
    let mut chunk = Chunk::new(layout);
    // One after another: librdkafka reports the end of a partition without the topic.
    for remaining in topics {
        read(link, remaining, &mut chunk)?;
    }
    link.outlet.flush(&mut chunk)
}

fn read(
    link: &Connection<'_>,
    mut remaining: Vec<Remaining>,
    chunk: &mut Chunk,
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
                let Some(at) = remaining.iter().position(of) else {
                    continue;
                };
                let Some(left) = remaining.get_mut(at) else {
                    continue;
                };
                if message.offset() < left.high {
                    chunk.push(&mut left.at, &record(&message));
                }
                (message.offset() + 1 >= left.high).then_some(at)
            }
            Some(Err(KafkaError::PartitionEOF(index))) => remaining
                .iter()
                .position(|left| left.at.partition().index == index),
            Some(Err(error)) => link.check(Some(error)).map(|()| None)?,
            None => link.check(None).map(|()| None)?,
        };
        if let Some(at) = ended {
            let Remaining { mut at, high } = remaining.swap_remove(at);
            // The last offsets may hold no record.
            chunk.skip(&mut at, high);
            pause(link, &at)?;
        }
        if chunk.is_full() || chunk.patience() == Some(Duration::ZERO) {
            link.outlet.flush(chunk)?;
        }
    }
    Ok(())
}

/// Fetches no more of a partition that is complete.
fn pause(link: &Connection<'_>, at: &Position) -> Result<(), Stop> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition(&at.partition().topic, at.partition().index);
    let paused = link.client.pause(&list);
    Ok(paused.map_err(|error| cannot("pause a partition", &error))?)
}
