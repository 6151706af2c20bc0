//! The statements that run at this moment: who runs what, since when, and what has left. A query is
//! listed from the moment its ticket is redeemed until its last row is encoded or its reader is
//! gone; what is no longer listed holds nothing any more.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sluice_engine::error::Kind;
use sluice_engine::metrics::{Metrics, Outcome, RunningQuery};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

/// All running statements.
pub(crate) struct Queries {
    metrics: Arc<Metrics>,
    running: Mutex<HashMap<u64, Arc<Query>>>,
    next: AtomicU64,
}

/// One statement while it runs.
#[derive(Debug)]
pub(crate) struct Query {
    /// What the client's ticket calls it; one ticket may be redeemed several times at once.
    pub(crate) id: Uuid,
    /// Who runs it.
    pub(crate) principal: Arc<str>,
    /// The session it runs in.
    pub(crate) session: Uuid,
    started: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    cancelled: CancellationToken,
}

/// Keeps a statement listed.
#[derive(Debug)]
pub(crate) struct Listed {
    number: u64,
    query: Arc<Query>,
    queries: Arc<Queries>,
    /// `None` once it has ended.
    counted: Option<RunningQuery>,
}

impl fmt::Debug for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queries")
            .field("running", &self.count())
            .finish_non_exhaustive()
    }
}

impl Queries {
    /// None yet; those to come are counted in `metrics`.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            running: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// Lists a statement for as long as the result lives.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: Uuid,
        (principal, session): (&Arc<str>, Uuid),
    ) -> Listed {
        let query = Arc::new(Query {
            id,
            principal: Arc::clone(principal),
            session,
            started: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cancelled: CancellationToken::new(),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(number, Arc::clone(&query));
        Listed {
            number,
            query,
            queries: Arc::clone(self),
            counted: Some(self.metrics.query_started()),
        }
    }

    /// Cancels every run of the query `id`; gives how many there were.
    pub(crate) fn cancel(&self, id: Uuid) -> usize {
        let running = self.lock();
        let meant = running.values().filter(|query| query.id == id);
        meant.map(|query| query.cancelled.cancel()).count()
    }

    /// How many statements run.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Query>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// Counts what leaves.
    pub(crate) fn sent(&mut self, rows: usize, bytes: usize) {
        let (rows, bytes) = (rows as u64, bytes as u64);
        self.query.rows.fetch_add(rows, Ordering::Relaxed);
        self.query.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(counted) = &mut self.counted {
            counted.sent(rows, bytes);
        }
    }

    /// The statement has ended, with this error if with one. What is dropped instead was cancelled.
    pub(crate) fn ended(mut self, with: Option<Kind>) {
        let outcome = match with {
            None => Outcome::Succeeded,
            Some(Kind::Limit) => Outcome::Limited,
            Some(Kind::Cancelled) => Outcome::Cancelled,
            Some(_) => Outcome::Failed,
        };
        if let Some(counted) = self.counted.take() {
            counted.end(outcome);
        }
    }

    /// Says when the query is to end without its last rows.
    pub(crate) fn cancelled(&self) -> CancellationToken {
        self.query.cancelled.clone()
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.queries.lock().remove(&self.number);
        let Query {
            id,
            principal,
            session,
            started,
            rows,
            bytes,
            cancelled,
            ..
        } = self.query.as_ref();
        debug!(
            %id, %principal, %session,
            took = ?started.elapsed(),
            rows = rows.load(Ordering::Relaxed),
            bytes = bytes.load(Ordering::Relaxed),
            cancelled = cancelled.is_cancelled(),
            "statement ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_listed_while_it_runs_and_every_run_of_it_is_cancelled() {
        let queries = Arc::new(Queries::new(Arc::default()));
        let who: (&Arc<str>, Uuid) = (&"me".into(), Uuid::new_v4());
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        let runs = [id, id, other].map(|id| queries.begin(id, who));
        assert_eq!((queries.count(), queries.cancel(id)), (3, 2));
        assert_eq!(
            runs.each_ref().map(|run| run.cancelled().is_cancelled()),
            [true, true, false]
        );
        drop(runs);
        assert_eq!((queries.count(), queries.cancel(id)), (0, 0));
    }
}
