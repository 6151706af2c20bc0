//! What clients of PostgreSQL find in `pg_catalog`, and how their statements about it are read.
//! Tables of the server are listed as they are now; types, operators and the like are those of
//! PostgreSQL itself.

mod functions;
mod live;

mod naming;
mod empty;
mod rewrite;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::CatalogProviderList;
use datafusion::catalog::{
    MemoryCatalogProviderList, SchemaProvider, TableFunctionImpl, TableProvider,
};
use datafusion::error::Result as DfResult;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider, PgCatalogStaticTables,
};
use sluice_engine::authority::Authority;
use sluice_engine::dialect::{Dialect, Rewrite};
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::session::Session;

type Known = PgCatalogSchemaProvider<Arc<dyn CatalogProviderList>, EmptyContextProvider>;

/// What every session of a PostgreSQL client knows beside the engine's own.
#[derive(Debug)]
pub(super) struct Catalog {
    schema: Arc<dyn SchemaProvider>,
    keywords: Arc<dyn TableFunctionImpl>,
    rewrite: Arc<dyn Rewrite>,
}

impl Catalog {
    /// The catalog over the tables of `engine`.
    ///
    /// # Errors
    /// When what is known of PostgreSQL cannot be read.
    pub(super) fn new(engine: &Engine) -> Result<Self> {
        let unreadable = |error| Error::internal("the catalog of PostgreSQL").source(error);
        let tables = Arc::new(PgCatalogStaticTables::try_new().map_err(unreadable)?);
        let keywords = Arc::clone(&tables.pg_get_keywords);
        let none: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
        let known = PgCatalogSchemaProvider::try_new(none, tables, EmptyContextProvider);
        Ok(Self {
            schema: Arc::new(PgCatalog {
                known: known.map_err(unreadable)?,
                session: engine.session(Authority::Network),
            }),
            keywords,
            rewrite: Arc::new(rewrite::Reading::new()),
        })
    }

    /// What a session of `user` on the connection `process` knows.
    pub(super) fn dialect(&self, user: &str, process: i32) -> Dialect {
        Dialect {
            schemas: vec![("pg_catalog".to_owned(), Arc::clone(&self.schema))],
            scalars: functions::all(user, process),
            tables: vec![("pg_get_keywords".to_owned(), Arc::clone(&self.keywords))],
            rewrite: Some(Arc::clone(&self.rewrite)),
        }
    }
}

/// The schema `pg_catalog`.
struct PgCatalog {
    known: Known,
    session: Session,
}

impl fmt::Debug for PgCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgCatalog").finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        PG_CATALOG_TABLES.iter().map(ToString::to_string).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        match live::table(&self.session, name).await? {
            Some(table) => Ok(Some(table)),
            None => self.known.table(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.known.table_exist(name)
    }
}
