//! DataFusion sessions: one shared memory pool and catalog, a fresh configuration for each session.
//! The only place that makes a `SessionContext` or registers anything in one.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProviderList, SchemaProvider,
};
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::bounded::guard;
use crate::config::Query;
use crate::enrichment::Enrichment;
use crate::error::Result;
use crate::options::SessionOptions;
use crate::plugin::Plugin;

/// The catalog that unqualified names are looked up in.
pub const CATALOG: &str = "sluice";
/// The schema of users' tables.
pub const PUBLIC: &str = "public";
/// The schema of tables about Sluice itself.
pub const SYSTEM: &str = "system";

/// Without a figure of the machine's memory, what queries may use.
const MEMORY_FALLBACK_BYTES: usize = 2 << 30;

/// Makes sessions.
pub struct Contexts {
    runtime: Arc<RuntimeEnv>,
    functions: Plugin,
    enrichment: Arc<Enrichment>,
    catalogs: Arc<dyn CatalogProviderList>,
}

/// The number of the enrichment snapshot that a session has.
#[derive(Debug)]
struct Installed(u64);

impl fmt::Debug for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contexts").finish_non_exhaustive()
    }
}

impl Contexts {
    /// Sessions that share a memory pool as `query` sets it and know the functions of `plugin`,
    /// which read `enrichment`.
    ///
    /// # Errors
    /// When the spill directory cannot be made.
    pub fn new(query: &Query, plugin: &Plugin, enrichment: Arc<Enrichment>) -> Result<Self> {
        let bytes = query
            .memory
            .and_then(|size| usize::try_from(size.as_u64()).ok());
        let bytes = bytes.unwrap_or_else(default_memory_bytes);
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        Ok(Self {
            runtime: runtime.build_arc()?,
            functions: plugin.clone(),
            enrichment,
            catalogs: Arc::new(MemoryCatalogProviderList::new()),
        })
    }

    /// Puts the schemas where sessions find them.
    pub fn mount(&self, public: Arc<dyn SchemaProvider>, system: Arc<dyn SchemaProvider>) {
        let catalog = Arc::new(Schemas { public, system });
        self.catalogs.register_catalog(CATALOG.to_owned(), catalog);
    }

    /// A session of a user.
    #[must_use]
    pub fn session(&self) -> SessionContext {
        SessionContext::new_with_state(self.state(SessionConfig::new()))
    }

    /// A session whose plans run in one piece, so that rows keep their order.
    #[must_use]
    pub fn in_order(&self) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(1);
        SessionContext::new_with_state(self.state(config))
    }

    /// A state for planning definitions: functions and formats, no tables.
    #[must_use]
    pub fn planner(&self) -> SessionState {
        let builder = SessionStateBuilder::new()
            .with_config(settings(SessionConfig::new()))
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features();
        guard(builder).build()
    }

    fn state(&self, config: SessionConfig) -> SessionState {
        let config = config.with_extension(Arc::clone(&self.enrichment));
        let builder = SessionStateBuilder::new()
            .with_config(settings(config).with_create_default_catalog_and_schema(false))
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_catalog_list(Arc::clone(&self.catalogs))
            .with_default_features();
        let mut builder = guard(builder);
        let Plugin {
            scalars,
            aggregates,
            windows,
            planners,
            ..
        } = &self.functions;
        builder
            .expr_planners()
            .get_or_insert_default()
            .extend(planners.iter().cloned());
        builder
            .scalar_functions()
            .get_or_insert_default()
            .extend(scalars.iter().cloned());
        builder
            .aggregate_functions()
            .get_or_insert_default()
            .extend(aggregates.iter().cloned());
        builder
            .window_functions()
            .get_or_insert_default()
            .extend(windows.iter().cloned());
        builder.build()
    }
}

/// The enrichment that the session of `context` reads.
#[must_use]
pub fn enrichment(context: &SessionContext) -> Option<Arc<Enrichment>> {
    context.state_ref().read().config().get_extension()
}

/// Gives `context` what enrichment has loaded by now. Plans that are made from here on read it to
/// their end, whatever is loaded meanwhile; types of results are fixed here too.
///
/// # Errors
/// When a function cannot take it.
pub fn refresh(context: &SessionContext) -> Result<()> {
    let Some(present) = enrichment(context).map(|enrichment| enrichment.present()) else {
        return Ok(());
    };
    let Some(snapshot) = &present.snapshot else {
        return Ok(());
    };
    let shared = context.state_ref();
    let mut state = shared.write();
    let config = state.config_mut();
    let installed = config.get_extension::<Installed>();
    if installed.is_some_and(|installed| installed.0 >= present.number) {
        return Ok(());
    }
    config.set_extension(Arc::new(Installed(present.number)));
    snapshot.install(config.options_mut());
    let options = Arc::clone(state.config_options());
    let functions = state.scalar_functions().values();
    let updated: Vec<_> = functions
        .filter_map(|function| function.inner().with_updated_config(&options))
        .collect();
    for function in updated {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}

fn settings(config: SessionConfig) -> SessionConfig {
    let mut config = config
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, PUBLIC);
    let options = config.options_mut();
    // Stored types and wire types are plain UTF-8; views would only be cast at both ends.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.extensions.insert(SessionOptions::default());
    config
}

/// 40 % of the machine's memory: resident memory runs to a multiple of the pool.
fn default_memory_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.map_or(MEMORY_FALLBACK_BYTES, |kib| kib * 1024 / 5 * 2)
}

#[derive(Debug)]
struct Schemas {
    public: Arc<dyn SchemaProvider>,
    system: Arc<dyn SchemaProvider>,
}

impl CatalogProvider for Schemas {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        vec![PUBLIC.to_owned(), SYSTEM.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PUBLIC => Some(Arc::clone(&self.public)),
            SYSTEM => Some(Arc::clone(&self.system)),
            _ => None,
        }
    }
}
