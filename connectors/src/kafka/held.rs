//! The partitions that a reader holds, found by librdkafka's messages.

use rdkafka::TopicPartitionList;
use rdkafka::message::{BorrowedMessage, Message};
use sluice_engine::source::Partition;

use super::client::listed;
use crate::decode::Position;

/// Where the reader stands in each partition; records come in runs of one partition.
#[derive(Debug, Default)]
pub(super) struct Held {
    all: Vec<Place>,
    last: usize,
}

#[derive(Debug)]
struct Place {
    at: Position,
    /// The address of librdkafka's topic, once a message has told it. It is the topic's own for as
    /// long as the partition is held, and cheaper to compare than names.
    topic: usize,
}

impl Held {
    /// Where the reader stands in the message's partition.
    pub(super) fn find(&mut self, message: &BorrowedMessage<'_>) -> Option<&mut Position> {
        let (topic, index) = (message.topic_ptr() as usize, message.partition());
        let is = |place: &Place| place.topic == topic && place.at.partition().index == index;
        if !self.all.get(self.last).is_some_and(is) {
            self.last = match self.all.iter().position(is) {
                Some(found) => found,
                None => self.introduce(topic, message)?,
            };
        }
        self.all.get_mut(self.last).map(|place| &mut place.at)
    }

    fn introduce(&mut self, topic: usize, message: &BorrowedMessage<'_>) -> Option<usize> {
        let (name, index) = (message.topic(), message.partition());
        let is = |place: &Place| {
            let of = place.at.partition();
            of.index == index && of.topic == name
        };
        let found = self.all.iter().position(is)?;
        self.all.get_mut(found)?.topic = topic;
        Some(found)
    }

    pub(super) fn insert(&mut self, at: Position) {
        let is_other = |place: &Place| place.at.partition() != at.partition();
        self.all.retain(is_other);
        self.all.push(Place { at, topic: 0 });
    }

    pub(super) fn remove(&mut self, list: &[(String, i32)]) {
        self.all.retain(|place| !is_in(place.at.partition(), list));
    }

    /// Those that are in `list`.
    pub(super) fn of(&self, list: &[(String, i32)]) -> Vec<Partition> {
        let held = self.iter().map(Position::partition);
        held.filter(|of| is_in(of, list)).cloned().collect()
    }

    /// Whether a partition of the same topic is held and is of another topic of that name.
    pub(super) fn is_another(&self, partition: &Partition) -> bool {
        let mut held = self.iter().map(Position::partition);
        held.any(|of| of.topic == partition.topic && of.identity != partition.identity)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Position> {
        self.all.iter().map(|place| &place.at)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Position> {
        self.all.iter_mut().map(|place| &mut place.at)
    }

    /// All of them, as librdkafka takes them.
    pub(super) fn list(&self) -> TopicPartitionList {
        let held = self.iter().map(Position::partition);
        let held: Vec<_> = held.map(|of| (of.topic.clone(), of.index)).collect();
        listed(&held)
    }
}

fn is_in(partition: &Partition, list: &[(String, i32)]) -> bool {
    let is =
        |(topic, index): &(String, i32)| *topic == partition.topic && *index == partition.index;
    list.iter().any(is)
}
