//! What the log says of past commits: the stamp that Sluice puts on its own, and the little that
//! can be told of those of others.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use bytes::Bytes;
use chrono::Utc;
use deltalake::{DeltaResult, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use sluice_engine::error::{Error, Result};
use sluice_engine::redaction::Redacted;
use sluice_engine::table::{Commit, CommitRange};

use super::fault;
use super::process::Process;
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
    /// Who made it; commits of older releases do not say.
    #[serde(default)]
    pub(super) process: Option<Process>,
    /// As in [`Commit`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) redactions: Vec<Redacted>,
}

impl Stamp {
    /// The stamp of a proposal that is made now.
    pub(super) fn new(writer: String, rows: u64, ranges: Vec<CommitRange>) -> Self {
        Self {
            commit: uuid::Uuid::new_v4().to_string(),
            writer,
            rows,
            timestamp_us: Utc::now().timestamp_micros(),
            ranges,
            process: Some(Process::own()),
            redactions: Vec::new(),
        }
    }

    /// The same with what was redacted in the rows.
    pub(super) fn with_redactions(mut self, redactions: Vec<Redacted>) -> Self {
        self.redactions = redactions;
        self
    }

    /// As the commit's information holds it.
    pub(super) fn to_json(&self) -> DeltaResult<serde_json::Value> {
        serde_json::to_value(self)
            .map_err(|json_err| DeltaTableError::SerializeLogJson { json_err })
    }

    /// The commit that this stamp is on.
    pub(super) fn into_commit(self, version: u64, operation: String) -> Commit {
        Commit {
            version,
            timestamp_us: self.timestamp_us,
            writer: self.writer,
            rows: self.rows,
            ranges: self.ranges,
            redactions: self.redactions,
            operation,
        }
    }
}

/// One entry of the log, without its files.
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
        let bytes = read(store, version).await?;
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
                redactions: Vec::new(),
                operation: self.operation,
            },
        }
    }
}

/// The commits of `versions` that the log still holds, oldest first.
pub(super) async fn commits(store: &Store, versions: RangeInclusive<u64>) -> Result<Vec<Commit>> {
    let log = Log::list(store).await?;
    let mut listed: Vec<_> = log
        .entries
        .into_iter()
        .filter(|(version, _)| versions.contains(version))
        .collect();
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

/// Whether the log still tells what the table was at `version`: by a checkpoint of it, or of an
/// older version and every entry from there, or by every entry there ever was.
pub(super) async fn remembers(store: &Store, version: u64) -> Result<bool> {
    let log = Log::list(store).await?;
    let older = log.checkpoints.range(..=version).next_back();
    let first = older.map_or(0, |(checkpoint, _)| checkpoint + 1);
    Ok((first..=version).all(|entry| log.entries.contains_key(&entry)))
}

/// What a log has become since a version of it was the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// That version still is the newest.
    Nothing,
    /// There are newer ones.
    Newer,
    /// That version is gone: the log was made anew, or a checkpoint stands in for it.
    Gone,
}

/// What the log has become since `version`. One listing, which begins there.
pub(super) async fn since(store: &Store, version: u64) -> Result<Since> {
    let wrong = |error| fault::store(format!("list the log of \"{}\"", store.name), error);
    let folder = store.log.log_path();
    let files = store.files();
    let mut listed = match version.checked_sub(1) {
        None => files.list(Some(folder)),
        Some(before) => {
            let from = folder.clone().join(format!("{before:020}.json"));
            files.list_with_offset(Some(folder), &from)
        }
    };
    let mut since = Since::Gone;
    while let Some(meta) = listed.next().await {
        let meta = meta.map_err(wrong)?;
        match version_of(&meta.location) {
            Some(newer) if newer > version => return Ok(Since::Newer),
            Some(same) if same == version => since = Since::Nothing,
            _ => {}
        }
    }
    Ok(since)
}

/// What is in the folder of the log.
pub(super) struct Log {
    /// The entries, with the time each was written.
    entries: HashMap<u64, i64>,
    /// Checkpoints, with the files of each.
    checkpoints: BTreeMap<u64, Vec<Path>>,
}

impl Log {
    /// Lists it.
    pub(super) async fn list(store: &Store) -> Result<Self> {
        let wrong = |error| fault::store(format!("list the log of \"{}\"", store.name), error);
        let (files, folder) = (store.files(), store.log.log_path().clone());
        let mut log = Self {
            entries: HashMap::new(),
            checkpoints: BTreeMap::new(),
        };
        let mut listed = files.list(Some(&folder));
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(wrong)?;
            if let Some(version) = version_of(&meta.location) {
                let modified_us = meta.last_modified.timestamp_micros();
                log.entries.insert(version, modified_us);
            }
            if let Some(version) = checkpoint_of(&meta.location) {
                let files = log.checkpoints.entry(version).or_default();
                files.push(meta.location);
            }
        }
        Ok(log)
    }

    /// The newest version that has an entry or a checkpoint.
    pub(super) fn newest(&self) -> Option<u64> {
        let entry = self.entries.keys().max().copied();
        entry.max(self.checkpoints.keys().next_back().copied())
    }

    /// The newest checkpoint of `version` or before of which all files are there, and those.
    pub(super) fn newest_checkpoint(&self, version: u64) -> Option<(u64, Vec<Path>)> {
        let older = self.checkpoints.range(..=version).rev();
        let mut found = older.filter_map(|(at, files)| Some((*at, whole(files)?)));
        found.next()
    }
}

/// One file that is a checkpoint, or all the parts of one.
fn whole(files: &[Path]) -> Option<Vec<Path>> {
    let shape = |path: &Path| -> Option<(u64, u64)> {
        let mut words = path.filename()?.split('.').skip(2);
        let (part, parts) = (words.next()?, words.next());
        match parts {
            None => Some((1, 1)),
            Some(parts) => Some((part.parse().ok()?, parts.parse().ok()?)),
        }
    };
    if let Some(single) = files.iter().find(|path| shape(path) == Some((1, 1))) {
        return Some(vec![single.clone()]);
    }
    let (_, parts) = files.iter().find_map(shape)?;
    let found = (1..=parts).map(|part| {
        let mut there = files.iter();
        there
            .find(|path| shape(path) == Some((part, parts)))
            .cloned()
    });
    found.collect()
}

/// The number in `_delta_log/00000000000000000042.json`.
fn version_of(path: &Path) -> Option<u64> {
    number(path, |rest| rest == ".json")
}

/// The number in `_delta_log/00000000000000000042.checkpoint.parquet`, and in the names that parts
/// and newer kinds of checkpoints have.
fn checkpoint_of(path: &Path) -> Option<u64> {
    number(path, |rest| {
        rest.starts_with(".checkpoint.") && rest.ends_with(".parquet")
    })
}

fn number(path: &Path, fits: impl Fn(&str) -> bool) -> Option<u64> {
    let (digits, rest) = path.filename()?.split_at_checked(20)?;
    (path.parts().count() == 2 && fits(rest)).then(|| digits.parse().ok())?
}

async fn read(store: &Store, version: u64) -> Result<Option<Bytes>> {
    let read = store.log.read_commit_entry(version).await;
    read.map_err(|error| fault::delta(what(store, version), error))
}

fn what(store: &Store, version: u64) -> String {
    format!("read version {version} of table \"{}\"", store.name)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<Info>,
    txn: Option<Position>,
    add: Option<Counted>,
    remove: Option<Counted>,
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
struct Counted {
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
    for line in lines(bytes) {
        // A stamp says how many rows are new; so nobody need look at thousands of files.
        if entry.stamp.is_some() && names_a_file(line) {
            continue;
        }
        let line: Line = decode(store, version, line)?;
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

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty())
}

fn names_a_file(line: &[u8]) -> bool {
    line.starts_with(b"{\"add\":") || line.starts_with(b"{\"remove\":")
}

fn decode<'a, T: Deserialize<'a>>(store: &Store, version: u64, line: &'a [u8]) -> Result<T> {
    serde_json::from_slice(line).map_err(|error| {
        Error::internal(format!("cannot {}: {error}", what(store, version))).source(error)
    })
}

fn rows_of(file: &Counted) -> u64 {
    let statistics = file.stats.as_deref().filter(|_| file.data_change);
    statistics
        .and_then(|text| serde_json::from_str::<Statistics>(text).ok())
        .map_or(0, |statistics| statistics.num_records)
}

/// A file of rows that a commit appended.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Appended {
    /// Where it is from the table's folder, as in a URL.
    pub(super) path: String,
    /// Its length.
    pub(super) size: u64,
    /// The values of the partition columns of all its rows.
    pub(super) partition_values: HashMap<String, Option<String>>,
    #[serde(default)]
    data_change: bool,
    #[serde(default)]
    deletion_vector: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Change {
    add: Option<Appended>,
    remove: Option<Counted>,
}

/// The files of the rows that the commit of `version` appended: none when it replaced files, which
/// hold rows that were there before. `None` when the log has no such entry, or no longer.
pub(super) async fn appended(store: &Store, version: u64) -> Result<Option<Vec<Appended>>> {
    let Some(bytes) = read(store, version).await? else {
        return Ok(None);
    };
    let mut added = Vec::new();
    for line in lines(&bytes) {
        let change: Change = decode(store, version, line)?;
        if change.remove.is_some_and(|file| file.data_change) {
            return Ok(Some(Vec::new()));
        }
        added.extend(change.add.filter(|file| file.data_change));
    }
    if added.iter().any(|file| file.deletion_vector.is_some()) {
        let name = &store.name;
        return Err(Error::unsupported(format!(
            "version {version} of table \"{name}\" marks rows of its files as deleted"
        ))
        .hint("read the whole version instead of what it appended"));
    }
    Ok(Some(added))
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

    #[test]
    fn checkpoints_have_a_version_in_one_piece_and_in_parts() {
        let of = |name| checkpoint_of(&Path::from(format!("_delta_log/{name}")));
        let parts = "00000000000000000042.checkpoint.0000000001.0000000002.parquet";
        assert_eq!(of("00000000000000000042.checkpoint.parquet"), Some(42));
        assert_eq!(of(parts), Some(42));
        assert_eq!(of("00000000000000000042.json"), None);
        assert_eq!(of("_last_checkpoint"), None);

        let files = |names: &[&str]| -> Vec<Path> {
            let named = names.iter().map(|name| format!("_delta_log/{name}"));
            named.map(Path::from).collect()
        };
        let second = "00000000000000000042.checkpoint.0000000002.0000000002.parquet";
        assert_eq!(whole(&files(&[parts])), None);
        assert_eq!(
            whole(&files(&[second, parts])),
            Some(files(&[parts, second]))
        );
        let single = "00000000000000000042.checkpoint.parquet";
        assert_eq!(whole(&files(&[parts, single])), Some(files(&[single])));
        let newer = "00000000000000000042.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet";
        assert_eq!(whole(&files(&[newer])), None);
    }
}
