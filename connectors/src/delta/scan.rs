//! Reading: one version of a table for DataFusion, fixed for as long as the provider lives.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use deltalake::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake::table::state::DeltaTableState;

use super::store::Store;

/// The library's scan of one version. It offers no way to insert: rows go through
/// [`sluice_engine::table::Table::append`], which keeps offsets with them.
#[derive(Debug)]
pub(super) struct Version {
    scan: DeltaScanNext,
    library: deltalake::DeltaTable,
    number: u64,
}

impl Version {
    /// Plans nothing yet.
    ///
    /// # Errors
    /// When the schema cannot be read as Arrow.
    pub(super) fn new(store: &Store, state: &DeltaTableState) -> Result<Self> {
        Ok(Self {
            scan: scan(state)?,
            library: store.library(),
            number: state.version(),
        })
    }

    /// Its number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// The columns of `state` as queries see them.
///
/// # Errors
/// When the schema cannot be read as Arrow.
pub(super) fn schema_of(state: &DeltaTableState) -> Result<SchemaRef> {
    Ok(scan(state)?.schema())
}

fn scan(state: &DeltaTableState) -> Result<DeltaScanNext> {
    // A partition's value has its column's own type, not a dictionary of it.
    let config = DeltaScanConfig::new().with_wrap_partition_values(false);
    DeltaScanNext::new(state.snapshot().clone(), config)
}

#[async_trait]
impl TableProvider for Version {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.scan.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.library
            .update_datafusion_session(session)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.scan.scan(session, projection, filters, limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.scan.supports_filters_pushdown(filters)
    }
}
