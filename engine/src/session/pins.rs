//! What a query was planned with: the settings that its meaning hangs on, and the version of each
//! table that it reads. Planned again with them, here or in another process over the same tables,
//! it is the same query over the same rows.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{TableType, source_as_provider};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::LogicalPlan;

use super::prepared::Work;
use super::{Prepared, Session};
use crate::catalog::{PublicSchema, Relation};
use crate::context::{CATALOG, PUBLIC};
use crate::error::Result;

/// Settings that change what a query means, and not only how it runs; versions of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Values of settings by their names.
    pub settings: BTreeMap<String, String>,
    /// Versions by the names of tables.
    pub versions: BTreeMap<String, u64>,
}

impl Session {
    /// What `prepared` was planned with. Empty for statements that are no queries.
    ///
    /// # Errors
    /// When a table cannot be opened.
    pub async fn pins(&self, prepared: &Prepared) -> Result<Pins> {
        let Work::Query(plan) = &prepared.work else {
            return Ok(Pins::default());
        };
        let mut versions = BTreeMap::new();
        for (name, provider) in self.scanned(plan)? {
            if let Ok(Relation::Table(table)) = self.commands.catalog.relation(&name).await
                && let Some(version) = table.version_of(provider.as_ref())
            {
                versions.insert(name, version);
            }
        }
        let settings = settings(self);
        Ok(Pins { settings, versions })
    }

    /// A new session in which statements are planned with `pins`.
    ///
    /// # Errors
    /// When a setting cannot have its value.
    pub async fn pinned(&self, pins: Pins) -> Result<Self> {
        let Pins { settings, versions } = pins;
        let catalog = PublicSchema(Arc::clone(&self.commands.catalog));
        let tables = Arc::new(PinnedSchema { catalog, versions });
        let pinned = Self {
            context: self.commands.contexts.session_over(tables),
            ..self.clone()
        };
        let usual = self::settings(&pinned);
        let differ = settings
            .into_iter()
            .filter(|(name, value)| usual.get(name) != Some(value));
        for (name, value) in differ {
            let value = value.replace('\'', "''");
            let set = pinned.prepare(&format!("SET {name} = '{value}'")).await?;
            pinned.execute(&set).await?;
        }
        Ok(pinned)
    }

    /// The tables of users that `plan` reads.
    fn scanned(&self, plan: &LogicalPlan) -> Result<Vec<(String, Arc<dyn TableProvider>)>> {
        let state = self.context.state_ref();
        let schema = state.read().config_options().catalog.default_schema.clone();
        let mut found = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let name = scan.table_name.clone().resolve(CATALOG, &schema);
                if name.catalog.as_ref() == CATALOG && name.schema.as_ref() == PUBLIC {
                    let provider = source_as_provider(&scan.source)?;
                    found.push((name.table.to_string(), provider));
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    }
}

fn settings(session: &Session) -> BTreeMap<String, String> {
    let state = session.context.state_ref();
    let state = state.read();
    let options = state.config_options();
    let parser = &options.sql_parser;
    let mut settings = vec![
        (
            "catalog.default_schema",
            options.catalog.default_schema.clone(),
        ),
        (
            "sql_parser.default_null_ordering",
            parser.default_null_ordering.to_string(),
        ),
        (
            "sql_parser.enable_ident_normalization",
            parser.enable_ident_normalization.to_string(),
        ),
        (
            "sql_parser.parse_float_as_decimal",
            parser.parse_float_as_decimal.to_string(),
        ),
    ];
    if let Some(zone) = &options.execution.time_zone {
        settings.push(("execution.time_zone", zone.clone()));
    }
    let name = |(name, value)| (format!("datafusion.{name}"), value);
    settings.into_iter().map(name).collect()
}

/// Users' tables, some of them as they were.
struct PinnedSchema {
    catalog: PublicSchema,
    versions: BTreeMap<String, u64>,
}

impl fmt::Debug for PinnedSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedSchema")
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SchemaProvider for PinnedSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        self.catalog.table_names()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let Some(version) = self.versions.get(name) else {
            return self.catalog.table(name).await;
        };
        let table = self.catalog.0.table(name).await;
        let table = table.map_err(DataFusionError::from)?;
        Ok(Some(table.provider_at(*version).await?))
    }

    async fn table_type(&self, name: &str) -> DfResult<Option<TableType>> {
        self.catalog.table_type(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.catalog.table_exist(name)
    }
}
