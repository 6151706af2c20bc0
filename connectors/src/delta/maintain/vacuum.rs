//! Vacuum: deletes files of the table's folder that no version names which may still be read.
//!
//! A file that is being written, or is written and not committed yet, is told from one that was
//! left over by its age alone: whoever chooses the retention chooses how long a writer may take.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::DeltaTableConfig;
use deltalake::table::config::TablePropertiesExt;
use deltalake::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_engine::error::Result;
use sluice_engine::fail_point;
use sluice_engine::table::Maintained;
use tracing::warn;

use super::select::object_path;
use crate::delta::fault;
use crate::delta::store::Store;

/// How far a vacuum goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Whether files are deleted, or only counted.
    pub(super) deletes: bool,
    /// Whether files count that no commit ever named.
    pub(super) orphans: bool,
}

/// Deletes files, or counts those it would delete.
pub(super) async fn vacuum(
    store: &Store,
    retention: Option<Duration>,
    extent: Extent,
) -> Result<Maintained> {
    let what = || format!("vacuum table \"{}\"", store.name);
    let wrong = |error| fault::delta(what(), error);
    // Listed before the version is read: what is committed in between is in the version.
    let mut orphans = match extent.orphans {
        true => data_files(store).await?,
        false => Vec::new(),
    };
    let state = DeltaTableState::try_new(&store.log, DeltaTableConfig::default(), None)
        .await
        .map_err(wrong)?;
    let remembered = state.table_config().deleted_file_retention_duration();
    let retention = retention.unwrap_or(remembered);
    if retention > remembered && !orphans.is_empty() {
        let table = &store.name;
        warn!(%table, ?retention, "orphans are left: the log forgets removals sooner");
        orphans.clear();
    }
    let cutoff = chrono::Duration::from_std(retention)
        .ok()
        .and_then(|retention| Utc::now().checked_sub_signed(retention));
    let Some(cutoff) = cutoff else {
        return Ok(Maintained::default());
    };
    let mut keep: HashSet<Path> = state
        .log_data()
        .iter()
        .map(|file| object_path(&file.path()))
        .collect();
    let mut doomed = Vec::new();
    let mut tombstones = state.all_tombstones(store.log.as_ref());
    while let Some(tombstone) = tombstones.try_next().await.map_err(wrong)? {
        let path = object_path(&tombstone.path());
        let deleted = tombstone
            .deletion_timestamp()
            .and_then(DateTime::from_timestamp_millis);
        // Without a time nobody knows how old it is; its file's own age decides, if at all.
        if deleted.is_some_and(|deleted| deleted < cutoff) {
            let size = tombstone.size().and_then(|size| u64::try_from(size).ok());
            doomed.push((path, size.unwrap_or(0)));
        } else if deleted.is_some() {
            keep.insert(path);
        }
    }
    doomed.retain(|(path, _)| !keep.contains(path));
    let known: HashSet<Path> = doomed.iter().map(|(path, _)| path.clone()).collect();
    let old = orphans
        .into_iter()
        .filter(|meta| meta.last_modified < cutoff);
    let unknown =
        old.filter(|meta| !keep.contains(&meta.location) && !known.contains(&meta.location));
    doomed.extend(unknown.map(|meta| (meta.location, meta.size)));
    delete(store, doomed, extent).await
}

async fn delete(store: &Store, doomed: Vec<(Path, u64)>, extent: Extent) -> Result<Maintained> {
    let files = store.files();
    let mut done = Maintained::default();
    for (path, size) in doomed {
        let there = match extent.deletes {
            true => files.delete(&path).await,
            false => files.head(&path).await.map(drop),
        };
        match there {
            Ok(()) => {
                done.files_removed += 1;
                done.bytes_removed += size;
            }
            // An earlier vacuum was there.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                let what = format!("vacuum table \"{}\"", store.name);
                return Err(fault::store(what, error));
            }
        }
        fail_point::pass("during_vacuum").await?;
    }
    Ok(done)
}

/// Everything in the folder but the log and what is hidden from readers.
async fn data_files(store: &Store) -> Result<Vec<object_store::ObjectMeta>> {
    let wrong = |error| fault::store(format!("list the files of \"{}\"", store.name), error);
    let files = store.files();
    let mut found = Vec::new();
    let mut listed = files.list(None);
    while let Some(meta) = listed.next().await {
        let meta = meta.map_err(wrong)?;
        // A partition column's name may begin with "_"; then its folders have a "=".
        let hidden = meta.location.parts().any(|part| {
            let part = part.as_ref();
            part.starts_with('.') || (part.starts_with('_') && !part.contains('='))
        });
        if !hidden {
            found.push(meta);
        }
    }
    Ok(found)
}
