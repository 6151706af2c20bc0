//! `CALL replay('table')`: dead letters decoded again as their stream is defined now, and sent
//! through the SELECT of the pipeline that refused them. What gives rows is appended to the table;
//! what fails again stays a dead letter.
//!
//! Every record is stored once, however often, by whomever and in whatever parts dead letters are
//! replayed. A replay commits as a writer of its own, `<pipeline>:replay`, whose offsets count the
//! records replayed of each partition. It reads those counts, then looks up which of its records
//! the table holds already, and commits the others only if the counts have not moved: two replays
//! of one partition exclude each other, and the one that loses looks again. The counts also tell
//! `VERIFY TABLE` how many records came this way.
//!
//! A record that the table holds already, whoever stored it, is left alone.

mod letters;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{col, lit};
use futures::{StreamExt, stream};

use crate::catalog::Catalog;
use crate::context::Contexts;
use crate::error::{Error, Kind, Result};
use crate::lineage;
use crate::pipeline::Pipelines;
use crate::pipeline::dead_letters::REPLAY_SUFFIX;
use crate::pipeline::isolate::Isolation;
use crate::pipeline::part::Part;
use crate::pipeline::runner::Runner;
use crate::pipeline::status::SharedProgress;
use crate::query::QueryStream;
use crate::runtime::Cpu;
use crate::source::Partition;
use crate::statement::{self, Statement};
use crate::table::{Append, CommitRange};

use letters::Letter;
pub use outcome::{Outcome, rows};

/// Stands in a replay's partitions where a stream says which of a name is meant.
pub const IDENTITY: &str = "dlq";

/// Records replayed in one commit at most, and their bytes.
const CHUNK_RECORDS: usize = 4096;
const CHUNK_BYTES: usize = 32 << 20;
/// How often a chunk is tried while others replay the same partitions.
const ATTEMPTS: u32 = 10;

/// Which dead letters to replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// The table that they should be in.
    pub table: String,
    /// A predicate over the columns of `system.dead_letters`.
    pub predicate: Option<String>,
    /// How many at most, in the order of their offsets.
    pub limit: Option<u64>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What a replay works with.
#[derive(Debug)]
pub struct Replayer {
    /// Tables.
    pub catalog: Arc<Catalog>,
    /// Pipelines.
    pub pipelines: Arc<Pipelines>,
    /// Makes sessions.
    pub contexts: Arc<Contexts>,
    /// Where plans are run.
    pub cpu: Arc<Cpu>,
}

/// The pipeline at work, and what it runs where it can be replayed.
type Opened = Option<(String, Option<Runner>)>;

impl Replayer {
    /// Replays, and says for each pipeline what became of its dead letters.
    ///
    /// # Errors
    /// When the table has no dead letters' table, the predicate is wrong, or the table or the
    /// dead letters cannot be read or written. Chunks before the error are stored.
    pub async fn run(&self, replay: &Replay) -> Result<Vec<Outcome>> {
        self.catalog.table(&replay.table).await?;
        let (context, chosen) = (self.contexts.in_order(), replay.clone());
        let select = async move { letters::select(&context, &chosen).await };
        let frame = self.cpu.run(select).await?;
        let mut found = QueryStream::start(frame, &self.cpu, None).await?;
        let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
        let mut chunk: Vec<Letter> = Vec::new();
        let (mut opened, mut bytes) = (None, 0);
        while let Some(batch) = found.next().await.transpose()? {
            for letter in letters::read(&batch)? {
                let other = chunk
                    .first()
                    .is_some_and(|first| first.pipeline != letter.pipeline);
                if other || chunk.len() >= CHUNK_RECORDS || bytes >= CHUNK_BYTES {
                    let full = std::mem::take(&mut chunk);
                    self.chunk(replay, full, &mut opened, &mut outcomes).await?;
                    bytes = 0;
                }
                bytes += letter.bytes();
                chunk.push(letter);
            }
        }
        self.chunk(replay, chunk, &mut opened, &mut outcomes)
            .await?;
        Ok(outcomes.into_values().collect())
    }

    async fn chunk(
        &self,
        replay: &Replay,
        mut letters: Vec<Letter>,
        opened: &mut Opened,
        outcomes: &mut BTreeMap<String, Outcome>,
    ) -> Result<()> {
        let Some(name) = letters.first().map(|letter| letter.pipeline.clone()) else {
            return Ok(());
        };
        // The order makes neighbours of what is there twice.
        letters.dedup_by_key(|letter| letter.place());
        let outcome = outcomes
            .entry(name.clone())
            .or_insert_with(|| Outcome::of(&name));
        outcome.letters += letters.len() as u64;
        if opened.as_ref().is_none_or(|(open, _)| *open != name) {
            *opened = Some((name.clone(), self.open(replay, &name).await?));
        }
        let Some((_, Some(runner))) = opened else {
            let reason = format!("pipeline \"{name}\" is not defined, or writes another table");
            outcome.fail(letters.len() as u64, &reason);
            return Ok(());
        };
        let (whole, cut): (Vec<_>, Vec<_>) = letters.into_iter().partition(Letter::is_whole);
        if let Some(first) = cut.first() {
            outcome.fail(cut.len() as u64, &first.why_not());
        }
        for _ in 0..ATTEMPTS {
            let mut attempt = outcome.clone();
            match self.attempt(replay, runner, &whole, &mut attempt).await {
                Ok(()) => {
                    *outcome = attempt;
                    return Ok(());
                }
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!(
            "others keep replaying the same dead letters of pipeline \"{name}\""
        ))
        .hint("run one replay at a time"))
    }

    /// The pipeline `name`, where it is defined and writes the table.
    async fn open(&self, replay: &Replay, name: &str) -> Result<Option<Runner>> {
        let Some(stored) = self.catalog.pipelines().remove(name) else {
            return Ok(None);
        };
        let Statement::CreatePipeline(create) = statement::parse(&stored.sql)? else {
            return Err(Error::internal(
                "a stored pipeline is not a CREATE PIPELINE",
            ));
        };
        let runner = self
            .pipelines
            .open(&create, SharedProgress::new(name))
            .await?;
        let same = runner.definition.insert.table == replay.table;
        Ok(same.then_some(runner))
    }

    /// Stores what of `letters` gives rows now and is not in the table.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when somebody else replayed meanwhile; nothing is stored then.
    async fn attempt(
        &self,
        replay: &Replay,
        runner: &Runner,
        letters: &[Letter],
        outcome: &mut Outcome,
    ) -> Result<()> {
        let committer = &runner.committer;
        let writer = format!("{}{REPLAY_SUFFIX}", runner.definition.name);
        // The counts come before the look at the table: what is stored between the two moves them.
        let counts = match replay.dry_run {
            true => BTreeMap::new(),
            false => self.counts(runner, &writer, letters).await?,
        };
        let there = self.stored(runner, letters).await?;
        let fresh: Vec<&Letter> = letters
            .iter()
            .filter(|letter| !there.contains(&letter.place()))
            .collect();
        outcome.stored_before += (letters.len() - fresh.len()) as u64;
        if fresh.is_empty() {
            return Ok(());
        }
        let (batch, faults) = letters::decode(&runner.source, &fresh)?;
        if let Some(first) = faults.first() {
            outcome.fail(faults.len() as u64, first);
        }
        let isolation = Isolation::begin(&committer.transform, &committer.table, &self.cpu).await?;
        let isolated = isolation.run(std::slice::from_ref(&batch)).await?;
        if let Some(first) = isolated.refused.first() {
            outcome.fail(isolated.refused.len() as u64, &first.reason);
        }
        let mut part = Part::default();
        part.cover(batch);
        part.redacted(isolated.redacted);
        part.fill(
            isolated.rows,
            isolated.refused,
            committer.event_time.as_deref(),
        )?;
        let ranges = part.commit_ranges()?;
        outcome.filtered += ranges.iter().map(|range| range.filtered).sum::<u64>();
        outcome.stored += ranges.iter().map(|range| range.stored).sum::<u64>();
        outcome.rows += part
            .rows
            .iter()
            .map(|rows| rows.num_rows() as u64)
            .sum::<u64>();
        if replay.dry_run || ranges.iter().all(|range| range.stored == 0) {
            return Ok(());
        }
        committer.registration.check_again().await?;
        let mut rows = std::mem::take(&mut part.rows);
        if let Some(evolution) = &committer.evolution {
            (rows, _) = evolution.apply(&self.cpu, rows).await?;
        }
        let append = Append {
            writer,
            rows: in_memory(rows)?,
            ranges: counted(&ranges, &counts)?,
            redactions: std::mem::take(&mut part.redactions),
        };
        committer.table.append(append).await.map(|_| ())
    }

    /// How many records of each partition were replayed so far; claimed where none were.
    async fn counts(
        &self,
        runner: &Runner,
        writer: &str,
        letters: &[Letter],
    ) -> Result<BTreeMap<Partition, i64>> {
        let table = &runner.committer.table;
        let partitions: BTreeSet<Partition> = letters.iter().map(Letter::partition).collect();
        let partitions: Vec<Partition> = partitions.into_iter().collect();
        let found = table.offsets(writer, &partitions).await?;
        let known = partitions.iter().cloned().zip(&found);
        let missing = known.clone().filter(|(_, count)| count.is_none());
        let claims: Vec<CommitRange> = missing
            .map(|(partition, _)| CommitRange::empty(partition, None, 0))
            .collect();
        if !claims.is_empty() {
            let append = Append {
                writer: writer.to_owned(),
                rows: empty(table.schema().await?),
                ranges: claims,
                redactions: Vec::new(),
            };
            table.append(append).await?;
        }
        Ok(known
            .map(|(partition, count)| (partition, count.unwrap_or(0)))
            .collect())
    }

    /// Which of `letters` the table holds.
    async fn stored(
        &self,
        runner: &Runner,
        letters: &[Letter],
    ) -> Result<BTreeSet<letters::Place>> {
        let provider = runner.committer.table.provider().await?;
        let mut by_partition: BTreeMap<Partition, Vec<i64>> = BTreeMap::new();
        for letter in letters {
            by_partition
                .entry(letter.partition())
                .or_default()
                .push(letter.offset);
        }
        let mut places = BTreeSet::new();
        for (partition, offsets) in by_partition {
            let (Some(least), Some(most)) = (offsets.iter().min(), offsets.iter().max()) else {
                continue;
            };
            let theirs = col(lineage::TOPIC)
                .eq(lit(partition.topic.as_str()))
                .and(col(lineage::PARTITION).eq(lit(partition.index)))
                .and(col(lineage::OFFSET).gt_eq(lit(*least)))
                .and(col(lineage::OFFSET).lt_eq(lit(*most)))
                .and(
                    col(lineage::OFFSET).in_list(offsets.iter().copied().map(lit).collect(), false),
                );
            let context = runner.committer.transform.context();
            let frame = context
                .read_table(Arc::clone(&provider))?
                .filter(theirs)?
                .select_columns(&[lineage::OFFSET, lineage::TIMESTAMP])?;
            let found = self
                .cpu
                .run(async move { Ok(frame.collect().await?) })
                .await?;
            for batch in &found {
                read_places(batch, &partition, &mut places)?;
            }
        }
        Ok(places)
    }
}

/// The ranges of a replay's commit: they count records.
fn counted(ranges: &[CommitRange], counts: &BTreeMap<Partition, i64>) -> Result<Vec<CommitRange>> {
    let stored = ranges.iter().filter(|range| range.stored > 0);
    stored
        .map(|range| {
            let from = counts.get(&range.partition).copied();
            let count = i64::try_from(range.stored).ok();
            let to = from
                .zip(count)
                .and_then(|(from, count)| from.checked_add(count));
            let to = to.ok_or_else(|| Error::internal("records were replayed without a count"))?;
            Ok(CommitRange {
                stored: range.stored,
                event_time_us: range.event_time_us,
                ..CommitRange::empty(range.partition.clone(), from, to)
            })
        })
        .collect()
}

fn read_places(
    batch: &RecordBatch,
    partition: &Partition,
    places: &mut BTreeSet<letters::Place>,
) -> Result<()> {
    let fault = || Error::internal("lineage came with other types");
    let offsets = batch
        .column(0)
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(fault)?;
    let times = batch
        .column(1)
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(fault)?;
    for row in 0..batch.num_rows() {
        let time = times.is_valid(row).then(|| times.value(row));
        places.insert((
            partition.topic.clone(),
            partition.index,
            offsets.value(row),
            time,
        ));
    }
    Ok(())
}

fn in_memory(rows: Vec<RecordBatch>) -> Result<SendableRecordBatchStream> {
    let schema = rows.first().map(RecordBatch::schema);
    let schema = schema.ok_or_else(|| Error::internal("records were replayed without rows"))?;
    let rows = stream::iter(rows.into_iter().map(Ok));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn empty(schema: arrow::datatypes::SchemaRef) -> SendableRecordBatchStream {
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty()))
}
