//! What readers see of a table. They keep states of their own, so that nobody who only looks waits
//! for a commit.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use deltalake::DeltaTableConfig;
use deltalake::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sluice_engine::error::{Error, Result};
use tokio::sync::Mutex;
use tracing::debug;

use super::appended::Appended;
use super::history::Since;
use super::store::{Store, without_files};
use super::{fault, history, scan};

/// How many files are looked for at once.
const CONCURRENT_LOOKS: usize = 16;

/// The newest versions that were seen.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Without files: the schema, the properties, the number.
    outline: Mutex<Option<DeltaTableState>>,
    /// With files.
    whole: Mutex<Option<DeltaTableState>>,
}

impl Reader {
    /// The newest version, without its files.
    pub(super) async fn outline(&self, store: &Store) -> Result<DeltaTableState> {
        newest(store, &self.outline, without_files).await
    }

    /// The newest version for queries.
    pub(super) async fn newest(&self, store: &Store) -> Result<Arc<dyn TableProvider>> {
        let state = newest(store, &self.whole, DeltaTableConfig::default).await?;
        Ok(Arc::new(scan::Version::new(store, &state)?))
    }

    /// Version `version` for queries.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::NotFound`] when it is not there, or no longer.
    pub(super) async fn at(&self, store: &Store, version: u64) -> Result<Arc<dyn TableProvider>> {
        let whole = newest(store, &self.whole, DeltaTableConfig::default).await?;
        if whole.version() == version {
            return Ok(Arc::new(scan::Version::new(store, &whole)?));
        }
        let loaded =
            DeltaTableState::try_new(&store.log, DeltaTableConfig::default(), Some(version)).await;
        let state = match loaded {
            Ok(state) if state.version() == version => state,
            _ if !history::remembers(store, version).await? => {
                return Err(forgotten(store, version));
            }
            Ok(_) => return Err(forgotten(store, version)),
            Err(error) => {
                let what = format!("read version {version} of table \"{}\"", store.name);
                return Err(fault::delta(what, error));
            }
        };
        // What the newest version still names is there; the rest may have been vacuumed.
        let kept: HashSet<String> = paths(&whole).collect();
        let removed = paths(&state).filter(|path| !kept.contains(path));
        let removed: Vec<Path> = removed.map(Path::from).collect();
        look_for(store, version, &removed).await?;
        Ok(Arc::new(scan::Version::new(store, &state)?))
    }

    /// The rows that the commit of `version` appended.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::NotFound`] when it is not there, or no longer.
    pub(super) async fn appended(
        &self,
        store: &Store,
        version: u64,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some(files) = history::appended(store, version).await? else {
            return Err(forgotten(store, version));
        };
        let outline = self.outline(store).await?;
        let provider = Appended::new(store, &outline, &files)?;
        look_for(store, version, &provider.paths(store)).await?;
        Ok(Arc::new(provider))
    }
}

async fn newest(
    store: &Store,
    seen: &Mutex<Option<DeltaTableState>>,
    config: fn() -> DeltaTableConfig,
) -> Result<DeltaTableState> {
    let mut seen = seen.lock().await;
    if let Some(state) = seen.as_ref() {
        match history::since(store, state.version()).await? {
            Since::Nothing => return Ok(state.clone()),
            Since::Newer => {
                let mut next = state.clone();
                match next.update(&store.log, None).await {
                    Ok(()) => return Ok(seen.insert(next).clone()),
                    Err(error) => debug!(table = %store.name, %error, "loading afresh"),
                }
            }
            Since::Gone => debug!(table = %store.name, "loading afresh"),
        }
    }
    let state = DeltaTableState::try_new(&store.log, config(), None)
        .await
        .map_err(|error| fault::delta(format!("read table \"{}\"", store.name), error))?;
    Ok(seen.insert(state).clone())
}

fn paths(state: &DeltaTableState) -> impl Iterator<Item = String> + '_ {
    let files = state.log_data();
    let paths: Vec<String> = files.iter().map(|file| file.path().into_owned()).collect();
    paths.into_iter()
}

async fn look_for(store: &Store, version: u64, files: &[Path]) -> Result<()> {
    let looks = files.iter().map(|path| async move {
        match store.files().head(path).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => Err(Error::not_found(format!(
                "files of version {version} of table \"{}\" were deleted",
                store.name
            ))
            .hint("read a newer version; vacuum with a longer retention to keep old ones")),
            Err(error) => {
                let what = format!("look for files of table \"{}\"", store.name);
                Err(fault::store(what, error))
            }
        }
    });
    let looks: Vec<_> = looks.collect();
    futures::stream::iter(looks)
        .buffer_unordered(CONCURRENT_LOOKS)
        .try_collect()
        .await
}

fn forgotten(store: &Store, version: u64) -> Error {
    let name = &store.name;
    Error::not_found(format!(
        "table \"{name}\" has no version {version}, or no longer"
    ))
    .hint("system.commits lists the versions that its log still holds")
}
