//! `ALTER PIPELINE ... REWIND TO`: moves stored offsets back, in one commit without rows.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::prelude::SessionContext;

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::runner::Runner;
use crate::source::Partition;
use crate::statement::{RewindTo, quote};
use crate::table::{Append, CommitRange};

/// Where a pipeline's commits begin and end in a partition.
#[derive(Debug, Clone, Copy)]
struct Extent {
    first: i64,
    next: i64,
}

/// Moves every partition of the pipeline back to `to`; partitions that are not beyond it stay.
///
/// # Errors
/// [`crate::error::Kind::User`] when the pipeline has read nothing, or nothing lies beyond `to`.
pub async fn rewind(runner: &Runner, context: &SessionContext, to: &RewindTo) -> Result<()> {
    let (writer, table) = (&runner.committer.writer, &runner.committer.table);
    let extents = extents(runner).await?;
    let times = match to {
        RewindTo::Timestamp(time) => offsets_since(runner, context, time).await?,
        RewindTo::Earliest | RewindTo::Offset(_) => BTreeMap::new(),
    };
    let ranges: Vec<CommitRange> = extents
        .into_iter()
        .filter_map(|(partition, Extent { first, next })| {
            let key = (partition.topic.clone(), partition.index);
            let to = match to {
                RewindTo::Earliest => first,
                RewindTo::Offset(offset) => *offset,
                RewindTo::Timestamp(_) => times.get(&key).copied().unwrap_or(next),
            };
            let to = to.max(first);
            let from = Some(next);
            let (stored, rejected, filtered, missing) = (0, 0, 0, 0);
            let range = CommitRange {
                partition,
                from,
                to,
                stored,
                rejected,
                filtered,
                missing,
            };
            (to < next).then_some(range)
        })
        .collect();
    if ranges.is_empty() {
        return Err(Error::user(format!(
            "pipeline \"{writer}\" has read nothing beyond that place"
        ))
        .hint("VERIFY TABLE shows how far it has read"));
    }
    let rows = Box::pin(EmptyRecordBatchStream::new(table.schema().await?));
    table
        .append(Append {
            writer: writer.clone(),
            rows,
            ranges,
        })
        .await
        .map(|_| ())
}

async fn extents(runner: &Runner) -> Result<BTreeMap<Partition, Extent>> {
    let writer = &runner.committer.writer;
    let mut extents: BTreeMap<Partition, Extent> = BTreeMap::new();
    for commit in runner.committer.table.commits().await? {
        if &commit.writer != writer {
            continue;
        }
        for range in commit.ranges {
            let first = range.from.unwrap_or(range.to).min(range.to);
            let extent = Extent {
                first,
                next: range.to,
            };
            let known = extents.entry(range.partition).or_insert(extent);
            known.first = known.first.min(first);
            known.next = range.to;
        }
    }
    Ok(extents)
}

/// The first stored offset at `time` or later, by topic and partition.
async fn offsets_since(
    runner: &Runner,
    context: &SessionContext,
    time: &str,
) -> Result<BTreeMap<(String, i32), i64>> {
    let [topic, partition, offset, produced] = lineage::NAMES;
    let table = quote(&runner.definition.insert.table);
    let time = time.replace('\'', "''");
    let sql = format!(
        "SELECT arrow_cast({topic}, 'Utf8') t, {partition} p, min({offset}) o FROM {table} \
         WHERE {produced} >= TIMESTAMP '{time}' GROUP BY {topic}, {partition}"
    );
    let mut offsets = BTreeMap::new();
    for batch in context.sql(&sql).await?.collect().await? {
        let fault = || Error::internal("offsets came with other columns");
        let column = |name| batch.column_by_name(name).ok_or_else(fault);
        let topics = column("t")?.as_string_opt::<i32>().ok_or_else(fault)?;
        let partitions = column("p")?
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(fault)?;
        let first = column("o")?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(fault)?;
        for row in 0..batch.num_rows() {
            let key = (topics.value(row).to_owned(), partitions.value(row));
            offsets.insert(key, first.value(row));
        }
    }
    Ok(offsets)
}
