//! What a table remembers of the pipelines that write to it. Processes whose pipelines have the
//! same name, target and definition share the stream as one group; another definition under that
//! name, or another stream under the name that it reads, is refused, because the two would fill the
//! table with rows of two kinds in turns.
//!
//! The definition is compared when a pipeline is opened, when it gains partitions, and before a
//! commit when the last look is older than a few seconds. So a process that still runs a definition
//! that was replaced commits under it for a few seconds at most. Nothing is lost or doubled
//! meanwhile: offsets are kept under the name alone, and every record is stored under one of the
//! two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::pipeline::definition::PipelineDefinition;
use crate::source::Source;
use crate::statement::quote;
use crate::table::Table;

/// How old a look at the table's definition may be when a commit begins.
const FRESH: Duration = Duration::from_secs(5);
/// How often a change is tried while others change the same.
const ATTEMPTS: u32 = 5;
/// Characters of a definition that an error shows.
const SHOWN: usize = 300;

/// A pipeline's definition beside the one that its target remembers.
#[derive(Debug)]
pub struct Registration {
    name: String,
    own: String,
    table: Arc<dyn Table>,
    looked: Mutex<Option<Instant>>,
}

impl Registration {
    /// What `definition` over `stream` is to `table`; nothing is read or written yet.
    ///
    /// # Errors
    /// When the definition has no written form, which would be a fault here.
    pub fn new(
        definition: &PipelineDefinition,
        stream: Option<&dyn Source>,
        table: Arc<dyn Table>,
    ) -> Result<Self> {
        Ok(Self {
            name: definition.name.clone(),
            own: definition.registered(stream)?,
            table,
            looked: Mutex::default(),
        })
    }

    /// Makes sure that the table knows this definition or none, which it then takes.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it knows another, showing both.
    pub async fn check(&self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let known = self.table.property(&self.key()).await?;
            match known.as_deref() {
                Some(other) if !other.is_empty() && !same(other, &self.own) => {
                    self.note(None);
                    return Err(self.refusal(other));
                }
                Some(known) if says_all(known, &self.own) => {
                    self.note(Some(Instant::now()));
                    return Ok(());
                }
                known => match self.put(known, &self.own).await {
                    Err(error) if error.kind() == Kind::Conflict => {}
                    done => return done,
                },
            }
        }
        Err(self.contended())
    }

    /// As [`Registration::check`], unless the last look is fresh enough.
    ///
    /// # Errors
    /// As [`Registration::check`].
    pub async fn check_again(&self) -> Result<()> {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        match looked {
            Some(at) if at.elapsed() < FRESH => Ok(()),
            _ => self.check().await,
        }
    }

    /// Puts this definition in the place of whatever the table knows.
    ///
    /// # Errors
    /// When the table cannot be changed.
    pub async fn replace(&self) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let known = self.table.property(&self.key()).await?;
            let stands = |known: &str| same(known, &self.own) && says_all(known, &self.own);
            if known.as_deref().is_some_and(stands) {
                self.note(Some(Instant::now()));
                return Ok(());
            }
            match self.put(known.as_deref(), &self.own).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                done => return done,
            }
        }
        Err(self.contended())
    }

    /// Frees the name, if this is the definition that the table knows. Another process that runs
    /// the same pipeline registers it again at its next look.
    ///
    /// # Errors
    /// When the table cannot be changed.
    pub async fn release(&self) -> Result<()> {
        self.note(None);
        let known = self.table.property(&self.key()).await?;
        match known {
            Some(known) if same(&known, &self.own) => self.put(Some(&known), "").await,
            _ => Ok(()),
        }
    }

    async fn put(&self, expected: Option<&str>, value: &str) -> Result<()> {
        self.table
            .set_property(&self.key(), expected, value)
            .await?;
        self.note((!value.is_empty()).then(Instant::now));
        Ok(())
    }

    fn key(&self) -> String {
        format!("pipeline.{}", self.name)
    }

    fn note(&self, at: Option<Instant>) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn refusal(&self, other: &str) -> Error {
        let (name, quoted) = (&self.name, quote(&self.name));
        let (there, here) = (shown(other, &self.own), shown(&self.own, other));
        Error::conflict(format!(
            "the table knows pipeline \"{name}\" with another definition: {there} there, {here} \
             here"
        ))
        .hint(format!(
            "CREATE OR REPLACE PIPELINE {quoted} here makes this definition the one for all \
             processes; or give this pipeline another name"
        ))
    }

    fn contended(&self) -> Error {
        let name = &self.name;
        Error::conflict(format!(
            "others keep changing what the table knows of pipeline \"{name}\""
        ))
        .hint("let one process at a time define it")
    }
}

/// Whether two registered definitions are the same, whatever else later versions write beside. One
/// that does not say what its stream is agrees with any.
fn same(one: &str, other: &str) -> bool {
    match (hash(one), hash(other)) {
        (Some(first), Some(second)) => {
            let streams = stream(one).zip(stream(other));
            first == second && streams.is_none_or(|(one, other)| one == other)
        }
        _ => one == other,
    }
}

/// Whether `known` says all that `own` does.
fn says_all(known: &str, own: &str) -> bool {
    !known.is_empty() && (stream(known).is_some() || stream(own).is_none())
}

/// What a registered definition says of its stream.
fn stream(registered: &str) -> Option<BTreeMap<String, String>> {
    let value: Value = serde_json::from_str(registered).ok()?;
    serde_json::from_value(value.get("stream")?.clone()).ok()
}

fn hash(registered: &str) -> Option<String> {
    let value: Value = serde_json::from_str(registered).ok()?;
    Some(value.get("sha256")?.as_str()?.to_owned())
}

/// A registered definition for an error's text: in what it differs from `other`.
fn shown(registered: &str, other: &str) -> String {
    if hash(registered) == hash(other)
        && let Some((here, there)) = stream(registered).zip(stream(other))
    {
        let keys: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        let differ = keys
            .into_iter()
            .filter(|key| here.get(*key) != there.get(*key));
        let differ: Vec<String> = differ
            .map(|key| match here.get(key) {
                Some(value) => format!("{key} '{}'", cut(value)),
                None => format!("no {key}"),
            })
            .collect();
        return format!("a stream with {}", differ.join(", "));
    }
    let value: Value = serde_json::from_str(registered).unwrap_or_default();
    let Some(body) = value.get("body").and_then(Value::as_str) else {
        return cut(registered);
    };
    let options = value.get("options").and_then(Value::as_object);
    let options: Vec<String> = options
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key} = '{}'", value.as_str()?)))
        .collect();
    match options.is_empty() {
        true => format!("`{}`", cut(body)),
        false => format!("`{}` WITH ({})", cut(body), options.join(", ")),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
