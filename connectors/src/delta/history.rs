//! What the log says of past commits: the stamp that Sluice puts on its own, and the little that
//! can be told of those of others.

use deltalake::logstore::LogStoreRef;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use sluice_engine::error::{Error, Result};
use sluice_engine::table::{Commit, CommitRange};

use super::fault;
use super::store::Store;

/// The key of a [`Stamp`] in the commit's information.
pub(super) const KEY: &str = "sluice";

/// How many log entries are read at once.
const CONCURRENT_READS: usize = 16;

/// What Sluice writes beside the rows: who, how many, and which ranges they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stamp {
    /// An id of the proposal: finding it in the log means that the proposal landed.
    pub(super) commit: String,
    /// As in [`Commit`].
    pub(super) writer: String,
    /// As in [`Commit`].
    pub(super) rows: u64,
    /// As in [`Commit`].
    pub(super) timestamp_us: i64,
    /// As in [`Commit`].
    pub(super) ranges: Vec<CommitRange>,
}

impl Stamp {
    /// The commit that this stamp is on.
    pub(super) fn into_commit(self, version: u64, operation: String) -> Commit {
        Commit {
            version,
            timestamp_us: self.timestamp_us,
            writer: self.writer,
            rows: self.rows,
            ranges: self.ranges,
            operation,
        }
    }
}

/// One entry of the log.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place in the log.
    pub(super) version: u64,
    /// Present on commits that Sluice made.
    pub(super) stamp: Option<Stamp>,
    /// Positions it stores, by application id.
    pub(super) positions: Vec<(String, i64)>,
    timestamp_us: Option<i64>,
    operation: String,
    added: u64,
}

impl Entry {
    /// Reads entry `version`; `None` when the log has none, or no longer.
    pub(super) async fn read(store: &Store, version: u64) -> Result<Option<Self>> {
        let wrong = |error| fault::delta(what(store, version), error);
        let bytes = store.log.read_commit_entry(version).await.map_err(wrong)?;
        bytes.map(|bytes| parse(store, version, &bytes)).transpose()
    }

    fn into_commit(self, modified_us: i64) -> Commit {
        match self.stamp {
            Some(stamp) => stamp.into_commit(self.version, self.operation),
            None => Commit {
                version: self.version,
                timestamp_us: self.timestamp_us.unwrap_or(modified_us),
                writer: String::new(),
                rows: self.added,
                ranges: Vec::new(),
                operation: self.operation,
            },
        }
    }
}

/// Every commit that the log still holds, oldest first.
pub(super) async fn commits(store: &Store) -> Result<Vec<Commit>> {
    let mut listed = versions(store).await?;
    listed.sort_unstable();
    futures::stream::iter(listed)
        .map(|(version, modified_us)| async move {
            let entry = Entry::read(store, version).await?;
            Ok(entry.map(|entry| entry.into_commit(modified_us)))
        })
        .buffered(CONCURRENT_READS)
        .try_filter_map(|commit| std::future::ready(Ok(commit)))
        .try_collect()
        .await
}

async fn versions(store: &Store) -> Result<Vec<(u64, i64)>> {
    let (files, folder) = (store.files(), log_folder(&store.log));
    files
        .list(Some(&folder))
        .map_err(|error| fault::store(format!("list the log of \"{}\"", store.name), error))
        .try_filter_map(|meta| {
            let version = version_of(&meta.location);
            let modified_us = meta.last_modified.timestamp_micros();
            std::future::ready(Ok(version.map(|version| (version, modified_us))))
        })
        .try_collect()
        .await
}

fn log_folder(log: &LogStoreRef) -> Path {
    log.log_path().clone()
}

/// The number in `_delta_log/00000000000000000042.json`.
fn version_of(path: &Path) -> Option<u64> {
    let digits = path.filename()?.strip_suffix(".json")?;
    (path.parts().count() == 2 && digits.len() == 20).then(|| digits.parse().ok())?
}

fn what(store: &Store, version: u64) -> String {
    format!("read version {version} of table \"{}\"", store.name)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<Info>,
    txn: Option<Position>,
    add: Option<File>,
    remove: Option<File>,
}

#[derive(Deserialize)]
struct Info {
    timestamp: Option<i64>,
    #[serde(default)]
    operation: String,
    sluice: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    data_change: bool,
    stats: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    num_records: u64,
}

fn parse(store: &Store, version: u64, bytes: &[u8]) -> Result<Entry> {
    let mut entry = Entry {
        version,
        stamp: None,
        positions: Vec::new(),
        timestamp_us: None,
        operation: String::new(),
        added: 0,
    };
    let mut removes = false;
    for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Line>() {
        let line = line.map_err(|error| {
            Error::internal(format!("cannot {}: {error}", what(store, version))).source(error)
        })?;
        if let Some(info) = line.commit_info {
            entry.timestamp_us = info.timestamp.map(|millis| millis.saturating_mul(1000));
            entry.operation = info.operation;
            entry.stamp = info
                .sluice
                .and_then(|stamp| serde_json::from_value(stamp).ok());
        }
        if let Some(position) = line.txn {
            entry.positions.push((position.app_id, position.version));
        }
        entry.added += line.add.as_ref().map_or(0, rows_of);
        removes |= line.remove.is_some_and(|file| file.data_change);
    }
    // Files that replace others say nothing of how many rows are new.
    if removes {
        entry.added = 0;
    }
    Ok(entry)
}

fn rows_of(file: &File) -> u64 {
    let statistics = file.stats.as_deref().filter(|_| file.data_change);
    statistics
        .and_then(|text| serde_json::from_str::<Statistics>(text).ok())
        .map_or(0, |statistics| statistics.num_records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_log_entries_have_a_version() {
        let of = |path| version_of(&Path::from(path));
        assert_eq!(of("_delta_log/00000000000000000042.json"), Some(42));
        assert_eq!(
            of("_delta_log/00000000000000000042.checkpoint.parquet"),
            None
        );
        assert_eq!(of("_delta_log/_last_checkpoint"), None);
        assert_eq!(of("_delta_log/tmp/00000000000000000042.json"), None);
        assert_eq!(of("_delta_log/0000000000000000004.json"), None);
    }
}
