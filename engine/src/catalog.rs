//! Step 7: names to tables and streams. What is defined is kept in the [`Store`] as SQL and opened
//! when it is first used, so that a broker or bucket that is away never keeps the process from
//! starting.
//!
//! Every look-up of a table gives its newest version; DataFusion looks each name up once for a
//! statement, so a statement sees one version of a table for its whole life.

mod functions;
mod missing;
mod staging;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as DfResult;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{CreateExternalTable, DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as DfStatement;
use tokio::sync::{Mutex, OnceCell};

use crate::definition::TableDefinition;
use crate::error::{Error, Kind, Result};
use crate::plugin::Plugin;
use crate::statement::{self, Statement};
use crate::store::{Definitions, Store, StoredPipeline, StoredTable};
use crate::stream_table::StreamTable;
use crate::table::Table;

pub use staging::{Former, Staged};

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Relation {
    /// A stored table.
    Table(Arc<dyn Table>),
    /// A stream.
    Stream(Arc<StreamTable>),
    /// A table of DataFusion's own, such as a folder of Parquet files.
    Foreign(Arc<dyn TableProvider>),
}

/// A table about to be created.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// The `CREATE EXTERNAL TABLE` that defines it.
    pub sql: String,
    /// The data lives in the data directory under the table's name.
    pub managed: bool,
    /// An existing one is left alone.
    pub if_not_exists: bool,
    /// The columns, where the SQL does not list them.
    pub schema: Option<SchemaRef>,
}

/// All definitions of a data directory, and what they opened.
pub struct Catalog {
    store: Store,
    formats: Plugin,
    /// Plans definitions; knows no tables.
    planner: SessionState,
    state: RwLock<State>,
    /// One change of definitions at a time.
    change: Mutex<()>,
}

#[derive(Default)]
struct State {
    definitions: Definitions,
    opened: BTreeMap<String, Arc<OnceCell<Relation>>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// Reads the definitions of `store`; opens none of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn open(store: Store, formats: Plugin, planner: SessionState) -> Result<Self> {
        let definitions = store.definitions()?;
        staging::sweep(&store, &definitions);
        let opened = definitions
            .tables
            .keys()
            .map(|name| (name.clone(), Arc::default()))
            .collect();
        let state = RwLock::new(State {
            definitions,
            opened,
        });
        Ok(Self {
            store,
            formats,
            planner,
            state,
            change: Mutex::default(),
        })
    }

    /// The data directory.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The names of all tables and streams.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read(|state| state.definitions.tables.keys().cloned().collect())
    }

    /// Whether `name` is defined.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.read(|state| state.definitions.tables.contains_key(name))
    }

    /// What `name` stands for.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it is not defined; what opening it gives otherwise.
    pub async fn relation(&self, name: &str) -> Result<Relation> {
        let found = self.read(|state| {
            let stored = state.definitions.tables.get(name)?.clone();
            Some((stored, Arc::clone(state.opened.get(name)?)))
        });
        let Some((stored, cell)) = found else {
            return Err(self.unknown(name));
        };
        let relation = cell.get_or_try_init(|| async {
            let (definition, create) = self.define(name, &stored).await?;
            self.open_defined(&definition, &create).await
        });
        Ok(relation.await?.clone())
    }

    /// The stored table `name`.
    ///
    /// # Errors
    /// As [`Catalog::relation`], and when `name` is a stream or of another kind.
    pub async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        match self.relation(name).await? {
            Relation::Table(table) => Ok(table),
            Relation::Stream(_) => Err(Error::user(format!("\"{name}\" is a stream, not a table"))),
            Relation::Foreign(_) => Err(Error::unsupported(format!(
                "table \"{name}\" of this kind is only read"
            ))),
        }
    }

    /// The newest version of `name`, for a plan.
    ///
    /// # Errors
    /// As [`Catalog::relation`].
    pub async fn provider(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        Ok(match self.relation(name).await? {
            Relation::Table(table) => table.provider().await?,
            Relation::Stream(stream) => stream,
            Relation::Foreign(provider) => provider,
        })
    }

    /// Whether a location may be on this machine's disk: everything that is not the URL of another
    /// place, however its scheme is written.
    #[must_use]
    pub fn is_local(location: &str) -> bool {
        match url::Url::parse(location) {
            Ok(url) => url.scheme() == "file" || !location.contains("://"),
            Err(_) => true,
        }
    }

    /// Defines a table or stream and creates it where it does not exist. Returns whether it is new.
    ///
    /// # Errors
    /// [`Kind::Exists`] for a name in use, and what the format finds wrong.
    pub async fn create(&self, name: &str, new: NewTable) -> Result<bool> {
        let _one = self.change.lock().await;
        if self.contains(name) {
            if new.if_not_exists {
                return Ok(false);
            }
            return Err(Error::exists(format!("\"{name}\" exists already"))
                .hint("DROP TABLE it first, or say IF NOT EXISTS"));
        }
        check_name(name)?;
        let mut stored = StoredTable {
            sql: new.sql,
            managed: new.managed,
            location: None,
        };
        let (mut definition, create) = self.define(name, &stored).await?;
        if let Some(schema) = new.schema {
            definition.schema = schema;
        }
        if !new.managed {
            stored.location = Some(definition.location.clone());
        }
        let relation = if let Some(format) = self.formats.tables.get(definition.format.as_str()) {
            if new.managed && format.open(&definition).await?.is_some() {
                return Err(Error::exists(format!(
                    "data of a table \"{name}\" that is not defined lies at \"{}\"",
                    definition.location
                ))
                .hint("move that folder away, or define it by CREATE EXTERNAL TABLE"));
            }
            Relation::Table(format.create(&definition).await?)
        } else {
            self.open_defined(&definition, &create).await?
        };
        let cell = Arc::new(OnceCell::new_with(Some(relation)));
        self.update(|state| {
            state.definitions.tables.insert(name.to_owned(), stored);
            state.opened.insert(name.to_owned(), cell);
        })?;
        Ok(true)
    }

    /// Forgets `name`; the data of a managed table goes too. Returns whether it was there.
    ///
    /// # Errors
    /// [`Kind::NotFound`], unless `if_exists`; [`Kind::Conflict`] when a pipeline uses it.
    pub async fn remove(&self, name: &str, if_exists: bool) -> Result<bool> {
        let _one = self.change.lock().await;
        let stored = self.read(|state| state.definitions.tables.get(name).cloned());
        let Some(stored) = stored else {
            return if if_exists {
                Ok(false)
            } else {
                Err(self.unknown(name))
            };
        };
        self.update(|state| {
            state.definitions.tables.remove(name);
            state.opened.remove(name);
        })?;
        if stored.managed {
            let (definition, _) = self.define(name, &stored).await?;
            if let Some(format) = self.formats.tables.get(definition.format.as_str()) {
                format.remove(&definition).await?;
            }
        }
        Ok(true)
    }

    /// The definition of `name`, for making another table like it beside it.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it is not defined.
    pub async fn definition(&self, name: &str) -> Result<(TableDefinition, StoredTable)> {
        let stored = self.read(|state| state.definitions.tables.get(name).cloned());
        let Some(stored) = stored else {
            return Err(self.unknown(name));
        };
        Ok((self.define(name, &stored).await?.0, stored))
    }

    /// All pipelines by name.
    #[must_use]
    pub fn pipelines(&self) -> BTreeMap<String, StoredPipeline> {
        self.read(|state| state.definitions.pipelines.clone())
    }

    /// Defines, changes or, with `None`, forgets a pipeline.
    ///
    /// # Errors
    /// When the definitions cannot be written.
    pub async fn set_pipeline(&self, name: &str, pipeline: Option<StoredPipeline>) -> Result<()> {
        let _one = self.change.lock().await;
        self.update(|state| match pipeline {
            Some(pipeline) => {
                state
                    .definitions
                    .pipelines
                    .insert(name.to_owned(), pipeline);
            }
            None => {
                state.definitions.pipelines.remove(name);
            }
        })
    }

    /// Plans a stored definition: its columns' types, and where it is.
    async fn define(
        &self,
        name: &str,
        stored: &StoredTable,
    ) -> Result<(TableDefinition, CreateExternalTable)> {
        let wrong = || {
            Error::internal(format!(
                "\"{name}\" is not defined by CREATE EXTERNAL TABLE"
            ))
        };
        let Statement::Sql(parsed) = statement::parse(&stored.sql)? else {
            return Err(wrong());
        };
        let DfStatement::CreateExternalTable(_) = parsed.as_ref() else {
            return Err(wrong());
        };
        let plan = self.planner.statement_to_plan(*parsed).await?;
        let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create)) = plan else {
            return Err(wrong());
        };
        let location = match &stored.location {
            folder if stored.managed => {
                let folder = folder.as_deref().unwrap_or(name);
                self.store.table_folder(folder).display().to_string()
            }
            Some(location) => location.clone(),
            None => absolute(&create.location)?,
        };
        let options = create.options.iter().map(|(key, value)| {
            let key = key.strip_prefix("format.").unwrap_or(key);
            (key.to_owned(), value.clone())
        });
        let partition_columns = create.table_partition_cols.iter();
        let definition = TableDefinition {
            name: name.to_owned(),
            format: create.file_type.to_uppercase(),
            location,
            schema: Arc::new(create.schema.as_arrow().clone()),
            partition_columns: partition_columns
                .map(|name| statement::unquote(name))
                .collect(),
            options: options.collect(),
        };
        Ok((definition, create))
    }

    async fn open_defined(
        &self,
        definition: &TableDefinition,
        create: &CreateExternalTable,
    ) -> Result<Relation> {
        let TableDefinition {
            name,
            format,
            location,
            ..
        } = definition;
        if let Some(kind) = self.formats.sources.get(format.as_str()) {
            let source = kind.open(definition).await?;
            return Ok(Relation::Stream(Arc::new(StreamTable::new(
                name.clone(),
                source,
            ))));
        }
        if let Some(kind) = self.formats.tables.get(format.as_str()) {
            let table = kind.open(definition).await?.ok_or_else(|| {
                Error::not_found(format!(
                    "the data of table \"{name}\" is gone from \"{location}\""
                ))
                .hint("restore it, or DROP TABLE and create it anew")
            })?;
            return Ok(Relation::Table(table));
        }
        let Some(factory) = self.planner.table_factories().get(format) else {
            let own = self
                .formats
                .sources
                .keys()
                .chain(self.formats.tables.keys())
                .copied();
            let all = own.chain(self.planner.table_factories().keys().map(String::as_str));
            let mut list: Vec<&str> = all.collect();
            list.sort_unstable();
            return Err(Error::user(format!(
                "\"{name}\" is STORED AS {format}, which is not known"
            ))
            .hint(format!("known are {}", list.join(", "))));
        };
        let mut create = create.clone();
        create.location.clone_from(location);
        Ok(Relation::Foreign(
            factory.create(&self.planner, &create).await?,
        ))
    }

    fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the definitions on disk first, then in memory.
    fn update(&self, f: impl FnOnce(&mut State)) -> Result<()> {
        let (definitions, opened) = self.read(|s| (s.definitions.clone(), s.opened.clone()));
        let mut next = State {
            definitions,
            opened,
        };
        f(&mut next);
        self.store.save(&next.definitions)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

/// A name becomes a folder's name.
fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    if (1..=128).contains(&name.len()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(
        Error::user(format!("\"{name}\" cannot be the name of a table"))
            .hint("use letters, digits, '_', '-' and '$', at most 128 bytes"),
    )
}

/// Local paths are kept absolute, so that a definition means the same from everywhere.
fn absolute(location: &str) -> Result<String> {
    if !Catalog::is_local(location) || url::Url::parse(location).is_ok() {
        return Ok(location.to_owned());
    }
    let path = std::path::absolute(Path::new(location))
        .map_err(|error| Error::user(format!("\"{location}\" is not a location: {error}")))?;
    let shown = path.display().to_string();
    // A trailing slash tells DataFusion that this is a folder.
    Ok(if location.ends_with('/') && !shown.ends_with('/') {
        format!("{shown}/")
    } else {
        shown
    })
}

/// The catalog's tables as DataFusion's schema `public`.
#[derive(Debug)]
pub struct PublicSchema(pub Arc<Catalog>);

#[async_trait]
impl SchemaProvider for PublicSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        self.0.names()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        match self.0.provider(name).await {
            Ok(provider) => Ok(Some(provider)),
            Err(error) if error.kind() == Kind::NotFound && !self.0.contains(name) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Answered without opening, so that a table whose place is away is listed like the others.
    async fn table_type(&self, name: &str) -> DfResult<Option<TableType>> {
        Ok(self.0.contains(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}
