//! Contact with the brokers: the first, questions to them, and what their errors mean from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{Member, Offered, Partition};

use super::client::{Client, Context, listed};
use super::location::Topic;
use super::native::topic_ids;
use super::options::{Options, Start};
use super::trouble::{Meaning, Trouble, made_anew, unknown_topic};
use crate::decode::Position;
use crate::handoff::{Outlet, Stop};

/// How long the first contact may take.
const CONTACT: Duration = Duration::from_secs(10);
/// How long it may take when librdkafka says that no broker answers.
const REFUSED: Duration = Duration::from_secs(3);
/// How long one question waits for its answer.
const QUESTION: Duration = Duration::from_millis(1000);
/// How long to wait between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a reader bears with brokers that do not answer.
const SILENCE: Duration = Duration::from_secs(30);

/// A client that gives up its partitions without asking anyone when it is dropped.
pub(super) struct Connection<'a> {
    pub(super) client: Arc<Client>,
    pub(super) options: &'a Options,
    pub(super) outlet: &'a Outlet,
    /// Tells this cluster from others.
    cluster: String,
    membership: Membership,
}

/// Whether a client shares partitions with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Membership {
    /// It is this member of a group.
    Of(Member),
    /// It reads partitions of its own choice.
    Alone,
}

/// What becomes of the client's events while a question waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    /// They are looked at: errors of connecting are among them, and no records yet.
    Taken,
    /// They stay for the reader, because records are among them.
    Left,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

impl<'a> Connection<'a> {
    /// Connects, and finds that every named topic is there.
    pub(super) fn open(
        membership: Membership,
        options: &'a Options,
        outlet: &'a Outlet,
    ) -> Result<Self, Stop> {
        let config = match &membership {
            Membership::Of(member) => options.member(member)?,
            Membership::Alone => options.alone()?,
        };
        let client = config.create_with_context(Context::new());
        let mut connection = Self {
            client: Arc::new(client.map_err(|error| options.settings.refusal(&error))?),
            options,
            outlet,
            cluster: String::new(),
            membership,
        };
        for topic in &options.location.topics {
            if let Topic::Named(name) = topic {
                connection.partitions(name)?;
            }
        }
        connection.cluster = connection.cluster_id()?;
        Ok(connection)
    }

    /// Another client of the same brokers, which reads partitions of its own choice.
    pub(super) fn beside(&self) -> Result<Self, Stop> {
        let config = self.options.alone()?;
        let client = config.create_with_context(Context::new());
        Ok(Self {
            client: Arc::new(client.map_err(|error| self.options.settings.refusal(&error))?),
            options: self.options,
            outlet: self.outlet,
            cluster: self.cluster.clone(),
            membership: Membership::Alone,
        })
    }

    /// Every topic of the location, with its partitions.
    pub(super) fn topics(&self) -> Result<Vec<(String, Vec<i32>)>, Stop> {
        let mut found = Vec::new();
        for topic in &self.options.location.topics {
            if let Topic::Named(name) = topic {
                found.push((name.clone(), self.partitions(name)?));
            }
        }
        if !self.options.location.is_open() {
            return Ok(found);
        }
        let all = self.ask(Events::Taken, |client| {
            client.fetch_metadata(None, QUESTION)
        })?;
        for topic in all.topics() {
            let known = found.iter().any(|(name, _)| name == topic.name());
            if !known && self.options.location.holds(topic.name()) {
                let partitions = topic.partitions().iter().map(|of| of.id()).collect();
                found.push((topic.name().to_owned(), partitions));
            }
        }
        Ok(found)
    }

    fn cluster_id(&self) -> Result<String, Stop> {
        // The first answer of any broker tells it.
        self.ask(Events::Taken, |client| {
            let id = client.client().fetch_cluster_id(QUESTION);
            id.ok_or(KafkaError::MetadataFetch(Code::OperationTimedOut))
        })
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, Stop> {
        let since = Instant::now();
        loop {
            let answer = self.ask(Events::Taken, |client| {
                client.fetch_metadata(Some(topic), QUESTION)
            })?;
            let found = answer.topics().iter().find(|found| found.name() == topic);
            let error = found.and_then(|found| found.error()).map(Code::from);
            let ids: Vec<i32> = found
                .map(|found| found.partitions().iter().map(|of| of.id()).collect())
                .unwrap_or_default();
            match error {
                None if !ids.is_empty() => return Ok(ids),
                // A topic made a moment ago may not be known everywhere.
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic)
                    if since.elapsed() > QUESTION =>
                {
                    return Err(unknown_topic(&self.options.location, topic).into());
                }
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) | None => {}
                Some(code) => self.judge(code, "")?,
            }
            if since.elapsed() > CONTACT {
                return Err(Error::unavailable(format!("topic \"{topic}\" has no leader")).into());
            }
            self.client.poll(QUESTION / 5);
        }
    }

    /// Asks the brokers until one answers, and not for ever.
    fn ask<T>(
        &self,
        events: Events,
        question: impl Fn(&Client) -> KafkaResult<T>,
    ) -> Result<T, Stop> {
        let since = Instant::now();
        loop {
            let error = match question(&self.client) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(code) = error.rdkafka_error_code() {
                self.judge(code, "")?;
            }
            if events == Events::Left {
                thread::sleep(PAUSE);
            } else {
                let listened = Instant::now();
                while listened.elapsed() < PAUSE {
                    self.client.poll(PAUSE);
                }
                self.check_credentials()?;
            }
            let patience = if self.client.context().all_down() {
                REFUSED
            } else {
                CONTACT
            };
            if self.outlet.is_closed() {
                return Err(Stop::Gone);
            }
            if since.elapsed() > patience {
                return Err(self.unreachable().into());
            }
        }
    }

    /// The extent of the partitions, and where a reading without a position starts. What waits in
    /// the client's queue stays there.
    pub(super) fn offer(&self, list: &[(String, i32)]) -> Result<Vec<Offered>, Stop> {
        let identities = self.identities(list)?;
        let by_cluster = format!("c-{}", self.cluster);
        let mut offered = Vec::with_capacity(list.len());
        for (topic, index) in list {
            let (low, high) = self.extent(topic, *index)?;
            self.client.context().note_high(topic, *index, high);
            let start = match self.options.start {
                Start::Earliest => low,
                Start::Latest => high,
            };
            let id = identities.get(topic).map(|id| format!("t-{id}"));
            // Before brokers told ids, positions were kept under the cluster's.
            let formerly = id.is_some().then(|| by_cluster.clone());
            let partition = Partition {
                topic: topic.clone(),
                identity: id.unwrap_or_else(|| by_cluster.clone()),
                index: *index,
            };
            offered.push(Offered {
                partition,
                low,
                high,
                start,
                formerly,
            });
        }
        Ok(offered)
    }

    /// The first offset of a partition and its end.
    pub(super) fn extent(&self, topic: &str, index: i32) -> Result<(i64, i64), Stop> {
        self.ask(Events::Left, |client| {
            client.fetch_watermarks(topic, index, QUESTION)
        })
    }

    /// The ids of topics whose broker tells them. An id that could not be asked for is an error:
    /// without it a reader would look for its positions under another name.
    fn identities(&self, list: &[(String, i32)]) -> Result<BTreeMap<String, String>, Stop> {
        let topics: BTreeSet<&str> = list.iter().map(|(topic, _)| topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let Some(first) = topics.first() else {
            return Ok(BTreeMap::new());
        };
        self.ask(Events::Left, |client| {
            // A broker that has just answered.
            let metadata = client.fetch_metadata(Some(first), QUESTION)?;
            let broker = metadata.orig_broker_id();
            topic_ids(client.client(), (broker, QUESTION), &topics)
        })
    }

    /// What an error of the consumer means.
    ///
    /// # Errors
    /// Where it means the end.
    pub(super) fn meaning(&self, error: &KafkaError) -> Result<Meaning, Stop> {
        tracing::debug!(%error, "an error of a consumer");
        if let Some((code, reason)) = self.client.client().fatal_error() {
            self.judge(code, &reason)?;
            return Err(self.trouble(code, &reason).stopped().into());
        }
        let said = self.client.context().trouble();
        let reason = said.map_or_else(|| error.to_string(), |(_, reason)| reason);
        if let Some(code) = error.rdkafka_error_code() {
            match self.trouble(code, &reason).meaning() {
                Meaning::Final(_) => self.judge(code, &reason)?,
                Meaning::Passing => {}
                other => return Ok(other),
            }
        }
        self.check_credentials()?;
        Ok(Meaning::Passing)
    }

    /// Goes on where partitions stand, unless the brokers have no such offset in one of them: then
    /// `error` holds.
    pub(super) fn go_on_within(&self, all: &[&Position], error: Error) -> Result<(), Stop> {
        for at in all {
            let (low, high) = self.extent(&at.partition().topic, at.partition().index)?;
            if !(low..=high).contains(&at.next()) {
                return Err(error.into());
            }
        }
        let mut all = all.iter();
        all.try_for_each(|at| self.go_on(at.partition(), at.next()))
    }

    /// Refuses to go on where the records are no longer those of the topics that were assigned, and
    /// after too long a silence of the brokers.
    pub(super) fn check(&self) -> Result<(), Stop> {
        if let Some(topic) = self.client.context().made_anew() {
            return Err(made_anew(&topic).into());
        }
        if self.client.context().silence() > SILENCE {
            return Err(self.unreachable().into());
        }
        Ok(())
    }

    /// Fetches nothing more of partitions and drops what was fetched; nothing that was polled is
    /// polled again after [`Connection::resume`].
    pub(super) fn pause(&self, list: &TopicPartitionList) -> Result<(), Stop> {
        let paused = self.client.pause(list);
        Ok(paused.map_err(|error| cannot("pause a partition", &error))?)
    }

    /// Fetches partitions again, from the first record that was not polled.
    pub(super) fn resume(&self, list: &TopicPartitionList) -> Result<(), Stop> {
        let resumed = self.client.resume(list);
        Ok(resumed.map_err(|error| cannot("resume a partition", &error))?)
    }

    /// Fetches a partition from `next` on, whatever of it was fetched.
    pub(super) fn go_on(&self, partition: &Partition, next: i64) -> Result<(), Stop> {
        let (topic, index) = (&partition.topic, partition.index);
        let offset = Offset::Offset(next);
        if let Err(error) = self.client.seek(topic, index, offset, CONTACT) {
            // It is not being fetched any more, so it is given up and taken again.
            tracing::debug!(%error, %partition, next, "cannot seek");
            let mut list = listed(&[(topic.clone(), index)]);
            let taken = self.client.incremental_unassign(&list);
            let taken = taken.and_then(|()| list.set_partition_offset(topic, index, offset));
            let taken = taken.and_then(|()| self.client.incremental_assign(&list));
            taken.map_err(|error| cannot("go on after a bad batch", &error))?;
        }
        Ok(())
    }

    /// Fetches a partition from `next` on; whether it is being fetched at all.
    pub(super) fn go_back(&self, partition: &Partition, next: i64) -> bool {
        let (topic, index) = (&partition.topic, partition.index);
        let sought = self
            .client
            .seek(topic, index, Offset::Offset(next), CONTACT);
        if let Err(error) = &sought {
            tracing::debug!(%error, %partition, next, "cannot seek");
        }
        sought.is_ok()
    }

    /// The error of a reader that cannot go on.
    pub(super) fn stopped(&self, reason: &str) -> Error {
        self.trouble(Code::BadMessage, reason).stopped()
    }

    fn check_credentials(&self) -> Result<(), Stop> {
        match self.client.context().trouble() {
            Some((code @ (Code::Authentication | Code::SaslAuthenticationFailed), reason)) => {
                self.judge(code, &reason)
            }
            _ => Ok(()),
        }
    }

    /// Fails for errors that do not pass by themselves.
    fn judge(&self, code: Code, reason: &str) -> Result<(), Stop> {
        if code == Code::GroupAuthorizationFailed && self.membership == Membership::Alone {
            return Ok(());
        }
        let trouble = self.trouble(code, reason);
        match trouble.meaning() {
            Meaning::Passing => Ok(()),
            Meaning::Undecodable(_) => Err(trouble.stopped().into()),
            Meaning::OutOfRange(error) | Meaning::Final(error) => Err(error.into()),
        }
    }

    fn trouble<'e>(&'e self, code: Code, reason: &'e str) -> Trouble<'e> {
        Trouble {
            location: &self.options.location,
            code,
            reason,
        }
    }

    pub(super) fn unreachable(&self) -> Error {
        let brokers = &self.options.location.brokers;
        let reason = match self.client.context().trouble() {
            Some((_, reason)) => format!(": {reason}"),
            None => String::new(),
        };
        Error::unavailable(format!(
            "cannot reach the Kafka broker at \"{brokers}\"{reason}"
        ))
        .hint(
            "check the address in the table's location, that the broker runs, and the option \
             'kafka.security.protocol' if it wants TLS or a password",
        )
    }
}

/// librdkafka would not do what must succeed.
pub(super) fn cannot(what: &str, error: &KafkaError) -> Error {
    Error::unavailable(format!("the Kafka client cannot {what}: {error}"))
}
