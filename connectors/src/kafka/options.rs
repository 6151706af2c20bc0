//! What a Kafka definition says: where it is, where reading starts, and settings for librdkafka.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::Member;

use super::location::Location;
use super::settings::{Property, Settings};
use crate::decode;

/// Properties of a reader that hold unless the definition says otherwise.
const DEFAULTS: [Property; 13] = [
    // A full queue must not stall a partition for the default second.
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.wait.max.ms", "100"),
    // What is fetched is decompressed before anyone can count it, so fetches are kept small.
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.max.bytes", "16777216"),
    // Also the largest size to which a zstd batch may decompress.
    ("receive.message.max.bytes", "100000000"),
    // Bytes bound the memory; the count only must not bound it first.
    ("queued.min.messages", "1000000"),
    ("queued.max.messages.kbytes", "131072"),
    ("socket.receive.buffer.bytes", "1048576"),
    // How soon new partitions, and new topics of a pattern, are found.
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("check.crcs", "true"),
    // How long the partitions of a killed process wait for their next reader.
    ("session.timeout.ms", "10000"),
    ("max.poll.interval.ms", MAX_POLL_INTERVAL),
    ("client.id", "sluice"),
];
const MAX_POLL_INTERVAL: &str = "300000";

/// Properties of a reader that carry the guarantee.
const FIXED: [Property; 6] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
    ("statistics.interval.ms", "1000"),
];

/// How long a reader waits for the engine before it goes on polling with its partitions paused.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a pipeline without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
}

/// A definition, understood.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) location: Location,
    pub(super) start: Start,
    pub(super) settings: Settings,
}

impl Options {
    /// Reads location and options.
    ///
    /// # Errors
    /// When one of them is wrong, naming it.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        let mut valid = vec!["start", "kafka."];
        valid.extend(decode::OPTIONS);
        definition.check_options(&valid)?;
        let name = &definition.name;
        let start = match definition.options.get("start").map(String::as_str) {
            None | Some("earliest") => Start::Earliest,
            Some("latest") => Start::Latest,
            Some(other) => {
                let message = format!("table \"{name}\" cannot start at \"{other}\"");
                return Err(
                    Error::user(message).hint("valid starts are \"earliest\" and \"latest\"")
                );
            }
        };
        let (location, settings) = (Location::of(definition)?, Settings::of(definition)?);
        if location.is_open() && settings.get("group.protocol") == Some("consumer") {
            // The broker would match patterns by rules of its own.
            return Err(Error::user(format!(
                "table \"{name}\" has a pattern in its location and sets \
                 \"kafka.group.protocol\" to \"consumer\""
            ))
            .hint("list the topics, or leave \"kafka.group.protocol\" out"));
        }
        Ok(Self {
            location,
            start,
            settings,
        })
    }

    /// librdkafka's configuration for a member of a group.
    ///
    /// # Errors
    /// When a reference in the options leads nowhere.
    pub(super) fn member(&self, member: &Member) -> Result<ClientConfig> {
        let mut config = self.reader()?;
        config.set("group.id", &member.group);
        if config.get("group.protocol") == Some("consumer") {
            // The broker decides about these, and librdkafka refuses them. A member that was killed
            // would keep its own next life out until its session ends.
            config.remove("session.timeout.ms");
            return Ok(config);
        }
        config.set("partition.assignment.strategy", "cooperative-sticky");
        if let Some(instance) = &member.instance {
            config.set("group.instance.id", instance);
        }
        Ok(config)
    }

    /// librdkafka's configuration for a bounded reading, which joins no group.
    ///
    /// # Errors
    /// When a reference in the options leads nowhere.
    pub(super) fn alone(&self) -> Result<ClientConfig> {
        let mut config = self.reader()?;
        config
            .set("group.id", "sluice-query")
            .set("enable.partition.eof", "true")
            .remove("group.protocol")
            .remove("group.remote.assignor");
        Ok(config)
    }

    /// How long a reader waits for the engine without polling.
    pub(super) fn patience(&self) -> Duration {
        let interval = self.settings.get("max.poll.interval.ms");
        let interval = interval.unwrap_or(MAX_POLL_INTERVAL).parse().unwrap_or(0);
        PATIENCE.min(Duration::from_millis(interval) / 4)
    }

    fn reader(&self) -> Result<ClientConfig> {
        let mut config = self.settings.config(&DEFAULTS, &FIXED)?;
        config.set("bootstrap.servers", &self.location.brokers);
        if self.location.is_open() {
            // The brokers' own topics are nobody's logs.
            config.set("topic.blacklist", "^__");
        }
        // That a topic is made anew is said at this level, and in no other way. What of the log is
        // shown is decided by the server's own filter.
        config.set_log_level(RDKafkaLogLevel::Debug);
        let debug = match self.settings.get("debug") {
            Some(more) => format!("topic,{more}"),
            None => "topic".to_owned(),
        };
        config.set("debug", debug);
        Ok(config)
    }
}
