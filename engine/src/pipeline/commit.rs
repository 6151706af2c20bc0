//! Steps 4 to 6 for one cut: transform, dead letters first, then rows and offsets in one commit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::Utc;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{col, lit};
use futures::stream;

use crate::error::Result;
use crate::fail_point;
use crate::lineage;
use crate::pipeline::cut::Cut;
use crate::pipeline::dead_letters;
use crate::pipeline::dedup::Dedup;
use crate::pipeline::evolve::Evolution;
use crate::pipeline::isolate::{Isolated, Isolation};
use crate::pipeline::part::Part;
use crate::pipeline::positions::Positions;
use crate::pipeline::registration::Registration;
use crate::pipeline::status::SharedProgress;
use crate::pipeline::transform::Transform;
use crate::runtime::Cpu;
use crate::source::{Partition, Reject};
use crate::table::{Append, CommitRange, Table};

/// Rows that the query is run over at once, at most.
const SLICE_ROWS_MAX: usize = 8192;
/// And at first, as long as nobody knows how much the query makes of a row.
const SLICE_ROWS_FIRST: usize = 1024;
/// Bytes that one run should give.
const RUN_BYTES: usize = 32 << 20;

/// Partitions of the table at which a cut is committed in several parts: each is a file at least,
/// and a line of the commit.
const PARTITIONS_MAX: usize = 4096;

/// Everything that committing a cut takes, shared by the cuts of one pipeline.
#[derive(Debug)]
pub struct Committer {
    /// The pipeline's name; offsets are kept under it.
    pub writer: String,
    /// The target.
    pub table: Arc<dyn Table>,
    /// The target's dead letters.
    pub dead_letters: Arc<dyn Table>,
    /// What the target remembers of the pipeline.
    pub registration: Registration,
    /// The SELECT.
    pub transform: Arc<Transform>,
    /// Columns of undeclared keys, where the stream makes such.
    pub evolution: Option<Arc<Evolution>>,
    /// The column of the target that says when something happened.
    pub event_time: Option<String>,
    /// What leaves out repeats, where the pipeline does.
    pub dedup: Option<Dedup>,
    /// Bytes of rows at which a cut is committed in several parts.
    pub part_bytes_max: usize,
    /// Where the SELECT runs.
    pub cpu: Arc<Cpu>,
    /// The pipeline's figures.
    pub status: SharedProgress,
    /// How many rows a run takes.
    pub pace: Pace,
}

/// How many rows the query is run over at once: fewer, the more it makes of each.
#[derive(Debug)]
pub struct Pace(AtomicUsize);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(SLICE_ROWS_FIRST))
    }
}

impl Pace {
    fn rows(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn gave(&self, bytes: usize) {
        let rows = self.rows();
        let next = match bytes {
            much if much > RUN_BYTES => rows.saturating_mul(RUN_BYTES) / much,
            little if little < RUN_BYTES / 4 => rows * 2,
            _ => rows,
        };
        self.0
            .store(next.clamp(1, SLICE_ROWS_MAX), Ordering::Relaxed);
    }
}

impl Committer {
    /// Commits `cut` and gives what it committed. `positions` are those before the cut; what the
    /// dead-letter table has already is not written to it again.
    ///
    /// A query that makes much of little has its cut committed in several parts, each a range of
    /// every partition that continues the one before.
    ///
    /// # Errors
    /// What follows the last part committed is not in the target then, and its dead letters may be
    /// in theirs: reading again from the stored offsets loses and doubles neither.
    pub async fn commit(
        self: Arc<Self>,
        mut cut: Cut,
        mut positions: Positions,
    ) -> Result<Vec<CommitRange>> {
        fail_point::pass("before_seal").await?;
        self.registration.check_again().await?;
        let isolation = Isolation::begin(&self.transform, &self.table, &self.cpu).await?;
        let owned = positions.clone();
        let mut seen = match &self.dedup {
            Some(dedup) => Some((dedup, dedup.begin(&cut).await?)),
            None => None,
        };
        let (mut part, mut committed) = (Part::default(), Vec::new());
        loop {
            let batches = cut.take(self.pace.rows())?;
            if batches.is_empty() {
                break;
            }
            let mut isolated = isolation.run(&batches).await?;
            if let Some((dedup, memory)) = &mut seen {
                let made = (&isolation, batches.as_slice());
                isolated = dedup.apply(memory, made, isolated).await?;
            }
            let Isolated {
                rows,
                refused,
                redacted,
            } = isolated;
            fail_point::pass("during_transform").await?;
            for rows in &rows {
                part.partitions.extend(self.table.partitions_of(rows)?);
            }
            let before = part.bytes;
            for batch in batches {
                part.cover(batch);
            }
            part.fill(rows, refused, self.event_time.as_deref())?;
            part.redacted(redacted);
            self.pace.gave(part.bytes - before);
            if part.bytes >= self.part_bytes_max || part.partitions.len() >= PARTITIONS_MAX {
                let full = std::mem::take(&mut part);
                committed.extend(self.store(full, &mut positions).await?);
            }
        }
        if !part.is_empty() {
            committed.extend(self.store(part, &mut positions).await?);
        }
        if let Some((dedup, memory)) = seen {
            let owns = |topic: &str, index| {
                let mut owned = owned.next().keys();
                owned.any(|partition| partition.topic == topic && partition.index == index)
            };
            dedup.end(memory, owns);
        }
        fail_point::pass("before_acknowledge").await?;
        Ok(committed)
    }

    async fn store(&self, mut part: Part, positions: &mut Positions) -> Result<Vec<CommitRange>> {
        let ranges = part.commit_ranges()?;
        let rejects: Vec<&Reject> = part.rejects.iter().collect();
        self.commit_rejects(&rejects, &ranges, positions).await?;
        let mut rows = std::mem::take(&mut part.rows);
        let mut unfit = 0;
        if let Some(evolution) = &self.evolution {
            (rows, unfit) = evolution.apply(&self.cpu, rows).await?;
        }
        let target = self.transform.target();
        let schema = match rows.first() {
            Some(first) if first.num_columns() > target.fields().len() => first.schema(),
            _ => Arc::clone(target),
        };
        let redactions = std::mem::take(&mut part.redactions);
        let replaced: Vec<(String, u64)> = redactions
            .iter()
            .map(|line| (line.category.clone(), line.count))
            .collect();
        let append = Append {
            writer: self.writer.clone(),
            rows: batches(schema, rows),
            ranges: ranges.clone(),
            redactions,
        };
        let commit = self.table.append(append).await?;
        for range in ranges.iter().filter(|range| range.rejected > 0) {
            positions.dead_letters_stored(&range.partition, range.to);
        }
        let now_us = Utc::now().timestamp_micros();
        self.status.update(|progress| {
            progress.events += part.records();
            progress.rows += commit.rows;
            progress.bytes += part.bytes as u64;
            progress.commits += 1;
            for (category, count) in replaced {
                *progress.redactions.entry(category).or_default() += count;
            }
            progress.rejected += part.rejects.len() as u64;
            progress.version = Some(commit.version);
            progress.schema_conflicts += unfit;
            if let Some(oldest) = part.oldest_us {
                progress.freshness_ms = u64::try_from((now_us - oldest) / 1_000).ok();
            }
        });
        let last = part.last_us();
        self.status.committed(&ranges, now_us, |partition| {
            let key = (partition.topic.clone(), partition.index);
            last.get(&key).copied()
        });
        Ok(ranges)
    }

    /// Dead letters have offsets of their own, so that a crash between their commit and the rows'
    /// writes them once. Records below the stored offset are read again after a crash, and after
    /// a rewind or with another body too: those that are stored already are looked up.
    async fn commit_rejects(
        &self,
        rejects: &[&Reject],
        ranges: &[CommitRange],
        positions: &Positions,
    ) -> Result<()> {
        let mut fresh = Vec::new();
        let mut touched = Vec::new();
        for range in ranges.iter().filter(|range| range.rejected > 0) {
            let Partition { topic, index, .. } = &range.partition;
            let new_from = positions.dead_letters(&range.partition);
            let mine = rejects
                .iter()
                .copied()
                .filter(|reject| &reject.topic == topic && reject.partition == *index);
            let mine: Vec<&Reject> = mine.collect();
            let again = new_from.is_some_and(|new| mine.iter().any(|reject| reject.offset < new));
            let there = if again {
                self.stored(range).await?
            } else {
                BTreeSet::new()
            };
            let before = fresh.len();
            fresh.extend(
                mine.into_iter()
                    .filter(|reject| !there.contains(&reject.offset)),
            );
            let stored = (fresh.len() - before) as u64;
            let from = positions.dead_letters(&range.partition);
            let to = from.map_or(range.to, |from| from.max(range.to));
            let empty = CommitRange::empty(range.partition.clone(), from, to);
            touched.push(CommitRange { stored, ..empty });
        }
        if touched.is_empty() {
            return Ok(());
        }
        fail_point::pass("before_dead_letters").await?;
        let rows = dead_letters::rows(&fresh, &self.writer, Utc::now().timestamp_micros())?;
        let append = Append {
            writer: self.writer.clone(),
            rows: batches(dead_letters::schema(), vec![rows]),
            ranges: touched,
            redactions: Vec::new(),
        };
        self.dead_letters.append(append).await?;
        fail_point::pass("after_dead_letters").await
    }

    /// The offsets of `range` whose records this pipeline has in the dead letters.
    async fn stored(&self, range: &CommitRange) -> Result<BTreeSet<i64>> {
        let provider = self.dead_letters.provider().await?;
        let frame = self.transform.context().read_table(provider)?;
        let CommitRange {
            partition,
            from,
            to,
            ..
        } = range;
        let mine = col(lineage::TOPIC)
            .eq(lit(partition.topic.as_str()))
            .and(col(lineage::PARTITION).eq(lit(partition.index)))
            .and(col(lineage::OFFSET).gt_eq(lit(from.unwrap_or(0))))
            .and(col(lineage::OFFSET).lt(lit(*to)))
            .and(col("pipeline").eq(lit(self.writer.as_str())));
        let frame = frame.filter(mine)?.select_columns(&[lineage::OFFSET])?;
        let found = self
            .cpu
            .run(async move { Ok(frame.collect().await?) })
            .await?;
        Ok(read_offsets(&found))
    }
}

fn read_offsets(batches: &[RecordBatch]) -> BTreeSet<i64> {
    let columns = batches
        .iter()
        .filter_map(|batch| batch.columns().first()?.as_primitive_opt::<Int64Type>());
    columns
        .flat_map(|offsets| offsets.iter().flatten())
        .collect()
}

fn batches(schema: SchemaRef, rows: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let rows = stream::iter(rows.into_iter().map(Ok));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
