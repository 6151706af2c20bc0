//! Contact with the brokers: the first, and what their errors mean from then on.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use sluice_engine::error::{Error, Result};
use sluice_engine::source::{Member, Offered, Partition};

use super::client::{Client, Context};
use super::options::{Options, Start};
use crate::handoff::{Outlet, Stop};

/// How long the first contact may take.
const CONTACT: Duration = Duration::from_secs(10);
/// How long it may take when librdkafka says that no broker answers.
const REFUSED: Duration = Duration::from_secs(3);
/// How long one question waits for its answer.
const QUESTION: Duration = Duration::from_millis(1000);
/// How long to look for events between two questions.
const EVENTS: Duration = Duration::from_millis(50);
/// How long a reader bears with brokers that do not answer.
const SILENCE: Duration = Duration::from_secs(30);

/// A client that gives up its partitions without asking anyone when it is dropped.
pub(super) struct Connection<'a> {
    pub(super) client: Client,
    pub(super) options: &'a Options,
    pub(super) outlet: &'a Outlet,
    /// Tells this cluster from others.
    pub(super) identity: String,
    /// The topics with their partitions.
    pub(super) topics: Vec<(String, Vec<i32>)>,
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

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.client.context().close();
    }
}

impl<'a> Connection<'a> {
    /// Connects and looks every topic up.
    pub(super) fn open(
        membership: Membership,
        options: &'a Options,
        outlet: &'a Outlet,
    ) -> Result<Self, Stop> {
        let brokers = &options.brokers;
        let config = match &membership {
            Membership::Of(member) => options.member(member),
            Membership::Alone => options.alone(),
        };
        let client: Client = config
            .create_with_context(Context::new())
            .map_err(|error| {
                Error::user(format!(
                    "cannot make a Kafka client for \"{brokers}\": {error}"
                ))
                .hint("correct the options that begin with kafka.")
            })?;
        let (identity, topics) = (String::new(), Vec::new());
        let mut connection = Self {
            client,
            options,
            outlet,
            identity,
            topics,
            membership,
        };
        for topic in &options.topics {
            let partitions = connection.partitions(topic)?;
            connection.topics.push((topic.clone(), partitions));
        }
        let id = connection.client.client().fetch_cluster_id(QUESTION);
        let id = id.ok_or_else(|| {
            Error::unavailable(format!(
                "the Kafka broker at \"{brokers}\" does not tell its cluster"
            ))
            .hint("Sluice needs a broker of version 0.10.1 or later")
        })?;
        connection.identity = format!("c-{id}");
        Ok(connection)
    }

    fn partitions(&self, topic: &str) -> Result<Vec<i32>, Stop> {
        let since = Instant::now();
        loop {
            let answer = self.ask(|client| client.fetch_metadata(Some(topic), QUESTION))?;
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
                    return Err(self.unknown_topic(topic).into());
                }
                Some(code) => self.fail(code, "")?,
                None => {}
            }
            if since.elapsed() > CONTACT {
                return Err(Error::unavailable(format!("topic \"{topic}\" has no leader")).into());
            }
            self.client.poll(QUESTION / 5);
        }
    }

    /// Asks the brokers until one answers, and not for ever.
    fn ask<T>(&self, question: impl Fn(&Client) -> KafkaResult<T>) -> Result<T, Stop> {
        let since = Instant::now();
        loop {
            let error = match question(&self.client) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(code) = error.rdkafka_error_code() {
                self.fail(code, "")?;
            }
            // Errors of connecting come as events, among others.
            while self.client.poll(EVENTS).is_some() {}
            self.check_credentials()?;
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

    /// The extent of the partitions, and where a reading without a position starts.
    pub(super) fn offer(&self, list: &[(String, i32)]) -> Result<Vec<Offered>, Stop> {
        let mut offered = Vec::with_capacity(list.len());
        for (topic, index) in list {
            let extent = |client: &Client| client.fetch_watermarks(topic, *index, QUESTION);
            let (low, high) = self.ask(extent)?;
            self.client.context().note_high(topic, *index, high);
            let start = match self.options.start {
                Start::Earliest => low,
                Start::Latest => high,
            };
            let (topic, identity) = (topic.clone(), self.identity.clone());
            let partition = Partition {
                topic,
                identity,
                index: *index,
            };
            offered.push(Offered {
                partition,
                low,
                high,
                start,
            });
        }
        Ok(offered)
    }

    /// Refuses to go on after an error that does not pass by itself, and after too long a silence.
    pub(super) fn check(&self, error: Option<KafkaError>) -> Result<(), Stop> {
        if let Some(error) = error {
            let reason = error.to_string();
            match error {
                KafkaError::MessageConsumptionFatal(code) => {
                    return Err(self.stopped(code, &reason).into());
                }
                other => {
                    tracing::debug!(error = %other, "an error of a consumer");
                    if let Some(code) = other.rdkafka_error_code() {
                        self.fail(code, &reason)?;
                    }
                }
            }
            self.check_credentials()?;
        }
        let silent = self.client.context().silence();
        if silent > SILENCE {
            Err(self.unreachable().into())
        } else {
            Ok(())
        }
    }

    fn check_credentials(&self) -> Result<(), Stop> {
        match self.client.context().trouble() {
            Some((code @ (Code::Authentication | Code::SaslAuthenticationFailed), reason)) => {
                self.fail(code, &reason)
            }
            _ => Ok(()),
        }
    }

    /// What an error means; errors that pass by themselves mean nothing.
    fn fail(&self, code: Code, reason: &str) -> Result<(), Stop> {
        let (brokers, topics) = (&self.options.brokers, self.options.topics.join("\", \""));
        let error = match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => Error::user(
                format!("the offset to read next is no longer in topic \"{topics}\""),
            )
            .hint(
                "records were deleted before they were read, or the topic was made anew; \
                         make a pipeline of another name to read what is left",
            ),
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                self.unknown_topic(&topics)
            }
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism => Error::denied(format!(
                "the Kafka broker at \"{brokers}\" refused the credentials: {reason}"
            ))
            .hint("check the options 'kafka.security.protocol' and 'kafka.sasl.*'"),
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Error::denied(format!("the Kafka user may not read topic \"{topics}\""))
                    .hint("grant it the operations Describe and Read on the topic")
            }
            Code::GroupAuthorizationFailed if self.membership == Membership::Alone => return Ok(()),
            Code::GroupAuthorizationFailed => {
                Error::denied("the Kafka user may not join the pipeline's consumer group")
                    .hint("grant it the operation Read on the group")
            }
            Code::BadMessage
            | Code::InvalidMessage
            | Code::BadCompression
            | Code::MessageSizeTooLarge
            | Code::NotImplemented
            | Code::UnsupportedCompressionType => self.stopped(code, reason),
            _ => return Ok(()),
        };
        Err(error.into())
    }

    fn unknown_topic(&self, topic: &str) -> Error {
        let brokers = &self.options.brokers;
        Error::not_found(format!(
            "the Kafka cluster at \"{brokers}\" has no topic \"{topic}\""
        ))
        .hint("create the topic, or correct its name in the table's location")
    }

    fn unreachable(&self) -> Error {
        let brokers = &self.options.brokers;
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

    fn stopped(&self, code: Code, reason: &str) -> Error {
        let topics = self.options.topics.join("\", \"");
        Error::unavailable(format!(
            "cannot read further in topic \"{topics}\": {code}: {reason}"
        ))
    }
}
