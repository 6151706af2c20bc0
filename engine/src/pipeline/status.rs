//! What a pipeline says of itself while it runs: read by `SHOW PIPELINES`, `system.partitions` and
//! live lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::source::Partition;
use crate::table::CommitRange;

/// Where a pipeline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Defined, and not started by this process.
    #[default]
    Stopped,
    /// Opening its stream.
    Starting,
    /// Reading and committing, or waiting for records.
    Running,
    /// A member of its group that has no partition at the moment.
    Idle,
    /// Waiting to try again after an error.
    Retrying,
    /// Told to pause.
    Paused,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Idle,
        Self::Retrying,
        Self::Paused,
    ];

    /// The word shown to users.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
        }
    }
}

/// A pipeline's figures since this process started it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineProgress {
    /// The pipeline.
    pub pipeline: String,
    /// Where it stands.
    pub state: State,
    /// Records read and committed.
    pub events: u64,
    /// Rows committed.
    pub rows: u64,
    /// Bytes that they took in memory, about.
    pub bytes: u64,
    /// Commits.
    pub commits: u64,
    /// Findings that were replaced in them, by category.
    pub redactions: BTreeMap<String, u64>,
    /// Records in the dead letters.
    pub rejected: u64,
    /// Records in the stream that are not committed, of the partitions this process reads.
    pub lag: u64,
    /// Age of the oldest row of the newest commit with rows when it became visible, milliseconds.
    pub freshness_ms: Option<u64>,
    /// The newest version of the target that the pipeline made.
    pub version: Option<u64>,
    /// Values of undeclared keys that stayed in `_extra` because their column has another type.
    pub schema_conflicts: u64,
    /// The error it is waiting after.
    pub error: Option<String>,
    /// The last error it met, whether or not it got over it.
    pub last_error: Option<String>,
}

/// Where a pipeline stands in one partition that this process reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The pipeline.
    pub pipeline: String,
    /// The topic, its identity and the number of the partition.
    pub partition: Partition,
    /// The offset that the table says to read next.
    pub next_offset: i64,
    /// One past the last record read; those from `next_offset` on are not committed yet.
    pub read_offset: i64,
    /// One past the newest record in the stream, as last heard.
    pub high_watermark: Option<i64>,
    /// When its newest commit was made, microseconds since the epoch.
    pub last_committed_us: Option<i64>,
    /// When the last committed row was produced, microseconds since the epoch.
    pub kafka_ts_us: Option<i64>,
    /// Records in the dead letters since this process took the partition over.
    pub rejected: u64,
    /// Records that the stream had given up before they were read, likewise.
    pub gap: u64,
}

impl PartitionProgress {
    /// Records in the stream that are not committed.
    #[must_use]
    pub fn lag(&self) -> Option<u64> {
        let high = self.high_watermark?;
        Some(u64::try_from(high - self.next_offset).unwrap_or(0))
    }
}

/// Shared [`PipelineProgress`] and [`PartitionProgress`].
#[derive(Debug, Clone, Default)]
pub struct SharedProgress(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    progress: PipelineProgress,
    partitions: BTreeMap<Partition, PartitionProgress>,
}

impl SharedProgress {
    /// Figures of `pipeline`, all zero.
    #[must_use]
    pub fn new(pipeline: &str) -> Self {
        let status = Self::default();
        status.update(|progress| pipeline.clone_into(&mut progress.pipeline));
        status
    }

    /// The figures at this moment.
    #[must_use]
    pub fn get(&self) -> PipelineProgress {
        self.figures().progress.clone()
    }

    /// Where the partitions stand that this process reads.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionProgress> {
        self.figures().partitions.values().cloned().collect()
    }

    /// Whether this process reads the first partition of the first topic that it knows: of all
    /// processes that share a stream of one topic, one does.
    #[must_use]
    pub fn reads_first(&self) -> bool {
        let figures = self.figures();
        // Sorted by topic, identity and number.
        let first = figures.partitions.keys().next();
        let reads = figures.progress.state == State::Running;
        reads && first.is_some_and(|partition| partition.index == 0)
    }

    /// Changes the figures.
    pub fn update(&self, change: impl FnOnce(&mut PipelineProgress)) {
        change(&mut self.figures().progress);
    }

    /// Sets the state; an error is forgotten with it unless `error` says another.
    pub fn set(&self, state: State, error: Option<&Error>) {
        self.update(|progress| {
            progress.state = state;
            progress.error = error.map(ToString::to_string);
            if progress.error.is_some() {
                progress.last_error.clone_from(&progress.error);
            }
        });
    }

    /// Begins to follow partitions, of which records below `gap` more were given up.
    pub fn assigned(&self, taken: impl IntoIterator<Item = (Partition, i64, i64, u64)>) {
        let mut figures = self.figures();
        let pipeline = figures.progress.pipeline.clone();
        for (partition, next, high, gap) in taken {
            let progress = PartitionProgress {
                pipeline: pipeline.clone(),
                partition: partition.clone(),
                next_offset: next,
                read_offset: next,
                high_watermark: Some(high),
                last_committed_us: None,
                kafka_ts_us: None,
                rejected: 0,
                gap,
            };
            figures.partitions.insert(partition, progress);
        }
        figures.sum_lag();
    }

    /// Forgets partitions that somebody else reads.
    pub fn forget(&self, partitions: &[Partition]) {
        let mut figures = self.figures();
        for partition in partitions {
            figures.partitions.remove(partition);
        }
        figures.sum_lag();
    }

    /// Forgets all partitions.
    pub fn forget_all(&self) {
        let mut figures = self.figures();
        figures.partitions.clear();
        figures.sum_lag();
    }

    /// Notes how far partitions are read and where they end.
    pub fn read<'a>(
        &self,
        read: impl IntoIterator<Item = (&'a Partition, i64)>,
        high: impl IntoIterator<Item = (Partition, i64)>,
    ) {
        let mut figures = self.figures();
        for (partition, offset) in read {
            if let Some(progress) = figures.partitions.get_mut(partition) {
                progress.read_offset = offset;
            }
        }
        for (partition, offset) in high {
            if let Some(progress) = figures.partitions.get_mut(&partition) {
                progress.high_watermark = Some(offset);
            }
        }
        figures.sum_lag();
    }

    /// Notes a commit of `ranges` made at `at_us`; `last_us` gives when the last row of a topic and
    /// partition was produced.
    pub fn committed(
        &self,
        ranges: &[CommitRange],
        at_us: i64,
        last_us: impl Fn(&Partition) -> Option<i64>,
    ) {
        let mut figures = self.figures();
        for range in ranges {
            let Some(progress) = figures.partitions.get_mut(&range.partition) else {
                continue;
            };
            progress.next_offset = range.to;
            progress.read_offset = progress.read_offset.max(range.to);
            progress.last_committed_us = Some(at_us);
            progress.kafka_ts_us = last_us(&range.partition).or(progress.kafka_ts_us);
            progress.rejected += range.rejected;
            progress.gap += range.gap;
        }
        figures.sum_lag();
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    fn sum_lag(&mut self) {
        self.progress.lag = self
            .partitions
            .values()
            .filter_map(PartitionProgress::lag)
            .sum();
    }
}
