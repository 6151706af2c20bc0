//! What a table remembers of the pipelines that write to it. Processes whose pipelines have the
//! same name, target and definition share the stream as one group; another definition under that
//! name is refused, because the two would fill the table with rows of two kinds in turns.
//!
//! The definition is compared when a pipeline is opened, when it gains partitions, and before a
//! commit when the last look is older than a few seconds. So a process that still runs a definition
//! that was replaced commits under it for a few seconds at most. Nothing is lost or doubled
//! meanwhile: offsets are kept under the name alone, and every record is stored under one of the
//! two.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::pipeline::definition::PipelineDefinition;
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
    /// What `definition` is to `table`; nothing is read or written yet.
    ///
    /// # Errors
    /// When the definition has no written form, which would be a fault here.
    pub fn new(definition: &PipelineDefinition, table: Arc<dyn Table>) -> Result<Self> {
        Ok(Self {
            name: definition.name.clone(),
            own: definition.registered()?,
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
                Some(known) if same(known, &self.own) => {
                    self.note(Some(Instant::now()));
                    return Ok(());
                }
                None | Some("") => match self.put(known.as_deref(), &self.own).await {
                    Err(error) if error.kind() == Kind::Conflict => {}
                    done => return done,
                },
                Some(other) => {
                    self.note(None);
                    return Err(self.refusal(other));
                }
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
            if known.as_deref().is_some_and(|known| same(known, &self.own)) {
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
        let (there, here) = (shown(other), shown(&self.own));
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

/// Whether two registered definitions are the same, whatever else later versions write beside.
fn same(one: &str, other: &str) -> bool {
    match (hash(one), hash(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn hash(registered: &str) -> Option<String> {
    let value: Value = serde_json::from_str(registered).ok()?;
    Some(value.get("sha256")?.as_str()?.to_owned())
}

/// A registered definition for an error's text.
fn shown(registered: &str) -> String {
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
