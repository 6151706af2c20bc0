//! Reading for ever as a member of a group: poll, decode, hand over, and settle every change of
//! partitions with the engine before the first or after the last record of it.
//!
//! Records come in batches from a queue of their own, everything else by `poll`. What is true of
//! both: an error about a partition ends what is taken of it, and the partition is read again from
//! where the reader stands; a batch is taken to its end, whatever has to be handed over meanwhile;
//! and nothing is handed over before what `poll` has to tell was heard.
//!
//! A member that does not poll loses its partitions. While the engine takes nothing for long, the
//! reader pauses what it reads and goes on polling.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{ClientContext, Message as _, Offset, TopicPartitionList};
use sluice_engine::source::{Event, Partition, Wanted};

use super::client::{Context, Rebalance, listed};
use super::contact::{Connection, cannot};
use super::held::Held;
use super::location::Topic;
use super::native::{Message, Records};
use super::record;
use super::trouble::{Meaning, made_anew};
use super::undecodable::{Probe, likeliest_first};
use crate::decode::{Chunk, Layout, Position};
use crate::handoff::{Lost, Opened, Outlet, Stop, wait_for};

/// How often to poll while the engine takes nothing.
const PAUSED: Duration = Duration::from_millis(100);
/// How long what others see of the reader may be old.
const PUBLISHED: Duration = Duration::from_millis(200);
/// How long librdkafka may keep records where nobody takes them.
const DIVERTED: Duration = Duration::from_millis(500);
/// How long a group may take before the engine hears that there is nothing to read yet.
const SETTLING: Duration = Duration::from_secs(5);
/// How long to wait for a record before hearing what else there is.
const DEAF: Duration = Duration::from_millis(20);
/// Records taken between two looks at anything else.
const BURST: usize = 256;
/// Bytes of records taken at once, as far as the last ones tell: librdkafka fetches others for
/// them.
const BURST_BYTES: usize = 4 << 20;
/// Errors in a row for which no cause is found, after which they are not passing ones.
const MISSED: u32 = 20;

/// A reader's thread.
struct Follower<'a> {
    records: Rc<Records<Context>>,
    link: Connection<'a>,
    outlet: &'a Outlet,
    chunk: Chunk,
    held: Held,
    wanted: Wanted,
    /// How many records make a batch of [`BURST_BYTES`].
    burst: usize,
    failures: Vec<Failure>,
    /// Errors for which no cause was found.
    missed: u32,
    /// When the reader was opened; `None` since the engine heard of partitions, or that there are
    /// none.
    silent: Option<Instant>,
    published: Instant,
    diverted: Instant,
}

/// An error of the client, and librdkafka's words about it.
struct Failure {
    error: KafkaError,
    said: Option<(Code, String)>,
}

/// Reads until nobody listens or the stream fails.
pub(super) fn follow(
    link: Connection<'_>,
    (layout, wanted): (&Layout, Wanted),
    opened: Opened,
) -> Result<(), Stop> {
    let topics: Vec<&str> = link
        .options
        .location
        .topics
        .iter()
        .map(Topic::text)
        .collect();
    let subscribed = link.client.subscribe(&topics);
    subscribed.map_err(|error| cannot("subscribe to a topic", &error))?;
    let records = Records::of(&link.client);
    let records = records.map_err(|error| cannot("read a topic", &error))?;
    opened.announce();
    let mut follower = Follower {
        records: Rc::new(records),
        outlet: link.outlet,
        link,
        chunk: Chunk::new(layout, wanted),
        held: Held::default(),
        wanted,
        burst: 1,
        failures: Vec::new(),
        missed: 0,
        silent: Some(Instant::now()),
        published: Instant::now(),
        diverted: Instant::now(),
    };
    loop {
        follower.turn()?;
    }
}

impl Follower<'_> {
    fn turn(&mut self) -> Result<(), Stop> {
        if self.outlet.is_closed() {
            return Err(Stop::Gone);
        }
        self.listen();
        self.take(self.chunk.patience().map_or(DEAF, |wait| wait.min(DEAF)))?;
        self.listen();
        self.link.check()?;
        self.mend();
        let missed = self.missed;
        for failure in mem::take(&mut self.failures) {
            self.failed(&failure)?;
            // Those of one batch may have one cause.
            self.missed = self.missed.min(missed + 1);
        }
        while let Some(change) = self.link.client.context().take_rebalance() {
            self.rebalance(change)?;
        }
        if self.silent.is_some_and(|since| since.elapsed() > SETTLING) {
            // A pattern that matches no topic joins no group.
            self.silent = None;
            self.hold(self.outlet.assigned(Vec::new()))??;
        }
        if self.chunk.is_full() || self.chunk.patience() == Some(Duration::ZERO) {
            self.flush()?;
        }
        if self.published.elapsed() > PUBLISHED {
            self.publish();
        }
        if self.diverted.elapsed() > DIVERTED {
            self.divert()?;
        }
        Ok(())
    }

    /// Takes a batch of records, and hands over what they make.
    fn take(&mut self, wait: Duration) -> Result<(), Stop> {
        let records = Rc::clone(&self.records);
        let mut largest = 0;
        for message in records.take(self.burst, wait) {
            if let Some(said) = message.error() {
                self.broken_off(&message, said);
                continue;
            }
            largest = largest.max(message.value().map_or(0, <[u8]>::len));
            if let Some(at) = self.held.find(&message) {
                record::take(&mut self.chunk, at, &message, self.wanted);
            }
            drop(message);
            if self.chunk.is_full() {
                self.flush()?;
            }
        }
        if let Some(fitting) = BURST_BYTES.checked_div(largest) {
            self.burst = fitting.clamp(1, BURST);
        }
        Ok(())
    }

    /// Nothing after the error may be taken: it may stand for records that did not come, and
    /// librdkafka counts it as a record that was taken.
    fn broken_off(&mut self, message: &Message<'_>, said: (Code, String)) {
        self.held.break_off(message);
        self.failures.push(Failure {
            error: KafkaError::MessageConsumption(said.0),
            said: Some(said),
        });
    }

    /// Hears everything that is no record and waits by now, however much it is.
    fn listen(&mut self) {
        for _ in 0..self.records.events() {
            // One event that is no record, or none.
            match self.link.client.poll(Duration::ZERO) {
                Some(Err(error)) => self.failures.push(Failure {
                    error,
                    said: self.link.client.context().trouble(),
                }),
                // It came before its partition was diverted, and those after it come elsewhere.
                Some(Ok(record)) => self.held.break_off_at(record.topic(), record.partition()),
                None => {}
            }
        }
    }

    /// Has partitions that were broken off read from where the reader stands.
    fn mend(&mut self) {
        let link = &self.link;
        self.held.mend(|at| link.go_back(at.partition(), at.next()));
    }

    /// What an error means, whatever librdkafka has said since.
    fn meaning(&self, failure: &Failure) -> Result<Meaning, Stop> {
        if let Some((code, reason)) = &failure.said {
            let context = self.link.client.context();
            context.error(KafkaError::Global(*code), reason);
        }
        self.link.meaning(&failure.error)
    }

    fn failed(&mut self, failure: &Failure) -> Result<(), Stop> {
        match self.meaning(failure)? {
            Meaning::Passing => Ok(()),
            Meaning::Undecodable(reason) => self.pass_undecodable(&reason),
            Meaning::OutOfRange(error) => {
                self.miss("an offset that is there is said to be none")?;
                let held: Vec<&Position> = self.held.iter().collect();
                self.link.go_on_within(&held, error)
            }
            Meaning::Final(error) => Err(error.into()),
        }
    }

    /// Looks for a batch that cannot be decoded where each partition stands, and goes on after it.
    fn pass_undecodable(&mut self, reason: &str) -> Result<(), Stop> {
        let probe = Probe::beside(&self.link);
        let mut held: Vec<&mut Position> = self.held.iter_mut().collect();
        likeliest_first(&mut held, reason, |at| at.next());
        for at in held {
            let Some(found) = probe.find(at)? else {
                continue;
            };
            found.reject(at, &mut self.chunk);
            let (partition, next) = (at.partition(), at.next());
            tracing::warn!(%partition, next, "passed over a batch: {reason}");
            self.missed = 0;
            return self.link.go_on(partition, next);
        }
        // It may have been passed over already, or have been harmed on its way only.
        tracing::debug!("no partition stands before a batch that cannot be decoded: {reason}");
        self.miss(reason)
    }

    /// Counts errors for which no cause was found; too many of them do not pass.
    fn miss(&mut self, reason: &str) -> Result<(), Stop> {
        self.missed += 1;
        if self.missed > MISSED {
            return Err(self.link.stopped(reason).into());
        }
        Ok(())
    }

    /// Sends what there is; where its partitions end is known before it arrives. A topic that was
    /// made anew is told of before its first record comes, though elsewhere.
    fn flush(&mut self) -> Result<(), Stop> {
        self.listen();
        self.link.check()?;
        if self.chunk.patience().is_some() {
            self.publish();
        }
        match self.chunk.finish()? {
            Some(batch) => self.hold(self.outlet.send(Event::Batch(batch)))?,
            None => Ok(()),
        }
    }

    /// Waits for the engine, and stays a member of the group however long that takes.
    fn hold<F: Future>(&mut self, future: F) -> Result<F::Output, Stop> {
        let mut future = pin!(future);
        if let Some(output) = wait_for(future.as_mut(), self.link.options.patience()) {
            return Ok(output);
        }
        self.hold_paused(future)
    }

    fn hold_paused<F: Future>(&mut self, mut future: Pin<&mut F>) -> Result<F::Output, Stop> {
        self.link.pause(&self.held.list())?;
        let mut doubt = None;
        let output = loop {
            if let Some(output) = wait_for(future.as_mut(), PAUSED) {
                break output;
            }
            if self.outlet.is_closed() {
                return Err(Stop::Gone);
            }
            self.listen();
            self.refuse();
            for failure in mem::take(&mut self.failures) {
                // A batch that cannot be decoded is fetched again afterwards.
                if let Meaning::OutOfRange(error) = self.meaning(&failure)? {
                    doubt = Some(error);
                }
            }
            self.link.check()?;
            let given_up = self.link.client.context().give_up(&self.link.client);
            given_up.map_err(|error| cannot("give up partitions", &error))?;
        };
        self.link.resume(&self.held.list())?;
        if let Some(error) = doubt {
            let held: Vec<&Position> = self.held.iter().collect();
            self.link.go_on_within(&held, error)?;
        }
        Ok(output)
    }

    /// Takes nothing of what comes while nothing is read.
    fn refuse(&mut self) {
        let records = Rc::clone(&self.records);
        for message in records.take(BURST, Duration::ZERO) {
            match message.error() {
                Some(said) => self.broken_off(&message, said),
                None => self.held.break_off(&message),
            }
        }
    }

    fn rebalance(&mut self, change: Rebalance) -> Result<(), Stop> {
        // What was read must be on its way before the change is.
        self.flush()?;
        match change {
            Rebalance::Assigned(list) => self.assigned(&list),
            Rebalance::Revoked(list, lost) => self.revoked(&list, lost),
            Rebalance::GivenUp(list) => {
                let partitions = self.held.of(&list);
                self.held.remove(&list);
                match partitions.is_empty() {
                    true => Ok(()),
                    false => self.hold(self.outlet.revoked(partitions, Lost::Already))?,
                }
            }
        }
    }

    fn assigned(&mut self, list: &[(String, i32)]) -> Result<(), Stop> {
        self.silent = None;
        let mut offsets = TopicPartitionList::with_capacity(list.len());
        // Without any the engine still hears that the group is complete without this member.
        if !list.is_empty() || self.held.is_empty() {
            let offered = self.link.offer(list)?;
            let partitions: Vec<Partition> = offered
                .iter()
                .map(|offer| offer.partition.clone())
                .collect();
            if let Some(other) = partitions.iter().find(|of| self.held.is_another(of)) {
                return Err(made_anew(&other.topic).into());
            }
            let next = self.hold(self.outlet.assigned(offered))??;
            for (partition, next) in partitions.into_iter().zip(next) {
                offsets
                    .add_partition_offset(&partition.topic, partition.index, Offset::Offset(next))
                    .map_err(|error| cannot("assign an offset", &error))?;
                self.held.insert(Position::new(partition, next));
            }
        }
        self.publish();
        self.divert()?;
        let assigned = self.link.client.incremental_assign(&offsets);
        Ok(assigned.map_err(|error| cannot("assign partitions", &error))?)
    }

    fn revoked(&mut self, list: &[(String, i32)], lost: Lost) -> Result<(), Stop> {
        let partitions = self.held.of(list);
        let mut given_up = false;
        if !partitions.is_empty() {
            let mut settled = pin!(self.outlet.revoked(partitions, lost));
            match wait_for(settled.as_mut(), self.link.options.patience()) {
                Some(done) => done?,
                None => {
                    // The group waits no longer; what the engine still does, the table refuses if
                    // it comes too late.
                    self.give_up(list)?;
                    given_up = true;
                    self.hold_paused(settled)??;
                }
            }
        }
        if !given_up {
            self.give_up(list)?;
        }
        if lost == Lost::Orderly {
            self.publish();
        }
        Ok(())
    }

    fn give_up(&mut self, list: &[(String, i32)]) -> Result<(), Stop> {
        self.held.remove(list);
        let given_up = self.link.client.incremental_unassign(&listed(list));
        Ok(given_up.map_err(|error| cannot("give up partitions", &error))?)
    }

    /// Has the records of every partition come to their queue, before they are fetched. librdkafka
    /// forgets it some time after a partition was given up, which may be after it was taken again.
    fn divert(&mut self) -> Result<(), Stop> {
        self.diverted = Instant::now();
        for of in self.held.iter().map(Position::partition) {
            let diverted = self.records.divert(&of.topic, of.index);
            diverted.map_err(|error| cannot("read a partition", &error))?;
        }
        Ok(())
    }

    /// Tells the engine where the partitions end, and others where the engine is.
    fn publish(&mut self) {
        self.published = Instant::now();
        let client = &self.link.client;
        let high = self.held.iter().map(|at| {
            let known = client
                .context()
                .high(at.partition())
                .unwrap_or_else(|| at.next());
            (at.partition().clone(), known.max(at.next()))
        });
        self.outlet.set_high(high.collect());
        let committed: BTreeMap<_, _> = self.outlet.take_committed().into_iter().collect();
        if committed.is_empty() {
            return;
        }
        let mut offsets = TopicPartitionList::with_capacity(committed.len());
        for (partition, next) in &committed {
            let offset = Offset::Offset(*next);
            if let Err(error) =
                offsets.add_partition_offset(&partition.topic, partition.index, offset)
            {
                tracing::debug!(%error, %partition, "an offset could not be listed");
            }
        }
        if let Err(error) = client.commit(&offsets, CommitMode::Async) {
            tracing::debug!(%error, "group offsets, kept for monitoring only, were not stored");
        }
    }
}
