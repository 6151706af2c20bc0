//! `[enrichment]`: files that functions read beside their arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Files that functions read beside their arguments, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrichment {
    /// How often the files are looked at; one that was replaced is loaded.
    #[serde(deserialize_with = "super::duration")]
    pub refresh: Duration,
    /// MaxMind DB files.
    pub databases: BTreeMap<String, GeoDatabase>,
    /// Lists of addresses, networks, domains and hashes.
    pub feeds: BTreeMap<String, ThreatFeed>,
    /// Tables whose rows are found by a key.
    pub tables: BTreeMap<String, KeyedTable>,
}

/// A MaxMind DB file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeoDatabase {
    /// Where it is.
    pub path: PathBuf,
}

/// A feed of indicators.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatFeed {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written; the file's ending says where this does not.
    pub format: Option<FeedFormat>,
    /// The score, 0 to 100, of what the feed gives none.
    #[serde(default = "whole", deserialize_with = "percent")]
    pub score: u8,
    /// How far the feed is believed, in percent.
    #[serde(default = "whole", deserialize_with = "percent")]
    pub weight: u8,
    /// What it is that the feed lists.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Whether addresses count that are not on the Internet.
    #[serde(default)]
    pub reserved: bool,
    /// The column of a CSV feed that holds the indicators.
    pub column: Option<String>,
}

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedFormat {
    /// An indicator in each line.
    List,
    /// Comma-separated, with a header.
    Csv,
    /// AbuseIPDB's blacklist in JSON.
    Abuseipdb,
    /// Spamhaus DROP in JSON lines.
    SpamhausDrop,
}

/// A reference table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyedTable {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written; the file's ending says where this does not.
    pub format: Option<TableFormat>,
    /// The column whose values name the rows; the first where this does not say.
    pub key: Option<String>,
}

/// How a reference table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableFormat {
    /// Comma-separated, with a header.
    Csv,
    /// A JSON object in each line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

fn whole() -> u8 {
    100
}

fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = u8::deserialize(deserializer)?;
    match number {
        0..=100 => Ok(number),
        _ => Err(serde::de::Error::custom(format!(
            "{number} is not a number from 0 to 100"
        ))),
    }
}
