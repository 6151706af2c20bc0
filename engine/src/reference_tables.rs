//! Tables of the catalog as reference tables of [`enrichment`](crate::enrichment): one version of a
//! table, read whole, within a bound of memory.

use std::fmt;
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use async_trait::async_trait;
use bytesize::ByteSize;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use futures::StreamExt;

use crate::catalog::Catalog;
use crate::context::Contexts;
use crate::enrichment::StoredTables;
use crate::error::{Error, Result};
use crate::lineage;
use crate::runtime::Cpu;
use crate::table::Table;

/// The catalog as enrichment reads it.
pub struct ReferenceTables {
    catalog: Arc<Catalog>,
    /// They hold the enrichment.
    contexts: Weak<Contexts>,
    cpu: Arc<Cpu>,
}

impl fmt::Debug for ReferenceTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceTables")
            .field("catalog", &self.catalog)
            .finish_non_exhaustive()
    }
}

impl ReferenceTables {
    /// The tables of `catalog`, read by sessions of `contexts`.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, contexts: &Arc<Contexts>, cpu: Arc<Cpu>) -> Self {
        Self {
            catalog,
            contexts: Arc::downgrade(contexts),
            cpu,
        }
    }
}

#[async_trait]
impl StoredTables for ReferenceTables {
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>> {
        self.catalog.table(name).await
    }

    async fn rows(&self, table: &dyn Table, version: u64, most: u64) -> Result<RecordBatch> {
        let Some(contexts) = self.contexts.upgrade() else {
            return Err(Error::cancelled("the process is ending"));
        };
        let provider = table.provider_at(version).await?;
        let reading = self.cpu.run(async move {
            let frame = contexts.in_order().read_table(provider)?;
            read(without_lineage(frame)?, most).await
        });
        reading.await
    }
}

/// Where a row came from says nothing of what it describes.
fn without_lineage(frame: DataFrame) -> Result<DataFrame> {
    let columns = frame.schema().columns().into_iter();
    let columns = columns.filter(|column| !lineage::is_lineage(&column.name));
    let columns: Vec<Expr> = columns.map(Expr::Column).collect();
    Ok(frame.select(columns)?)
}

async fn read(frame: DataFrame, most: u64) -> Result<RecordBatch> {
    let mut stream = frame.execute_stream().await?;
    let (mut batches, mut taken) = (Vec::new(), 0);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        taken += batch.get_array_memory_size() as u64;
        if taken > most {
            let most = ByteSize::b(most);
            return Err(
                Error::limit(format!("its rows take more than {most} of memory")).hint(
                    "join the table instead, or raise `max_table_size` under [enrichment] in the \
                 configuration",
                ),
            );
        }
        batches.push(batch);
    }
    concat_batches(&stream.schema(), &batches)
        .map_err(|error| Error::internal(format!("rows of a reference table: {error}")))
}
