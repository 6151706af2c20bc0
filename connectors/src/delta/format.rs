//! `STORED AS DELTA`: making, opening and removing tables.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use async_trait::async_trait;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::SaveMode;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::table::{Table, TableFormat};

use super::options::{self, configuration};
use super::schema::{canonical, check_declared, kernel_field, words};
use super::store::Store;
use super::table::DeltaTable;
use super::{fault, location};

/// Makes Delta tables at absolute paths, `file://` URLs, and `s3://` URLs where they are built in.
#[derive(Default, Clone)]
pub struct DeltaFormat {
    root: Option<Arc<dyn ObjectStore>>,
}

impl DeltaFormat {
    /// Keeps every table in `root`, whose paths begin at the root of the file system, instead of on
    /// the local disk. For stores that fail on purpose.
    #[must_use]
    pub fn with_store(root: Arc<dyn ObjectStore>) -> Self {
        Self { root: Some(root) }
    }

    fn store(&self, definition: &TableDefinition) -> Result<Store> {
        options::check(definition)?;
        Store::new(definition, self.root.as_ref())
    }
}

impl fmt::Debug for DeltaFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeltaFormat").finish_non_exhaustive()
    }
}

#[async_trait]
impl TableFormat for DeltaFormat {
    async fn open(&self, definition: &TableDefinition) -> Result<Option<Arc<dyn Table>>> {
        open(self.store(definition)?, definition).await
    }

    async fn create(&self, definition: &TableDefinition) -> Result<Arc<dyn Table>> {
        let store = self.store(definition)?;
        store.check_conditions().await?;
        let made = make(&store, definition).await;
        // Whether it failed because somebody else was first, or after it was done, the table shows.
        match open(store, definition).await? {
            Some(table) => Ok(table),
            None => {
                let name = &definition.name;
                made?;
                Err(Error::internal(format!(
                    "table \"{name}\" is gone after it was created"
                )))
            }
        }
    }

    async fn remove(&self, definition: &TableDefinition) -> Result<()> {
        let store = self.store(definition)?;
        if !store.holds_a_table().await? {
            return refuse_other_data(&store).await;
        }
        // The log goes last, so that a removal that is cut short can be repeated.
        let (log, data): (Vec<_>, Vec<_>) = list(&store)
            .await?
            .into_iter()
            .partition(|path| path.prefix_matches(store.log.log_path()));
        delete(&store, data).await?;
        delete(&store, log).await?;
        remove_folder(&store).await
    }
}

async fn open(store: Store, definition: &TableDefinition) -> Result<Option<Arc<dyn Table>>> {
    if !store.holds_a_table().await? {
        return Ok(None);
    }
    let table = DeltaTable::load(store).await?;
    options::check_stored(definition, &table).await?;
    let name = &definition.name;
    check_declared(name, &definition.schema, table.schema().await?.as_ref())?;
    let declared = &definition.partition_columns;
    let stored = table.partition_columns().await;
    if !declared.is_empty() && *declared != stored {
        let stored = stored.join(", ");
        return Err(Error::user(format!(
            "table \"{name}\" is there already, partitioned by ({stored})"
        ))
        .hint("leave PARTITIONED BY out to take that of the table"));
    }
    Ok(Some(Arc::new(table)))
}

async fn make(store: &Store, definition: &TableDefinition) -> Result<()> {
    let name = &definition.name;
    let schema = canonical(&definition.schema)?;
    if schema.fields().is_empty() {
        return Err(Error::user(format!(
            "there is no table at the location of \"{name}\", and no columns to make one with"
        ))
        .hint("declare the columns: CREATE EXTERNAL TABLE name (column TYPE, ...)"));
    }
    check_partitioning(definition, &schema)?;
    let configuration = configuration(definition, &schema)?;
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| kernel_field(field))
        .collect::<Result<_>>()?;
    // Without retries: a retry would put these columns over those of a table made meanwhile.
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false));
    CreateBuilder::new()
        .with_log_store(Arc::clone(&store.log))
        .with_table_name(name)
        .with_columns(fields)
        .with_partition_columns(definition.partition_columns.clone())
        .with_configuration(configuration)
        .with_raise_if_key_not_exists(false)
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_commit_properties(properties)
        .await
        .map_err(|error| fault::delta(format!("create table \"{name}\""), error))?;
    Ok(())
}

fn check_partitioning(
    definition: &TableDefinition,
    schema: &arrow::datatypes::Schema,
) -> Result<()> {
    let name = &definition.name;
    for column in &definition.partition_columns {
        let Ok(field) = schema.field_with_name(column) else {
            return Err(Error::user(format!(
                "table \"{name}\" is partitioned by \"{column}\", which is not one of its columns"
            )));
        };
        if field.data_type().is_nested() || *field.data_type() == DataType::Binary {
            let kind = words(field.data_type());
            return Err(Error::unsupported(format!(
                "table \"{name}\" cannot be partitioned by \"{column}\", which is {kind}"
            )));
        }
    }
    if definition.partition_columns.len() >= schema.fields().len() {
        return Err(Error::user(format!(
            "table \"{name}\" is partitioned by all of its columns"
        ))
        .hint("leave at least one column out of PARTITIONED BY"));
    }
    Ok(())
}

async fn list(store: &Store) -> Result<Vec<Path>> {
    let wrong = |error| fault::store(format!("list the files of \"{}\"", store.name), error);
    let files = store.files();
    files
        .list(None)
        .map_ok(|meta| meta.location)
        .try_collect()
        .await
        .map_err(wrong)
}

async fn refuse_other_data(store: &Store) -> Result<()> {
    let files = store.files();
    match files.list(None).next().await {
        None | Some(Err(object_store::Error::NotFound { .. })) => Ok(()),
        Some(_) => {
            let (name, url) = (&store.name, &store.url);
            Err(Error::user(format!(
                "the location of \"{name}\", {url}, has files and no Delta table: none was removed"
            )))
        }
    }
}

async fn delete(store: &Store, paths: Vec<Path>) -> Result<()> {
    let files = store.files();
    for path in paths {
        match files.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => {
                return Err(fault::store(
                    format!("remove table \"{}\"", store.name),
                    error,
                ));
            }
        }
    }
    Ok(())
}

/// The folders that removed files leave on a disk.
async fn remove_folder(store: &Store) -> Result<()> {
    let Some(folder) = location::folder(&store.url) else {
        return Ok(());
    };
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let name = &store.name;
            Err(
                Error::unavailable(format!("cannot remove the folder of \"{name}\": {error}"))
                    .source(error),
            )
        }
        _ => Ok(()),
    }
}
