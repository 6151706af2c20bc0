//! The line on a terminal that says how long a statement has run and how many rows have come.

use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::exit::say;

/// Shorter statements get no line.
const SHOW_AFTER: Duration = Duration::from_secs(2);
/// How often the line changes.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// Back to the beginning of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// How far one statement is.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    next: Instant,
    terminal: bool,
    shown: bool,
    /// Rows so far.
    pub(crate) rows: u64,
}

impl Progress {
    /// Begins to count.
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        Self {
            started,
            next: started + SHOW_AFTER,
            terminal: stderr().is_terminal(),
            shown: false,
            rows: 0,
        }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for `work`, showing the line meanwhile where it is due.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        if !self.terminal {
            return work.await;
        }
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                output = &mut work => return output,
                () = sleep_until(self.next) => self.show(),
            }
        }
    }

    /// Takes the line away, so that other output has the terminal for itself.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            say(CLEAR);
        }
    }

    fn show(&mut self) {
        self.next = Instant::now() + SHOW_EVERY;
        self.shown = true;
        let (seconds, rows) = (self.elapsed().as_secs_f64(), count(self.rows));
        say(&format!(
            "{CLEAR}running for {seconds:.0} s, {rows} so far (Ctrl-C stops it)"
        ));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn count(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}
