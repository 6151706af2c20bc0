//! Vacuum: deletes files of the table's folder that no version names which may still be read. What
//! lies in the folder and is not the table's stays: other tables, files in other formats, and by
//! itself everything that Sluice did not name.
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
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use sluice_engine::error::Result;
use sluice_engine::fail_point;
use sluice_engine::table::{Maintained, Orphans};
use tracing::warn;

use super::select::object_path;
use super::staged::{self, LOG};
use crate::delta::fault;
use crate::delta::store::Store;

/// How far a vacuum goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Whether files are deleted, or only counted.
    pub(super) deletes: bool,
    /// Which files count that no commit ever named.
    pub(super) orphans: Orphans,
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
        Orphans::Kept => Vec::new(),
        wanted => data_files(store, wanted).await?,
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
    let mut done = delete(store, doomed, extent).await?;
    if extent.orphans != Orphans::Kept {
        let staged = staged::remove(store, cutoff, extent.deletes).await?;
        done.files_removed += staged.files_removed;
        done.bytes_removed += staged.bytes_removed;
    }
    Ok(done)
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

/// The files of rows in the folder, without those that are hidden from readers or another table's.
async fn data_files(store: &Store, wanted: Orphans) -> Result<Vec<ObjectMeta>> {
    let wrong = |error| fault::store(format!("list the files of \"{}\"", store.name), error);
    let files = store.files();
    let (mut found, mut tables) = (Vec::new(), HashSet::new());
    let mut listed = files.list(None);
    while let Some(meta) = listed.next().await {
        let meta = meta.map_err(wrong)?;
        if let Some(table) = inner_table(&meta.location) {
            tables.insert(table);
        } else if is_data(&meta.location, wanted) {
            found.push(meta);
        }
    }
    found.retain(|meta| !folders(&meta.location).any(|folder| tables.contains(folder)));
    Ok(found)
}

/// The folder of another table, below this one's, whose log `path` is in.
fn inner_table(path: &Path) -> Option<String> {
    let (folder, _) = path.as_ref().split_once(&format!("/{LOG}/"))?;
    Some(folder.to_owned())
}

/// The folders that `path` is in, below the table's.
fn folders(path: &Path) -> impl Iterator<Item = &str> {
    let path = path.as_ref();
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn is_data(path: &Path, wanted: Orphans) -> bool {
    // A partition column's name may begin with "_"; then its folders have a "=".
    let hidden = path.parts().any(|part| {
        let part = part.as_ref();
        part.starts_with('.') || (part.starts_with('_') && !part.contains('='))
    });
    let name = path.filename().unwrap_or_default();
    !hidden
        && match wanted {
            Orphans::Kept => false,
            Orphans::Own => is_own(name),
            Orphans::All => name.ends_with(".parquet"),
        }
}

/// Whether a file is called as ingest and compaction call theirs:
/// `part-00000-5f6c1f8e-54a5-4c3c-9d3b-0f6b8f2f6f5e-c000.zstd.parquet`.
fn is_own(name: &str) -> bool {
    let parts = || {
        let (number, rest) = name.strip_prefix("part-")?.split_once('-')?;
        let (id, chunk) = rest.split_at_checked(36)?;
        let chunk = chunk.strip_prefix("-c")?.strip_suffix(".zstd.parquet")?;
        Some((number, id, chunk))
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    parts().is_some_and(|(number, id, chunk)| {
        digits(number) && digits(chunk) && uuid::Uuid::try_parse(id).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_those_of_others() {
        let id = "5f6c1f8e-54a5-4c3c-9d3b-0f6b8f2f6f5e";
        assert!(is_own(&format!("part-00000-{id}-c000.zstd.parquet")));
        assert!(is_own(&format!("part-00012-{id}-c003.zstd.parquet")));
        for other in [
            format!("part-00000-{id}-c000.snappy.parquet"),
            format!("part-00000-{id}.c000.zstd.parquet"),
            format!("part-x-{id}-c000.zstd.parquet"),
            "part-00000-c000.zstd.parquet".to_owned(),
            "sales.parquet".to_owned(),
        ] {
            assert!(!is_own(&other), "{other}");
        }
    }

    #[test]
    fn tables_below_are_seen_by_their_logs() {
        let of = |path: &str| inner_table(&Path::from(path));
        assert_eq!(of("_delta_log/00000000000000000000.json"), None);
        assert_eq!(of("a/b/part.parquet"), None);
        let inner = of("a/b/_delta_log/00000000000000000000.json");
        assert_eq!(inner.as_deref(), Some("a/b"));
        let path = Path::from("a/b/c.parquet");
        assert_eq!(folders(&path).collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
