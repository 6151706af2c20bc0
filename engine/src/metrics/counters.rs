//! What is counted as it happens. Recording is an atomic addition.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error;

/// Upper bounds of the histograms' buckets, in seconds.
pub(super) const BOUNDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0,
];

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With its last row.
    Succeeded,
    /// With an error.
    Failed,
    /// At a limit: its time, its memory.
    Limited,
    /// Because somebody stopped it, or its client went away.
    Cancelled,
}

impl Outcome {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 4] = [
        Self::Succeeded,
        Self::Failed,
        Self::Limited,
        Self::Cancelled,
    ];

    /// The outcome that an error of `kind` is.
    #[must_use]
    pub fn of(kind: error::Kind) -> Self {
        match kind {
            error::Kind::Limit => Self::Limited,
            error::Kind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }

    /// The word shown to operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Arrow Flight SQL.
    Flight,
    /// PostgreSQL's.
    Postgres,
}

impl Protocol {
    /// All, in the order of their numbers.
    pub(super) const ALL: [Self; 2] = [Self::Flight, Self::Postgres];

    /// The word shown to operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flight => "flight",
            Self::Postgres => "postgres",
        }
    }
}

/// The counters of a process.
pub struct Metrics {
    pub(super) queries: [AtomicU64; Outcome::ALL.len()],
    pub(super) running: AtomicU64,
    pub(super) query_seconds: Histogram,
    pub(super) first_batch_seconds: Histogram,
    pub(super) rows_sent: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) connections: [AtomicU64; Protocol::ALL.len()],
    pub(super) accepted: [AtomicU64; Protocol::ALL.len()],
    pub(super) logins_refused: AtomicU64,
    pub(super) sessions: AtomicU64,
    pub(super) statements: AtomicU64,
    /// Seconds since 1970.
    pub(super) started: f64,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Default for Metrics {
    /// Counters of a process that starts now.
    fn default() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            queries: Default::default(),
            running: AtomicU64::default(),
            query_seconds: Histogram::default(),
            first_batch_seconds: Histogram::default(),
            rows_sent: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            connections: Default::default(),
            accepted: Default::default(),
            logins_refused: AtomicU64::default(),
            sessions: AtomicU64::default(),
            statements: AtomicU64::default(),
            started: started.map_or(0.0, |since| since.as_secs_f64()),
        }
    }
}

impl Metrics {
    /// A statement starts; it ends with [`RunningQuery::end`], or as cancelled when it is dropped.
    #[must_use]
    pub fn query_started(self: &Arc<Self>) -> RunningQuery {
        RunningQuery {
            running: Counted::new(self, |metrics| &metrics.running),
            began: Instant::now(),
            silent: true,
            outcome: Outcome::Cancelled,
        }
    }

    /// A client's connection, for as long as the value lives.
    #[must_use]
    pub fn connection(self: &Arc<Self>, protocol: Protocol) -> Counted {
        match protocol {
            Protocol::Flight => {
                add(&self.accepted[0], 1);
                Counted::new(self, |metrics| &metrics.connections[0])
            }
            Protocol::Postgres => {
                add(&self.accepted[1], 1);
                Counted::new(self, |metrics| &metrics.connections[1])
            }
        }
    }

    /// A client's session, for as long as the value lives.
    #[must_use]
    pub fn session(self: &Arc<Self>) -> Counted {
        Counted::new(self, |metrics| &metrics.sessions)
    }

    /// A client's prepared statement, for as long as the value lives.
    #[must_use]
    pub fn statement(self: &Arc<Self>) -> Counted {
        Counted::new(self, |metrics| &metrics.statements)
    }

    /// Somebody was not let in.
    pub fn login_refused(&self) {
        add(&self.logins_refused, 1);
    }
}

/// One of something that is there for as long as this value lives.
pub struct Counted {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &AtomicU64,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl Counted {
    fn new(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &AtomicU64) -> Self {
        add(gauge(metrics), 1);
        Self {
            metrics: Arc::clone(metrics),
            gauge,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A statement that runs.
#[derive(Debug)]
pub struct RunningQuery {
    running: Counted,
    began: Instant,
    /// Nothing was sent yet.
    silent: bool,
    outcome: Outcome,
}

impl RunningQuery {
    /// Rows went to the client.
    pub fn sent(&mut self, rows: u64, bytes: u64) {
        let metrics = &self.running.metrics;
        if std::mem::take(&mut self.silent) {
            metrics.first_batch_seconds.observe(self.began.elapsed());
        }
        add(&metrics.rows_sent, rows);
        add(&metrics.bytes_sent, bytes);
    }

    /// The statement has ended.
    pub fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        let metrics = &self.running.metrics;
        add(&metrics.queries[self.outcome as usize], 1);
        metrics.query_seconds.observe(self.began.elapsed());
    }
}

/// Counts of durations below each of [`BOUNDS`].
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Each bound's own, then those above all bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            add(count, 1);
        }
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        add(&self.sum_us, us);
    }

    /// The sum in seconds, and how many observations each bucket has.
    pub(super) fn read(&self) -> (f64, Vec<u64>) {
        let sum = Duration::from_micros(get(&self.sum_us)).as_secs_f64();
        (sum, self.counts.iter().map(get).collect())
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The counter's value.
pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_counted_by_how_they_ended() {
        let metrics = Arc::new(Metrics::default());
        let mut one = metrics.query_started();
        let two = metrics.query_started();
        assert_eq!(get(&metrics.running), 2);
        one.sent(10, 1_000);
        one.sent(5, 500);
        one.end(Outcome::Succeeded);
        drop(two);
        metrics.query_started().end(Outcome::of(error::Kind::Limit));
        assert_eq!(get(&metrics.running), 0);
        assert_eq!(metrics.queries.each_ref().map(get), [1, 0, 1, 1]);
        assert_eq!(
            (get(&metrics.rows_sent), get(&metrics.bytes_sent)),
            (15, 1_500)
        );
        let counted = |histogram: &Histogram| histogram.read().1.iter().sum::<u64>();
        assert_eq!(counted(&metrics.query_seconds), 3);
        assert_eq!(counted(&metrics.first_batch_seconds), 1);
    }

    #[test]
    fn each_outcome_and_protocol_has_its_number() {
        for (number, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, number);
        }
        let metrics = Arc::new(Metrics::default());
        for (number, protocol) in Protocol::ALL.into_iter().enumerate() {
            let connection = metrics.connection(protocol);
            assert_eq!(get(&metrics.connections[number]), 1);
            drop(connection);
            assert_eq!(get(&metrics.connections[number]), 0);
            assert_eq!(get(&metrics.accepted[number]), 1);
        }
    }

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_is_not_below_it() {
        let histogram = Histogram::default();
        for ms in [1, 2, 700_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let (sum, counts) = histogram.read();
        assert!((sum - 700.003).abs() < 1e-6, "{sum}");
        assert_eq!((counts[0], counts[1], counts[BOUNDS.len()]), (1, 1, 1));
    }
}
