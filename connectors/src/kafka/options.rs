//! What a Kafka definition says: brokers, topics, where to start, and settings for librdkafka.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::source::Member;

const FORM: &str = "a Kafka location is 'kafka://host:port/topic', and may list several of both: \
                    'kafka://a:9092,b:9092/orders,payments'";

/// Settings that users may not choose, each with the reason.
const REFUSED: [(&str, &str); 18] = [
    ("auto.commit.enable", OFFSETS),
    ("auto.offset.reset", OFFSETS),
    ("enable.auto.commit", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("offset.store.method", OFFSETS),
    ("group.id", "the pipeline's name is the group"),
    (
        "enable.partition.eof",
        "Sluice needs it to know where a query ends",
    ),
    (
        "statistics.interval.ms",
        "Sluice takes lag and the health of brokers from the statistics",
    ),
    (
        "partition.assignment.strategy",
        "partitions are handed over one by one, so it is fixed",
    ),
    ("bootstrap.servers", "the brokers are in the location"),
    ("metadata.broker.list", "the brokers are in the location"),
    (
        "allow.auto.create.topics",
        "reading a topic must not create it",
    ),
    (
        "test.mock.num.brokers",
        "it would replace the brokers in the location",
    ),
    ("plugin.library.paths", CODE),
    ("sasl.kerberos.kinit.cmd", CODE),
    ("ssl.engine.location", CODE),
    ("ssl.providers", CODE),
    ("enabled_events", "Sluice decides which events it takes"),
];
const OFFSETS: &str = "positions are kept in the table that is written, so that rows and positions \
                       are one commit";
const CODE: &str = "it would run other programs or load code";

/// Settings that hold unless the definition says otherwise.
const DEFAULTS: [(&str, &str); 13] = [
    // A full queue must not stall a partition for the default second.
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.message.max.bytes", "4194304"),
    ("fetch.max.bytes", "67108864"),
    ("receive.message.max.bytes", "100000000"),
    // Bytes bound the memory; the count only must not bound it first.
    ("queued.min.messages", "1000000"),
    ("queued.max.messages.kbytes", "131072"),
    ("socket.receive.buffer.bytes", "1048576"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("check.crcs", "true"),
    // How long the partitions of a killed process wait for their next reader.
    ("session.timeout.ms", "10000"),
    ("max.poll.interval.ms", "300000"),
    ("client.id", "sluice"),
];

/// Settings that carry the guarantee.
const FIXED: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("statistics.interval.ms", "1000"),
];

/// Where a pipeline without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
}

/// A definition, understood.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `host:port`, separated by commas.
    pub(super) brokers: String,
    pub(super) topics: Vec<String>,
    pub(super) start: Start,
    settings: ClientConfig,
}

impl Options {
    /// Reads location and options; the setting's names and values are checked by librdkafka.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        definition.check_options(&["format", "start", "kafka."])?;
        let (brokers, topics) = location(definition)?;
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
        let settings = settings(definition, &brokers)?;
        Ok(Self {
            brokers,
            topics,
            start,
            settings,
        })
    }

    /// librdkafka's configuration for a member of a group.
    pub(super) fn member(&self, member: &Member) -> ClientConfig {
        let mut config = self.settings.clone();
        config.set("group.id", &member.group);
        if let Some(instance) = &member.instance {
            config.set("group.instance.id", instance);
        }
        config
    }

    /// librdkafka's configuration for a bounded reading, which joins no group.
    pub(super) fn alone(&self) -> ClientConfig {
        let mut config = self.member(&Member::of("sluice-query"));
        config.set("enable.partition.eof", "true");
        config
    }
}

fn location(definition: &TableDefinition) -> Result<(String, Vec<String>)> {
    let wrong = |what: &str| {
        let (name, location) = (&definition.name, &definition.location);
        Error::user(format!(
            "table \"{name}\" has the location \"{location}\", {what}"
        ))
        .hint(FORM)
    };
    let rest = definition.location.strip_prefix("kafka://");
    let rest = rest.ok_or_else(|| wrong("which does not begin with kafka://"))?;
    let (brokers, topics) = rest.split_once('/').unwrap_or((rest, ""));
    if brokers.contains('@') {
        return Err(wrong("which holds credentials")
            .hint("give them as options: 'kafka.sasl.username' and 'kafka.sasl.password'"));
    }
    if brokers.is_empty() || brokers.split(',').any(|broker| broker.trim() != broker) {
        return Err(wrong("which names no broker"));
    }
    if let Some(bad) = brokers.split(',').find(|broker| !is_broker(broker)) {
        return Err(wrong(&format!("in which \"{bad}\" is not host:port")));
    }
    let topics: Vec<String> = topics.split(',').map(str::to_owned).collect();
    if topics == [""] {
        return Err(wrong("which names no topic"));
    }
    if let Some(bad) = topics.iter().find(|topic| !is_topic(topic)) {
        return Err(wrong(&format!(
            "in which \"{bad}\" cannot be a topic's name"
        )));
    }
    let mut once: Vec<&String> = topics.iter().collect();
    once.sort();
    once.dedup();
    if once.len() < topics.len() {
        return Err(wrong("which names a topic twice"));
    }
    Ok((brokers.to_owned(), topics))
}

fn is_broker(broker: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let port = match broker.rsplit_once(':') {
        Some((host, _)) if host.starts_with('[') != host.ends_with(']') => return true,
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok(),
        None => true,
    };
    !broker.is_empty() && broker.bytes().all(legal) && port
}

/// Kafka's own rule for names.
fn is_topic(topic: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !["", ".", ".."].contains(&topic) && topic.len() <= 249 && topic.bytes().all(legal)
}

fn settings(definition: &TableDefinition, brokers: &str) -> Result<ClientConfig> {
    let name = &definition.name;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    for (key, value) in DEFAULTS.into_iter().chain(FIXED) {
        config.set(key, value);
    }
    let own = definition.options.iter();
    for (key, value) in own.filter_map(|(key, value)| Some((key.strip_prefix("kafka.")?, value))) {
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
            let message = format!("table \"{name}\" may not set \"kafka.{key}\"");
            return Err(Error::user(message).hint(format!("leave it out: {reason}")));
        }
        if key == "isolation.level" && value != "read_committed" {
            let message = format!("table \"{name}\" may not set \"kafka.{key}\" to \"{value}\"");
            return Err(Error::user(message).hint(
                "leave it out: a record that its producer takes back must not reach a table",
            ));
        }
        config.set(key, value);
        if key == "max.partition.fetch.bytes" {
            // The same setting by its other name; which one wins would be chance.
            config.remove("fetch.message.max.bytes");
        }
    }
    if config.get("group.protocol") == Some("consumer") {
        // With this protocol the broker decides both, and librdkafka refuses them.
        config
            .remove("partition.assignment.strategy")
            .remove("session.timeout.ms");
    }
    config
        .create_native_config()
        .map_err(|error| wrong_setting(name, &error))?;
    Ok(config)
}

fn wrong_setting(name: &str, error: &KafkaError) -> Error {
    let KafkaError::ClientConfig(_, reason, key, _) = error else {
        return Error::user(format!(
            "the Kafka settings of table \"{name}\" are wrong: {error}"
        ));
    };
    Error::user(format!(
        "table \"{name}\" has a wrong option \"kafka.{key}\": {reason}"
    ))
    .hint(
        "options that begin with kafka. are librdkafka's configuration properties; see its \
         CONFIGURATION.md",
    )
}
