//! Schema `information_schema`: what the tables and columns are called, in the terms of the SQL
//! standard and with PostgreSQL's columns. Tools read it to learn what there is.
//!
//! `df_settings`, `routines` and `parameters` are DataFusion's. Tables about what Sluice does not
//! have, such as keys, exist and are empty.

mod columns;
mod empty;
mod tables;

use std::any::Any;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{MemTable, MemoryCatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::Result as DfResult;

use crate::context::{INFORMATION, PUBLIC, SYSTEM};

/// The tables that DataFusion fills.
const FOREIGN: [&str; 3] = ["df_settings", "parameters", "routines"];
/// The tables with rows of Sluice's own.
const OWN: [&str; 4] = ["columns", "schemata", "tables", "views"];

/// The tables of schema `information_schema`.
#[derive(Debug)]
pub struct InformationSchema {
    public: Arc<dyn SchemaProvider>,
    system: Arc<dyn SchemaProvider>,
    foreign: InformationSchemaProvider,
}

impl InformationSchema {
    /// What is known of the tables of `public` and `system`.
    #[must_use]
    pub fn new(public: Arc<dyn SchemaProvider>, system: Arc<dyn SchemaProvider>) -> Self {
        Self {
            public,
            system,
            // What it still tells comes from the session and not from catalogs.
            foreign: InformationSchemaProvider::new(Arc::new(MemoryCatalogProviderList::new())),
        }
    }

    /// Every table: its schema, its name, and whether it is a view.
    fn all(&self) -> Vec<Listed> {
        let listed = |schema, names: Vec<String>, view| {
            names
                .into_iter()
                .map(move |name| Listed { schema, name, view })
        };
        let public = listed(PUBLIC, self.public.table_names(), false);
        let system = listed(SYSTEM, self.system.table_names(), true);
        public
            .chain(system)
            .chain(listed(INFORMATION, self.table_names(), true))
            .collect()
    }
}

/// A table as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    schema: &'static str,
    name: String,
    view: bool,
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        let names = OWN.iter().chain(&FOREIGN).copied();
        let mut names: Vec<String> = names.chain(empty::names()).map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let rows = match name {
            "columns" => {
                let (public, system) = (Arc::clone(&self.public), Arc::clone(&self.system));
                let names = self.all();
                return Ok(Some(Arc::new(columns::Columns::new(public, system, names))));
            }
            "tables" => tables::tables(&self.all())?,
            "views" => tables::views(&self.all())?,
            "schemata" => tables::schemata(&[PUBLIC, SYSTEM, INFORMATION])?,
            name if FOREIGN.contains(&name) => return self.foreign.table(name).await,
            name => match empty::schema(name) {
                Some(schema) => RecordBatch::new_empty(schema),
                None => return Ok(None),
            },
        };
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        Ok(Some(Arc::new(table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        OWN.contains(&name) || FOREIGN.contains(&name) || empty::names().any(|it| it == name)
    }
}
