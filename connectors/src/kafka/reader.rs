//! Reading for ever as a member of a group: poll, decode, hand over, and settle every change of
//! partitions with the engine before the first or after the last record of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use sluice_engine::error::Error;
use sluice_engine::source::Partition;

use super::client::Rebalance;
use super::contact::Connection;
use crate::decode::{Chunk, Layout, Position, Record};
use crate::handoff::{Lost, Opened, Stop};

/// How long to wait for a record when there is nothing to send.
const IDLE: Duration = Duration::from_millis(100);
/// How long what others see of the reader may be old.
const PUBLISHED: Duration = Duration::from_millis(200);
/// Records taken between two looks at anything else.
const BURST: usize = 256;

/// A reader's thread.
struct Follower<'a> {
    link: Connection<'a>,
    chunk: Chunk,
    positions: Positions,
    published: Instant,
}

/// The partitions being read; records come in runs of one partition.
#[derive(Default)]
struct Positions {
    all: Vec<Position>,
    last: usize,
}

impl Positions {
    fn find(&mut self, topic: &str, index: i32) -> Option<&mut Position> {
        let is = |at: &Position| at.partition().index == index && at.partition().topic == topic;
        if !self.all.get(self.last).is_some_and(is) {
            self.last = self.all.iter().position(is)?;
        }
        self.all.get_mut(self.last)
    }

    fn insert(&mut self, position: Position) {
        self.all.retain(|at| at.partition() != position.partition());
        self.all.push(position);
    }
}

/// A message as a record.
pub(super) fn record<'m>(message: &'m BorrowedMessage<'_>) -> Record<'m> {
    let timestamp_us = message
        .timestamp()
        .to_millis()
        .and_then(|ms| ms.checked_mul(1000));
    let (key, value) = (message.key(), message.payload());
    Record {
        offset: message.offset(),
        timestamp_us,
        key,
        value,
    }
}

/// Reads until nobody listens or the stream fails.
pub(super) fn follow(link: Connection<'_>, layout: &Layout, opened: Opened) -> Result<(), Stop> {
    let topics: Vec<&str> = link.options.topics.iter().map(String::as_str).collect();
    let subscribed = link.client.subscribe(&topics);
    subscribed.map_err(|error| cannot("subscribe to a topic", &error))?;
    opened.announce();
    let (chunk, positions) = (Chunk::new(layout), Positions::default());
    let mut follower = Follower {
        link,
        chunk,
        positions,
        published: Instant::now(),
    };
    loop {
        follower.turn()?;
    }
}

impl Follower<'_> {
    fn turn(&mut self) -> Result<(), Stop> {
        if self.link.outlet.is_closed() {
            return Err(Stop::Gone);
        }
        let mut wait = self.chunk.patience().unwrap_or(IDLE);
        for _ in 0..BURST {
            match self.link.client.poll(wait) {
                Some(Ok(message)) => {
                    if let Some(at) = self.positions.find(message.topic(), message.partition()) {
                        self.chunk.push(at, &record(&message));
                    }
                }
                Some(Err(error)) => self.link.check(Some(error))?,
                None => break,
            }
            if self.chunk.is_full() {
                break;
            }
            wait = Duration::ZERO;
        }
        self.link.check(None)?;
        while let Some(change) = self.link.client.context().take_rebalance() {
            self.rebalance(change)?;
        }
        if self.chunk.is_full() || self.chunk.patience() == Some(Duration::ZERO) {
            self.flush()?;
        }
        if self.published.elapsed() > PUBLISHED {
            self.publish();
        }
        Ok(())
    }

    /// Sends what there is; where its partitions end is known before it arrives.
    fn flush(&mut self) -> Result<(), Stop> {
        if self.chunk.patience().is_some() {
            self.publish();
        }
        self.link.outlet.flush(&mut self.chunk)
    }

    fn rebalance(&mut self, change: Rebalance) -> Result<(), Stop> {
        // What was read must be on its way before the change is.
        self.flush()?;
        match change {
            Rebalance::Assigned(list) => self.assigned(&list),
            Rebalance::Revoked(list, lost) => self.revoked(&list, lost),
        }
    }

    fn assigned(&mut self, list: &[(String, i32)]) -> Result<(), Stop> {
        let mut offsets = TopicPartitionList::with_capacity(list.len());
        if !list.is_empty() {
            let offered = self.link.offer(list)?;
            let partitions: Vec<Partition> = offered
                .iter()
                .map(|offer| offer.partition.clone())
                .collect();
            let next = self.link.outlet.assign(offered)?;
            for (partition, next) in partitions.into_iter().zip(next) {
                offsets
                    .add_partition_offset(&partition.topic, partition.index, Offset::Offset(next))
                    .map_err(|error| cannot("assign an offset", &error))?;
                self.positions.insert(Position::new(partition, next));
            }
        }
        self.publish();
        let assigned = self.link.client.incremental_assign(&offsets);
        Ok(assigned.map_err(|error| cannot("assign partitions", &error))?)
    }

    fn revoked(&mut self, list: &[(String, i32)], lost: Lost) -> Result<(), Stop> {
        let mut offsets = TopicPartitionList::with_capacity(list.len());
        for (topic, index) in list {
            offsets.add_partition(topic, *index);
        }
        let is = |of: &Partition| {
            list.iter()
                .any(|(topic, at)| *topic == of.topic && *at == of.index)
        };
        let of_ours = self
            .positions
            .all
            .iter()
            .map(Position::partition)
            .filter(|of| is(of));
        let partitions: Vec<Partition> = of_ours.cloned().collect();
        if !partitions.is_empty() {
            self.link.outlet.revoke(partitions, lost)?;
        }
        self.positions.all.retain(|at| !is(at.partition()));
        if lost == Lost::Orderly {
            self.publish();
        }
        let given_up = self.link.client.incremental_unassign(&offsets);
        Ok(given_up.map_err(|error| cannot("give up partitions", &error))?)
    }

    /// Tells the engine where the partitions end, and others where the engine is.
    fn publish(&mut self) {
        self.published = Instant::now();
        let client = &self.link.client;
        let high = self.positions.all.iter().map(|at| {
            let known = client
                .context()
                .high(at.partition())
                .unwrap_or_else(|| at.next());
            (at.partition().clone(), known.max(at.next()))
        });
        self.link.outlet.set_high(high.collect());
        let committed: BTreeMap<_, _> = self.link.outlet.take_committed().into_iter().collect();
        if committed.is_empty() {
            return;
        }
        let mut offsets = TopicPartitionList::with_capacity(committed.len());
        for (partition, next) in &committed {
            let offset = Offset::Offset(*next);
            if let Err(error) =
                offsets.add_partition_offset(&partition.topic, partition.index, offset)
            {
                tracing::debug!(%error, %partition, "an offset could not be listed");
            }
        }
        if let Err(error) = client.commit(&offsets, CommitMode::Async) {
            tracing::debug!(%error, "group offsets, kept for monitoring only, were not stored");
        }
    }
}

/// librdkafka would not do what must succeed.
pub(super) fn cannot(what: &str, error: &KafkaError) -> Error {
    Error::unavailable(format!("the Kafka client cannot {what}: {error}"))
}
