//! `ALTER PIPELINE ... REWIND TO`: moves stored offsets back, in one commit without rows.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::prelude::SessionContext;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::positions::MOVED;
use crate::pipeline::runner::Runner;
use crate::source::{Assigned, Event, Member, Offered, Partition, Wanted};
use crate::statement::{RewindTo, quote};
use crate::table::{Append, Commit, CommitRange};

/// How long the stream may take to say how far back it reaches.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a pipeline stands in a partition.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// The first offset it read; `None` when the log no longer tells.
    first: Option<i64>,
    next: i64,
}

/// What the log tells of a partition.
#[derive(Debug, Clone, Copy)]
struct Told {
    first: i64,
    next: i64,
    /// It tells of the beginning.
    whole: bool,
}

/// Moves every partition of the pipeline back to `to`, and none further than where the pipeline
/// began to read it; partitions that are not beyond it stay. Where log clean-up has forgotten where
/// that was, `EARLIEST` is the oldest record that the stream still has.
///
/// # Errors
/// [`crate::error::Kind::User`] when the pipeline has read nothing, or nothing lies beyond `to`;
/// any other kind when the table cannot be read or written, or the stream has to be asked and does
/// not answer.
pub async fn rewind(opened: &Runner, context: &SessionContext, to: &RewindTo) -> Result<()> {
    let (writer, table) = (&opened.committer.writer, &opened.committer.table);
    let extents = extents(opened).await?;
    let times = match to {
        RewindTo::Timestamp(time) => offsets_since(opened, context, time).await?,
        RewindTo::Earliest | RewindTo::Offset(_) => BTreeMap::new(),
    };
    let forgotten = extents.values().any(|extent| extent.first.is_none());
    let offered = match to {
        RewindTo::Earliest if forgotten => offered(opened).await?,
        _ => Vec::new(),
    };
    let ranges: Vec<CommitRange> = extents
        .into_iter()
        .filter_map(|(partition, Extent { first, next })| {
            let key = (partition.topic.clone(), partition.index);
            let to = match to {
                // Of a partition that the stream no longer has, nothing can be read again.
                RewindTo::Earliest => first.or_else(|| oldest(&offered, &partition))?,
                RewindTo::Offset(offset) => *offset,
                RewindTo::Timestamp(_) => times.get(&key).copied().unwrap_or(next),
            };
            let to = to.max(first.unwrap_or(0));
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
            redactions: Vec::new(),
        })
        .await
        .map(|_| ())
}

/// Where the pipeline stands, as the table stores it, and where it began, as far as the log tells.
async fn extents(opened: &Runner) -> Result<BTreeMap<Partition, Extent>> {
    let (writer, table) = (&opened.committer.writer, &opened.committer.table);
    let mut told: BTreeMap<Partition, Told> = BTreeMap::new();
    for commit in table.commits().await? {
        if &commit.writer == writer {
            for range in commit.ranges.iter().filter(|range| range.to != MOVED) {
                follow(&mut told, &commit, range);
            }
        }
    }
    let stored = table.positions(writer).await?.into_iter();
    let live = stored.filter(|(_, next)| *next != MOVED);
    Ok(live
        .map(|(partition, next)| {
            let told = told.get(&partition).filter(|told| told.whole);
            let first = told.map(|told| told.first);
            (partition, Extent { first, next })
        })
        .collect())
}

fn follow(told: &mut BTreeMap<Partition, Told>, commit: &Commit, range: &CommitRange) {
    let Partition { topic, index, .. } = &range.partition;
    let same = |other: &Partition| (&other.topic, other.index) == (topic, *index);
    let mut new = Told {
        first: range.from.unwrap_or(range.to).min(range.to),
        next: range.to,
        whole: range.from.is_none(),
    };
    if range.from.is_none() {
        if let Some(former) = former(told, range) {
            // The same records under another name are not read again twice.
            new = told.remove(&former).unwrap_or(new);
        } else {
            let ended = |other: &CommitRange| other.to == MOVED && same(&other.partition);
            new.whole = !commit.ranges.iter().any(ended);
        }
    }
    let known = told.entry(range.partition.clone()).or_insert(new);
    known.first = known.first.min(new.first);
    known.next = range.to;
}

/// The identity that the partition of `claim` had until then.
fn former(told: &BTreeMap<Partition, Told>, claim: &CommitRange) -> Option<Partition> {
    let Partition {
        topic,
        identity,
        index,
    } = &claim.partition;
    let mut all = told.iter();
    let found = all.find(|(other, told)| {
        (&other.topic, other.index) == (topic, *index)
            && &other.identity != identity
            && told.next == claim.to
    });
    found.map(|(partition, _)| partition.clone())
}

/// What the stream has of its partitions: they are offered to a reader that reads nothing, in a
/// group of its own.
async fn offered(opened: &Runner) -> Result<Vec<Offered>> {
    let group = format!("{}-rewind-{}", opened.member().group, uuid::Uuid::new_v4());
    let ask = async {
        let member = Member::of(group);
        let mut reader = opened.source.follow(&member, Wanted::default()).await?;
        while let Some(event) = reader.next().await? {
            match event {
                Event::Assigned(Assigned { offered, .. }) if !offered.is_empty() => {
                    return Ok(offered);
                }
                Event::Assigned(nothing) => {
                    let _gone = nothing.reply.send(Ok(Vec::new()));
                }
                Event::Revoked(_) | Event::Batch(_) => {}
            }
        }
        Ok::<_, Error>(Vec::new())
    };
    match timeout(PATIENCE, ask).await {
        Ok(offered) => offered,
        Err(_) => Err(
            Error::unavailable("the stream does not say which records it still has")
                .hint("REWIND TO OFFSET needs no answer of it"),
        ),
    }
}

fn oldest(offered: &[Offered], partition: &Partition) -> Option<i64> {
    let is = |offer: &&Offered| {
        let Offered {
            partition: now,
            formerly,
            ..
        } = offer;
        let identities = [Some(&now.identity), formerly.as_ref()];
        (&now.topic, now.index) == (&partition.topic, partition.index)
            && identities.contains(&Some(&partition.identity))
    };
    offered.iter().find(is).map(|offer| offer.low)
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
