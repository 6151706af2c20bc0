//! `information_schema.columns`: one row for each column. A table is opened when its row is asked
//! for, so that a query about one table opens no other.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, SchemaProvider, Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use tracing::warn;

use super::Listed;
use crate::context::{CATALOG, PUBLIC, SYSTEM};
use crate::system::selection::{is_about, selected};
use crate::type_name::sql_name;

const TABLE: &str = "table_name";
const SCHEMA: &str = "table_schema";

/// Columns of text that say nothing of a column here.
const UNKNOWN: [&str; 3] = ["column_default", "interval_type", "collation_name"];

/// The table.
#[derive(Debug)]
pub(super) struct Columns {
    public: Arc<dyn SchemaProvider>,
    system: Arc<dyn SchemaProvider>,
    names: Vec<Listed>,
    schema: SchemaRef,
}

impl Columns {
    /// The columns of the tables of `names` that `public` and `system` have.
    pub(super) fn new(
        public: Arc<dyn SchemaProvider>,
        system: Arc<dyn SchemaProvider>,
        names: Vec<Listed>,
    ) -> Self {
        Self {
            public,
            system,
            names,
            schema: schema(),
        }
    }

    async fn rows(&self, schemas: &[String], tables: &[String]) -> DfResult<RecordBatch> {
        let asked = |listed: &&Listed| {
            schemas.iter().any(|schema| schema == listed.schema) && tables.contains(&listed.name)
        };
        let asked: Vec<&Listed> = self.names.iter().filter(asked).collect();
        let mut found: Vec<(&Listed, SchemaRef)> = Vec::new();
        for listed in &asked {
            let provider = match listed.schema {
                PUBLIC => &self.public,
                SYSTEM => &self.system,
                _ => continue,
            };
            match provider.table(&listed.name).await {
                Ok(Some(table)) => found.push((listed, table.schema())),
                Ok(None) => {}
                // Who asks for one table wants to know; who asks for all wants the others.
                Err(error) if asked.len() == 1 => return Err(error),
                Err(error) => {
                    let table = &listed.name;
                    warn!(table, %error, "the columns of a table cannot be read");
                }
            }
        }
        let columns: Vec<Column<'_>> = found
            .iter()
            .flat_map(|(listed, schema)| {
                let fields = schema.fields().iter().enumerate();
                fields.map(|(at, field)| Column {
                    listed,
                    at,
                    field: field.as_ref(),
                })
            })
            .collect();
        batch(&self.schema, &columns)
    }
}

#[async_trait]
impl TableProvider for Columns {
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
        let support = |filter: &&Expr| match is_about(filter, TABLE) || is_about(filter, SCHEMA) {
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
        let named = |get: fn(&Listed) -> &str| {
            let mut names: Vec<String> = self.names.iter().map(|it| get(it).to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        let schemas = selected(state, SCHEMA, named(|listed| listed.schema), filters)?;
        let tables = selected(state, TABLE, named(|listed| &listed.name), filters)?;
        let rows = self.rows(&schemas, &tables).await?;
        let table = MemTable::try_new(self.schema(), vec![vec![rows]])?;
        table.scan(state, projection, &[], limit).await
    }
}

struct Column<'a> {
    listed: &'a Listed,
    at: usize,
    field: &'a Field,
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let unknown = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut fields = vec![
        text("table_catalog"),
        text(SCHEMA),
        text(TABLE),
        text("column_name"),
        Field::new("ordinal_position", DataType::Int64, false),
        text("is_nullable"),
        text("data_type"),
        number("character_maximum_length"),
        number("character_octet_length"),
        number("numeric_precision"),
        number("numeric_precision_radix"),
        number("numeric_scale"),
        number("datetime_precision"),
        text("udt_name"),
    ];
    fields.extend(UNKNOWN.map(unknown));
    Arc::new(Schema::new(fields))
}

fn batch(schema: &SchemaRef, rows: &[Column<'_>]) -> DfResult<RecordBatch> {
    let text = |get: &dyn Fn(&Column<'_>) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(get)))
    };
    let number = |get: &dyn Fn(&DataType) -> Option<i64>| -> ArrayRef {
        let values = rows.iter().map(|row| get(row.field.data_type()));
        Arc::new(values.collect::<Int64Array>())
    };
    let position = |row: &Column<'_>| i64::try_from(row.at + 1).unwrap_or(i64::MAX);
    let nullable = |row: &Column<'_>| match row.field.is_nullable() {
        true => "YES".to_owned(),
        false => "NO".to_owned(),
    };
    let mut columns: Vec<ArrayRef> = vec![
        text(&|_| CATALOG.to_owned()),
        text(&|row| row.listed.schema.to_owned()),
        text(&|row| row.listed.name.clone()),
        text(&|row| row.field.name().clone()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(position))),
        text(&nullable),
        text(&|row| sql_name(row.field.data_type()).to_owned()),
        // Texts have no limit of their own.
        number(&|_| None),
        number(&|_| None),
        number(&|kind| digits(kind).map(|digits| digits.0)),
        number(&|kind| digits(kind).map(|digits| digits.1)),
        number(&|kind| digits(kind)?.2),
        number(&fraction),
        text(&|row| sql_name(row.field.data_type()).to_lowercase()),
    ];
    columns.extend(UNKNOWN.map(|_| new_null_array(&DataType::Utf8, rows.len())));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// The precision of a number, its base and its scale, as PostgreSQL counts them.
fn digits(kind: &DataType) -> Option<(i64, i64, Option<i64>)> {
    Some(match kind {
        DataType::Int8 | DataType::UInt8 => (8, 2, Some(0)),
        DataType::Int16 | DataType::UInt16 => (16, 2, Some(0)),
        DataType::Int32 | DataType::UInt32 => (32, 2, Some(0)),
        DataType::Int64 | DataType::UInt64 => (64, 2, Some(0)),
        DataType::Float16 => (11, 2, None),
        DataType::Float32 => (24, 2, None),
        DataType::Float64 => (53, 2, None),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ((*precision).into(), 10, Some((*scale).into()))
        }
        _ => return None,
    })
}

/// The decimal digits of a second that a time holds.
fn fraction(kind: &DataType) -> Option<i64> {
    let unit = match kind {
        DataType::Timestamp(unit, _)
        | DataType::Time32(unit)
        | DataType::Time64(unit)
        | DataType::Duration(unit) => unit,
        DataType::Date32 | DataType::Date64 => return Some(0),
        DataType::Interval(_) => &TimeUnit::Nanosecond,
        _ => return None,
    };
    Some(match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    })
}
