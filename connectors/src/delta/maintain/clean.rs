//! Log clean-up: entries go that are old and that a checkpoint covers which was read back. What is
//! young stays, with all that it takes to read it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::table::config::TablePropertiesExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sluice_engine::error::{Error, Result};
use sluice_engine::fail_point;
use sluice_engine::table::Maintained;

use super::checkpoint::repaired;
use super::listing::Listing;
use crate::delta::fault;
use crate::delta::head::Head;
use crate::delta::store::Store;

/// Removes entries that are older than `retention` and not needed for any younger version.
pub(super) async fn clean(store: &Store, retention: Duration) -> Result<Maintained> {
    let log = repaired(store).await?;
    let retention = retention.max(own_retention(store).await?);
    let cutoff = chrono::Duration::from_std(retention)
        .ok()
        .and_then(|retention| Utc::now().checked_sub_signed(retention));
    // A retention from before the calendar began keeps everything.
    let Some(cutoff) = cutoff else {
        return Ok(Maintained::default());
    };
    let Some(first) = first_kept(&log, cutoff) else {
        return Ok(Maintained::default());
    };
    let Some((covered, _)) = log.readable(store, first).await? else {
        return Ok(Maintained::default());
    };
    check_whole(store, &log, covered)?;
    let entries = log.entries.range(..covered).map(|(_, meta)| meta);
    let checkpoints = log
        .checkpoints
        .range(..covered)
        .flat_map(|(_, parts)| parts);
    let mut done = Maintained::default();
    // Oldest first: what is left after a crash has no hole.
    for meta in checkpoints.chain(entries) {
        if meta.last_modified > cutoff {
            continue;
        }
        remove(store, &meta.location).await?;
        fail_point::pass("during_log_cleanup").await?;
        done.files_removed += 1;
        done.bytes_removed += meta.size;
    }
    Ok(done)
}

/// What the table itself asks for; nothing where it says nothing.
async fn own_retention(store: &Store) -> Result<Duration> {
    let head = Head::load(store).await?;
    let configuration = head.state().metadata().configuration();
    Ok(
        match configuration.contains_key("delta.logRetentionDuration") {
            true => head.state().table_config().log_retention_duration(),
            false => Duration::ZERO,
        },
    )
}

/// The oldest version that must stay readable: the one that was the newest at `cutoff`, as a reader
/// of that time may still be reading it.
fn first_kept(log: &Listing, cutoff: DateTime<Utc>) -> Option<u64> {
    let newest = *log.entries.keys().next_back()?;
    let young = log
        .entries
        .iter()
        .find(|(_, meta)| meta.last_modified >= cutoff);
    Some(match young {
        Some((version, _)) => version.saturating_sub(1),
        None => newest,
    })
}

/// Refuses a log that lacks an entry after the checkpoint: something is wrong with it already.
fn check_whole(store: &Store, log: &Listing, covered: u64) -> Result<()> {
    let newest = log.entries.keys().next_back().copied().unwrap_or(covered);
    let hole = (covered + 1..=newest).find(|version| !log.entries.contains_key(version));
    match hole {
        None => Ok(()),
        Some(version) => Err(Error::internal(format!(
            "the log of table \"{}\" lacks version {version}, so none of it was removed",
            store.name
        ))),
    }
}

async fn remove(store: &Store, path: &Path) -> Result<()> {
    match store.files().delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(fault::store(
            format!("clean the log of table \"{}\"", store.name),
            error,
        )),
    }
}
