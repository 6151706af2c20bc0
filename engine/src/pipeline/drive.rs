//! One reading of the stream, from opening it to an error or the end: poll, batch, commit,
//! acknowledge, and settle every change of partitions.
//!
//! While one cut is being committed the next one is read, never more: memory is bounded by two cuts
//! and what the stream itself holds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::{Error, Kind, Result};
use crate::pipeline::cut::Cut;
use crate::pipeline::positions::{Positions, Taken};
use crate::pipeline::runner::Runner;
use crate::pipeline::status::State;
use crate::runtime::{self, AbortOnDrop};
use crate::source::{Assigned, Event, Offered, Partition, Reader, Revoked};
use crate::table::CommitRange;

/// How long partitions that are given up in good order wait for what was read of them.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// How often the figures are brought up to date.
const OBSERVE_EVERY: Duration = Duration::from_secs(1);

/// One reading of the stream.
pub struct Drive<'a> {
    opened: &'a Runner,
    reader: Box<dyn Reader>,
    positions: Positions,
    cut: Cut,
    /// When the cut's first row is too old to wait.
    due: Option<Instant>,
    /// Where what waited at the assignment ends, of partitions that have not been read so far. The
    /// end of a backlog is committed as soon as it is read: whoever waits for it has waited enough.
    backlog: BTreeMap<Partition, i64>,
    in_flight: Option<InFlight>,
    progressed: bool,
}

impl fmt::Debug for Drive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

/// A commit under way.
struct InFlight {
    task: AbortOnDrop<Result<Vec<CommitRange>>>,
    partitions: Vec<Partition>,
}

impl<'a> Drive<'a> {
    /// A reading by `reader`.
    #[must_use]
    pub fn new(opened: &'a Runner, reader: Box<dyn Reader>) -> Self {
        Self {
            opened,
            reader,
            positions: Positions::default(),
            cut: Cut::default(),
            due: None,
            backlog: BTreeMap::new(),
            in_flight: None,
            progressed: false,
        }
    }

    /// Whether anything was committed.
    #[must_use]
    pub fn progressed(&self) -> bool {
        self.progressed
    }

    /// Reads until `stop`, the end of the stream, or an error.
    ///
    /// # Errors
    /// What ended the reading. What was read and not committed is read again by the next one.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<()> {
        let mut observe = interval(OBSERVE_EVERY);
        observe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (limits, running) = (self.opened.definition.limits, self.opened.running());
            let full = self.cut.is_full(limits, running);
            if full && self.in_flight.is_none() {
                self.start_commit();
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.settle().await,
                done = finished(&mut self.in_flight) => self.landed(done)?,
                () = until(self.due), if self.in_flight.is_none() => self.start_commit(),
                _ = observe.tick() => self.observe(),
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
                    self.due = Some(Instant::now() + self.opened.definition.max_latency);
                }
                if self.has_caught_up() {
                    self.due = Some(Instant::now());
                }
                Ok(())
            }
            Event::Assigned(assigned) => self.assigned(assigned).await,
            Event::Revoked(revoked) => self.revoked(revoked).await,
        }
    }

    /// Whether the last of the backlog has just been read.
    fn has_caught_up(&mut self) -> bool {
        if self.backlog.is_empty() {
            return false;
        }
        for (partition, next) in self.cut.next() {
            if self.backlog.get(partition).is_some_and(|end| next >= *end) {
                self.backlog.remove(partition);
            }
        }
        self.backlog.is_empty()
    }

    async fn assigned(&mut self, Assigned { offered, reply }: Assigned) -> Result<()> {
        let touched = |offer: &Offered| {
            let flying = self.in_flight.as_ref();
            self.cut.touches(&offer.partition)
                || flying.is_some_and(|commit| commit.partitions.contains(&offer.partition))
        };
        // What was read of them under an assignment before must be stored or refused first.
        if offered.iter().any(touched) {
            self.settle().await?;
        }
        let taken = match self.opened.committer.registration.check().await {
            Ok(()) => {
                self.positions
                    .take_over(self.opened.taker(), &offered)
                    .await
            }
            Err(error) => Err(error),
        };
        if let Ok(taken) = &taken {
            self.announce(&offered, taken);
            let places = offered.iter().zip(taken);
            let behind = places.filter(|(offer, taken)| taken.next < offer.high);
            self.backlog
                .extend(behind.map(|(offer, _)| (offer.partition.clone(), offer.high)));
        }
        let next = taken.map(|taken| taken.iter().map(|taken| taken.next).collect());
        // The reader ends with an error given here, which then comes out of `next`; a reader that
        // is gone has nothing to be told.
        let _gone = reply.send(next);
        Ok(())
    }

    fn announce(&self, offered: &[Offered], taken: &[Taken]) {
        let pipeline = &self.opened.committer.writer;
        for (offer, Taken { next, gap }) in offered.iter().zip(taken) {
            let partition = &offer.partition;
            info!(pipeline, %partition, position = next, "partition assigned");
            if *gap > 0 {
                warn!(pipeline, %partition, gap, "records were gone before they were read");
            }
        }
        let partitions = offered.iter().zip(taken);
        self.opened
            .committer
            .status
            .assigned(partitions.map(|(offer, taken)| {
                (offer.partition.clone(), taken.next, offer.high, taken.gap)
            }));
        self.show_state();
    }

    async fn revoked(&mut self, revoked: Revoked) -> Result<()> {
        let Revoked {
            partitions,
            lost,
            reply,
        } = revoked;
        let settled = if lost {
            // Somebody else reads them again from what is stored. A commit under way holds only if
            // nobody has moved their offsets.
            self.cut.give_up(&partitions)
        } else {
            self.settle_in_time().await
        };
        self.positions.forget(&partitions);
        self.backlog.retain(|of, _| !partitions.contains(of));
        self.opened.committer.status.forget(&partitions);
        let _gone = reply.send(());
        if lost {
            let pipeline = &self.opened.committer.writer;
            warn!(pipeline, partitions = %list(&partitions), "partitions lost to others");
        }
        self.show_state();
        match settled {
            // What was read of partitions that are left is gone, too, and must be read again.
            Err(error) if !self.positions.next().is_empty() => Err(error),
            Err(error) => {
                let pipeline = &self.opened.committer.writer;
                warn!(pipeline, %error, "partitions given up before their last rows were stored");
                (self.cut, self.due, self.in_flight) = (Cut::default(), None, None);
                Ok(())
            }
            Ok(()) => {
                if self.cut.is_empty() {
                    self.due = None;
                }
                Ok(())
            }
        }
    }

    async fn settle_in_time(&mut self) -> Result<()> {
        match timeout(SETTLE_MAX, self.settle()).await {
            Ok(settled) => settled,
            Err(_) => {
                // Ends the commit; if it lands all the same, the next owner finds its offsets.
                self.in_flight = None;
                Err(Error::unavailable(
                    "partitions were taken away before a slow commit was done",
                ))
            }
        }
    }

    /// Commits everything read so far and waits for it.
    async fn settle(&mut self) -> Result<()> {
        if self.in_flight.is_some() {
            let done = finished(&mut self.in_flight).await;
            self.landed(done)?;
        }
        if !self.cut.is_empty() {
            self.start_commit();
            let done = finished(&mut self.in_flight).await;
            self.landed(done)?;
        }
        Ok(())
    }

    fn start_commit(&mut self) {
        let cut = std::mem::take(&mut self.cut);
        self.due = None;
        let before = self.positions.clone();
        for (partition, to) in cut.next() {
            self.positions.advance(partition, to);
        }
        let partitions = cut.next().map(|(partition, _)| partition.clone()).collect();
        let committer = Arc::clone(&self.opened.committer);
        let task = AbortOnDrop(runtime::spawn(committer.commit(cut, before)));
        self.in_flight = Some(InFlight { task, partitions });
    }

    fn landed(&mut self, done: (Vec<Partition>, Result<Vec<CommitRange>>)) -> Result<()> {
        let (partitions, result) = done;
        let ranges = match result {
            Ok(ranges) => ranges,
            Err(error) => {
                let owned = |partition| self.positions.next().contains_key(partition);
                if error.kind() == Kind::Conflict && !partitions.iter().any(owned) {
                    let pipeline = &self.opened.committer.writer;
                    info!(pipeline, %error, "another process stored these partitions");
                    return Ok(());
                }
                return Err(error);
            }
        };
        self.progressed = true;
        for range in ranges.iter().filter(|range| range.rejected > 0) {
            if self.positions.next().contains_key(&range.partition) {
                self.positions
                    .dead_letters_stored(&range.partition, range.to);
            }
        }
        let next: Vec<(Partition, i64)> = ranges
            .into_iter()
            .map(|range| (range.partition, range.to))
            .collect();
        self.reader.acknowledge(&next);
        self.observe();
        Ok(())
    }

    fn observe(&self) {
        let read = self.positions.next().iter();
        let read = read.map(|(partition, next)| (partition, *next));
        let high = self.reader.high_watermarks();
        // A cut goes beyond what is being committed.
        let read = read.chain(self.cut.next());
        self.opened.committer.status.read(read, high);
    }

    fn show_state(&self) {
        let state = match self.positions.next().is_empty() {
            true => State::Idle,
            false => State::Running,
        };
        self.opened.committer.status.set(state, None);
    }
}

fn list(partitions: &[Partition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// Waits for the commit under way; for ever when there is none.
async fn finished(in_flight: &mut Option<InFlight>) -> (Vec<Partition>, Result<Vec<CommitRange>>) {
    let Some(InFlight { task, partitions }) = in_flight else {
        return std::future::pending().await;
    };
    let task: &mut JoinHandle<_> = &mut task.0;
    let result = task.await;
    let partitions = std::mem::take(partitions);
    *in_flight = None;
    let fault = |error| Error::internal("a commit met a fault inside Sluice").source(error);
    (partitions, result.map_err(fault).and_then(|result| result))
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
