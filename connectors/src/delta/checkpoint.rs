//! Checkpoints: the log's sum so far in one file, so that opening a table reads few entries. They
//! are written beside commits and never by them, since a checkpoint that fails must not look like a
//! commit that failed.

use deltalake::checkpoints::create_checkpoint;
use sluice_engine::runtime;
use tracing::{debug, warn};

use super::store::Store;

/// Versions from one checkpoint to the next.
pub(super) const INTERVAL: u64 = 50;

/// Starts a checkpoint of `version` when the step there from `base` passed a multiple of
/// [`INTERVAL`].
pub(super) fn after_commit(store: &Store, base: u64, version: u64) {
    if base / INTERVAL == version / INTERVAL {
        return;
    }
    let store = store.clone();
    runtime::spawn(async move {
        let mut table = store.library();
        let written = match table.load_version(version).await {
            Ok(()) => create_checkpoint(&table, None).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => debug!(table = %store.name, version, "checkpoint written"),
            Err(error) => {
                warn!(table = %store.name, version, %error, "a checkpoint was not written");
            }
        }
    });
}
