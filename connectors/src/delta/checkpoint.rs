//! Checkpoints: the log's sum so far in one file, so that opening a table reads few entries. They
//! are written beside commits and never by them, since a checkpoint that fails must not look like a
//! commit that failed.

use sluice_engine::runtime;
use sluice_engine::table::Maintenance;
use tracing::warn;

use super::maintain::maintain;
use super::store::Store;

/// Versions from one checkpoint to the next.
pub(super) const INTERVAL: u64 = 50;

/// Starts a checkpoint of the newest version when the step from `base` to `version` passed a
/// multiple of [`INTERVAL`].
pub(super) fn after_commit(store: &Store, base: u64, version: u64) {
    if base / INTERVAL == version / INTERVAL {
        return;
    }
    let store = store.clone();
    runtime::spawn(async move {
        if let Err(error) = maintain(&store, &Maintenance::Checkpoint).await {
            warn!(table = %store.name, version, %error, "a checkpoint was not written");
        }
    });
}
