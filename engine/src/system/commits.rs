//! `system.commits`: what every commit of every table says. One row for each range of a pipeline's
//! commit, and one for a commit without ranges.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result as DfResult;

use super::history::{History, Told};
use super::selection::TABLE;
use crate::catalog::Catalog;
use crate::lineage;
use crate::table::{Commit, CommitRange};

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;

/// The table.
pub(super) fn table(catalog: &Arc<Catalog>) -> History {
    History::new(Arc::clone(catalog), schema(), (Told::Log, batches))
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
