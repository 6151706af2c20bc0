//! Rows into Parquet files that no version refers to yet: one file for each partition of the table.
//! Rows are encoded as they come; what is held back is open row groups.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::partition;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use deltalake::kernel::Add;
use deltalake::kernel::scalars::ScalarExt;
use deltalake::operations::write::WriterStatsConfig;
use deltalake::operations::write::writer::{DeltaWriter, WriterConfig};
use deltalake::table::config::TablePropertiesExt;
use deltalake::table::state::DeltaTableState;
use futures::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sluice_engine::error::{Error, Result};
use tracing::debug;

use super::align::Alignment;
use super::encoding;
use super::fault;
use super::store::Store;

/// Rows encoded before other work gets its turn.
const ROWS_AT_ONCE: usize = 8192;
/// Bytes of rows after which the files of a partitioned table are closed and others begun: it caps
/// what thousands of open files hold.
const PARTITIONED_BYTES: usize = 512 << 20;
/// Shortest average run of rows of one partition that is written without sorting.
const RUN_ROWS: usize = 64;

/// What rows are written for: the schema and layout of one version.
pub(super) struct Target {
    /// The columns.
    pub(super) schema: SchemaRef,
    /// The columns whose values are in the paths of files.
    pub(super) partition_columns: Vec<String>,
    statistics: WriterStatsConfig,
}

impl Target {
    /// The layout of `state`.
    pub(super) fn new(state: &DeltaTableState) -> Self {
        let properties = state.table_config();
        let named = properties.data_skipping_stats_columns.as_ref();
        let named = named.map(|names| names.iter().map(ToString::to_string).collect());
        Self {
            schema: state.snapshot().arrow_schema(),
            partition_columns: state.metadata().partition_columns().to_vec(),
            statistics: WriterStatsConfig::new(properties.num_indexed_cols(), named),
        }
    }
}

/// Files that are written and belong to no version.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// What a commit adds to the table.
    pub(super) adds: Vec<Add>,
    /// How many rows are in them.
    pub(super) rows: u64,
}

/// Writes `rows`.
///
/// # Errors
/// When the rows fail, do not fit, or cannot be stored; then no file is left.
pub(super) async fn write(
    store: &Store,
    target: &Target,
    rows: SendableRecordBatchStream,
) -> Result<Files> {
    let mut sink = Sink {
        store,
        target,
        open: None,
        held_bytes: 0,
        files: Files::default(),
    };
    let written = match sink.take(rows).await {
        Ok(()) => sink.close().await,
        Err(error) => {
            if let Err(error) = sink.close().await {
                debug!(table = %store.name, %error, "an unfinished file is left over");
            }
            Err(error)
        }
    };
    match written {
        Ok(()) => Ok(sink.files),
        Err(error) => {
            discard(store, &sink.files.adds).await;
            Err(error)
        }
    }
}

/// Removes files that certainly belong to no version, as far as the store allows.
pub(super) async fn discard(store: &Store, adds: &[Add]) {
    let files = store.files();
    for add in adds {
        let Ok(path) = Path::parse(&add.path) else {
            continue;
        };
        if let Err(error) = files.delete(&path).await {
            debug!(table = %store.name, %path, %error, "a file without a version is left over");
        }
    }
}

struct Sink<'a> {
    store: &'a Store,
    target: &'a Target,
    open: Option<DeltaWriter>,
    held_bytes: usize,
    files: Files,
}

impl Sink<'_> {
    async fn take(&mut self, mut rows: SendableRecordBatchStream) -> Result<()> {
        let schema = Arc::clone(&self.target.schema);
        let alignment = Alignment::new(&self.store.name, schema, &rows.schema())?;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(Error::from)?;
            for start in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
                let length = ROWS_AT_ONCE.min(batch.num_rows() - start);
                self.push(&alignment.apply(&batch.slice(start, length))?)
                    .await?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut writer = self.open.take().unwrap_or_else(|| self.begin(rows));
        let written = self.put(&mut writer, rows).await;
        self.open = Some(writer);
        written?;
        self.files.rows += rows.num_rows() as u64;
        self.held_bytes += rows.get_array_memory_size();
        if !self.target.partition_columns.is_empty() && self.held_bytes >= PARTITIONED_BYTES {
            self.close().await?;
        }
        Ok(())
    }

    fn begin(&self, rows: &RecordBatch) -> DeltaWriter {
        let statistics = self.target.statistics.clone();
        let config = WriterConfig::new(
            Arc::clone(&self.target.schema),
            self.target.partition_columns.clone(),
            Some(encoding::properties(rows)),
            None,
            Some(ROWS_AT_ONCE),
            statistics.num_indexed_cols,
            statistics.stats_columns,
        );
        DeltaWriter::new(self.store.files(), config)
    }

    async fn put(&mut self, writer: &mut DeltaWriter, rows: &RecordBatch) -> Result<()> {
        let keys: Vec<(String, ArrayRef)> = self
            .target
            .partition_columns
            .iter()
            .filter_map(|name| Some((name.clone(), ArrayRef::clone(rows.column_by_name(name)?))))
            .collect();
        let Some(runs) = runs(&keys, rows.num_rows())? else {
            return writer.write(rows).await.map_err(|error| self.failed(error));
        };
        for (start, length) in runs {
            let slice = rows.slice(start, length);
            let values = keys
                .iter()
                .map(|(name, key)| Some((name.clone(), ScalarExt::from_array(key, start)?)))
                .collect::<Option<_>>();
            let written = match values {
                Some(values) => writer.write_partition(slice, &values).await,
                None => writer.write(&slice).await,
            };
            written.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.held_bytes = 0;
        if let Some(writer) = self.open.take() {
            let adds = writer.close().await.map_err(|error| self.failed(error))?;
            self.files.adds.extend(adds);
        }
        Ok(())
    }

    fn failed(&self, error: deltalake::DeltaTableError) -> Error {
        fault::delta(
            format!("write rows of table \"{}\"", self.store.name),
            error,
        )
    }
}

/// Splits rows where a partition ends, as first row and length; `None` when the pieces are so short
/// that the rows are better sorted.
fn runs(keys: &[(String, ArrayRef)], rows: usize) -> Result<Option<Vec<(usize, usize)>>> {
    if keys.is_empty() {
        return Ok(Some(vec![(0, rows)]));
    }
    let columns: Vec<ArrayRef> = keys.iter().map(|(_, key)| ArrayRef::clone(key)).collect();
    let ranges = partition(&columns)
        .map_err(|error| {
            Error::internal(format!("cannot split rows by partition: {error}")).source(error)
        })?
        .ranges();
    if ranges.len() > 1 && rows / ranges.len() < RUN_ROWS {
        return Ok(None);
    }
    Ok(Some(
        ranges
            .into_iter()
            .map(|range| (range.start, range.len()))
            .collect(),
    ))
}
