//! The loop of one pipeline: poll, batch, transform, append, acknowledge; back off after errors;
//! stop cleanly.
//!
//! While one cut is being committed the next one is read, never more: memory is bounded by two cuts
//! and what the stream itself holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::{Error, Result};
use crate::pipeline::commit::Committer;
use crate::pipeline::cut::Cut;
use crate::pipeline::definition::PipelineDefinition;
use crate::pipeline::positions::Positions;
use crate::pipeline::status::State;
use crate::runtime::{self, AbortOnDrop};
use crate::source::{Assigned, Event, Member, Partition, Reader, Revoked, Source};
use crate::table::CommitRange;

const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// A pipeline that ran this long before it failed starts its backoff anew.
const BACKOFF_RESET: Duration = Duration::from_secs(60);

/// One pipeline, opened.
#[derive(Debug)]
pub struct Runner {
    /// What it is.
    pub definition: PipelineDefinition,
    /// What it reads.
    pub source: Arc<dyn Source>,
    /// What tells this process from others that run the same pipeline.
    pub instance: String,
    /// What it writes.
    pub committer: Arc<Committer>,
}

type InFlight = AbortOnDrop<Result<Vec<CommitRange>>>;

/// One reading of the stream, from opening it to an error or the end.
struct Drive<'a> {
    runner: &'a Runner,
    reader: Box<dyn Reader>,
    positions: Positions,
    cut: Cut,
    /// When the cut's first row is too old to wait.
    due: Option<Instant>,
    in_flight: Option<InFlight>,
}

impl Runner {
    /// Runs until `stop`, and whatever happens tries again: what is committed says where to go on.
    pub async fn run(&self, stop: &CancellationToken) {
        let (name, status) = (&self.definition.name, &self.committer.status);
        let mut backoff = BACKOFF_MIN;
        while !stop.is_cancelled() {
            let began = Instant::now();
            status.update(|progress| progress.state = State::Starting);
            let error = match self.drive(stop).await {
                Ok(()) => break,
                Err(error) => error,
            };
            if began.elapsed() > BACKOFF_RESET {
                backoff = BACKOFF_MIN;
            }
            let wait = backoff;
            warn!(pipeline = name, error = %error, retry_in = ?wait, "pipeline failed");
            status.set(State::Retrying, Some(&error));
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        status.set(State::Stopped, None);
    }

    async fn drive(&self, stop: &CancellationToken) -> Result<()> {
        // Two tables fed by pipelines of one name must not share the stream's partitions.
        let Committer { writer, table, .. } = self.committer.as_ref();
        let group = format!("sluice-{writer}-{}", table.identity());
        let member = Member {
            group,
            instance: Some(self.instance.clone()),
        };
        let reader = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            reader = self.source.follow(&member) => reader?,
        };
        let mut drive = Drive {
            runner: self,
            reader,
            positions: Positions::default(),
            cut: Cut::default(),
            due: None,
            in_flight: None,
        };
        drive.run(stop).await
    }
}

impl Drive<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> Result<()> {
        loop {
            let full = self.cut.is_full(self.runner.definition.limits);
            if full && self.in_flight.is_none() {
                self.start_commit()?;
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.settle().await,
                done = finished(&mut self.in_flight) => self.committed(done?),
                () = until(self.due), if self.in_flight.is_none() => self.start_commit()?,
                event = self.reader.next(), if !full => match event? {
                    Some(event) => self.take(event).await?,
                    None => return self.settle().await,
                },
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Batch(batch) => {
                self.cut.push(batch, self.positions.next())?;
                if self.due.is_none() && !self.cut.is_empty() {
                    self.due = Some(Instant::now() + self.runner.definition.max_latency);
                }
                Ok(())
            }
            Event::Assigned(assigned) => self.assigned(assigned).await,
            Event::Revoked(revoked) => self.revoked(revoked).await,
        }
    }

    async fn assigned(&mut self, Assigned { offered, reply }: Assigned) -> Result<()> {
        self.settle().await?;
        let Committer {
            writer,
            table,
            dead_letters,
            status,
            ..
        } = self.runner.committer.as_ref();
        let tables = (table.as_ref(), dead_letters.as_ref());
        let start = self.runner.definition.start;
        let taken = self
            .positions
            .take_over(writer, tables, &offered, start)
            .await;
        if let Ok(positions) = &taken {
            for (offer, position) in offered.iter().zip(positions) {
                let partition = &offer.partition;
                info!(pipeline = writer, %partition, position, "partition assigned");
            }
            status.set(State::Running, None);
        }
        // The reader ends with this error, which then comes out of `next`; a reader that is gone
        // has nothing to be told.
        let _gone = reply.send(taken);
        Ok(())
    }

    async fn revoked(
        &mut self,
        Revoked {
            partitions,
            lost,
            reply,
        }: Revoked,
    ) -> Result<()> {
        if lost {
            // Somebody else may have committed beyond: a cut that mixes these with others cannot be
            // split, so all of it is read again.
            let _gone = reply.send(());
            let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            return Err(Error::conflict(format!(
                "partitions {names} went to another process"
            )));
        }
        let settled = self.settle().await;
        self.positions.forget(&partitions);
        let _gone = reply.send(());
        settled
    }

    /// Commits everything read so far and waits for it.
    async fn settle(&mut self) -> Result<()> {
        if self.in_flight.is_some() {
            let done = finished(&mut self.in_flight).await?;
            self.committed(done);
        }
        if !self.cut.is_empty() {
            self.start_commit()?;
            let done = finished(&mut self.in_flight).await?;
            self.committed(done);
        }
        Ok(())
    }

    fn start_commit(&mut self) -> Result<()> {
        let cut = std::mem::take(&mut self.cut);
        self.due = None;
        let before = self.positions.clone();
        for (partition, to) in cut.next() {
            self.positions.advance(partition, to);
        }
        let committer = Arc::clone(&self.runner.committer);
        self.in_flight = Some(AbortOnDrop(runtime::spawn(committer.commit(cut, before))));
        Ok(())
    }

    fn committed(&mut self, ranges: Vec<CommitRange>) {
        for range in ranges.iter().filter(|range| range.rejected > 0) {
            self.positions
                .dead_letters_stored(&range.partition, range.to);
        }
        let next: Vec<(Partition, i64)> = ranges
            .into_iter()
            .map(|range| (range.partition, range.to))
            .collect();
        self.reader.acknowledge(&next);
        let high = self.reader.high_watermarks();
        let lag = high.iter().filter_map(|(partition, high)| {
            let read = next
                .iter()
                .find(|(committed, _)| committed == partition)
                .map(|(_, to)| *to);
            let read = read.or_else(|| self.positions.next().get(partition).copied())?;
            u64::try_from(high - read).ok()
        });
        let lag = lag.sum();
        self.runner
            .committer
            .status
            .update(|progress| progress.lag = lag);
    }
}

/// Waits for the commit under way; for ever when there is none.
async fn finished(in_flight: &mut Option<InFlight>) -> Result<Vec<CommitRange>> {
    let Some(AbortOnDrop(task)) = in_flight else {
        return std::future::pending().await;
    };
    let task: &mut JoinHandle<_> = task;
    let result = task.await;
    *in_flight = None;
    result.map_err(|error| Error::internal("a commit met a fault inside Sluice").source(error))?
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
