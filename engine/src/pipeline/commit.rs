//! Steps 4 to 6 for one cut: transform, dead letters first, then rows and offsets in one commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::Utc;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{col, lit};
use futures::stream;

use crate::error::Result;
use crate::lineage;
use crate::pipeline::cut::Cut;
use crate::pipeline::dead_letters;
use crate::pipeline::positions::Positions;
use crate::pipeline::status::SharedProgress;
use crate::pipeline::transform::Transform;
use crate::runtime::Cpu;
use crate::source::{Partition, Reject};
use crate::table::{Append, CommitRange, Table};

/// Everything that committing a cut takes, shared by the cuts of one pipeline.
#[derive(Debug)]
pub struct Committer {
    /// The pipeline's name; offsets are kept under it.
    pub writer: String,
    /// The target.
    pub table: Arc<dyn Table>,
    /// The target's dead letters.
    pub dead_letters: Arc<dyn Table>,
    /// The SELECT.
    pub transform: Arc<Transform>,
    /// Where the SELECT runs.
    pub cpu: Arc<Cpu>,
    /// The pipeline's figures.
    pub status: SharedProgress,
}

impl Committer {
    /// Commits `cut` and gives what it committed. `positions` are those before
    /// the cut; what the dead-letter table has already is not written to it again.
    ///
    /// # Errors
    /// Nothing of the cut is in the target then, and its dead letters may be in theirs: reading
    /// again from the stored offsets loses and doubles neither.
    pub async fn commit(
        self: Arc<Self>,
        cut: Cut,
        positions: Positions,
    ) -> Result<Vec<CommitRange>> {
        let transform = Arc::clone(&self.transform);
        let rows = cut.rows.clone();
        let (rows, refused) = self
            .cpu
            .run(async move { dead_letters::run_isolating(&transform, rows).await })
            .await?;
        let ranges = cut.commit_ranges(&rows, &refused)?;
        let rejects: Vec<&Reject> = cut.rejects.iter().chain(&refused).collect();
        self.commit_rejects(&rejects, &ranges, &positions).await?;
        let schema = Arc::clone(self.transform.target());
        let (writer, stored) = (self.writer.clone(), ranges.clone());
        let rows = batches(schema, rows)?;
        let commit = self
            .table
            .append(Append {
                writer,
                rows,
                ranges: stored,
            })
            .await?;
        let now_us = Utc::now().timestamp_micros();
        self.status.update(|progress| {
            progress.events += cut.records();
            progress.rows += commit.rows;
            progress.rejected += rejects.len() as u64;
            progress.version = Some(commit.version);
            if let Some(oldest) = cut.oldest_us() {
                progress.freshness_ms = u64::try_from((now_us - oldest) / 1_000).ok();
            }
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
            let from = positions.dead_letters(&range.partition);
            let mine: Vec<&Reject> = rejects
                .iter()
                .copied()
                .filter(|reject| &reject.topic == topic && reject.partition == *index)
                .collect();
            let again = from.is_some_and(|from| mine.iter().any(|reject| reject.offset < from));
            let stored = if again {
                self.stored(range).await?
            } else {
                BTreeSet::new()
            };
            let mine = mine
                .into_iter()
                .filter(|reject| !stored.contains(&reject.offset));
            let before = fresh.len();
            fresh.extend(mine);
            let stored = (fresh.len() - before) as u64;
            let partition = range.partition.clone();
            let to = from.map_or(range.to, |from| from.max(range.to));
            let empty = CommitRange {
                partition,
                from,
                to,
                stored,
                rejected: 0,
                filtered: 0,
                missing: 0,
            };
            touched.push(empty);
        }
        if touched.is_empty() {
            return Ok(());
        }
        let rows = dead_letters::rows(&fresh, &self.writer, Utc::now().timestamp_micros())?;
        let rows = batches(dead_letters::schema(), vec![rows])?;
        let append = Append {
            writer: self.writer.clone(),
            rows,
            ranges: touched,
        };
        self.dead_letters.append(append).await.map(|_| ())
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

fn batches(schema: SchemaRef, rows: Vec<RecordBatch>) -> Result<SendableRecordBatchStream> {
    let rows = rows.into_iter().map(Ok);
    Ok(Box::pin(RecordBatchStreamAdapter::new(
        schema,
        stream::iter(rows),
    )))
}
