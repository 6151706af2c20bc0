//! Tables of what the commits of every table say. Tables are read one after the other while the
//! query runs, and only those it asks for.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use tracing::warn;

use super::selection::{TABLE, is_about, selected};
use crate::catalog::{Catalog, Relation};
use crate::error::Result;
use crate::ledger;
use crate::table::Commit;

/// What a table shows of the commits of one table, whose name it is given.
pub(super) type Show = fn(&SchemaRef, &str, &[Commit]) -> DfResult<Vec<RecordBatch>>;

/// Which commits a table shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// Those that the log still tells.
    Log,
    /// Those of the ledger, of which the first stand for what the log no longer tells.
    Ledger,
}

/// A table of commits.
#[derive(Debug)]
pub(super) struct History {
    catalog: Arc<Catalog>,
    schema: SchemaRef,
    told: Told,
    show: Show,
}

impl History {
    /// A table of `schema` that shows commits as `show` does.
    pub(super) fn new(
        catalog: Arc<Catalog>,
        schema: SchemaRef,
        (told, show): (Told, Show),
    ) -> Self {
        Self {
            catalog,
            schema,
            told,
            show,
        }
    }
}

#[async_trait]
impl TableProvider for History {
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
        let support = |filter: &&Expr| match is_about(filter, TABLE) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let part = Part {
            catalog: Arc::clone(&self.catalog),
            tables: selected(state, TABLE, self.catalog.names(), filters)?,
            schema: self.schema(),
            told: self.told,
            show: self.show,
        };
        let (schema, parts) = (self.schema(), vec![Arc::new(part) as _]);
        let plan = StreamingTableExec::try_new(schema, parts, projection, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

struct Part {
    catalog: Arc<Catalog>,
    tables: Vec<String>,
    schema: SchemaRef,
    told: Told,
    show: Show,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (catalog, schema) = (Arc::clone(&self.catalog), Arc::clone(&self.schema));
        let (told, show) = (self.told, self.show);
        let alone = self.tables.len() == 1;
        let batches = stream::iter(self.tables.clone()).then(move |table| {
            let (catalog, schema) = (Arc::clone(&catalog), Arc::clone(&schema));
            async move {
                match read(&catalog, &table, told).await {
                    Ok(commits) => show(&schema, &table, &commits),
                    // Who asks for one table wants to know; who asks for all wants the others.
                    Err(error) if alone => Err(error.into()),
                    Err(error) => {
                        warn!(table, %error, "the commits of a table cannot be read");
                        Ok(Vec::new())
                    }
                }
            }
        });
        let rows = batches
            .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
            .try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}

/// The commits of `name`; none when it is no stored table.
async fn read(catalog: &Catalog, name: &str, told: Told) -> Result<Vec<Commit>> {
    match catalog.relation(name).await? {
        Relation::Table(table) => match told {
            Told::Log => table.commits().await,
            Told::Ledger => ledger::told(table.as_ref()).await,
        },
        Relation::Stream(_) | Relation::Foreign(_) => Ok(Vec::new()),
    }
}
