//! librdkafka's properties for a table: what the definition says, what Sluice decides, and secrets,
//! which are references until a client is made.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::secret;

/// Properties that users may not set, each with the reason.
const REFUSED: [(&str, &str); 20] = [
    ("auto.commit.enable", OFFSETS),
    ("auto.offset.reset", OFFSETS),
    ("enable.auto.commit", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("offset.store.method", OFFSETS),
    ("group.id", "the pipeline's name is the group"),
    (
        "group.instance.id",
        "the process that runs the pipeline is the member",
    ),
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
        "topic.blacklist",
        "write a pattern that matches fewer topics",
    ),
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

/// Properties whose values are secrets.
const SECRETS: [&str; 9] = [
    "sasl.password",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.truststore.password",
];

/// Stands for a value that is not known yet.
const PLACEHOLDER: &str = "unknown";

/// A property and its value.
pub(super) type Property = (&'static str, &'static str);

/// The properties of a definition, secrets as references.
#[derive(Clone)]
pub(super) struct Settings {
    table: String,
    own: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    /// Names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.own.keys()).finish()
    }
}

impl Settings {
    /// Takes the options that begin with `kafka.`; librdkafka checks their names and values.
    ///
    /// # Errors
    /// When a property is unknown, wrong, refused, or a secret that is written out.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        let table = &definition.name;
        let mut own = BTreeMap::new();
        let options = definition.options.iter();
        for (option, value) in options {
            let Some(key) = option.strip_prefix("kafka.") else {
                continue;
            };
            if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| *refused == key) {
                let message = format!("table \"{table}\" may not set \"{option}\"");
                return Err(Error::user(message).hint(format!("leave it out: {reason}")));
            }
            if key == "isolation.level" && value != "read_committed" {
                let message = format!("table \"{table}\" may not set \"{option}\" to \"{value}\"");
                return Err(Error::user(message).hint(
                    "leave it out: a record that its producer takes back must not reach a table",
                ));
            }
            if SECRETS.contains(&key) {
                secret::check(option, value)?;
            }
            own.insert(key.to_owned(), value.clone());
        }
        let settings = Self {
            table: table.clone(),
            own,
        };
        settings.check()?;
        Ok(settings)
    }

    /// What the definition says of a property.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.own.get(key).map(String::as_str)
    }

    /// The configuration of a client: `defaults`, then the definition's own with every reference
    /// resolved, then `fixed`.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub(super) fn config(&self, defaults: &[Property], fixed: &[Property]) -> Result<ClientConfig> {
        let mut config = ClientConfig::new();
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.own {
            config.set(key, secret::resolve(&format!("kafka.{key}"), value)?);
        }
        for (key, value) in fixed {
            config.set(*key, *value);
        }
        if self.own.contains_key("max.partition.fetch.bytes") {
            // The same property by its other name; which one wins would be chance.
            config.remove("fetch.message.max.bytes");
        }
        Ok(config)
    }

    /// An error of librdkafka about a configuration made by [`Settings::config`]; it may quote
    /// values, and secrets among them are replaced.
    pub(super) fn refusal(&self, error: &KafkaError) -> Error {
        let mut text = match error {
            KafkaError::ClientConfig(_, reason, key, _) => {
                format!("option \"kafka.{key}\": {reason}")
            }
            other => other.to_string(),
        };
        for (key, value) in &self.own {
            if !secret::is_reference(value) {
                continue;
            }
            match secret::resolve(key, value) {
                Ok(secret) if !secret.is_empty() => text = text.replace(&secret, value),
                _ => {}
            }
        }
        let table = &self.table;
        Error::user(format!(
            "cannot make a Kafka client for table \"{table}\": {text}"
        ))
        .hint("correct the options that begin with kafka.")
    }

    fn check(&self) -> Result<()> {
        let mut known = ClientConfig::new();
        for (key, value) in &self.own {
            if !secret::is_reference(value) {
                known.set(key, value);
                continue;
            }
            // The value is not known yet, so it cannot be wrong yet.
            let mut one = ClientConfig::new();
            one.set(key, PLACEHOLDER);
            match one.create_native_config() {
                Err(error) if is_unknown(&error) => return Err(self.wrong(&error)),
                _ => {}
            }
        }
        let checked = known.create_native_config();
        checked.map(drop).map_err(|error| self.wrong(&error))
    }

    fn wrong(&self, error: &KafkaError) -> Error {
        let table = &self.table;
        let KafkaError::ClientConfig(_, reason, key, _) = error else {
            return Error::user(format!(
                "the Kafka settings of table \"{table}\" are wrong: {error}"
            ));
        };
        Error::user(format!(
            "table \"{table}\" has a wrong option \"kafka.{key}\": {reason}"
        ))
        .hint(
            "options that begin with kafka. are librdkafka's configuration properties; see its \
             CONFIGURATION.md",
        )
    }
}

fn is_unknown(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)
    )
}
