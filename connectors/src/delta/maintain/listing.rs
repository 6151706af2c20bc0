//! What the folder of a table's log holds.

use std::collections::BTreeMap;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::async_reader::ParquetObjectReader;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaDataReader;
use serde::{Deserialize, Serialize};
use sluice_engine::error::{Error, Result};
use tracing::warn;

use crate::delta::fault;
use crate::delta::store::Store;

/// Entries and checkpoints by version.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// `N.json`.
    pub(super) entries: BTreeMap<u64, ObjectMeta>,
    /// `N.checkpoint.parquet`, and the parts of checkpoints that have several.
    pub(super) checkpoints: BTreeMap<u64, Vec<ObjectMeta>>,
}

/// The file that tells readers which checkpoint to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hint {
    /// The checkpoint's version.
    pub(super) version: u64,
    /// How many actions are in it.
    pub(super) size: i64,
    /// What others keep beside them.
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Hint {
    /// For a checkpoint of `version` with `size` actions.
    pub(super) fn new(version: u64, size: i64) -> Self {
        let rest = serde_json::Map::new();
        Self {
            version,
            size,
            rest,
        }
    }
}

impl Listing {
    /// Reads the folder.
    pub(super) async fn read(store: &Store) -> Result<Self> {
        let wrong = |error| fault::store(format!("list the log of \"{}\"", store.name), error);
        let (files, folder) = (store.files(), store.log.log_path().clone());
        let mut listing = Self::default();
        let mut listed = files.list(Some(&folder));
        while let Some(meta) = listed.next().await {
            listing.sort_in(meta.map_err(wrong)?);
        }
        Ok(listing)
    }

    fn sort_in(&mut self, meta: ObjectMeta) {
        let path = &meta.location;
        let Some((digits, rest)) = path.filename().and_then(|name| name.split_at_checked(20))
        else {
            return;
        };
        let Ok(version) = digits.parse() else {
            return;
        };
        if path.parts().count() != 2 {
            return;
        }
        if rest == ".json" {
            self.entries.insert(version, meta);
        } else if rest.starts_with(".checkpoint.") && rest.ends_with(".parquet") {
            self.checkpoints.entry(version).or_default().push(meta);
        }
    }

    /// The newest checkpoint of at most `version` that can be read, with its number of actions. One
    /// in several parts is passed over: Sluice writes none, and cannot tell whether one is missing.
    pub(super) async fn readable(&self, store: &Store, version: u64) -> Result<Option<(u64, i64)>> {
        for (version, parts) in self.checkpoints.range(..=version).rev() {
            let [only] = parts.as_slice() else {
                continue;
            };
            if let Some(actions) = actions(store, only).await? {
                return Ok(Some((*version, actions)));
            }
            warn!(table = %store.name, version, "a checkpoint cannot be read");
        }
        Ok(None)
    }
}

/// The actions that a checkpoint's last bytes say are in it; `None` when they make no sense, or it
/// has not what every checkpoint has.
pub(super) async fn actions(store: &Store, file: &ObjectMeta) -> Result<Option<i64>> {
    let files = store.files();
    let mut reader = ParquetObjectReader::new(files, file.location.clone());
    let read = ParquetMetaDataReader::new()
        .load_and_finish(&mut reader, file.size)
        .await;
    let metadata = match read {
        Ok(metadata) => metadata,
        // Whether the store failed or the file did, the store says.
        Err(_) => {
            return match store.files().get(&file.location).await {
                Ok(_) => Ok(None),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => {
                    let what = format!("read a checkpoint of table \"{}\"", store.name);
                    Err(fault::store(what, error))
                }
            };
        }
    };
    let metadata = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(metadata.schema_descr(), None);
    let whole = schema.is_ok_and(|schema| {
        ["add", "metaData", "protocol"]
            .iter()
            .all(|column| schema.column_with_name(column).is_some())
    });
    Ok((whole && metadata.num_rows() > 0).then(|| metadata.num_rows()))
}

/// What `_last_checkpoint` says; `None` when it is not there or says nothing.
pub(super) async fn hint(store: &Store) -> Result<Option<Hint>> {
    let wrong = |error| fault::store(format!("read the log of \"{}\"", store.name), error);
    match store.files().get(&hint_path(store)).await {
        Ok(found) => Ok(serde_json::from_slice(&found.bytes().await.map_err(wrong)?).ok()),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(wrong(error)),
    }
}

/// Makes `_last_checkpoint` say `hint`.
pub(super) async fn set_hint(store: &Store, hint: &Hint) -> Result<()> {
    let text = serde_json::to_vec(hint)
        .map_err(|error| Error::internal(format!("cannot name a checkpoint: {error}")))?;
    let put = store.files().put(&hint_path(store), text.into()).await;
    put.map(drop)
        .map_err(|error| fault::store(format!("write the log of \"{}\"", store.name), error))
}

/// Where that is.
pub(super) fn hint_path(store: &Store) -> Path {
    store.log.log_path().clone().join("_last_checkpoint")
}
