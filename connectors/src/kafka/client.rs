//! librdkafka's callbacks, which only note down what the polling thread is to act on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use sluice_engine::source::Partition;

use crate::handoff::Lost;

pub(super) type Client = BaseConsumer<Context>;

/// What begins librdkafka's word that a topic of this name is another than before, between the name
/// and the two ids.
const CHANGED_ID: &str = " changed id from ";
/// The id of a topic that librdkafka has not looked up before.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";
/// A thread that polled nothing for so long cannot have seen a broker answer.
const ASLEEP: Duration = Duration::from_secs(5);

/// What the callbacks leave for the thread that polls.
#[derive(Debug)]
pub(super) struct Context {
    noted: Mutex<Noted>,
    closing: AtomicBool,
}

#[derive(Debug)]
struct Noted {
    rebalances: VecDeque<Rebalance>,
    /// When a broker was last seen to answer.
    answered: Instant,
    /// When somebody last asked for that.
    looked: Instant,
    all_down: bool,
    trouble: Option<(Code, String)>,
    /// A topic that was deleted and made anew while it was read.
    made_anew: Option<String>,
    high: BTreeMap<(String, i32), i64>,
}

/// A change of what the group has given to this member.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assigned(Vec<(String, i32)>),
    Revoked(Vec<(String, i32)>, Lost),
    /// Revoked, and given up without waiting for the engine.
    GivenUp(Vec<(String, i32)>),
}

impl Context {
    pub(super) fn new() -> Self {
        let noted = Noted {
            rebalances: VecDeque::new(),
            answered: Instant::now(),
            looked: Instant::now(),
            all_down: false,
            trouble: None,
            made_anew: None,
            high: BTreeMap::new(),
        };
        Self {
            noted: Mutex::new(noted),
            closing: AtomicBool::new(false),
        }
    }

    /// From here on partitions are given up without asking anyone.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_rebalance(&self) -> Option<Rebalance> {
        self.noted().rebalances.pop_front()
    }

    /// Gives up what the group wants back without asking the engine, which is busy. What it does
    /// with these partitions later is for the table to refuse. An assignment waits, as nobody can
    /// say where to begin, unless it is empty: the group waits for an answer to those too.
    pub(super) fn give_up(&self, client: &Client) -> KafkaResult<()> {
        let changes = std::mem::take(&mut self.noted().rebalances);
        let mut left = VecDeque::with_capacity(changes.len());
        for change in changes {
            match change {
                Rebalance::Revoked(list, _) => {
                    client.incremental_unassign(&listed(&list))?;
                    left.push_back(Rebalance::GivenUp(list));
                }
                Rebalance::Assigned(list) if list.is_empty() => {
                    client.incremental_assign(&listed(&[]))?;
                }
                other => left.push_back(other),
            }
        }
        let mut noted = self.noted();
        left.append(&mut noted.rebalances);
        noted.rebalances = left;
        Ok(())
    }

    /// How long no broker has answered while somebody listened. A process that was stopped, or
    /// waited for its engine, heard nothing and knows nothing.
    pub(super) fn silence(&self) -> Duration {
        let (mut noted, now) = (self.noted(), Instant::now());
        if now.duration_since(noted.looked) > ASLEEP {
            noted.answered = now;
        }
        noted.looked = now;
        now.duration_since(noted.answered)
    }

    /// A topic that was deleted and made anew since it was first looked up. It is noted before the
    /// first record of the new topic is polled.
    pub(super) fn made_anew(&self) -> Option<String> {
        self.noted().made_anew.clone()
    }

    /// Whether librdkafka says that no broker answers.
    pub(super) fn all_down(&self) -> bool {
        self.noted().all_down
    }

    /// The last error that was not about one partition, and its reason.
    pub(super) fn trouble(&self) -> Option<(Code, String)> {
        self.noted().trouble.clone()
    }

    pub(super) fn note_high(&self, topic: &str, index: i32, high: i64) {
        self.noted().high.insert((topic.to_owned(), index), high);
    }

    /// The end of a partition as the brokers last told it.
    pub(super) fn high(&self, partition: &Partition) -> Option<i64> {
        self.noted()
            .high
            .get(&(partition.topic.clone(), partition.index))
            .copied()
    }
}

/// The partitions as librdkafka takes them.
pub(super) fn listed(partitions: &[(String, i32)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, index) in partitions {
        list.add_partition(topic, *index);
    }
    list
}

/// The topic of which a line of librdkafka's log says that it is another than before.
fn changed(message: &str) -> Option<&str> {
    let (before, ids) = message.split_once(CHANGED_ID)?;
    let (_, topic) = before.rsplit_once("Topic ")?;
    (!ids.starts_with(NO_ID)).then_some(topic)
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if let Some(topic) = changed(message) {
            self.noted().made_anew = Some(topic.to_owned());
        }
        match level {
            // A client that is closing may well find its broker gone.
            _ if self.closing.load(Ordering::Acquire) => {
                tracing::debug!(facility, "librdkafka: {message}");
            }
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(facility, "librdkafka: {message}");
            }
            _ => tracing::warn!(facility, "librdkafka: {message}"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        let mut noted = self.noted();
        if statistics
            .brokers
            .values()
            .any(|broker| ["UP", "UPDATE"].contains(&&*broker.state))
        {
            noted.answered = Instant::now();
            (noted.all_down, noted.trouble) = (false, None);
        }
        for (name, topic) in &statistics.topics {
            for (index, partition) in &topic.partitions {
                // The last stable offset is what a reader of committed records can reach.
                let high = if partition.ls_offset >= 0 {
                    partition.ls_offset
                } else {
                    partition.hi_offset
                };
                if high >= 0 {
                    noted.high.insert((name.clone(), *index), high);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut noted = self.noted();
        if code == Code::AllBrokersDown {
            noted.all_down = true;
        } else {
            noted.trouble = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Context {
    /// Notes the change; the polling thread carries it out, with the engine's offsets, after
    /// `poll`.
    fn rebalance(&self, client: &Client, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Acquire) {
            // Nobody reads any more, but the group waits for an answer.
            let given_up = match error {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => client.unassign(),
                _ => client.incremental_unassign(list),
            };
            if let Err(error) = given_up {
                tracing::debug!(%error, "partitions could not be given up");
            }
            return;
        }
        let elements = list.elements();
        let list = elements
            .iter()
            .map(|of| (of.topic().to_owned(), of.partition()))
            .collect();
        self.noted().rebalances.push_back(match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(list),
            _ if client.assignment_lost() => Rebalance::Revoked(list, Lost::Already),
            _ => Rebalance::Revoked(list, Lost::Orderly),
        });
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "group offsets, kept for monitoring only, were not stored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_topics_that_were_made_anew_from_new_ones() {
        let line = |from: &str| {
            format!("[thrd:main]: Topic a.b-c changed id from {from} to MkTRaEPTTIWuiWBhBrcNfg")
        };
        assert_eq!(changed(&line("x1TRaEPTTIWuiWBhBrcNfg")), Some("a.b-c"));
        assert_eq!(changed(&line(NO_ID)), None);
        assert_eq!(changed("[thrd:main]: Topic a [0] Leader 1 Epoch 0"), None);
    }
}
