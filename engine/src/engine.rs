//! One engine for each process and data directory: what `main` composes and front ends talk to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::catalog::SchemaProvider;

use crate::authority::Authority;
use crate::catalog::{Catalog, PublicSchema};
use crate::commands::Commands;
use crate::config::Config;
use crate::context::{Contexts, USER};
use crate::dialect::Dialect;
use crate::enrichment::{Enrichment, StoredTables};
use crate::error::{Error, Result};
use crate::information::InformationSchema;
use crate::metrics::{Family, Metrics, Observed};
use crate::pipeline::Pipelines;
use crate::pipeline::status::PipelineProgress;
use crate::plugin::Plugin;
use crate::redaction::{Configured, Policies};
use crate::reference_tables::ReferenceTables;
use crate::references::AllowedReferences;
use crate::runtime::{AbortOnDrop, Cpu};
use crate::session::Session;
use crate::store::Store;
use crate::system::SystemSchema;

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    contexts: Arc<Contexts>,
    catalog: Arc<Catalog>,
    pipelines: Arc<Pipelines>,
    commands: Arc<Commands>,
    metrics: Arc<Metrics>,
    /// The tables that enrichment reads.
    _stored: Arc<dyn StoredTables>,
    /// Looks at what enrichment reads for as long as the engine lives.
    _watch: AbortOnDrop<()>,
}

impl Engine {
    /// Opens the data directory `data`, or with `None` a temporary one that goes with the engine.
    /// Loads what enrichment reads and watches it; starts no pipeline. Must be called inside
    /// the I/O runtime.
    ///
    /// # Errors
    /// When another process owns the directory, or it cannot be read.
    pub async fn open(config: Config, plugin: Plugin, data: Option<&Path>) -> Result<Arc<Self>> {
        let store = match data {
            Some(folder) => Store::open(folder)?,
            None => Store::temporary()?,
        };
        let cpu = Cpu::new()?;
        let enricher = plugin.enricher.clone();
        let enrichment = Enrichment::open(&config.enrichment, enricher, Arc::clone(&cpu)).await?;
        let (settings, functions) = (config.clone(), plugin.clone());
        let policies = cpu.run(async move { policies(&settings, &functions) });
        let policies = policies.await?;
        let contexts =
            Contexts::new(&config.query, &plugin, Arc::clone(&enrichment))?.with_policies(policies);
        let contexts = Arc::new(contexts);
        let catalog = Arc::new(Catalog::open(store, plugin.clone(), contexts.planner())?);
        let (sessions, functions) = (Arc::clone(&contexts), catalog.functions());
        let opened = cpu.run(async move {
            sessions.open_functions(&functions);
            Ok(())
        });
        opened.await?;
        let pipelines = Pipelines::new(
            Arc::clone(&catalog),
            Arc::clone(&contexts),
            Arc::clone(&cpu),
            config.pipeline.clone(),
        );
        let care = config.maintenance.clone();
        let pipelines = Arc::new(pipelines.with_maintenance(care, config.query.timeout));
        let stored = ReferenceTables::new(Arc::clone(&catalog), &contexts, Arc::clone(&cpu));
        let stored: Arc<dyn StoredTables> = Arc::new(stored);
        let commands = Arc::new(Commands {
            catalog: Arc::clone(&catalog),
            pipelines: Arc::clone(&pipelines),
            contexts: Arc::clone(&contexts),
            functions: tokio::sync::Mutex::default(),
            references: AllowedReferences::new(&config.security.allow_references)?,
            cpu,
            maintenance: config.maintenance.clone(),
            query_timeout: config.query.timeout,
            default_table: plugin.default_table,
            runs_pipelines: AtomicBool::new(false),
        });
        let system = SystemSchema {
            catalog: Arc::clone(&catalog),
            pipelines: Arc::downgrade(&pipelines),
            functions: plugin,
            enrichment: Arc::clone(&enrichment),
            contexts: Arc::downgrade(&contexts),
            rules: contexts
                .policies()
                .map_or_else(Vec::new, |policies| policies.rules()),
        };
        let public: Arc<dyn SchemaProvider> = Arc::new(PublicSchema(Arc::clone(&catalog)));
        let system: Arc<dyn SchemaProvider> = Arc::new(system);
        let information = InformationSchema::new(Arc::clone(&public), Arc::clone(&system));
        contexts.mount(public, system, Arc::new(information));
        enrichment.attach(&stored).await;
        Ok(Arc::new(Self {
            config,
            contexts,
            catalog,
            pipelines,
            commands,
            metrics: Arc::default(),
            _stored: stored,
            _watch: enrichment.watch(),
        }))
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A new session with settings of its own.
    #[must_use]
    pub fn session(&self, authority: Authority) -> Session {
        self.session_of(USER, authority)
    }

    /// A new session of the user of this name, which `current_user` gives.
    #[must_use]
    pub fn session_of(&self, user: &str, authority: Authority) -> Session {
        Session::new(
            self.contexts.session_of(user),
            Arc::clone(&self.commands),
            authority,
        )
    }

    /// Counters of this process, for whoever counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Every metric with its values at this moment.
    #[must_use]
    pub fn observe(&self) -> Vec<Family> {
        let (used, limit, spilled) = self.contexts.usage();
        let observed = Observed {
            metrics: &self.metrics,
            pipelines: &self.pipelines.progress(),
            partitions: &self.pipelines.partitions(),
            memory: (used, limit),
            spilled,
        };
        observed.families()
    }

    /// A new session of a client whose front end adds `dialect`.
    ///
    /// # Errors
    /// When a function of the dialect cannot be registered.
    pub fn session_with(&self, authority: Authority, dialect: &Dialect) -> Result<Session> {
        let context = self.contexts.session_with(dialect)?;
        let session = Session::new(context, Arc::clone(&self.commands), authority);
        Ok(session.reading(dialect.rewrite.clone()))
    }

    /// Starts every defined pipeline, and from here on those that statements define.
    pub fn start_pipelines(&self) {
        self.commands.runs_pipelines.store(true, Ordering::Release);
        self.pipelines.start_all();
    }

    /// The figures of every pipeline.
    #[must_use]
    pub fn progress(&self) -> Vec<PipelineProgress> {
        self.pipelines.progress()
    }

    /// Tells other processes that want the data directory where this one serves.
    ///
    /// # Errors
    /// When the data directory cannot be written.
    pub fn announce(&self, address: &str) -> Result<()> {
        self.catalog.store().announce(Some(address))
    }

    /// Stops the pipelines after they have committed what they hold, within ten seconds.
    pub async fn shutdown(&self) {
        self.commands.runs_pipelines.store(false, Ordering::Release);
        self.pipelines.stop_all().await;
    }
}

/// The policies of `config`, as the functions of `plugin` understand them.
fn policies(config: &Config, plugin: &Plugin) -> Result<Option<Arc<dyn Policies>>> {
    let configured = Configured::read(&config.redaction)?;
    match &plugin.redaction {
        Some(redaction) => redaction.policies(&configured).map(Some),
        None if configured.policies.is_empty() => Ok(None),
        None => Err(Error::unsupported(
            "the configuration has policies of redaction, and no function here redacts",
        )),
    }
}
