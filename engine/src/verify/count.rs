//! The rows that a table holds, counted by topic and partition: those of pipelines, with the rows
//! that statements appended taken off.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::catalog::TableProvider;
use datafusion::common::JoinType;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, sum};
use datafusion::logical_expr::{cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::Place;
use crate::error::{Error, Result};
use crate::lineage;

/// Rows and the distinct offsets among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) distinct: u64,
    /// Rows that statements appended beside these, of the same offsets.
    pub(super) doubled: u64,
}

/// Rows of `table` with offsets of at least what `from` says for their place, without those of
/// `statements`.
pub(super) async fn pipeline_rows(
    context: &SessionContext,
    table: Arc<dyn TableProvider>,
    statements: &[Arc<dyn TableProvider>],
    from: &BTreeMap<Place, i64>,
) -> Result<BTreeMap<Place, Count>> {
    let mut rows = weighted(context, Arc::clone(&table), 1)?;
    for statement in statements {
        rows = rows.union(weighted(context, Arc::clone(statement), -1)?)?;
    }
    let bounds = context.read_batch(bounds(from)?)?;
    let rows = rows
        .join(bounds, JoinType::Inner, &["t", "p"], &["bt", "bp"], None)?
        .filter(col("o").gt_eq(col("bo")))?;
    let by_place = vec![col("t"), col("p")];
    let counts = if statements.is_empty() {
        let counts = vec![
            count(lit(1)).alias("n"),
            count_distinct(col("o")).alias("d"),
            sum(col("s")).alias("x"),
        ];
        rows.aggregate(by_place, counts)?
    } else {
        let by_offset = vec![col("t"), col("p"), col("o")];
        let weights = vec![sum(col("w")).alias("w"), sum(col("s")).alias("s")];
        let counts = vec![
            sum(col("w")).alias("n"),
            count(lit(1)).alias("d"),
            sum(col("s")).alias("x"),
        ];
        rows.aggregate(by_offset, weights)?
            .filter(col("w").gt(lit(0_i64)))?
            .aggregate(by_place, counts)?
    };
    read(counts).await
}

/// Rows of `table` that say where they came from.
pub(super) async fn rows_of(
    context: &SessionContext,
    table: Arc<dyn TableProvider>,
) -> Result<BTreeMap<Place, Count>> {
    let rows = weighted(context, table, 1)?;
    let counts = vec![
        count(lit(1)).alias("n"),
        count_distinct(col("o")).alias("d"),
        sum(col("s")).alias("x"),
    ];
    read(rows.aggregate(vec![col("t"), col("p")], counts)?).await
}

/// Distinct records in the dead letters of `table` by place and pipeline.
pub(super) async fn dead_letters(
    context: &SessionContext,
    table: Arc<dyn TableProvider>,
) -> Result<BTreeMap<(Place, String), u64>> {
    let [topic, partition, offset, _] = lineage::NAMES;
    let frame = context
        .read_table(table)?
        .filter(col(offset).is_not_null())?
        .aggregate(
            vec![
                cast(col(topic), DataType::Utf8).alias("t"),
                col(partition).alias("p"),
                cast(col("pipeline"), DataType::Utf8).alias("w"),
            ],
            vec![count_distinct(col(offset)).alias("d")],
        )?;
    let mut counts = BTreeMap::new();
    for batch in frame.collect().await? {
        let column = |name| batch.column_by_name(name).ok_or_else(fault);
        let topics = column("t")?.as_string_opt::<i32>().ok_or_else(fault)?;
        let partitions = column("p")?.as_primitive_opt::<Int32Type>();
        let partitions = partitions.ok_or_else(fault)?;
        let pipelines = column("w")?.as_string_opt::<i32>().ok_or_else(fault)?;
        let distinct = column("d")?.as_primitive_opt::<Int64Type>();
        let distinct = distinct.ok_or_else(fault)?;
        for row in 0..batch.num_rows() {
            let place = (topics.value(row).to_owned(), partitions.value(row));
            let number = u64::try_from(distinct.value(row)).unwrap_or(0);
            counts.insert((place, pipelines.value(row).to_owned()), number);
        }
    }
    Ok(counts)
}

/// Where the rows of `table` came from, each with `weight`, and whether that takes them off.
fn weighted(
    context: &SessionContext,
    table: Arc<dyn TableProvider>,
    weight: i64,
) -> Result<DataFrame> {
    let [topic, partition, offset, _] = lineage::NAMES;
    let frame = context
        .read_table(table)?
        .filter(col(offset).is_not_null())?
        .select(vec![
            cast(col(topic), DataType::Utf8).alias("t"),
            cast(col(partition), DataType::Int64).alias("p"),
            col(offset).alias("o"),
            lit(weight).alias("w"),
            lit(i64::from(weight < 0)).alias("s"),
        ])?;
    Ok(frame)
}

fn bounds(from: &BTreeMap<Place, i64>) -> Result<RecordBatch> {
    let topics: StringArray = from.keys().map(|(topic, _)| Some(topic.as_str())).collect();
    let partitions: Int64Array = from.keys().map(|(_, index)| i64::from(*index)).collect();
    let offsets: Int64Array = from.values().copied().collect();
    let columns = [
        ("bt", Arc::new(topics) as ArrayRef),
        ("bp", Arc::new(partitions)),
        ("bo", Arc::new(offsets)),
    ];
    RecordBatch::try_from_iter(columns)
        .map_err(|error| Error::internal(format!("bounds of a proof: {error}")))
}

async fn read(counts: DataFrame) -> Result<BTreeMap<Place, Count>> {
    let mut read = BTreeMap::new();
    for batch in counts.collect().await? {
        let column = |name| batch.column_by_name(name).ok_or_else(fault);
        let numbers = |name| -> Result<&Int64Array> {
            column(name)?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(fault)
        };
        let topics = column("t")?.as_string_opt::<i32>().ok_or_else(fault)?;
        let (partitions, rows, distinct) = (numbers("p")?, numbers("n")?, numbers("d")?);
        let doubled = numbers("x")?;
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        for row in 0..batch.num_rows() {
            let index = i32::try_from(partitions.value(row)).unwrap_or(-1);
            let count = Count {
                rows: number(rows.value(row)),
                distinct: number(distinct.value(row)),
                doubled: number(doubled.value(row)),
            };
            read.insert((topics.value(row).to_owned(), index), count);
        }
    }
    Ok(read)
}

fn fault() -> Error {
    Error::internal("counts came with other columns")
}
