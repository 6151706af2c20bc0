//! `system.dead_letters`: the dead letters of every table, as one table. Its plan is the union of
//! the dead-letter tables that a query asks for, made when the query is.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, cast, ident,
    lit,
};
use datafusion::physical_plan::ExecutionPlan;
use tracing::warn;

use super::selection::{TABLE, selected};
use crate::catalog::{Catalog, Relation};
use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::dead_letters::SUFFIX;

/// The columns behind the table's name: theirs in a dead-letter table, and here.
const COLUMNS: [(&str, &str); 10] = [
    ("pipeline", "pipeline"),
    (lineage::TOPIC, "topic"),
    (lineage::PARTITION, "partition"),
    (lineage::OFFSET, "offset"),
    (lineage::TIMESTAMP, "kafka_ts"),
    ("key", "key"),
    ("raw", "raw"),
    ("code", "error_code"),
    ("reason", "error"),
    ("rejected_at", "ingested_at"),
];

/// The table.
#[derive(Debug)]
pub(super) struct DeadLetters {
    catalog: Arc<Catalog>,
    schema: SchemaRef,
}

impl DeadLetters {
    pub(super) fn new(catalog: Arc<Catalog>) -> Self {
        let kind = |name: &str| match name {
            "partition" => DataType::Int32,
            "offset" => DataType::Int64,
            "kafka_ts" | "ingested_at" => lineage::timestamp_type(),
            "key" | "raw" => DataType::Binary,
            _ => DataType::Utf8,
        };
        let names = std::iter::once(TABLE).chain(COLUMNS.map(|(_, name)| name));
        let fields = names.map(|name| Field::new(name, kind(name), true));
        Self {
            catalog,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        }
    }

    /// The dead letters of the table `name` in the columns of this one; `None` for what only has
    /// the name of a dead-letter table.
    async fn of(&self, name: &str) -> Result<Option<LogicalPlan>> {
        let Relation::Table(table) = self.catalog.relation(&format!("{name}{SUFFIX}")).await?
        else {
            return Ok(None);
        };
        let provider = table.provider().await?;
        let found = provider.schema();
        if COLUMNS
            .iter()
            .any(|(theirs, _)| found.index_of(theirs).is_err())
        {
            return Ok(None);
        }
        let typed = |(theirs, ours): (&str, &str)| -> Result<Expr> {
            let field = self.schema.field_with_name(ours);
            let kind = field.map_err(|error| Error::internal(error.to_string()))?;
            Ok(cast(ident(theirs), kind.data_type().clone()).alias(ours))
        };
        let mut columns = vec![lit(name).alias(TABLE)];
        for column in COLUMNS {
            columns.push(typed(column)?);
        }
        let scan = LogicalPlanBuilder::scan("dead_letters", provider_as_source(provider), None)?;
        Ok(Some(scan.project(columns)?.build()?))
    }
}

#[async_trait]
impl TableProvider for DeadLetters {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let names = self.catalog.names();
        let tables = names.iter().filter_map(|name| name.strip_suffix(SUFFIX));
        let tables = selected(state, TABLE, tables.map(str::to_owned).collect(), filters)?;
        let mut all: Option<LogicalPlanBuilder> = None;
        for table in tables {
            let plan = match self.of(&table).await {
                Ok(Some(plan)) => plan,
                Ok(None) => continue,
                Err(error) => {
                    warn!(table, %error, "the dead letters of a table cannot be read");
                    continue;
                }
            };
            all = Some(match all {
                Some(before) => before.union(plan)?,
                None => LogicalPlanBuilder::from(plan),
            });
        }
        let mut plan = match all {
            Some(plan) => plan,
            None => LogicalPlanBuilder::from(LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row: false,
                schema: Arc::new(DFSchema::try_from(self.schema())?),
            })),
        };
        for filter in filters {
            plan = plan.filter(filter.clone())?;
        }
        if let Some(projection) = projection {
            let fields = projection.iter().map(|at| self.schema.field(*at).name());
            plan = plan.project(fields.map(ident).collect::<Vec<_>>())?;
        }
        let plan = plan.limit(0, limit)?.build()?;
        state.create_physical_plan(&plan).await
    }
}
