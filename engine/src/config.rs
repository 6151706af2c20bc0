//! Settings: [`Config`] is the defaults, overlaid by a file, by the environment and by flags.
//!
//! Only keys that are present overlay; an unknown key anywhere is an error that names it.

mod enrichment;

mod redaction;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

use crate::error::{Error, Result};

pub use enrichment::{
    Enrichment, FeedFormat, GeoDatabase, KeyedTable, TableFormat, TableRows, ThreatFeed,
};
pub use redaction::{Ner, Redaction};

/// The settings that ship, with a comment for each.
pub const DEFAULTS: &str = include_str!("default.toml");

/// What an environment variable's name begins with: `SLUICE__SERVER__LISTEN` is `server.listen`.
pub const ENVIRONMENT_PREFIX: &str = "SLUICE__";

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Flight SQL service.
    pub server: Server,
    /// Queries.
    pub query: Query,
    /// Pipelines, unless their own `WITH` says otherwise.
    pub pipeline: Pipeline,
    /// What keeps the tables of pipelines in order.
    pub maintenance: Maintenance,
    /// Files that functions read beside their arguments.
    pub enrichment: Enrichment,
    /// What is done with personal data.
    pub redaction: Redaction,
    /// What clients on the network may do.
    pub security: Security,
}

/// The Flight SQL service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What a client must present; empty for nothing.
    pub token: String,
    /// A file that holds the token; empty for none.
    pub token_file: PathBuf,
    /// PEM file of the certificate chain; empty for no TLS.
    pub tls_cert: PathBuf,
    /// PEM file of the key; empty for no TLS.
    pub tls_key: PathBuf,
    /// PEM file of the certificates that sign those of clients; empty for none.
    pub tls_client_ca: PathBuf,
    /// Every name in a client's certificate is a user's.
    pub tls_client_users: bool,
    /// A proxy in front does TLS.
    pub insecure_listen: bool,
    /// The key of tickets and sessions, as a reference; empty for a new one at every start.
    pub ticket_key: String,
    /// Where PostgreSQL clients are served.
    #[serde(deserialize_with = "optional_address")]
    pub postgres_listen: Option<SocketAddr>,
    /// Where health and metrics are served.
    #[serde(deserialize_with = "optional_address")]
    pub metrics_listen: Option<SocketAddr>,
    /// Users with the verifiers of their passwords, or references to them.
    pub users: BTreeMap<String, String>,
    /// API keys by name: their hashes, or references to them.
    pub api_keys: BTreeMap<String, String>,
}

/// Queries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// How long one statement may run.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
    /// Memory that all queries share; `None` for a part of the machine's.
    #[serde(deserialize_with = "optional_size")]
    pub memory: Option<ByteSize>,
}

/// What clients on the network may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// What of the server's own they may name in options; see [`crate::references`].
    pub allow_references: Vec<String>,
}

/// When a pipeline commits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// At this many rows.
    pub max_rows: usize,
    /// At this many bytes.
    pub max_bytes: ByteSize,
    /// When a row is this old.
    #[serde(deserialize_with = "duration")]
    pub max_latency: Duration,
}

/// What keeps the tables of pipelines in order; see [`crate::maintenance`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// Whether it is done by this process at all.
    pub enabled: bool,
    /// A checkpoint after this many commits.
    pub checkpoint_commits: u64,
    /// A checkpoint after this long, when there were commits.
    #[serde(deserialize_with = "duration")]
    pub checkpoint_interval: Duration,
    /// How often small files are merged.
    #[serde(deserialize_with = "duration")]
    pub compact_interval: Duration,
    /// Into files of about this size.
    pub compact_size: ByteSize,
    /// Not while more records than this wait in the stream.
    pub compact_max_lag: u64,
    /// A partition into which nothing was written for this long is merged for good.
    #[serde(deserialize_with = "duration")]
    pub closed_after: Duration,
    /// Into files of about this size.
    pub closed_size: ByteSize,
    /// How often old log entries are removed.
    #[serde(deserialize_with = "duration")]
    pub log_interval: Duration,
    /// Entries younger than this are kept.
    #[serde(deserialize_with = "duration")]
    pub log_retention: Duration,
    /// How often files that no version names are deleted.
    #[serde(deserialize_with = "duration")]
    pub vacuum_interval: Duration,
    /// Those that younger versions name are kept.
    #[serde(deserialize_with = "duration")]
    pub vacuum_retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        // The text is a constant of this build, which a test parses.
        Self::overlay(&[]).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

impl Config {
    /// Reads `file` where one is given, then the variables of `environment` that begin with
    /// [`ENVIRONMENT_PREFIX`], then `flags`, each over the ones before.
    ///
    /// # Errors
    /// When the file cannot be read, or a key or value is wrong, naming both.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: Table,
    ) -> Result<Self> {
        let mut layers = Vec::new();
        if let Some(path) = file {
            let shown = path.display();
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::not_found(format!(
                    "cannot read the configuration \"{shown}\": {error}"
                ))
            })?;
            let table = text.parse::<Table>().map_err(|error| {
                Error::user(format!("configuration \"{shown}\" is not TOML: {error}"))
            })?;
            layers.push((format!("configuration \"{shown}\""), table));
        }
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                layers.push((
                    format!("environment variable {name}"),
                    as_table(path, &value),
                ));
            }
        }
        layers.push(("command line".to_owned(), flags));
        Self::overlay(&layers)
    }

    /// The process's environment, for [`Config::load`].
    pub fn environment() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }

    fn overlay(layers: &[(String, Table)]) -> Result<Self> {
        let parse = |error: toml::de::Error| Error::internal(format!("default.toml: {error}"));
        let mut merged: Table = DEFAULTS.parse().map_err(parse)?;
        let mut config = Self::deserialize(merged.clone()).map_err(parse)?;
        for (origin, layer) in layers {
            merge(&mut merged, layer);
            config = Self::deserialize(merged.clone()).map_err(|error| {
                Error::user(format!("{origin}: {}", error.message()))
                    .hint("`docs/config.md` lists every setting with its default")
            })?;
        }
        Ok(config)
    }
}

/// One variable of the process's environment; `None` when it is not set or not text.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What tests ask of [`crate::fail_point`].
#[must_use]
pub(crate) fn fail_points() -> String {
    variable("SLUICE_FAIL_POINTS").unwrap_or_default()
}

/// Puts every key of `over` into `base`; sections are merged, values replaced.
fn merge(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// `SERVER__LISTEN` and a text as a table. The text is a boolean or a number only where it reads as
/// one and the default is one too; lists are separated by commas; everything else is a string.
fn as_table(path: &str, text: &str) -> Table {
    let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
    let defaults: Table = DEFAULTS.parse().unwrap_or_default();
    let default = path.split_last().and_then(|(key, sections)| {
        let section = sections
            .iter()
            .try_fold(&defaults, |at, name| at.get(name)?.as_table());
        section?.get(key).cloned()
    });
    let value = match default {
        Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
        Some(Value::Float(_)) => text.parse().map(Value::Float).ok(),
        Some(Value::Array(_)) => {
            let entries = text
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty());
            let entries = entries.map(|entry| Value::String(entry.to_owned()));
            Some(Value::Array(entries.collect()))
        }
        _ => None,
    };
    let leaf = value.unwrap_or_else(|| Value::String(text.to_owned()));
    let nested = path.into_iter().rev().fold(leaf, |inner, key| {
        Value::Table(Table::from_iter([(key, inner)]))
    });
    match nested {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

/// Reads a duration such as `500ms`.
///
/// # Errors
/// When the text is not one.
pub fn parse_duration(text: &str) -> Result<Duration> {
    humantime::parse_duration(text).map_err(|error| {
        Error::user(format!("\"{text}\" is not a duration: {error}"))
            .hint("write it like '500ms', '30s' or '5m'")
    })
}

/// Reads a size such as `64MiB`.
///
/// # Errors
/// When the text is not one.
pub fn parse_size(text: &str) -> Result<ByteSize> {
    text.parse().map_err(|error| {
        Error::user(format!("\"{text}\" is not a size: {error}")).hint("write it like '64MiB'")
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map_err(serde::de::Error::custom)
}

fn optional_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!(
            "\"{text}\" is no address such as \"127.0.0.1:9090\""
        ))
    })
}

fn optional_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ByteSize>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    parse_size(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config> {
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::load(None, environment, toml.parse().unwrap())
    }

    #[test]
    fn the_shipped_defaults_parse() {
        let config = Config::default();
        assert_eq!(config.server.listen.port(), 50051);
        assert_eq!(config.pipeline.max_latency, Duration::from_secs(1));
        assert_eq!(config.query.memory, None);
    }

    #[test]
    fn flags_win_over_the_environment_and_untouched_keys_keep_their_defaults() {
        let environment = [
            ("SLUICE__SERVER__LISTEN", "127.0.0.1:1"),
            ("SLUICE__SERVER__TOKEN", "12345"),
            ("SLUICE__PIPELINE__MAX_ROWS", "7"),
            ("SLUICE__REDACTION__NER__MINIMUM_SCORE", "0.95"),
            ("HOME", "/"),
        ];
        let config = load("[server]\nlisten = \"127.0.0.1:2\"", &environment).unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.server.token, "12345");
        assert_eq!(config.pipeline.max_rows, 7);
        assert_eq!(config.redaction.ner.minimum_score, 95);
        assert_eq!(config.query, Config::default().query);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named() {
        let error = load("[server]\nlissten = \"x\"", &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("lissten") && error.contains("command line"),
            "{error}"
        );
        let error = load("", &[("SLUICE__QUERY__TIMEOUT", "soon")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("SLUICE__QUERY__TIMEOUT") && error.contains("soon"),
            "{error}"
        );
    }
}
