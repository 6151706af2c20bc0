//! Where a Kafka table is: brokers, and topics by name or by pattern.

use regex::Regex;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};

const FORM: &str = "a Kafka location is 'kafka://host:port/topic', and may list several of both: \
                    'kafka://a:9092,b:9092/orders,payments'; what begins with ^ is a pattern: \
                    'kafka://host:9092/^logs-.*'";
const PATTERN: &str = "a pattern is made of the characters of topics' names and \
                       . * + ? | ( ) [ ] { } ^ $, with a backslash before . where the dot itself \
                       is meant; to match whole names it ends with $";

/// A location, understood.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// `host:port`, separated by commas.
    pub(super) brokers: String,
    pub(super) topics: Vec<Topic>,
}

/// A topic by its name, or all whose names match a pattern.
#[derive(Debug, Clone)]
pub(super) enum Topic {
    Named(String),
    Matching(Regex),
}

impl Topic {
    /// As it stands in the location, and as librdkafka subscribes to it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Matching(pattern) => pattern.as_str(),
        }
    }
}

impl Location {
    /// # Errors
    /// When the location is malformed, naming the piece that is wrong.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
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
        if topics.is_empty() {
            return Err(wrong("which names no topic"));
        }
        let mut once: Vec<&str> = topics.split(',').collect();
        let listed = once.len();
        once.sort_unstable();
        once.dedup();
        if once.len() < listed {
            return Err(wrong("which names a topic twice"));
        }
        let topic = |text: &str| match text.starts_with('^') {
            true => pattern(text)
                .map(Topic::Matching)
                .ok_or_else(|| wrong(&format!("in which \"{text}\" is no pattern")).hint(PATTERN)),
            false if is_topic(text) => Ok(Topic::Named(text.to_owned())),
            false => Err(wrong(&format!(
                "in which \"{text}\" cannot be a topic's name"
            ))),
        };
        let location = Self {
            brokers: brokers.to_owned(),
            topics: topics.split(',').map(topic).collect::<Result<_>>()?,
        };
        if location.is_open() && topics.split(',').any(|text| text.starts_with("__")) {
            return Err(wrong(
                "which has a pattern beside one of the brokers' own topics",
            ));
        }
        Ok(location)
    }

    /// Whether topics that are made later may belong to it.
    pub(super) fn is_open(&self) -> bool {
        self.topics
            .iter()
            .any(|of| matches!(of, Topic::Matching(_)))
    }

    /// Whether `name` is one of its topics. Kafka's own topics never match a pattern.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.topics.iter().any(|of| match of {
            Topic::Named(own) => own == name,
            Topic::Matching(pattern) => !name.starts_with("__") && pattern.is_match(name),
        })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut quoted = self.topics.iter().map(Topic::text);
        if let Some(first) = quoted.next() {
            write!(f, "\"{first}\"")?;
        }
        quoted.try_for_each(|text| write!(f, ", \"{text}\""))
    }
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

/// Three programs read a pattern: this one, librdkafka (POSIX) and, for the newer group protocol,
/// the broker (RE2). Only what means the same to all of them is a pattern.
fn pattern(text: &str) -> Option<Regex> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-*+?|()[]{}^$\\".contains(&b);
    let bytes = text.as_bytes();
    let escapes = bytes
        .windows(2)
        .all(|pair| pair != b"(?" && (pair[0] != b'\\' || pair[1] == b'.'));
    // In a bracket a backslash stands for itself in POSIX, and names of classes differ; lazy and
    // possessive repetitions are not known there.
    let brackets = text.split('[').skip(1).all(|rest| {
        let inside = rest.split(']').next().unwrap_or_default();
        !["", "^"].contains(&inside)
            && !inside.contains(['\\', ':', '.', '='])
            && !inside.contains("--")
    });
    let repeated = |pair: &[u8]| b"*+?}^(|".contains(&pair[0]) && b"*+?{".contains(&pair[1]);
    let plain = bytes.iter().copied().all(legal)
        && escapes
        && brackets
        && !text.ends_with('\\')
        && !bytes.windows(2).any(repeated);
    plain.then(|| Regex::new(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_every_reader_understands_are_taken() {
        for (text, matching, other) in [
            ("^logs-.*", "logs-a", "my-logs-a"),
            ("^logs", "logs-a", "log"),
            ("^logs\\.(eu|us)$", "logs.eu", "logs-eu"),
            ("^l[a-z0-9]{2}s?$", "logs", "logss"),
            ("^a|b$", "xb", "xbx"),
        ] {
            let found = pattern(text).unwrap();
            assert!(found.is_match(matching), "{text} matches {matching}");
            assert!(!found.is_match(other), "{text} does not match {other}");
        }
    }

    #[test]
    fn patterns_that_readers_understand_differently_are_refused() {
        for text in [
            "^\\d",
            "^a\\",
            "^(?i)a",
            "^a b",
            "^[[:alpha:]]",
            "^[\\.]",
            "^a*?",
            "^a++",
            "^(",
            "^[a",
            "^a{2}{3}",
            "^[]a]",
            "^*",
            "^(*a)",
            "^[a--b]",
        ] {
            assert!(pattern(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_brokers_own_topics_match_no_pattern() {
        let all = Location {
            brokers: "b".into(),
            topics: vec![Topic::Matching(Regex::new("^.*").unwrap())],
        };
        assert!(all.holds("logs") && !all.holds("__consumer_offsets"));
    }
}
