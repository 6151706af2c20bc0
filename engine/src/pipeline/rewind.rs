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
pub async fn rewind(opened: &Runner, context: &SessionContext, to: &RewindTo) -> Result<()> {
    let (writer, table) = (&opened.committer.writer, &opened.committer.table);
    let extents = extents(opened).await?;
    let times = match to {
        RewindTo::Timestamp(time) => offsets_since(opened, context, time).await?,
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
            let range = CommitRange::empty(partition, Some(next), to);
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

/// How far the pipeline has read, partition by partition, as the commits that the table remembers
/// say.
async fn extents(opened: &Runner) -> Result<BTreeMap<Partition, Extent>> {
    let (writer, table) = (&opened.committer.writer, &opened.committer.table);
    let mut extents: BTreeMap<Partition, Extent> = BTreeMap::new();
    for commit in table.commits().await? {
        if &commit.writer != writer {
            continue;
        }
        for range in commit.ranges {
            let mut first = range.from.unwrap_or(range.to).min(range.to);
            if range.from.is_none()
                && let Some(former) = former(&extents, &range)
            {
                // The same records under another name are not read again twice.
                first = extents.remove(&former).map_or(first, |extent| extent.first);
            }
            let next = range.to;
            let known = extents
                .entry(range.partition)
                .or_insert(Extent { first, next });
            known.first = known.first.min(first);
            known.next = next;
        }
    }
    let partitions: Vec<Partition> = extents.keys().cloned().collect();
    let stored = table.offsets(writer, &partitions).await?;
    for (extent, stored) in extents.values_mut().zip(stored) {
        extent.next = stored.unwrap_or(extent.next);
    }
    Ok(extents)
}

/// The identity that the partition of `claim` had until then.
fn former(extents: &BTreeMap<Partition, Extent>, claim: &CommitRange) -> Option<Partition> {
    let Partition {
        topic,
        identity,
        index,
    } = &claim.partition;
    let mut all = extents.iter();
    let found = all.find(|(other, extent)| {
        (&other.topic, other.index) == (topic, *index)
            && &other.identity != identity
            && extent.next == claim.to
    });
    found.map(|(partition, _)| partition.clone())
}

/// The first stored offset at `time` or later, by topic and partition.
async fn offsets_since(
    opened: &Runner,
    context: &SessionContext,
    time: &str,
) -> Result<BTreeMap<(String, i32), i64>> {
    let [topic, partition, offset, produced] = lineage::NAMES;
    let table = quote(&opened.definition.insert.table);
    let time = time.replace('\'', "''");
    let sql = format!(
        "SELECT arrow_cast({topic}, 'Utf8') t, {partition} p, min({offset}) o FROM {table} \
         WHERE {produced} >= TIMESTAMP '{time}' GROUP BY {topic}, {partition}"
    );
    let context = context.clone();
    let query = async move { Ok(context.sql(&sql).await?.collect().await?) };
    let mut offsets = BTreeMap::new();
    for batch in opened.committer.cpu.run(query).await? {
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
