//! One table's place in a store: what every other file of this folder reads and writes through.

use std::fmt;
use std::sync::Arc;

use deltalake::logstore::LogStoreRef;
#[cfg(feature = "s3")]
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTableBuilder, DeltaTableConfig};
use object_store::ObjectStore;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use url::Url;

use super::durable::Durable;
#[cfg(feature = "s3")]
use super::s3;
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
        #[cfg(feature = "s3")]
        if location::is_s3(&url) {
            let bucket = s3::bucket(definition, &url)?;
            return Self::in_bucket(name, s3::alias(definition, &url), bucket);
        }
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

    #[cfg(feature = "s3")]
    fn in_bucket(name: Arc<str>, url: Url, bucket: Arc<dyn ObjectStore>) -> Result<Self> {
        let config = StorageConfig::default();
        let files = config
            .decorate_store(Arc::clone(&bucket), &url)
            .map_err(|error| fault::delta(format!("use the location of \"{name}\""), error))?;
        // Entries are put whole and on condition: nothing is written under another name first.
        let log = default_logstore(Arc::from(files), bucket, &url, &config);
        Ok(Self { name, url, log })
    }

    /// Refuses a store whose commits could overwrite each other.
    pub(super) async fn check_conditions(&self) -> Result<()> {
        #[cfg(feature = "s3")]
        if location::is_s3(&self.url) {
            s3::check_conditions(&self.name, &self.files()).await?;
        }
        Ok(())
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
