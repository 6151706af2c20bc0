//! Care for a pipeline's tables while it runs: checkpoints, a short log, few and large files, no
//! files that nobody needs. One process of all that run the pipeline does it, the one that reads
//! the first partition; should two believe they are the one, the tables see to it that they do no
//! harm. Nothing here stops the pipeline, and what fails is tried again at its next time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::ledger;
use crate::table::{Compact, Maintained, Maintenance, Orphans, Table};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(10);
const TICK_MIN: Duration = Duration::from_millis(50);
/// What has a longer interval is done for the first time after this.
const FIRST: Duration = Duration::from_secs(600);
/// What files are kept for beyond the longest query: writers that have not committed yet.
const UNCOMMITTED: Duration = Duration::from_secs(3600);

/// One piece of work at a time in the whole process: it must not take the cores from ingest.
static TURN: Semaphore = Semaphore::const_new(1);

/// What a [`Caretaker`] asks of the pipeline whose table it looks after, and tells it.
pub trait Ward: Send + Sync {
    /// Whether this process is the one that cares: it reads partition 0 of the first topic.
    fn leads(&self) -> bool;

    /// Records in the stream that are not committed, of the partitions this process reads.
    fn lag(&self) -> u64;

    /// A piece of work on `table` failed, which the pipeline may show; it is logged already.
    fn failed(&self, table: &str, error: &Error);
}

/// Looks after one table. A pipeline has one for its target and one for its dead letters, and runs
/// [`Caretaker::run`] of both beside its own loop, in tasks that end with it.
pub struct Caretaker {
    /// The table's name.
    pub name: String,
    /// The table.
    pub table: Arc<dyn Table>,
    /// The pipeline.
    pub ward: Arc<dyn Ward>,
    /// What is done when.
    pub settings: config::Maintenance,
    /// How long a query may run: files it reads must outlive it.
    pub query_timeout: Duration,
}

impl std::fmt::Debug for Caretaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caretaker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The shortest time for which files that no version names are kept, when queries may run for
/// `query_timeout`.
#[must_use]
pub fn least_retention(query_timeout: Duration) -> Duration {
    UNCOMMITTED.saturating_add(query_timeout)
}

/// When each kind of work is due.
struct Schedule {
    checkpoint: Instant,
    compact: Instant,
    close: Instant,
    log: Instant,
    vacuum: Instant,
    /// The version that the newest checkpoint is of.
    checkpointed: Option<u64>,
    /// The version that was looked at for small files.
    compacted: Option<u64>,
}

impl Schedule {
    fn new(settings: &config::Maintenance) -> Self {
        let first = |interval: Duration| Instant::now() + interval.min(FIRST);
        Self {
            checkpoint: first(settings.checkpoint_interval),
            compact: first(settings.compact_interval),
            close: first(settings.closed_after),
            log: first(settings.log_interval),
            vacuum: first(settings.vacuum_interval),
            checkpointed: None,
            compacted: None,
        }
    }
}

impl Caretaker {
    /// Does what is due, until `stop`. Work under way is dropped then, which leaves the table as it
    /// was.
    pub async fn run(&self, stop: &CancellationToken) {
        if !self.settings.enabled {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.care() => {}
        }
    }

    async fn care(&self) {
        let settings = &self.settings;
        let shortest = settings.checkpoint_interval.min(settings.compact_interval);
        let tick = (shortest / 2).clamp(TICK_MIN, TICK);
        let mut schedule = Schedule::new(settings);
        loop {
            tokio::time::sleep(tick).await;
            if !self.ward.leads() {
                continue;
            }
            match self.table.version().await {
                Ok(version) => self.due(&mut schedule, version).await,
                Err(error) => self.note("look at", &error),
            }
        }
    }

    async fn due(&self, schedule: &mut Schedule, version: u64) {
        let settings = &self.settings;
        let behind = version.saturating_sub(schedule.checkpointed.unwrap_or(0));
        let late = Instant::now() >= schedule.checkpoint && schedule.checkpointed != Some(version);
        if behind >= settings.checkpoint_commits || late {
            let done = self.work("checkpoint", &Maintenance::Checkpoint).await;
            schedule.checkpoint = Instant::now() + settings.checkpoint_interval;
            if done {
                schedule.checkpointed = Some(version);
            }
        }
        // Whoever is behind needs the cores for catching up; files can wait.
        let idle = self.ward.lag() <= settings.compact_max_lag;
        let changed = schedule.compacted != Some(version);
        if idle && changed && Instant::now() >= schedule.compact {
            if self.work("compact", &self.hot()).await {
                schedule.compacted = Some(version);
            }
            schedule.compact = Instant::now() + settings.compact_interval;
        }
        if idle && Instant::now() >= schedule.close {
            self.work("close partitions", &self.cold()).await;
            schedule.close = Instant::now() + settings.closed_after;
        }
        if Instant::now() >= schedule.log {
            let retention = settings.log_retention;
            let clean = Maintenance::CleanLog { retention };
            self.work("clean the log", &clean).await;
            schedule.log = Instant::now() + settings.log_interval;
        }
        if Instant::now() >= schedule.vacuum {
            self.work("vacuum", &self.vacuum()).await;
            schedule.vacuum = Instant::now() + settings.vacuum_interval;
        }
    }

    fn hot(&self) -> Maintenance {
        Maintenance::Compact(Compact {
            target_bytes: Some(self.settings.compact_size.as_u64()),
            ..Compact::default()
        })
    }

    fn cold(&self) -> Maintenance {
        Maintenance::Compact(Compact {
            target_bytes: Some(self.settings.closed_size.as_u64()),
            closed_for: Some(self.settings.closed_after),
            ..Compact::default()
        })
    }

    fn vacuum(&self) -> Maintenance {
        let least = least_retention(self.query_timeout);
        Maintenance::Vacuum {
            retention: Some(self.settings.vacuum_retention.max(least)),
            dry_run: false,
            orphans: Orphans::Own,
        }
    }

    /// Does one piece of work, and says whether it was done.
    async fn work(&self, what: &'static str, work: &Maintenance) -> bool {
        let done = match TURN.acquire().await {
            Ok(_turn) => ledger::maintain(self.table.as_ref(), work).await,
            Err(_) => return false,
        };
        match done {
            Ok(done) => {
                self.tell(what, done);
                true
            }
            Err(error) => {
                self.note(what, &error);
                false
            }
        }
    }

    fn tell(&self, what: &'static str, done: Maintained) {
        if done == Maintained::default() {
            return;
        }
        let Maintained {
            version,
            files_added,
            files_removed,
            bytes_added,
            bytes_removed,
        } = done;
        let table = &self.name;
        info!(
            table,
            what, version, files_added, files_removed, bytes_added, bytes_removed, "maintained"
        );
    }

    fn note(&self, what: &'static str, error: &Error) {
        let table = &self.name;
        if error.kind() == Kind::Conflict {
            debug!(table, what, %error, "somebody else was first");
            return;
        }
        warn!(table, what, %error, "maintenance failed; it is tried again");
        self.ward.failed(table, error);
    }
}

/// Refuses a retention that is shorter than [`least_retention`].
///
/// # Errors
/// [`Kind::User`], saying how to insist.
pub fn check_retention(retention: Duration, query_timeout: Duration) -> Result<()> {
    let least = least_retention(query_timeout);
    if retention >= least {
        return Ok(());
    }
    let (given, least) = (
        humantime::format_duration(retention),
        humantime::format_duration(least),
    );
    Err(Error::user(format!(
        "a retention of {given} deletes files that queries read or writers are about to commit"
    ))
    .hint(format!(
        "give at least '{least}'; with force => true it is done all the same, when nobody else \
         uses the table"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_retention_is_refused_with_the_way_out() {
        let timeout = Duration::from_secs(600);
        assert!(check_retention(Duration::from_secs(4200), timeout).is_ok());
        let error = check_retention(Duration::from_secs(4199), timeout).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("1h 10m") && text.contains("force => true"),
            "{text}"
        );
    }
}
