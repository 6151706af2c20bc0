//! Starts, stops and watches the pipelines of one process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::catalog::{Catalog, NewTable};
use crate::config;
use crate::context::Contexts;
use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::commit::{Committer, Pace};
use crate::pipeline::dedup::Dedup;
use crate::pipeline::definition::PipelineDefinition;
use crate::pipeline::evolve::Evolution;
use crate::pipeline::redact::Plan;
use crate::pipeline::registration::Registration;
use crate::pipeline::retry::End;
use crate::pipeline::runner::{Care, Runner};
use crate::pipeline::status::{PartitionProgress, PipelineProgress, SharedProgress, State};
use crate::pipeline::transform::Transform;
use crate::pipeline::{dead_letters, event_time, retry, rewind};
use crate::runtime::{self, Cpu};
use crate::statement::{self, CreatePipeline, RewindTo, Statement, quote};
use crate::table::Table;

/// How long all pipelines together may take to commit what they hold when the process ends.
const SHUTDOWN_MAX: Duration = Duration::from_secs(8);
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// The pipelines of this process.
pub struct Pipelines {
    catalog: Arc<Catalog>,
    contexts: Arc<Contexts>,
    cpu: Arc<Cpu>,
    defaults: config::Pipeline,
    care: Option<Care>,
    /// How many pipelines run, and so share the memory.
    running: Arc<AtomicUsize>,
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
            care: None,
            running: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// Pipelines look after their tables as `settings` say; queries may read a file for
    /// `query_timeout`.
    #[must_use]
    pub fn with_maintenance(
        mut self,
        settings: config::Maintenance,
        query_timeout: Duration,
    ) -> Self {
        self.care = Some(Care {
            settings,
            query_timeout,
        });
        self
    }

    /// Checks everything that can be checked without reading the stream, makes the dead-letter
    /// table, adds the lineage columns to the target, and registers the definition there. With
    /// `OR REPLACE` it takes the place of the one that the target knows.
    ///
    /// # Errors
    /// What is wrong with the definition, naming it; [`crate::error::Kind::Conflict`] when the
    /// target knows the pipeline with another definition, showing both.
    pub async fn open(&self, create: &CreatePipeline, status: SharedProgress) -> Result<Runner> {
        let definition = PipelineDefinition::new(create, &self.defaults)?;
        let target = &definition.insert.table;
        let table = self.catalog.table(target).await?;
        // Planned before anything is changed: a query that is wrong leaves no trace.
        let schema = table.schema().await?;
        let expected = with_lineage(&schema);
        let insert = &definition.insert;
        let session = self.contexts.pipeline();
        let plan = Plan::new(&definition.redact, self.contexts.policies());
        let planned = Transform::plan(session, (insert, &plan), &expected).await;
        let (stream, transform) =
            planned.map_err(|error| error.context(format!("pipeline \"{}\"", definition.name)))?;
        let event_time = event_time::column(&definition, table.as_ref(), &expected).await?;
        let transform = Arc::new(transform);
        let dedup = definition.repeats.as_ref().map(|repeats| {
            let stores = (&table, &self.cpu);
            Dedup::new(repeats, event_time.as_deref(), stores, &transform)
        });
        let dedup = dedup.transpose().map_err(|error| {
            let name = &definition.name;
            error.context(format!("option \"dedup_key\" of \"{name}\""))
        })?;
        table.add_columns(&lineage::fields()).await?;
        let dead_letters = self.dead_letters(target).await?;
        let registration = Registration::new(
            &definition,
            Some(stream.source().as_ref()),
            Arc::clone(&table),
        )?;
        match create.or_replace {
            true => registration.replace().await?,
            false => registration.check().await?,
        }
        let source = Arc::clone(stream.source());
        let evolution = match source.evolves() {
            true => Evolution::new(&table, &transform).map(Arc::new),
            false => None,
        };
        let committer = Committer {
            writer: definition.name.clone(),
            dead_letters,
            registration,
            table,
            transform,
            evolution,
            event_time,
            dedup,
            part_bytes_max: definition.limits.bytes_max,
            cpu: Arc::clone(&self.cpu),
            status,
            pace: Pace::default(),
        };
        let instance = self.catalog.store().identity()?;
        Ok(Runner {
            definition,
            source,
            instance,
            committer: Arc::new(committer),
            running: Arc::clone(&self.running),
            care: self.care.clone(),
        })
    }

    /// Frees the name of a pipeline that is dropped in its target's memory, as far as the target
    /// can be reached: a name that stays taken there is no reason to keep the pipeline.
    pub async fn dropped(&self, sql: &str) {
        if let Err(error) = self.release(sql).await {
            warn!(%error, "the table still knows the dropped pipeline; OR REPLACE takes its name");
        }
    }

    async fn release(&self, sql: &str) -> Result<()> {
        let Statement::CreatePipeline(create) = statement::parse(sql)? else {
            return Ok(());
        };
        let definition = PipelineDefinition::new(&create, &self.defaults)?;
        let table = self.catalog.table(&definition.insert.table).await?;
        Registration::new(&definition, None, table)?.release().await
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
        let options = reached_by(&definition.options);
        let sql = format!(
            "CREATE EXTERNAL TABLE {quoted} STORED AS {format} LOCATION '{location}'{options}"
        );
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

    /// Starts one pipeline from its statement, or from what is open already. One that runs goes on
    /// as it is.
    pub fn start(self: &Arc<Self>, name: &str, sql: &str, opened: Option<Runner>) {
        let mut tasks = self.tasks();
        let task = tasks.get(name).and_then(|running| running.task.as_ref());
        if task.is_some_and(|task| !task.is_finished()) {
            warn!(pipeline = name, "the pipeline runs already");
            return;
        }
        let status = match &opened {
            Some(opened) => opened.committer.status.clone(),
            None => SharedProgress::new(name),
        };
        let stop = CancellationToken::new();
        let supervised =
            Arc::clone(self).supervise(sql.to_owned(), opened, status.clone(), stop.clone());
        let task = Some(runtime::spawn(supervised));
        tasks.insert(name.to_owned(), Running { status, stop, task });
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
            let opening = match opened.take() {
                Some(opened) => Ok(opened),
                None => self.reopen(&sql, status.clone()).await,
            };
            match opening {
                Ok(opened) => {
                    if retry::run(&opened, &stop).await == End::Stopped {
                        return;
                    }
                    // It has waited already.
                    continue;
                }
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
        let opened = self.reopen(sql, SharedProgress::default()).await?;
        let context = self.contexts.in_order();
        rewind::rewind(&opened, &context, to).await
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

    /// Where every running pipeline stands in each partition that this process reads.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionProgress> {
        let tasks = self.tasks();
        let partitions = tasks.values().map(|running| running.status.partitions());
        partitions.flatten().collect()
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a place beside that of a table is reached: by its options that belong to a store, which have
/// a dot in their names.
fn reached_by(options: &BTreeMap<String, String>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let pairs: Vec<String> = options
        .iter()
        .filter(|(key, _)| key.contains('.'))
        .map(|(key, value)| format!("{} {}", quoted(key), quoted(value)))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!(" OPTIONS ({})", pairs.join(", ")),
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

/// `schema` as it is once the lineage columns are added.
fn with_lineage(schema: &Schema) -> SchemaRef {
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    let missing = lineage::fields()
        .into_iter()
        .filter(|field| schema.field_with_name(field.name()).is_err());
    fields.extend(missing);
    Arc::new(Schema::new(fields))
}
