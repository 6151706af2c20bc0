//! What librdkafka's errors mean to a reader, and what to do about them.

use rdkafka::error::RDKafkaErrorCode as Code;
use sluice_engine::error::Error;

use super::location::Location;

/// What an error of librdkafka means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It passes by itself.
    Passing,
    /// A batch of records cannot be decoded, and librdkafka will not go beyond it.
    Undecodable(String),
    /// The brokers have no such offset, or librdkafka took some bytes of a batch that it cannot
    /// decode for one. The error holds if the brokers say the same.
    OutOfRange(Error),
    /// The reader ends.
    Final(Error),
}

/// An error of a client that reads `location`, with librdkafka's own words where it has some.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble<'a> {
    pub(super) location: &'a Location,
    pub(super) code: Code,
    pub(super) reason: &'a str,
}

impl Trouble<'_> {
    pub(super) fn meaning(&self) -> Meaning {
        let Self {
            location, reason, ..
        } = self;
        let brokers = &location.brokers;
        Meaning::Final(match self.code {
            // Another reader asks the table and the brokers again, and the pipeline decides.
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                return Meaning::OutOfRange(self.gone());
            }
            Code::LogTruncation => self.gone(),
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownTopicId
            | Code::UnknownPartition => {
                // A topic of a pattern may go as it came; the group takes its partitions back.
                if location.is_open() {
                    return Meaning::Passing;
                }
                unknown_topic(location, &location.to_string())
            }
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism => Error::denied(format!(
                "the Kafka broker at \"{brokers}\" refused the credentials: {reason}"
            ))
            .hint("check the options 'kafka.security.protocol' and 'kafka.sasl.*'"),
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Error::denied(format!("the Kafka user may not read {}", topics(location)))
                    .hint("grant it the operations Describe and Read on the topic")
            }
            Code::GroupAuthorizationFailed => {
                Error::denied("the Kafka user may not join the pipeline's consumer group")
                    .hint("grant it the operation Read on the group")
            }
            Code::FencedInstanceId => Error::conflict(
                "another process has taken this one's place in the consumer group",
            )
            .hint(
                "where no other process is to run this pipeline: a copy of a data directory \
                         makes a second process of the same identity",
            ),
            Code::BadMessage
            | Code::InvalidMessage
            | Code::BadCompression
            | Code::MessageSizeTooLarge
            | Code::NotImplemented
            | Code::UnsupportedCompressionType => {
                return Meaning::Undecodable((*reason).to_owned());
            }
            _ => return Meaning::Passing,
        })
    }

    fn gone(&self) -> Error {
        let (topics, reason) = (topics(self.location), self.reason);
        Error::conflict(format!(
            "the offset to read next is no longer in {topics}: {reason}"
        ))
        .hint("records were deleted before they were read, or the log was cut short")
    }

    /// The error of a client that cannot go on.
    pub(super) fn stopped(&self) -> Error {
        let Self {
            location,
            code,
            reason,
        } = self;
        Error::unavailable(format!(
            "cannot read further in {}: {code}: {reason}",
            topics(location)
        ))
    }
}

/// `topic` is not there.
pub(super) fn unknown_topic(location: &Location, topic: &str) -> Error {
    let (brokers, topic) = (&location.brokers, topic.trim_matches('"'));
    Error::not_found(format!(
        "the Kafka cluster at \"{brokers}\" has no topic \"{topic}\""
    ))
    .hint("create the topic, or correct its name in the table's location")
}

/// `topic` is another than the one that was read.
pub(super) fn made_anew(topic: &str) -> Error {
    Error::conflict(format!(
        "topic \"{topic}\" was deleted and made anew while it was read"
    ))
    .hint("the new topic is read from where the pipeline starts, under an identity of its own")
}

fn topics(location: &Location) -> String {
    match location.topics.as_slice() {
        [_] => format!("topic {location}"),
        _ => format!("one of the topics {location}"),
    }
}
