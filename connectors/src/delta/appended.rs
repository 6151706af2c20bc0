//! The rows of one commit for DataFusion: its files and no others.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::scalar::ScalarValue;
use deltalake::table::state::DeltaTableState;
use object_store::ObjectMeta;
use object_store::path::Path;
use sluice_engine::error::{Error, Result};
use url::{Position, Url};

use super::history;
use super::scan::schema_of;
use super::store::Store;

/// Files that one commit appended, read with the columns of the newest version.
pub(super) struct Appended {
    library: deltalake::DeltaTable,
    url: Url,
    schema: SchemaRef,
    /// The columns in the files, and those that are the same for all rows of one.
    columns: TableSchema,
    files: Vec<PartitionedFile>,
}

impl Appended {
    /// # Errors
    /// When a partition's value is not of its column's type, or files keep columns by other names.
    pub(super) fn new(
        store: &Store,
        state: &DeltaTableState,
        files: &[history::Appended],
    ) -> Result<Self> {
        let name = &store.name;
        let mapped = state
            .metadata()
            .configuration()
            .get("delta.columnMapping.mode");
        if mapped.is_some_and(|mode| mode != "none") {
            return Err(Error::unsupported(format!(
                "table \"{name}\" has renamed columns: what one version appended cannot be read"
            )));
        }
        let schema = schema_of(state)?;
        let partitioned = state.metadata().partition_columns();
        let (constant, stored): (Vec<FieldRef>, Vec<FieldRef>) = schema
            .fields()
            .iter()
            .cloned()
            .partition(|field| partitioned.contains(field.name()));
        let files = files.iter().map(|file| placed(store, &constant, file));
        Ok(Self {
            library: store.library(),
            url: store.url.clone(),
            files: files.collect::<Result<_>>()?,
            columns: TableSchema::new(Arc::new(Schema::new(stored)), constant),
            schema,
        })
    }

    /// The files, by paths from the table's folder.
    pub(super) fn paths(&self, store: &Store) -> Vec<Path> {
        let root = Path::from_url_path(store.url.path()).unwrap_or_default();
        let places = self.files.iter().map(|file| &file.object_meta.location);
        places
            .filter_map(|path| Some(path.prefix_match(&root)?.collect()))
            .collect()
    }
}

fn placed(
    store: &Store,
    constant: &[FieldRef],
    file: &history::Appended,
) -> Result<PartitionedFile> {
    let wrong = |error: &dyn fmt::Display| {
        let (name, path) = (&store.name, &file.path);
        Error::internal(format!(
            "cannot read file {path} of table \"{name}\": {error}"
        ))
    };
    let url = store.url.join(&file.path).map_err(|error| wrong(&error))?;
    let location = Path::from_url_path(url.path()).map_err(|error| wrong(&error))?;
    let values = constant.iter().map(|field| {
        let value = file.partition_values.get(field.name()).cloned().flatten();
        match value.filter(|text| !text.is_empty()) {
            Some(text) => ScalarValue::try_from_string(text, field.data_type()),
            None => ScalarValue::try_from(field.data_type()),
        }
    });
    let values: DataFusionResult<Vec<_>> = values.collect();
    let meta = ObjectMeta {
        location,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: file.size,
        e_tag: None,
        version: None,
    };
    let values = values.map_err(|error| wrong(&error))?;
    Ok(PartitionedFile::new_from_meta(meta).with_partition_values(values))
}

impl fmt::Debug for Appended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appended")
            .field("url", &self.url.as_str())
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for Appended {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = match projection {
            Some(wanted) => wanted.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        if self.files.is_empty() {
            let schema = Arc::new(self.schema.project(&wanted)?);
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        self.library
            .update_datafusion_session(session)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let places = wanted.iter().map(|index| {
            let name = self.schema.field(*index).name();
            self.columns.table_schema().index_of(name)
        });
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let url = &self.url;
        let root = ObjectStoreUrl::parse(format!(
            "{}://{}",
            url.scheme(),
            &url[Position::BeforeHost..Position::AfterPort]
        ))?;
        let source = Arc::new(ParquetSource::new(self.columns.clone()));
        let files = self.files.iter().cloned();
        let config = FileScanConfigBuilder::new(root, source)
            .with_file_groups(files.map(|file| vec![file].into()).collect())
            .with_limit(limit)
            .with_projection_indices(Some(places))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
