//! Checkpoints: the log's sum so far in one file, so that opening a table reads few entries. One
//! counts when its last bytes were read back, and `_last_checkpoint` never names one that is older
//! than another that counts.

use deltalake::checkpoints::create_checkpoint;
use object_store::ObjectStoreExt;
use sluice_engine::error::{Error, Result};
use sluice_engine::fail_point;
use sluice_engine::table::Maintained;
use tracing::warn;

use super::listing::{Hint, Listing, actions, hint, hint_path, set_hint};
use crate::delta::fault;
use crate::delta::store::Store;

/// Writes a checkpoint of the newest version, unless there is one that can be read.
pub(super) async fn write(store: &Store) -> Result<Maintained> {
    let what = || format!("write a checkpoint of table \"{}\"", store.name);
    let there = repaired(store).await?;
    let newest = there.entries.keys().next_back().copied().unwrap_or(0);
    if there.checkpoints.contains_key(&newest) {
        return Ok(Maintained::default());
    }
    let before = hint(store).await?;
    let mut table = store.library();
    let loaded = table.load().await;
    loaded.map_err(|error| fault::delta(what(), error))?;
    let Some(version) = table.version() else {
        return Err(Error::internal(format!("cannot {}", what())));
    };
    let written = create_checkpoint(&table, None).await;
    fail_point::pass("during_checkpoint").await?;
    let after = Listing::read(store).await?;
    let mut bytes = None;
    for part in after.checkpoints.get(&version).into_iter().flatten() {
        match actions(store, part).await? {
            Some(_) => bytes = Some(part.size),
            None => {
                warn!(table = %store.name, version, "a checkpoint was written and cannot be read");
                remove(store, &part.location).await?;
            }
        }
    }
    written.map_err(|error| fault::delta(what(), error))?;
    let Some(bytes) = bytes else {
        if let Some(before) = &before {
            set_hint(store, before).await?;
        }
        return Err(Error::unavailable(format!(
            "cannot {}: what was written cannot be read",
            what()
        )));
    };
    mend(store, hint(store).await?, &after).await?;
    Ok(Maintained {
        version: None,
        files_added: 1,
        bytes_added: bytes,
        ..Maintained::default()
    })
}

/// The log without checkpoints that cannot be read, as readers take the newest there is and fail:
/// they go where older ones and entries tell the same.
pub(super) async fn repaired(store: &Store) -> Result<Listing> {
    let mut there = Listing::read(store).await?;
    let good = there.readable(store, u64::MAX).await?;
    let first = good.map_or(0, |(version, _)| version + 1);
    let newest = there.entries.keys().next_back().copied().unwrap_or(0);
    let whole = (first..=newest).all(|version| there.entries.contains_key(&version));
    let bad: Vec<u64> = there
        .checkpoints
        .range(first..)
        .filter(|(_, parts)| parts.len() == 1)
        .map(|(version, _)| *version)
        .collect();
    for version in bad.into_iter().filter(|_| whole) {
        for part in there.checkpoints.remove(&version).unwrap_or_default() {
            warn!(table = %store.name, version, "a checkpoint that cannot be read is removed");
            remove(store, &part.location).await?;
        }
    }
    mend(store, hint(store).await?, &there).await?;
    Ok(there)
}

/// Makes the hint name the newest checkpoint that can be read, where it names an older one or one
/// that is gone.
async fn mend(store: &Store, hint: Option<Hint>, there: &Listing) -> Result<()> {
    let newest = there.readable(store, u64::MAX).await?;
    let version = newest.map(|(version, _)| version);
    // A checkpoint in parts counts for those who wrote it.
    let good = hint.as_ref().is_none_or(|hint| {
        Some(hint.version) == version
            || Some(hint.version) > version && there.checkpoints.contains_key(&hint.version)
    });
    match newest {
        Some(_) if good && hint.is_some() => Ok(()),
        Some((version, size)) => set_hint(store, &Hint::new(version, size)).await,
        None if good => Ok(()),
        None => remove(store, &hint_path(store)).await,
    }
}

async fn remove(store: &Store, path: &object_store::path::Path) -> Result<()> {
    match store.files().delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(fault::store(
            format!("remove a checkpoint of table \"{}\"", store.name),
            error,
        )),
    }
}
