//! Where a pipeline stands in each partition it owns: read from the tables when a partition is
//! gained, moved on by its own commits, forgotten when it is lost.

use std::collections::BTreeMap;

use chrono::Utc;
use datafusion::physical_plan::EmptyRecordBatchStream;

use crate::error::{Error, Kind, Result};
use crate::pipeline::definition::{OnGap, Start};
use crate::source::{Offered, Partition};
use crate::statement::quote;
use crate::table::{Append, Commit, CommitRange, Table};

/// What is stored in the place of an offset once its partition goes on under another identity: it
/// is not read under the old one again, and not taken over from there again.
pub const MOVED: i64 = -1;

/// How often partitions are claimed while others commit in between.
const ATTEMPTS: u32 = 8;
/// Partitions found this long after a pipeline began are new to the stream.
const BEGINNING_US: i64 = 60_000_000;

/// The next offset of each owned partition, in the target and in its dead letters.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    next: BTreeMap<Partition, i64>,
    dead_letters: BTreeMap<Partition, i64>,
}

/// Who takes partitions over, and how it begins.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    /// The pipeline.
    pub writer: &'a str,
    /// The target.
    pub table: &'a dyn Table,
    /// The target's dead letters.
    pub dead_letters: &'a dyn Table,
    /// Where to begin where no position is stored; `None` leaves it to the stream.
    pub start: Option<Start>,
    /// What to do about records that are gone.
    pub on_gap: OnGap,
}

/// One partition taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The offset to read next.
    pub next: i64,
    /// Records before it that were recorded as gone.
    pub gap: u64,
}

/// What is to be done before partitions are read.
struct Plan {
    /// One step for each of them.
    steps: Vec<Step>,
    /// What ends the positions under identities that they had.
    moved: Vec<CommitRange>,
}

/// What is to be committed for one partition before it is read.
enum Step {
    Read(i64),
    Commit(CommitRange),
}

impl Positions {
    /// The offset to read next of every owned partition.
    #[must_use]
    pub fn next(&self) -> &BTreeMap<Partition, i64> {
        &self.next
    }

    /// The offset that the dead-letter table has stored for `partition`: dead letters there and
    /// beyond are certainly not stored yet.
    #[must_use]
    pub fn dead_letters(&self, partition: &Partition) -> Option<i64> {
        self.dead_letters.get(partition).copied()
    }

    /// Moves on over a cut that is being committed.
    pub fn advance(&mut self, partition: &Partition, to: i64) {
        self.next.insert(partition.clone(), to);
    }

    /// Notes that the dead letters of `partition` below `to` are stored.
    pub fn dead_letters_stored(&mut self, partition: &Partition, to: i64) {
        let stored = self.dead_letters.entry(partition.clone()).or_insert(to);
        *stored = to.max(*stored);
    }

    /// Forgets partitions that somebody else reads.
    pub fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.next.remove(partition);
            self.dead_letters.remove(partition);
        }
    }

    /// Takes over `offered`: reads their positions, and commits before the first record is read
    /// what must be known of them: where those begin that have no position, so that a pipeline that
    /// starts at the newest record skips nothing between a crash and its restart; which records are
    /// gone; which identity a partition has now.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when a stored position is outside what the stream still has.
    pub async fn take_over(&mut self, taker: Taker<'_>, offered: &[Offered]) -> Result<Vec<Taken>> {
        let mut gaps = vec![0; offered.len()];
        for _ in 0..ATTEMPTS {
            let Plan { steps, moved } = taker.plan(offered).await?;
            let renamed = !moved.is_empty();
            let claims = steps.iter().filter_map(Step::range);
            let ranges: Vec<CommitRange> = claims.chain(moved).collect();
            if ranges.is_empty() {
                self.dead_letters_of(taker, offered).await?;
                return Ok(self.own(offered, &steps, &gaps));
            }
            let taken = match renamed {
                true => taker.move_dead_letters(offered).await,
                false => Ok(()),
            };
            let taken = match taken {
                Ok(()) => taker.store(taker.table, ranges).await,
                error => error,
            };
            match taken {
                Ok(()) => {
                    for (gap, step) in gaps.iter_mut().zip(&steps) {
                        *gap += step.range().map_or(0, |range| range.gap);
                    }
                }
                // Whoever was first: the newest version says how to go on.
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::conflict(format!(
            "others keep moving the offsets of pipeline \"{}\"",
            taker.writer
        ))
        .hint("another pipeline of this name writes to the same table; give one another name"))
    }

    fn own(&mut self, offered: &[Offered], steps: &[Step], gaps: &[u64]) -> Vec<Taken> {
        let mut taken = Vec::new();
        for ((offer, step), gap) in offered.iter().zip(steps).zip(gaps) {
            if let Step::Read(next) = step {
                self.next.insert(offer.partition.clone(), *next);
                taken.push(Taken {
                    next: *next,
                    gap: *gap,
                });
            }
        }
        taken
    }

    async fn dead_letters_of(&mut self, taker: Taker<'_>, offered: &[Offered]) -> Result<()> {
        let partitions: Vec<Partition> = offered.iter().map(|o| o.partition.clone()).collect();
        let stored = taker.dead_letters.offsets(taker.writer, &partitions);
        let stored = stored.await?;
        for (partition, stored) in partitions.into_iter().zip(stored) {
            match stored {
                Some(MOVED) => return Err(moved_on(&partition)),
                Some(stored) => {
                    self.dead_letters.insert(partition, stored);
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl Step {
    fn range(&self) -> Option<CommitRange> {
        match self {
            Self::Read(_) => None,
            Self::Commit(range) => Some(range.clone()),
        }
    }
}

impl Taker<'_> {
    /// What is to be done before `offered` are read.
    async fn plan(&self, offered: &[Offered]) -> Result<Plan> {
        let partitions: Vec<Partition> = offered.iter().map(|o| o.partition.clone()).collect();
        let stored = self.table.offsets(self.writer, &partitions).await?;
        let ended = |(_, stored): &(&Partition, &Option<i64>)| **stored == Some(MOVED);
        if let Some((partition, _)) = partitions.iter().zip(&stored).find(ended) {
            return Err(moved_on(partition));
        }
        let before = self.before(self.table, offered).await?;
        let fresh =
            |(stored, before): (&Option<i64>, &Option<i64>)| stored.is_none() && before.is_none();
        let unclaimed = stored.iter().zip(&before).any(fresh);
        let late = unclaimed && self.is_late(offered, &stored).await?;
        let (mut steps, mut moved) = (Vec::with_capacity(offered.len()), Vec::new());
        for ((offer, stored), before) in offered.iter().zip(stored).zip(before) {
            moved.extend(end(offer, before));
            steps.push(match (stored, before) {
                (Some(position), _) => self.go_on(offer, position)?,
                (None, Some(position)) => {
                    // Where the stored position cannot be read, this says why.
                    self.go_on(offer, position)?;
                    claim(offer, position)
                }
                (None, None) if late => claim(offer, offer.low),
                (None, None) => claim(offer, self.beginning(offer)),
            });
        }
        Ok(Plan { steps, moved })
    }

    /// What `table` stores under the identities that `offered` may have had, and that they have not
    /// been taken over from.
    async fn before(&self, table: &dyn Table, offered: &[Offered]) -> Result<Vec<Option<i64>>> {
        let renamed = |offer: &Offered| former(offer) != offer.partition;
        if !offered.iter().any(renamed) {
            return Ok(vec![None; offered.len()]);
        }
        let former: Vec<Partition> = offered.iter().map(former).collect();
        let stored = table.offsets(self.writer, &former).await?;
        let live =
            |(offer, at): (&Offered, Option<i64>)| at.filter(|at| *at != MOVED && renamed(offer));
        Ok(offered.iter().zip(stored).map(live).collect())
    }

    /// Makes the dead letters of partitions found under the identities that they have now. Their
    /// table comes first: under the old ones nobody would look for them.
    async fn move_dead_letters(&self, offered: &[Offered]) -> Result<()> {
        let partitions: Vec<Partition> = offered.iter().map(|o| o.partition.clone()).collect();
        let stored = self.dead_letters.offsets(self.writer, &partitions).await?;
        let before = self.before(self.dead_letters, offered).await?;
        let mut ranges = Vec::new();
        for ((offer, stored), before) in offered.iter().zip(stored).zip(before) {
            let Some(at) = before else { continue };
            let to = stored.map_or(at, |stored| stored.max(at));
            ranges.push(CommitRange::empty(offer.partition.clone(), stored, to));
            ranges.extend(end(offer, before));
        }
        match ranges.is_empty() {
            true => Ok(()),
            false => self.store(self.dead_letters, ranges).await,
        }
    }

    async fn store(&self, table: &dyn Table, ranges: Vec<CommitRange>) -> Result<()> {
        let rows = Box::pin(EmptyRecordBatchStream::new(table.schema().await?));
        let append = Append {
            writer: self.writer.to_owned(),
            rows,
            ranges,
            redactions: Vec::new(),
        };
        table.append(append).await.map(|_| ())
    }

    fn beginning(&self, offer: &Offered) -> i64 {
        match self.start {
            Some(Start::Earliest) => offer.low,
            Some(Start::Latest) => offer.high,
            None => offer.start,
        }
    }

    /// Whether the pipeline began long ago: partitions found later are read from their first
    /// record, as what arrived before they were found is not old.
    async fn is_late(&self, offered: &[Offered], stored: &[Option<i64>]) -> Result<bool> {
        if offered
            .iter()
            .all(|offer| self.beginning(offer) == offer.low)
        {
            return Ok(true);
        }
        let long_ago = Utc::now().timestamp_micros() - BEGINNING_US;
        let commits = self.table.commits().await?;
        let mut own = commits.iter().filter(|commit| commit.writer == self.writer);
        // The log of long ago may be gone; what a commit continues from, or the table stores, tells
        // of it.
        let continues = |commit: &Commit| commit.ranges.iter().any(|range| range.from.is_some());
        Ok(match own.next() {
            Some(first) => first.timestamp_us < long_ago || continues(first),
            None => match self.table.positions(self.writer).await {
                Ok(all) => !all.is_empty(),
                Err(error) if error.kind() == Kind::Unsupported => {
                    stored.iter().any(Option::is_some)
                }
                Err(error) => return Err(error),
            },
        })
    }

    /// A position outside the stream means that records are gone, or that this is another stream.
    fn go_on(&self, offer: &Offered, position: i64) -> Result<Step> {
        let Offered {
            partition,
            low,
            high,
            ..
        } = offer;
        if position > *high {
            let name = quote(self.writer);
            return Err(Error::conflict(format!(
                "{partition} ends at offset {high} and offset {position} comes next"
            ))
            .hint(format!(
                "the stream was truncated or made anew; if it was made anew, read it by a pipeline \
                 of another name; if it lost its last records, ALTER PIPELINE {name} REWIND TO \
                 OFFSET {high} goes on from its end, and reads other partitions again from that \
                 offset too"
            )));
        }
        if position >= *low {
            return Ok(Step::Read(position));
        }
        let gone = low - position;
        if self.on_gap == OnGap::Stop {
            return Err(Error::conflict(format!(
                "{gone} records of {partition} are gone: offset {position} comes next and the \
                 oldest left is {low}"
            ))
            .hint(
                "the stream's retention is shorter than the pause; lengthen it, and to go on \
                 CREATE OR REPLACE the pipeline WITH (on_gap = 'record'), or make one of another \
                 name",
            ));
        }
        let range = CommitRange::empty(partition.clone(), Some(position), *low);
        Ok(Step::Commit(CommitRange {
            gap: u64::try_from(gone).unwrap_or(0),
            ..range
        }))
    }
}

fn claim(offer: &Offered, to: i64) -> Step {
    Step::Commit(CommitRange::empty(offer.partition.clone(), None, to))
}

/// Ends the position `at` under the identity that the partition had.
fn end(offer: &Offered, at: Option<i64>) -> Option<CommitRange> {
    at.map(|at| CommitRange::empty(former(offer), Some(at), MOVED))
}

fn moved_on(partition: &Partition) -> Error {
    let Partition {
        topic, identity, ..
    } = partition;
    Error::conflict(format!(
        "{partition} was read on as a topic with an id, and is offered as \"{identity}\" without"
    ))
    .hint(format!(
        "a broker that knows no ids of topics has answered; upgrade it, or read topic \"{topic}\" \
         by a pipeline of another name"
    ))
}

/// The partition under the identity that it may have had.
fn former(offer: &Offered) -> Partition {
    let mut partition = offer.partition.clone();
    if let Some(identity) = &offer.formerly {
        partition.identity.clone_from(identity);
    }
    partition
}
