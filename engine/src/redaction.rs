//! Contract 3: what redaction is to the engine. The functions that find and replace personal data
//! come with a composition; the engine gives them the policies of the configuration, and asks them
//! what they replaced, so that a pipeline can say it in the commit of the very rows.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use serde::{Deserialize, Serialize};

use crate::config;
use crate::error::{Error, Result};
use crate::secret;

/// The setting of the key.
const KEY: &str = "redaction.key";

/// What the configuration says of redaction, its secret and its files read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// What to do with findings: a mode by category, or by the name of a set of categories, of each
    /// policy.
    pub policies: BTreeMap<String, BTreeMap<String, String>>,
    /// The key of keyed hashes and tokens.
    pub key: Option<String>,
    /// A model that finds names.
    pub ner: Option<NerModel>,
}

/// The files of a model that finds names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NerModel {
    /// Where they are.
    pub directory: PathBuf,
    /// `config.json`.
    pub config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `model.safetensors`.
    pub weights: Vec<u8>,
    /// The lowest score of a finding, in percent.
    pub minimum_score: u8,
    /// What its labels stand for, beside the usual ones.
    pub labels: BTreeMap<String, String>,
}

impl fmt::Debug for NerModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NerModel")
            .field("directory", &self.directory)
            .field("minimum_score", &self.minimum_score)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured")
            .field("policies", &self.policies)
            .field("ner", &self.ner)
            .finish_non_exhaustive()
    }
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyRule {
    /// The policy.
    pub policy: String,
    /// What tells this policy from another of the same name: a hash of its rules.
    pub hash: String,
    /// What is looked for.
    pub category: String,
    /// What is done with it.
    pub mode: String,
}

/// How many findings of a category were replaced under one policy; a line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Redacted {
    /// The name of the policy; `None` where a call says its categories itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The hash of the policy, or of what the call says.
    pub hash: String,
    /// What was found.
    pub category: String,
    /// How often.
    pub count: u64,
}

/// Functions that redact, of one composition.
pub trait Redaction: Send + Sync + fmt::Debug {
    /// Checks the policies of the configuration.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] naming the policy and what is valid in the place of what is
    /// wrong.
    fn policies(&self, configured: &Configured) -> Result<Arc<dyn Policies>>;
}

/// Policies by name, those of the configuration and those that the functions bring.
pub trait Policies: Send + Sync + fmt::Debug {
    /// Makes them known to the functions of a session.
    fn install(&self, options: &mut ConfigOptions);

    /// Puts a new ledger into a session, in the place of one that may be there. From here on the
    /// functions of plans made with `options` write to it.
    fn ledger(&self, options: &mut ConfigOptions) -> Arc<dyn Ledger>;

    /// Every rule of every policy.
    fn rules(&self) -> Vec<PolicyRule>;
}

/// What functions replaced in the plans of one session.
pub trait Ledger: Send + Sync + fmt::Debug {
    /// What was replaced since the last call, by hash and category; the name of the policy is left
    /// to the caller.
    fn take(&self) -> Vec<Redacted>;
}

impl Configured {
    /// What `settings` say.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] when the key is written out, or what it refers to is not there;
    /// [`crate::error::Kind::NotFound`] when a file of the model is not there.
    pub fn read(settings: &config::Redaction) -> Result<Self> {
        let key = match settings.key.as_str() {
            "" => None,
            key => {
                secret::check(KEY, key)?;
                Some(secret::resolve(KEY, key)?)
            }
        };
        Ok(Self {
            policies: settings.policies.clone(),
            key,
            ner: NerModel::read(&settings.ner)?,
        })
    }
}

impl NerModel {
    fn read(settings: &config::Ner) -> Result<Option<Self>> {
        let directory = &settings.model;
        if directory.as_os_str().is_empty() {
            return Ok(None);
        }
        let file = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(|error| unreadable(&path, &error))
        };
        Ok(Some(Self {
            config: file("config.json")?,
            tokenizer: file("tokenizer.json")?,
            weights: file("model.safetensors")?,
            directory: directory.clone(),
            minimum_score: settings.minimum_score,
            labels: settings.labels.clone(),
        }))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    let message = format!("redaction.ner.model: cannot read \"{shown}\": {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Error::not_found(message).hint(
            "name a directory that holds config.json, tokenizer.json and model.safetensors, or \
             leave `model` empty for no model",
        ),
        _ => Error::user(message).hint("let the user that Sluice runs as read the file"),
    }
}

/// Adds `more` to `sum`, line by line.
pub fn add(sum: &mut Vec<Redacted>, more: Vec<Redacted>) {
    for line in more {
        let same = |other: &&mut Redacted| {
            (&other.policy, &other.hash, &other.category)
                == (&line.policy, &line.hash, &line.category)
        };
        match sum.iter_mut().find(same) {
            Some(there) => there.count += line.count,
            None => sum.push(line),
        }
    }
    sum.sort_unstable();
}
