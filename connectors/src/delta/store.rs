//! One table's place in a store: what every other file of this folder reads and writes through.

use std::fmt;
use std::sync::Arc;

use deltalake::logstore::LogStoreRef;
use deltalake::{DeltaTableBuilder, DeltaTableConfig};
use object_store::ObjectStore;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use url::Url;

use super::durable::Durable;
use super::{fault, location};

/// A location, and the log that is or will be there.
#[derive(Clone)]
pub(super) struct Store {
    /// The table's name in the catalog, for messages.
    pub(super) name: Arc<str>,
    /// The folder.
    pub(super) url: Url,
    /// Reads and writes log entries and files.
    pub(super) log: LogStoreRef,
}

impl Store {
    /// The location that `definition` names, in `root` or else on the local disk.
    pub(super) fn new(
        definition: &TableDefinition,
        root: Option<&Arc<dyn ObjectStore>>,
    ) -> Result<Self> {
        let name: Arc<str> = definition.name.as_str().into();
        let url = location::parse(&definition.location)?;
        let root = root.map_or_else(|| Arc::new(Durable::new()) as _, Arc::clone);
        let log = DeltaTableBuilder::from_url(url.clone())
            .and_then(|builder| {
                builder
                    .with_storage_backend(root, url.clone())
                    .build_storage()
            })
            .map_err(|error| fault::delta(format!("use the location of \"{name}\""), error))?;
        Ok(Self { name, url, log })
    }

    /// The files of the table, by paths from its folder.
    pub(super) fn files(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    /// The table as the Delta library has it, nothing loaded.
    pub(super) fn library(&self) -> deltalake::DeltaTable {
        deltalake::DeltaTable::new(Arc::clone(&self.log), without_files())
    }

    /// Whether a table is there.
    pub(super) async fn holds_a_table(&self) -> Result<bool> {
        self.log
            .is_delta_table_location()
            .await
            .map_err(|error| fault::delta(format!("look for table \"{}\"", self.name), error))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.name)
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// Loads no list of files: a writer needs none, and keeping one costs time with every commit. It
/// also lets appends pass concurrent deletes, rightly so, as they have read nothing.
pub(super) fn without_files() -> DeltaTableConfig {
    DeltaTableConfig {
        require_files: false,
        ..DeltaTableConfig::default()
    }
}
