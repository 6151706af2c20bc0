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
    all_down: bool,
    trouble: Option<(Code, String)>,
    high: BTreeMap<(String, i32), i64>,
}

/// A change of what the group has given to this member.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assigned(Vec<(String, i32)>),
    Revoked(Vec<(String, i32)>, Lost),
}

impl Context {
    pub(super) fn new() -> Self {
        let noted = Noted {
            rebalances: VecDeque::new(),
            answered: Instant::now(),
            all_down: false,
            trouble: None,
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

    /// How long no broker has answered.
    pub(super) fn silence(&self) -> Duration {
        self.noted().answered.elapsed()
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

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
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
            noted.all_down = false;
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
