//! Where a pipeline stands in each partition it owns: read from the tables when a partition is
//! gained, moved on by its own commits, forgotten when it is lost.

use std::collections::BTreeMap;

use datafusion::physical_plan::EmptyRecordBatchStream;

use crate::error::{Error, Result};
use crate::pipeline::definition::Start;
use crate::source::{Offered, Partition};
use crate::table::{Append, CommitRange, Table};

/// The next offset of each owned partition, in the target and in its dead letters.
#[derive(Debug, Clone, Default)]
pub struct Positions {
    next: BTreeMap<Partition, i64>,
    dead_letters: BTreeMap<Partition, i64>,
}

impl Positions {
    /// The offset to read next of every owned partition.
    #[must_use]
    pub fn next(&self) -> &BTreeMap<Partition, i64> {
        &self.next
    }

    /// The offset that the dead-letter table has stored for `partition`.
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

    /// Takes over `offered`: reads their positions, and claims those that have none by committing
    /// where they start before the first record is read. Without the claim, a pipeline that starts
    /// at the newest record would skip what arrives between a crash and its restart.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] when a stored position is outside what the stream still
    /// has.
    pub async fn take_over(
        &mut self,
        writer: &str,
        tables: (&dyn Table, &dyn Table),
        offered: &[Offered],
        start: Option<Start>,
    ) -> Result<Vec<i64>> {
        let partitions: Vec<Partition> = offered.iter().map(|o| o.partition.clone()).collect();
        let stored = tables.0.offsets(writer, &partitions).await?;
        let rejected = tables.1.offsets(writer, &partitions).await?;
        // Partitions found later are read from their beginning: what arrived before they were
        // found is not old.
        let began = match stored.iter().any(Option::is_none) {
            true => tables
                .0
                .commits()
                .await?
                .iter()
                .any(|commit| commit.writer == writer),
            false => true,
        };
        let (mut positions, mut claims) = (Vec::new(), Vec::new());
        for (offer, stored) in offered.iter().zip(stored) {
            let begin = match start {
                _ if began => offer.low,
                Some(Start::Earliest) => offer.low,
                Some(Start::Latest) => offer.high,
                None => offer.start,
            };
            match stored {
                Some(position) => positions.push(check_extent(offer, position)?),
                None => {
                    positions.push(begin);
                    claims.push(claim(&offer.partition, begin));
                }
            }
        }
        if !claims.is_empty() {
            let schema = tables.0.schema().await?;
            let rows = Box::pin(EmptyRecordBatchStream::new(schema));
            let append = Append {
                writer: writer.to_owned(),
                rows,
                ranges: claims,
            };
            tables.0.append(append).await?;
        }
        for ((partition, position), dead) in partitions.into_iter().zip(&positions).zip(rejected) {
            if let Some(dead) = dead {
                self.dead_letters.insert(partition.clone(), dead);
            }
            self.next.insert(partition, *position);
        }
        Ok(positions)
    }
}

fn claim(partition: &Partition, to: i64) -> CommitRange {
    let partition = partition.clone();
    CommitRange {
        partition,
        from: None,
        to,
        stored: 0,
        rejected: 0,
        filtered: 0,
        missing: 0,
    }
}

/// A position outside the stream means that records are gone, or that this is another stream.
fn check_extent(offer: &Offered, position: i64) -> Result<i64> {
    let Offered {
        partition,
        low,
        high,
        ..
    } = offer;
    if position < *low {
        let gone = low - position;
        return Err(Error::conflict(format!(
            "{gone} records of {partition} are gone: offset {position} comes next and the oldest \
             left is {low}"
        ))
        .hint(
            "the stream's retention is shorter than the pause; lengthen it, or make a pipeline of \
             another name",
        ));
    }
    if position > *high {
        return Err(Error::conflict(format!(
            "{partition} ends at offset {high} and offset {position} comes next"
        ))
        .hint(
            "the stream was truncated or made anew; make a pipeline of another name to read it",
        ));
    }
    Ok(position)
}
