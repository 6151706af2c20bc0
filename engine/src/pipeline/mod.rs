//! A pipeline is a continuous `INSERT INTO table SELECT ... FROM stream`.
//!
//! [`definition`] is what the statement says and [`status`] what the pipeline says of itself. Then,
//! in the order in which a record meets them: [`cut`] holds what was read and not yet committed,
//! [`positions`] where the pipeline stands, [`carry`] and [`transform`] run the SELECT,
//! [`dead_letters`] take what does not reach the table, [`commit`] stores a cut, and [`runner`] is
//! the loop around them. [`rewind`] goes back. [`Pipelines`] starts and stops pipelines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::datatypes::FieldRef;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::catalog::{Catalog, NewTable};
use crate::config;
use crate::context::Contexts;
use crate::error::{Error, Result};
use crate::lineage;
use crate::runtime::{self, Cpu};
use crate::statement::{self, CreatePipeline, RewindTo, Statement, quote};
use crate::table::Table;

pub mod definition;
pub mod status;

pub mod cut;
pub mod positions;

pub mod carry;
pub mod transform;

pub mod dead_letters;

pub mod commit;
pub mod runner;

pub mod rewind;

use commit::Committer;
use definition::PipelineDefinition;
use runner::Runner;
use status::{PipelineProgress, SharedProgress, State};
use transform::Transform;

/// How long all pipelines together may take to commit what they hold when the process ends.
const SHUTDOWN_MAX: Duration = Duration::from_secs(8);
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// The pipelines of this process.
pub struct Pipelines {
    catalog: Arc<Catalog>,
    contexts: Arc<Contexts>,
    cpu: Arc<Cpu>,
    defaults: config::Pipeline,
    tasks: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    status: SharedProgress,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Pipelines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipelines").finish_non_exhaustive()
    }
}

impl Pipelines {
    /// No pipeline is started yet.
    #[must_use]
    pub fn new(
        catalog: Arc<Catalog>,
        contexts: Arc<Contexts>,
        cpu: Arc<Cpu>,
        defaults: config::Pipeline,
    ) -> Self {
        Self {
            catalog,
            contexts,
            cpu,
            defaults,
            tasks: Mutex::default(),
        }
    }

    /// Checks everything that can be checked without reading the stream, makes the dead-letter
    /// table, and adds the lineage columns to the target.
    ///
    /// # Errors
    /// What is wrong with the definition, naming it.
    pub async fn open(&self, create: &CreatePipeline, status: SharedProgress) -> Result<Runner> {
        let definition = PipelineDefinition::new(create, &self.defaults)?;
        let target = &definition.insert.table;
        let table = self.catalog.table(target).await?;
        // Planned before anything is changed: a query that is wrong leaves no trace.
        let schema = table.schema().await?;
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        let missing = lineage::fields()
            .into_iter()
            .filter(|field| schema.field_with_name(field.name()).is_err());
        fields.extend(missing);
        let expected = Arc::new(arrow::datatypes::Schema::new(fields));
        let insert = &definition.insert;
        let planned = Transform::plan(self.contexts.in_order(), insert, &expected).await;
        let (stream, transform) =
            planned.map_err(|error| error.context(format!("pipeline \"{}\"", definition.name)))?;
        table.add_columns(&lineage::fields()).await?;
        let committer = Committer {
            writer: definition.name.clone(),
            dead_letters: self.dead_letters(target).await?,
            table,
            transform: Arc::new(transform),
            cpu: Arc::clone(&self.cpu),
            status,
        };
        let source = Arc::clone(stream.source());
        let instance = self.catalog.store().identity()?;
        Ok(Runner {
            definition,
            source,
            instance,
            committer: Arc::new(committer),
        })
    }

    /// The dead-letter table of `target`, made where it is missing: of the same kind, beside it.
    async fn dead_letters(&self, target: &str) -> Result<Arc<dyn Table>> {
        let name = format!("{target}{}", dead_letters::SUFFIX);
        let (definition, stored) = self.catalog.definition(target).await?;
        let location = match stored.managed {
            true => name.clone(),
            false => format!(
                "{}{}",
                definition.location.trim_end_matches('/'),
                dead_letters::SUFFIX
            ),
        };
        let (quoted, format) = (quote(&name), definition.format);
        let location = location.replace('\'', "''");
        let sql =
            format!("CREATE EXTERNAL TABLE {quoted} STORED AS {format} LOCATION '{location}'");
        let schema = Some(dead_letters::schema());
        let new = NewTable {
            sql,
            managed: stored.managed,
            if_not_exists: true,
            schema,
        };
        self.catalog.create(&name, new).await?;
        let table = self.catalog.table(&name).await?;
        let found = table.schema().await?;
        let wanted = dead_letters::schema();
        let fits = |field: &FieldRef| found.field_with_name(field.name()).is_ok();
        if wanted.fields().iter().all(fits) {
            return Ok(table);
        }
        Err(
            Error::exists(format!("\"{name}\" is there and is no dead-letter table"))
                .hint("rename that table, or give the pipeline a target of another name"),
        )
    }

    /// Starts every defined pipeline that is not paused.
    pub fn start_all(self: &Arc<Self>) {
        for (name, stored) in self.catalog.pipelines() {
            if !stored.paused {
                self.start(&name, &stored.sql, None);
            }
        }
    }

    /// Starts one pipeline from its statement, or from a runner that is open already.
    pub fn start(self: &Arc<Self>, name: &str, sql: &str, opened: Option<Runner>) {
        let status = match &opened {
            Some(runner) => runner.committer.status.clone(),
            None => SharedProgress::new(name),
        };
        let stop = CancellationToken::new();
        let supervised =
            Arc::clone(self).supervise(sql.to_owned(), opened, status.clone(), stop.clone());
        let task = Some(runtime::spawn(supervised));
        self.tasks()
            .insert(name.to_owned(), Running { status, stop, task });
    }

    /// Opens the pipeline, trying again for as long as it cannot be opened, and runs it.
    async fn supervise(
        self: Arc<Self>,
        sql: String,
        mut opened: Option<Runner>,
        status: SharedProgress,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let runner = match opened.take() {
                Some(runner) => Ok(runner),
                None => self.reopen(&sql, status.clone()).await,
            };
            match runner {
                Ok(runner) => return runner.run(&stop).await,
                Err(error) => {
                    let pipeline = status.get().pipeline;
                    warn!(pipeline, %error, "cannot open the pipeline");
                    status.set(State::Retrying, Some(&error));
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(REOPEN_AFTER) => {}
            }
        }
        status.set(State::Stopped, None);
    }

    async fn reopen(&self, sql: &str, status: SharedProgress) -> Result<Runner> {
        match statement::parse(sql)? {
            Statement::CreatePipeline(create) => self.open(&create, status).await,
            _ => Err(Error::internal(
                "a stored pipeline is not a CREATE PIPELINE",
            )),
        }
    }

    /// Moves the stored offsets of a stopped pipeline back. Records from there on are stored again
    /// beside the rows they gave before; dead letters are not written twice.
    ///
    /// # Errors
    /// When the pipeline cannot be opened, has read nothing yet, or does not reach back so far.
    pub async fn rewind(&self, sql: &str, to: &RewindTo) -> Result<()> {
        let runner = self.reopen(sql, SharedProgress::default()).await?;
        let context = self.contexts.in_order();
        rewind::rewind(&runner, &context, to).await
    }

    /// Stops a pipeline after it has committed what it holds. Does nothing when it is not running.
    pub async fn stop(&self, name: &str) {
        let running = self.tasks().remove(name);
        if let Some(mut running) = running {
            running.end(SHUTDOWN_MAX).await;
        }
    }

    /// Stops all pipelines at once, within a bound of seconds.
    pub async fn stop_all(&self) {
        let all: Vec<Running> = std::mem::take(&mut *self.tasks()).into_values().collect();
        let ends = all
            .into_iter()
            .map(|mut running| async move { running.end(SHUTDOWN_MAX).await });
        futures::future::join_all(ends).await;
    }

    /// The figures of every defined pipeline.
    #[must_use]
    pub fn progress(&self) -> Vec<PipelineProgress> {
        let tasks = self.tasks();
        let defined = self.catalog.pipelines();
        let figures = defined
            .into_iter()
            .map(|(name, stored)| match tasks.get(&name) {
                Some(running) => running.status.get(),
                None => {
                    let state = if stored.paused {
                        State::Paused
                    } else {
                        State::Stopped
                    };
                    PipelineProgress {
                        pipeline: name,
                        state,
                        ..PipelineProgress::default()
                    }
                }
            });
        figures.collect()
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    async fn end(&mut self, patience: Duration) {
        self.stop.cancel();
        let Some(mut task) = self.task.take() else {
            return;
        };
        if tokio::time::timeout(patience, &mut task).await.is_err() {
            let pipeline = self.status.get().pipeline;
            warn!(
                pipeline,
                "stopped before its last rows were committed; they are read again"
            );
            task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
