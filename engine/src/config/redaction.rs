//! `[redaction]`: what is done with personal data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// What is done with personal data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// A reference to the key of keyed hashes and tokens, see [`crate::secret`]; empty for none.
    pub key: String,
    /// Policies by name: modes by category, or by the name of a set of categories.
    pub policies: BTreeMap<String, BTreeMap<String, String>>,
    /// A model that finds names.
    pub ner: Ner,
}

/// A model that finds names of persons, places and organisations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ner {
    /// The directory of its files; empty for no model.
    pub model: PathBuf,
    /// The lowest score of a finding, in percent; written as a number from 0 to 1.
    #[serde(deserialize_with = "fraction")]
    pub minimum_score: u8,
    /// What its labels stand for, beside the usual ones.
    pub labels: BTreeMap<String, String>,
}

/// A number from 0 to 1, in percent.
fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&number) {
        return Err(serde::de::Error::custom(format!(
            "{number} is not a number from 0 to 1"
        )));
    }
    // Down, so that 0.999 is not out of reach; the addition takes back what 0.29 * 100 lacks of 29.
    Ok((number * 100.0 + 1e-6).floor() as u8)
}
