//! The partitions that a reader holds, found by librdkafka's messages.

use rdkafka::TopicPartitionList;
use sluice_engine::source::Partition;

use super::client::listed;
use super::native::Message;
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
    /// A number of librdkafka's topic, once a message has told it. It is the topic's own for as
    /// long as the partition is held, and cheaper to compare than names.
    topic: usize,
    /// Something of it came that was not taken, so nothing after that may be.
    broken: bool,
}

impl Held {
    /// Where the reader stands in the message's partition, unless nothing of it may be taken.
    pub(super) fn find(&mut self, message: &Message<'_>) -> Option<&mut Position> {
        let place = self.place(message)?;
        (!place.broken).then_some(&mut place.at)
    }

    /// From here on nothing of the message's partition is found, until it is mended.
    pub(super) fn break_off(&mut self, message: &Message<'_>) {
        if let Some(place) = self.place(message) {
            place.broken = true;
        }
    }

    /// The same for a partition by its name.
    pub(super) fn break_off_at(&mut self, topic: &str, index: i32) {
        if let Some(found) = self.named(topic, index)
            && let Some(place) = self.all.get_mut(found)
        {
            place.broken = true;
        }
    }

    /// Makes those whole again that were broken off and of which `mended` says that they are being
    /// read from where the reader stands.
    pub(super) fn mend(&mut self, mut mended: impl FnMut(&Position) -> bool) {
        for place in self.all.iter_mut().filter(|place| place.broken) {
            place.broken = !mended(&place.at);
        }
    }

    fn place(&mut self, message: &Message<'_>) -> Option<&mut Place> {
        let (topic, index) = message.place();
        let is = |place: &Place| place.topic == topic && place.at.partition().index == index;
        if !self.all.get(self.last).is_some_and(is) {
            self.last = match self.all.iter().position(is) {
                Some(found) => found,
                None => {
                    let found = self.named(message.topic()?, index)?;
                    self.all.get_mut(found)?.topic = topic;
                    found
                }
            };
        }
        self.all.get_mut(self.last)
    }

    fn named(&self, topic: &str, index: i32) -> Option<usize> {
        let is = |place: &Place| {
            let of = place.at.partition();
            of.index == index && of.topic == topic
        };
        self.all.iter().position(is)
    }

    pub(super) fn insert(&mut self, at: Position) {
        let is_other = |place: &Place| place.at.partition() != at.partition();
        self.all.retain(is_other);
        self.all.push(Place {
            at,
            topic: 0,
            broken: false,
        });
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
