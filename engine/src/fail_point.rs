//! Places where a test makes the process die or an operation fail: the moments between two steps of
//! a commit at which a crash must neither lose nor double a record. Builds with debug assertions
//! have them; in releases every place is passed.
//!
//! `SLUICE_FAIL_POINTS` says what happens where: `after_append=kill`, `before_append=error@3`,
//! `cut_decoded=delay:500`, several joined by `;`. `@n` means the n-th time alone; without it
//! `kill` is the first time, and `error` and `delay` are every time.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::config;
use crate::error::{Error, Result};

/// Every place, in the order in which a record passes them, and then those of maintenance.
pub const NAMES: [&str; 12] = [
    "before_seal",
    "during_transform",
    "before_dead_letters",
    "after_dead_letters",
    "during_upload",
    "before_commit",
    "after_commit",
    "before_acknowledge",
    "during_checkpoint",
    "during_log_cleanup",
    "during_compaction",
    "during_vacuum",
];

#[derive(Debug, Clone, Copy)]
enum Action {
    Kill,
    Error,
    Delay(Duration),
}

#[derive(Debug)]
struct Point {
    action: Action,
    /// The one time that it happens.
    only: Option<u64>,
    reached: u64,
}

/// Passes the place `name`, unless the environment says otherwise.
///
/// # Errors
/// [`crate::error::Kind::Unavailable`] when a test wants this place to fail.
pub async fn pass(name: &'static str) -> Result<()> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    debug_assert!(NAMES.contains(&name), "{name} is not among the fail points");
    match reach(name) {
        None => Ok(()),
        Some(Action::Kill) => {
            error!(name, "the process dies at a fail point");
            std::process::abort()
        }
        Some(Action::Error) => Err(Error::unavailable(format!("fail point {name}"))),
        Some(Action::Delay(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
    }
}

fn reach(name: &str) -> Option<Action> {
    static POINTS: OnceLock<Mutex<HashMap<String, Point>>> = OnceLock::new();
    let points = POINTS.get_or_init(|| Mutex::new(parse(&config::fail_points())));
    let mut points = points.lock().unwrap_or_else(PoisonError::into_inner);
    let point = points.get_mut(name)?;
    point.reached += 1;
    let happens = point.only.is_none_or(|only| only == point.reached);
    happens.then_some(point.action)
}

fn parse(text: &str) -> HashMap<String, Point> {
    let mut points = HashMap::new();
    for part in text.split(';').filter(|part| !part.trim().is_empty()) {
        match point(part.trim()) {
            Some((name, point)) => {
                points.insert(name, point);
            }
            None => error!(part, "SLUICE_FAIL_POINTS is not understood"),
        }
    }
    points
}

fn point(part: &str) -> Option<(String, Point)> {
    let (name, rest) = part.split_once('=')?;
    let (action, only) = match rest.split_once('@') {
        Some((action, only)) => (action, Some(only.parse().ok()?)),
        None => (rest, None),
    };
    let action = match action.split_once(':') {
        Some(("delay", ms)) => Action::Delay(Duration::from_millis(ms.parse().ok()?)),
        None if action == "kill" => Action::Kill,
        None if action == "error" => Action::Error,
        _ => return None,
    };
    let point = Point {
        action,
        only,
        reached: 0,
    };
    NAMES.contains(&name).then(|| (name.to_owned(), point))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_and_unknown_ones_left_out() {
        let points =
            parse("after_commit=kill@3; before_seal=delay:20;nowhere=kill;before_commit=x");
        assert_eq!(points.len(), 2);
        assert_eq!(points["after_commit"].only, Some(3));
        assert!(
            matches!(points["before_seal"].action, Action::Delay(time) if time.as_millis() == 20)
        );
    }
}
