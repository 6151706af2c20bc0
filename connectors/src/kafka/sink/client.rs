//! The producer's callbacks, which note what went wrong, and what that means to whoever writes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use sluice_engine::error::Error;

pub(super) type Producer = ThreadedProducer<Context>;

/// What the callbacks have heard.
#[derive(Debug, Default)]
pub(super) struct Context(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// The first record that was not taken, and why.
    refused: Option<Code>,
    trouble: Option<(Code, String)>,
    all_down: bool,
}

impl Context {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a record was not taken.
    pub(super) fn refused(&self) -> Option<Code> {
        self.heard().refused
    }

    /// The last error that was about no record, and its reason.
    pub(super) fn trouble(&self) -> Option<(Code, String)> {
        self.heard().trouble.clone()
    }

    /// Whether librdkafka says that no broker answers.
    pub(super) fn all_down(&self) -> bool {
        self.heard().all_down
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // What matters is in the statement's error; settings that are for readers are no news.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::warn!(facility, "librdkafka: {message}");
            }
            _ => tracing::debug!(facility, "librdkafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut heard = self.heard();
        if code == Code::AllBrokersDown {
            heard.all_down = true;
        } else {
            heard.trouble = Some((code, reason.to_owned()));
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            self.heard().refused.get_or_insert(code);
        }
    }
}

/// What a code means, where it means that trying further is no use.
pub(super) fn fault(code: Code, topic: &str, reason: &str) -> Option<Error> {
    Some(match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
            Error::not_found(format!("the Kafka cluster has no topic \"{topic}\""))
                .hint("create the topic, or correct its name in the table's location")
        }
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            Error::denied(format!(
                "the Kafka broker refused the credentials: {reason}"
            ))
            .hint("check the options 'kafka.security.protocol' and 'kafka.sasl.*'")
        }
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            Error::denied(format!("the Kafka user may not write topic \"{topic}\""))
                .hint("grant it the operations Describe and Write on the topic")
        }
        Code::TransactionalIdAuthorizationFailed => {
            Error::denied("the Kafka user may not use transactions")
                .hint("grant it Describe and Write on transactional ids that begin with sluice-")
        }
        Code::InvalidTransactionTimeout => {
            Error::user("the broker does not allow transactions of 'kafka.transaction.timeout.ms'")
                .hint("lower the option, or raise transaction.max.timeout.ms of the broker")
        }
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => Error::limit(format!(
            "topic \"{topic}\" does not take a record of this size"
        ))
        .hint("raise max.message.bytes of the topic and 'kafka.message.max.bytes'"),
        Code::PolicyViolation | Code::InvalidRecord | Code::InvalidTopic => Error::user(format!(
            "topic \"{topic}\" does not take the records: {code}"
        )),
        _ => return None,
    })
}
