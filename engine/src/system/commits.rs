//! `system.commits`: what every commit of every table says. One row for each range of a pipeline's
//! commit, and one for a commit without ranges. Tables are read one after the other while the
//! query runs, and only those it asks for.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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

use super::selection::{TABLE, is_about_table, selected};
use crate::catalog::{Catalog, Relation};
use crate::error::Result;
use crate::lineage;
use crate::table::{Commit, CommitRange};

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

/// The table.
#[derive(Debug)]
pub(super) struct Commits {
    catalog: Arc<Catalog>,
    schema: SchemaRef,
}

impl Commits {
    pub(super) fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            schema: schema(),
        }
    }
}

fn schema() -> SchemaRef {
    let field = |name: &str, kind: DataType| Field::new(name, kind, true);
    let number = |name: &str| field(name, DataType::Int64);
    Arc::new(Schema::new(vec![
        Field::new(TABLE, DataType::Utf8, false),
        number("version"),
        field("timestamp", lineage::timestamp_type()),
        field("pipeline", DataType::Utf8),
        field("operation", DataType::Utf8),
        number("rows"),
        field("topic", DataType::Utf8),
        field("partition", DataType::Int32),
        number("from_offset"),
        number("to_offset"),
        number("stored"),
        number("rejected"),
        number("filtered"),
        number("missing"),
        number("gap"),
        field("min_event_time", lineage::timestamp_type()),
        field("max_event_time", lineage::timestamp_type()),
    ]))
}

#[async_trait]
impl TableProvider for Commits {
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
        let support = |filter: &&Expr| match is_about_table(filter) {
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
            tables: selected(state, self.catalog.names(), filters)?,
            schema: self.schema(),
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
        let alone = self.tables.len() == 1;
        let batches = stream::iter(self.tables.clone()).then(move |table| {
            let (catalog, schema) = (Arc::clone(&catalog), Arc::clone(&schema));
            async move {
                match read(&catalog, &table).await {
                    Ok(commits) => batches(&schema, &table, &commits),
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
async fn read(catalog: &Catalog, name: &str) -> Result<Vec<Commit>> {
    match catalog.relation(name).await? {
        Relation::Table(table) => table.commits().await,
        Relation::Stream(_) | Relation::Foreign(_) => Ok(Vec::new()),
    }
}

type Row<'a> = (&'a Commit, Option<&'a CommitRange>);

fn batches(schema: &SchemaRef, table: &str, commits: &[Commit]) -> DfResult<Vec<RecordBatch>> {
    let rows: Vec<Row<'_>> = commits
        .iter()
        .flat_map(|commit| {
            let bare = commit.ranges.is_empty().then_some((commit, None));
            let ranges = commit.ranges.iter().map(move |range| (commit, Some(range)));
            bare.into_iter().chain(ranges)
        })
        .collect();
    rows.chunks(BATCH_ROWS)
        .map(|rows| batch(schema, table, rows))
        .collect()
}

fn batch(schema: &SchemaRef, table: &str, rows: &[Row<'_>]) -> DfResult<RecordBatch> {
    let count = |number: u64| i64::try_from(number).ok();
    let of_commit = |get: &dyn Fn(&Commit) -> Option<i64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|(commit, _)| get(commit))
                .collect::<Int64Array>(),
        )
    };
    let of_range = |get: &dyn Fn(&CommitRange) -> Option<i64>| -> ArrayRef {
        let values = rows.iter().map(|(_, range)| range.and_then(get));
        Arc::new(values.collect::<Int64Array>())
    };
    let text = |get: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<StringArray>())
    };
    let time = |get: &dyn Fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = rows.iter().map(get).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let event = |row: &Row<'_>| row.1.and_then(|range| range.event_time_us);
    let partition: Int32Array = rows
        .iter()
        .map(|(_, range)| range.map(|range| range.partition.index))
        .collect();
    let writer = |writer: &str| (!writer.is_empty()).then(|| writer.to_owned());
    let columns = vec![
        text(&|_| Some(table.to_owned())),
        of_commit(&|commit| count(commit.version)),
        time(&|row| Some(row.0.timestamp_us)),
        text(&|row| writer(&row.0.writer)),
        text(&|row| Some(row.0.operation.clone())),
        of_commit(&|commit| count(commit.rows)),
        text(&|row| row.1.map(|range| range.partition.topic.clone())),
        Arc::new(partition),
        of_range(&|range| range.from),
        of_range(&|range| Some(range.to)),
        of_range(&|range| count(range.stored)),
        of_range(&|range| count(range.rejected)),
        of_range(&|range| count(range.filtered)),
        of_range(&|range| count(range.missing)),
        of_range(&|range| count(range.gap)),
        time(&|row| event(row).map(|(least, _)| least)),
        time(&|row| event(row).map(|(_, most)| most)),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
