//! Stopping statements: from another connection by a key that only the client and the server know,
//! by a time limit, and by the end of the server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::fault::Refusal;

/// The statements that run, by the keys that stop them.
#[derive(Debug, Default, Clone)]
pub(super) struct Keys(Arc<Mutex<HashMap<i32, Entry>>>);

#[derive(Debug)]
struct Entry {
    secret: i32,
    running: CancellationToken,
}

/// A connection's place among the keys; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Key {
    keys: Keys,
    /// Names the connection.
    pub(super) process: i32,
    /// Shows that a request to cancel comes from the client.
    pub(super) secret: i32,
}

impl Keys {
    fn entries(&self) -> MutexGuard<'_, HashMap<i32, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key for a new connection.
    pub(super) fn issue(&self) -> Key {
        let mut entries = self.entries();
        let mut process = 0;
        while process == 0 || entries.contains_key(&process) {
            process = rand::random_range(1..i32::MAX);
        }
        let secret = rand::random();
        let entry = Entry {
            secret,
            running: CancellationToken::new(),
        };
        entries.insert(process, entry);
        Key {
            keys: self.clone(),
            process,
            secret,
        }
    }

    /// Stops what the connection `process` runs, when `secret` is its own.
    pub(super) fn cancel(&self, process: i32, secret: i32) {
        if let Some(entry) = self.entries().get(&process) {
            let (given, own) = (secret.to_be_bytes(), entry.secret.to_be_bytes());
            if bool::from(given.ct_eq(&own)) {
                entry.running.cancel();
            }
        }
    }
}

impl Key {
    /// A statement begins; what was asked to be cancelled before is over.
    pub(super) fn begin(&self) -> CancellationToken {
        let running = CancellationToken::new();
        if let Some(entry) = self.keys.entries().get_mut(&self.process) {
            entry.running = running.clone();
        }
        running
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.keys.entries().remove(&self.process);
    }
}

/// What may stop a statement.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) cancelled: CancellationToken,
    pub(super) shutdown: CancellationToken,
    pub(super) deadline: Option<Instant>,
}

impl Stop {
    /// `limit` from here on, where there is one.
    pub(super) fn within(mut self, limit: Option<Duration>) -> Self {
        self.deadline = limit.map(|limit| Instant::now() + limit);
        self
    }

    /// Comes to its end when the statement is to stop.
    pub(super) async fn raised(&self) -> Refusal {
        let late = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.cancelled.cancelled() => {
                Refusal::new("57014", "canceling statement due to user request")
            }
            () = late => Refusal::new("57014", "canceling statement due to statement timeout")
                .hint("raise it with SET statement_timeout"),
            () = self.shutdown.cancelled() => {
                Refusal::fatal("57P01", "the server is ending").hint("connect again later")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_cancels_and_only_what_runs() {
        let keys = Keys::default();
        let key = keys.issue();
        let first = key.begin();
        keys.cancel(key.process, key.secret.wrapping_add(1));
        keys.cancel(key.process.wrapping_add(1), key.secret);
        assert!(!first.is_cancelled());
        keys.cancel(key.process, key.secret);
        assert!(first.is_cancelled());
        assert!(!key.begin().is_cancelled());
        drop(key);
        assert!(keys.entries().is_empty());
    }
}
