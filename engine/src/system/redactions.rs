//! `system.redactions`: the ledger. One row for each commit, policy and category: how often a
//! finding was replaced in the very rows of that commit. Where the log was cleaned, the first row
//! of each pipeline, policy and category sums up the commits before.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result as DfResult;

use super::history::{History, Told};
use super::selection::TABLE;
use crate::catalog::Catalog;
use crate::lineage;
use crate::redaction::Redacted;
use crate::table::Commit;

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

/// The table.
pub(super) fn table(catalog: &Arc<Catalog>) -> History {
    History::new(Arc::clone(catalog), schema(), (Told::Ledger, batches))
}

fn schema() -> SchemaRef {
    let field = |name: &str, kind: DataType, null: bool| Field::new(name, kind, null);
    Arc::new(Schema::new(vec![
        field("pipeline", DataType::Utf8, false),
        field(TABLE, DataType::Utf8, false),
        field("version", DataType::Int64, false),
        field("committed_at", lineage::timestamp_type(), false),
        field("policy", DataType::Utf8, true),
        field("policy_hash", DataType::Utf8, false),
        field("category", DataType::Utf8, false),
        field("count", DataType::Int64, false),
    ]))
}

type Row<'a> = (&'a Commit, &'a Redacted);

fn batches(schema: &SchemaRef, table: &str, commits: &[Commit]) -> DfResult<Vec<RecordBatch>> {
    let rows: Vec<Row<'_>> = commits
        .iter()
        .flat_map(|commit| commit.redactions.iter().map(move |line| (commit, line)))
        .collect();
    rows.chunks(BATCH_ROWS)
        .map(|rows| batch(schema, table, rows))
        .collect()
}

fn batch(schema: &SchemaRef, table: &str, rows: &[Row<'_>]) -> DfResult<RecordBatch> {
    let text = |get: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<StringArray>())
    };
    let number = |get: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef {
        let numbers = rows.iter().map(|row| i64::try_from(get(row)).ok());
        Arc::new(numbers.collect::<Int64Array>())
    };
    let times = rows.iter().map(|(commit, _)| commit.timestamp_us);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let columns = vec![
        text(&|row| Some(row.0.writer.clone())),
        text(&|_| Some(table.to_owned())),
        number(&|row| row.0.version),
        Arc::new(times),
        text(&|row| row.1.policy.clone()),
        text(&|row| Some(row.1.hash.clone())),
        text(&|row| Some(row.1.category.clone())),
        number(&|row| row.1.count),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
