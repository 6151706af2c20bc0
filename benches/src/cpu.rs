//! Time on the processor, of this process, this thread or another process, from `/proc`.

use std::time::{Duration, Instant};

/// One tick of `/proc/*/stat`: `USER_HZ`, which Linux fixes at a hundred a second.
const TICK: Duration = Duration::from_millis(10);

/// What this process has used, all threads together, those that have ended too.
#[must_use]
pub fn process() -> Duration {
    of("self")
}

/// What another process has used; zero when there is none.
#[must_use]
pub fn of(pid: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything; user and system time are fields 14 and 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// What the calling thread has used.
#[must_use]
pub fn thread() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// What a piece of work took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// From begin to end.
    pub wall: Duration,
    /// On the processor, all threads of this process.
    pub cpu: Duration,
    /// Of which in the thread that asked.
    pub own: Duration,
}

/// A running measurement.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    cpu: Duration,
    own: Duration,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        let (cpu, own) = (process(), thread());
        let began = Instant::now();
        Self { began, cpu, own }
    }

    /// What was taken since the start; [`Taken::own`] means something in the same thread only.
    #[must_use]
    pub fn stop(&self) -> Taken {
        Taken {
            wall: self.began.elapsed(),
            cpu: process().saturating_sub(self.cpu),
            own: thread().saturating_sub(self.own),
        }
    }
}

/// Nanoseconds for each of `events`.
#[must_use]
pub fn each(time: Duration, events: u64) -> f64 {
    time.as_secs_f64() * 1e9 / events as f64
}
