//! Rows of a client, as they come, into a table: one commit holds all of them. Columns are matched
//! by name and cast; a table that is made or replaced for them is seen only when they are in.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use super::Session;
use crate::catalog::Former;
use crate::error::{Error, Result};
use crate::insert;
use crate::table::{Append, Table};

/// The name that plans have for the rows.
const ROWS: &str = "ingested";

/// Rows and where they are to go.
pub struct Ingest {
    /// The table's name.
    pub table: String,
    /// What is done where there is no such table.
    pub if_missing: IfMissing,
    /// What is done where there is one.
    pub if_exists: IfExists,
    /// The rows. They are read once, and no faster than they are stored.
    pub rows: SendableRecordBatchStream,
}

/// What is done where the table is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// It is made, with the columns of the rows.
    Create,
    /// Nothing is stored.
    Fail,
}

/// What is done where the table is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// Nothing is stored.
    Fail,
    /// The rows come to those that are there.
    Append,
    /// The rows, and their columns, take the place of those that are there.
    Replace,
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Stores the rows of `ingest` in one commit; gives how many there were. After an error nothing
    /// is changed.
    ///
    /// # Errors
    /// When the table is missing or there against what `ingest` says, when it has no column of a
    /// name that the rows have, when a value does not fit, and what the rows themselves give.
    pub async fn ingest(&self, ingest: Ingest) -> Result<u64> {
        let Ingest {
            table: name,
            if_missing,
            if_exists,
            rows,
        } = ingest;
        let catalog = &self.commands.catalog;
        let former = match (catalog.contains(&name), if_exists, if_missing) {
            (true, IfExists::Append, _) => {
                let table = catalog.table(&name).await?;
                return self.append(&name, &table, rows).await;
            }
            (true, IfExists::Fail, _) => {
                let error = Error::exists(format!("table \"{name}\" exists already"));
                return Err(error.hint("append to it, or replace it"));
            }
            (true, IfExists::Replace, _) => {
                self.commands.check_unused(&name)?;
                Former::Goes
            }
            (false, _, IfMissing::Create) => Former::Stays,
            // The catalog says which tables there are.
            (false, _, IfMissing::Fail) => return catalog.table(&name).await.map(|_| 0),
        };
        let sql = self.commands.managed_table_sql(&name)?;
        let staged = catalog.stage(&name, sql, nullable(&rows.schema())).await?;
        match self.append(&name, &staged.table, rows).await {
            Ok(stored) => catalog.publish(staged, former).await.map(|()| stored),
            Err(error) => {
                catalog.discard(staged).await;
                Err(error)
            }
        }
    }

    async fn append(
        &self,
        name: &str,
        table: &Arc<dyn Table>,
        rows: SendableRecordBatchStream,
    ) -> Result<u64> {
        let plan = matched(name, table.schema().await?.as_ref(), rows)?;
        let rows = self
            .start(insert::storing(&self.context), plan, None)
            .await?;
        let append = Append {
            writer: String::new(),
            rows: rows.into_record_batch_stream(),
            ranges: Vec::new(),
            redactions: Vec::new(),
        };
        Ok(table.append(append).await?.rows)
    }
}

/// The columns of a table made for rows of `schema`; all may be NULL later.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), field.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows in the order and types of the columns of the table `name`; columns that the rows lack
/// are NULL.
fn matched(name: &str, table: &Schema, rows: SendableRecordBatchStream) -> Result<LogicalPlan> {
    let given = rows.schema();
    let mut places = vec![None; table.fields().len()];
    let mut unknown = Vec::new();
    for field in given.fields() {
        match place(table, field.name()) {
            Some(at) if places[at].is_some() => {
                let column = table.field(at).name();
                return Err(Error::user(format!("column \"{column}\" comes twice")));
            }
            Some(at) => places[at] = Some(field),
            None => unknown.push(format!("\"{}\"", field.name())),
        }
    }
    if !unknown.is_empty() {
        let names: Vec<_> = table
            .fields()
            .iter()
            .map(|f| format!("\"{}\"", f.name()))
            .collect();
        let text = format!("table \"{name}\" has no column {}", unknown.join(", "));
        return Err(Error::user(text).hint(format!("it has {}", names.join(", "))));
    }
    let values = table.fields().iter().zip(places).map(|(column, given)| {
        let value = match given {
            Some(field) => fitted(field, column, name)?,
            None if column.is_nullable() => {
                Expr::Literal(ScalarValue::try_from(column.data_type())?, None)
            }
            None => {
                let column = column.name();
                let text = format!("column \"{column}\" of table \"{name}\" is NOT NULL");
                return Err(Error::user(text).hint("the rows have no such column"));
            }
        };
        Ok(value.alias(column.name()))
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let partition = Arc::new(Once {
        schema: Arc::clone(&given),
        rows: Mutex::new(Some(rows)),
    });
    let source = StreamingTable::try_new(given, vec![partition])?;
    let scan = LogicalPlanBuilder::scan(ROWS, provider_as_source(Arc::new(source)), None)?;
    Ok(scan.project(values)?.build()?)
}

/// The column that is called so, or is the only one called so but for upper and lower case.
fn place(table: &Schema, name: &str) -> Option<usize> {
    if let Ok(at) = table.index_of(name) {
        return Some(at);
    }
    let like = |field: &Arc<Field>| field.name().to_lowercase() == name.to_lowercase();
    let mut alike = table
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| like(field));
    match (alike.next(), alike.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn fitted(given: &Field, column: &Field, table: &str) -> Result<Expr> {
    let value = Expr::Column(Column::new(Some(ROWS), given.name()));
    let (from, to) = (given.data_type(), column.data_type());
    if from == to {
        return Ok(value);
    }
    if !arrow::compute::can_cast_types(from, to) {
        let name = column.name();
        return Err(Error::user(format!(
            "column \"{name}\" of table \"{table}\" is {to} and the rows give {from}"
        )));
    }
    Ok(cast(value, to.clone()))
}

/// Rows that are there once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        rows.unwrap_or_else(|| {
            let again = Error::internal("the rows of a client are read twice");
            let failed = futures::stream::iter([Err::<RecordBatch, _>(again.into())]);
            Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                failed,
            ))
        })
    }
}
