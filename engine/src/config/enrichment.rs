//! `[enrichment]`: files and tables that functions read beside their arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};

/// Files and tables that functions read beside their arguments, by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrichment {
    /// How often the files are looked at; one that was replaced is loaded.
    #[serde(deserialize_with = "super::duration")]
    pub refresh: Duration,
    /// The memory that the rows of one stored table may take.
    pub max_table_size: ByteSize,
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
    /// How it is written; the file's content and ending say where this does not.
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
    /// A bundle of STIX.
    Stix,
    /// Events of MISP in JSON.
    Misp,
    /// Pulses of AlienVault OTX in JSON.
    Otx,
}

/// A reference table: a file or a stored table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenTable")]
pub struct KeyedTable {
    /// Where its rows are.
    pub rows: TableRows,
    /// How the file is written; the file's ending says where this does not.
    pub format: Option<TableFormat>,
    /// The column whose values name the rows; the first where this does not say.
    pub key: Option<String>,
}

/// Where the rows of a reference table are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableRows {
    /// In a file.
    File(PathBuf),
    /// In a table that Sluice stores, by its name.
    Stored(String),
}

/// A reference table as it stands in the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    path: Option<PathBuf>,
    table: Option<String>,
    format: Option<TableFormat>,
    key: Option<String>,
}

impl TryFrom<WrittenTable> for KeyedTable {
    type Error = &'static str;

    fn try_from(written: WrittenTable) -> Result<Self, Self::Error> {
        let WrittenTable {
            path,
            table,
            format,
            key,
        } = written;
        let rows = match (path, table) {
            (Some(path), None) => TableRows::File(path),
            (None, Some(_)) if format.is_some() => {
                return Err("a stored table has no `format`");
            }
            (None, Some(table)) => TableRows::Stored(table),
            _ => return Err("a reference table has either a `path` or a `table`"),
        };
        Ok(Self { rows, format, key })
    }
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
