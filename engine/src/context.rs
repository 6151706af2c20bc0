//! DataFusion sessions: one shared memory pool and catalog, a fresh configuration for each session.
//! The only place that makes a `SessionContext` or registers anything in one.

mod memory;
mod restore;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList, SchemaProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryLimit};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use tracing::warn;

pub use self::restore::restore;

use self::memory::default_memory_bytes;
use self::schemas::{Extended, Schemas};
use crate::bounded::guard;
use crate::config::Query;
use crate::counting::Counting;
use crate::dialect::Dialect;
use crate::enrichment::Enrichment;
use crate::error::{Error, Result};
use crate::function::{self, UserFunction};
use crate::options::SessionOptions;
use crate::parameters::Lengths;
use crate::plugin::Plugin;
use crate::redaction::Policies;
use crate::statement::{self, Statement};

/// The catalog that unqualified names are looked up in.
pub const CATALOG: &str = "sluice";
/// The schema of users' tables.
pub const PUBLIC: &str = "public";
/// The schema of tables about Sluice itself.
pub const SYSTEM: &str = "system";
/// The schema of tables about tables.
pub const INFORMATION: &str = "information_schema";

/// Who a session belongs to where nobody says.
pub const USER: &str = "sluice";

/// Functions of users by name.
pub type Functions = BTreeMap<String, Arc<ScalarUDF>>;

/// Makes sessions.
pub struct Contexts {
    runtime: Arc<RuntimeEnv>,
    functions: Plugin,
    enrichment: Arc<Enrichment>,
    /// The functions of users, as they are now.
    own: RwLock<Arc<Functions>>,
    policies: Option<Arc<dyn Policies>>,
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
            own: RwLock::default(),
            policies: None,
            catalogs: Arc::new(MemoryCatalogProviderList::new()),
        })
    }

    /// Bytes that plans have taken from the memory pool, what they may take, and what they have
    /// spilled to disk.
    #[must_use]
    pub fn usage(&self) -> (u64, Option<u64>, u64) {
        let pool = &self.runtime.memory_pool;
        let limit = match pool.memory_limit() {
            MemoryLimit::Finite(bytes) => Some(bytes as u64),
            _ => None,
        };
        let spilled = self.runtime.disk_manager.used_disk_space();
        (pool.reserved() as u64, limit, spilled)
    }

    /// Sessions know `policies`.
    #[must_use]
    pub fn with_policies(mut self, policies: Option<Arc<dyn Policies>>) -> Self {
        self.policies = policies;
        self
    }

    /// What sessions know of redaction; `None` where no function redacts.
    #[must_use]
    pub fn policies(&self) -> Option<&dyn Policies> {
        self.policies.as_deref()
    }

    /// Puts the schemas where sessions find them.
    pub fn mount(
        &self,
        public: Arc<dyn SchemaProvider>,
        system: Arc<dyn SchemaProvider>,
        information: Arc<dyn SchemaProvider>,
    ) {
        let catalog = Arc::new(Schemas {
            public,
            system,
            information,
        });
        self.catalogs.register_catalog(CATALOG.to_owned(), catalog);
    }

    /// A session of a user.
    #[must_use]
    pub fn session(&self) -> SessionContext {
        self.session_of(USER)
    }

    /// A session of the user of this name.
    #[must_use]
    pub fn session_of(&self, user: &str) -> SessionContext {
        let mut config = self.settings(SessionConfig::new());
        let extensions = &mut config.options_mut().extensions;
        if let Some(options) = extensions.get_mut::<SessionOptions>() {
            user.clone_into(&mut options.user);
        }
        SessionContext::new_with_state(self.state_of(config, &self.functions()))
    }

    /// A session of a user that finds `public` in the place of the tables of users.
    #[must_use]
    pub fn session_over(&self, public: Arc<dyn SchemaProvider>) -> SessionContext {
        let catalogs = MemoryCatalogProviderList::new();
        if let Some(present) = self.catalogs.catalog(CATALOG)
            && let (Some(system), Some(information)) =
                (present.schema(SYSTEM), present.schema(INFORMATION))
        {
            let catalog = Arc::new(Schemas {
                public,
                system,
                information,
            });
            catalogs.register_catalog(CATALOG.to_owned(), catalog);
        }
        let state = self.state(SessionConfig::new());
        let builder = SessionStateBuilder::new_from_existing(state);
        SessionContext::new_with_state(builder.with_catalog_list(Arc::new(catalogs)).build())
    }

    /// A session of a user whose front end adds `dialect`.
    ///
    /// # Errors
    /// When a function of the dialect cannot be registered.
    pub fn session_with(&self, dialect: &Dialect) -> Result<SessionContext> {
        let catalogs = MemoryCatalogProviderList::new();
        if let Some(inner) = self.catalogs.catalog(CATALOG) {
            let more = dialect.schemas.clone();
            catalogs.register_catalog(CATALOG.to_owned(), Arc::new(Extended { inner, more }));
        }
        let state = self.state(SessionConfig::new());
        let mut state = SessionStateBuilder::new_from_existing(state)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        for function in &dialect.scalars {
            state.register_udf(Arc::clone(function))?;
        }
        let context = SessionContext::new_with_state(state);
        for (name, function) in &dialect.tables {
            context.register_udtf(name, Arc::clone(function));
        }
        Ok(context)
    }

    /// A session whose plans run in one piece, so that rows keep their order.
    #[must_use]
    pub fn in_order(&self) -> SessionContext {
        let config = SessionConfig::new().with_target_partitions(1);
        SessionContext::new_with_state(self.state(config))
    }

    /// As [`Contexts::in_order`], with a ledger of what its plans redact.
    #[must_use]
    pub fn pipeline(&self) -> (SessionContext, Option<Counting>) {
        let mut config = self.settings(SessionConfig::new().with_target_partitions(1));
        let policies = self.policies.as_deref();
        let counting = policies.map(|policies| Counting::begin(policies, config.options_mut()));
        let context = SessionContext::new_with_state(self.state_of(config, &self.functions()));
        (context, counting)
    }

    /// A state for planning definitions: functions and formats, no tables.
    #[must_use]
    pub fn planner(&self) -> SessionState {
        let builder = SessionStateBuilder::new()
            .with_config(self.settings(SessionConfig::new()))
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features();
        guard(builder).build()
    }

    /// The functions of users.
    #[must_use]
    pub fn functions(&self) -> Arc<Functions> {
        Arc::clone(&self.own.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the functions of users; sessions have them from their next statement on.
    pub fn set_functions(&self, functions: Functions) {
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(functions);
    }

    /// Whether a function of this name comes with the process.
    #[must_use]
    pub fn has_builtin(&self, name: &str) -> bool {
        let state = self.state_of(self.settings(SessionConfig::new()), &Functions::new());
        state.scalar_functions().contains_key(name)
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
            || state.table_functions().contains_key(name)
    }

    /// Plans the functions that `definitions` define, each after those that it calls.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be planned.
    pub fn plan_functions(&self, definitions: &BTreeMap<String, String>) -> Result<Functions> {
        let (functions, wrong) = self.plan_some(definitions);
        match wrong.into_values().next() {
            None => Ok(functions),
            Some(error) => Err(error),
        }
    }

    /// Takes the stored functions of users. One that can no longer be planned is left out, so that
    /// it keeps nothing else from starting.
    pub fn open_functions(&self, definitions: &BTreeMap<String, String>) {
        let (functions, wrong) = self.plan_some(definitions);
        for (function, error) in wrong {
            warn!(function, error = %error, "the function cannot be planned and is left out");
        }
        self.set_functions(functions);
    }

    fn plan_some(
        &self,
        definitions: &BTreeMap<String, String>,
    ) -> (Functions, BTreeMap<String, Error>) {
        let mut state = self.state_of(self.settings(SessionConfig::new()), &Functions::new());
        let (mut functions, mut wrong) = (Functions::new(), BTreeMap::new());
        let mut open: BTreeSet<&String> = definitions.keys().collect();
        while !open.is_empty() {
            let before = open.len();
            for name in open.clone() {
                match plan_next(name, definitions, &open, &state) {
                    Ok(None) => continue,
                    Ok(Some(function)) => {
                        let function = Arc::new(function);
                        if let Err(error) = state.register_udf(Arc::clone(&function)) {
                            wrong.insert(name.clone(), error.into());
                        }
                        functions.insert(name.clone(), function);
                    }
                    Err(error) => {
                        wrong.insert(name.clone(), error);
                    }
                }
                open.remove(name);
            }
            if open.len() == before {
                let circle = |name: &&String| {
                    let error = Error::user(format!("function \"{name}\" calls itself"));
                    ((*name).clone(), error)
                };
                wrong.extend(open.iter().map(circle));
                break;
            }
        }
        (functions, wrong)
    }

    /// Gives the session of `context` the functions of users as they are now.
    pub fn refresh(&self, context: &SessionContext) {
        let own = self.functions();
        let shared = context.state_ref();
        let stale = |state: &SessionState| {
            let there = state.scalar_functions();
            let gone = there.iter().filter(|(name, function)| {
                is_own(function) && own.get(*name).is_none_or(|new| !Arc::ptr_eq(new, function))
            });
            let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
            let new = own
                .iter()
                .filter(|(name, _)| gone.contains(name) || !there.contains_key(name.as_str()));
            let new: Vec<_> = new.map(|(_, function)| Arc::clone(function)).collect();
            (gone, new)
        };
        let (gone, new) = stale(&shared.read());
        if gone.is_empty() && new.is_empty() {
            return;
        }
        let mut state = shared.write();
        let removed = gone
            .iter()
            .try_for_each(|name| state.deregister_udf(name).map(drop));
        let added = new
            .into_iter()
            .try_for_each(|one| state.register_udf(one).map(drop));
        if let Err(error) = removed.and(added) {
            warn!(error = %error, "a session does not know the newest functions");
        }
    }

    fn state(&self, config: SessionConfig) -> SessionState {
        self.state_of(self.settings(config), &self.functions())
    }

    fn state_of(&self, config: SessionConfig, own: &Functions) -> SessionState {
        let config = config.with_extension(Arc::clone(&self.enrichment));
        let builder = SessionStateBuilder::new()
            .with_expr_planners(vec![Arc::new(LiteralLists), Arc::new(Lengths)])
            .with_config(config.with_create_default_catalog_and_schema(false))
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
            .extend(scalars.iter().chain(own.values()).cloned());
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

    fn settings(&self, config: SessionConfig) -> SessionConfig {
        let mut config = settings(config);
        if let Some(policies) = &self.policies {
            policies.install(config.options_mut());
        }
        config
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
    update_functions(&mut state)
}

/// Lets functions know what settings there are.
fn update_functions(state: &mut SessionState) -> Result<()> {
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

/// Plans the function `name` if none of those it calls is still `open`.
fn plan_next(
    name: &str,
    definitions: &BTreeMap<String, String>,
    open: &BTreeSet<&String>,
    state: &SessionState,
) -> Result<Option<ScalarUDF>> {
    let sql = definitions.get(name).map_or("", String::as_str);
    let Statement::CreateFunction(create) = statement::parse(sql)? else {
        let text = format!("\"{name}\" is not defined by CREATE FUNCTION");
        return Err(Error::internal(text));
    };
    let calls = function::calls(&create)?;
    if calls.iter().any(|called| open.contains(called)) {
        return Ok(None);
    }
    function::plan(&create, state).map(Some)
}

fn is_own(function: &ScalarUDF) -> bool {
    function.inner().as_any().is::<UserFunction>()
}

/// Lists of literal texts are literals, so that functions know them when a query is planned.
#[derive(Debug)]
struct LiteralLists;

impl ExprPlanner for LiteralLists {
    fn plan_array_literal(
        &self,
        exprs: Vec<Expr>,
        _: &DFSchema,
    ) -> DfResult<PlannerResult<Vec<Expr>>> {
        let texts = exprs.iter().map(|expr| match expr {
            Expr::Literal(text @ ScalarValue::Utf8(Some(_)), _) => Some(text.clone()),
            _ => None,
        });
        let Some(texts) = texts
            .collect::<Option<Vec<_>>>()
            .filter(|all| !all.is_empty())
        else {
            return Ok(PlannerResult::Original(exprs));
        };
        let list = ScalarValue::new_list_nullable(&texts, &arrow::datatypes::DataType::Utf8);
        Ok(PlannerResult::Planned(Expr::Literal(
            ScalarValue::List(list),
            None,
        )))
    }
}

fn settings(config: SessionConfig) -> SessionConfig {
    let mut config = config
        // Sluice has its own.
        .with_information_schema(false)
        .with_default_catalog_and_schema(CATALOG, PUBLIC);
    let options = config.options_mut();
    // Stored types and wire types are plain UTF-8; views would only be cast at both ends.
    options.sql_parser.map_string_types_to_utf8view = false;
    // Errors say where they are.
    options.sql_parser.collect_spans = true;
    // It refuses `SELECT coalesce(a, p['a']) AS a FROM (SELECT *, parse(..) AS p FROM t)`: it takes
    // the two columns called "a" for one that is ambiguous.
    options.optimizer.enable_leaf_expression_pushdown = false;
    options.extensions.insert(SessionOptions::default());
    config
}
