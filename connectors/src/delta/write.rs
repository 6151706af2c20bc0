//! Rows into Parquet files that no version refers to yet: one file for each partition of the table.
//! Three things go on at once: the next rows are made, those before are encoded on a thread of
//! their own, and what was encoded before that goes up.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use deltalake::kernel::Add;
use deltalake::table::state::DeltaTableState;
use futures::StreamExt;
use sluice_engine::error::{Error, Result};

use super::encode::{Encoder, Layout, Piece, bytes_of};
use super::statistics::Indexed;
use super::store::Store;
use super::upload::Upload;

pub(super) use super::upload::discard;

/// Rows encoded at once.
const ROWS_AT_ONCE: usize = 1 << 15;
/// As many for a partitioned table: rows of a partition come together in larger pieces.
const PARTITIONED_ROWS_AT_ONCE: usize = 1 << 16;
/// Bytes of rows encoded at once, whatever their number.
const BYTES_AT_ONCE: usize = 32 << 20;
/// Bytes at which a file is closed and another begun, where the table does not say.
const FILE_BYTES: u64 = 1 << 30;

/// What rows are written for: the schema and layout of one version.
pub(super) struct Target {
    /// The columns.
    pub(super) schema: SchemaRef,
    /// The columns whose values are in the paths of files.
    pub(super) partition_columns: Vec<String>,
    indexed: Indexed,
    file_bytes: u64,
}

impl Target {
    /// The layout of `state`.
    pub(super) fn new(state: &DeltaTableState) -> Self {
        let stated = state.table_config().target_file_size;
        Self {
            schema: state.snapshot().arrow_schema(),
            partition_columns: state.metadata().partition_columns().to_vec(),
            indexed: Indexed::new(state),
            file_bytes: stated.map_or(FILE_BYTES, std::num::NonZero::get),
        }
    }

    fn layout(&self, store: &Store) -> Layout {
        Layout {
            table: Arc::clone(&store.name),
            partition_columns: self.partition_columns.clone(),
            indexed: self.indexed.clone(),
            file_bytes: self.file_bytes,
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
    let layout = target.layout(store);
    let encoder = Encoder::new(layout, Arc::clone(&target.schema), &rows.schema())?;
    let mut upload = Upload::new(store);
    match run(encoder, &mut upload, rows).await {
        Ok(rows) => Ok(Files {
            adds: upload.into_adds(),
            rows,
        }),
        Err(error) => {
            upload.abandon().await;
            Err(error)
        }
    }
}

async fn run(
    encoder: Encoder,
    upload: &mut Upload,
    mut rows: SendableRecordBatchStream,
) -> Result<u64> {
    let limit = if encoder.partitioned() {
        PARTITIONED_ROWS_AT_ONCE
    } else {
        ROWS_AT_ONCE
    };
    let mut work = Work::Idle(Box::new(encoder));
    loop {
        let batches = gather(&mut rows, limit).await?;
        if batches.is_empty() {
            break;
        }
        let (encoder, pieces) = work.wait().await?;
        work = start(encoder, move |encoder| encoder.push(&batches));
        upload.take(pieces).await?;
    }
    loop {
        let (encoder, pieces) = work.wait().await?;
        let idle = pieces.is_empty() && encoder.finished();
        if idle {
            return Ok(encoder.rows());
        }
        work = start(encoder, Encoder::finish);
        upload.take(pieces).await?;
    }
}

/// The next rows, as many as are encoded at once; none at the end.
async fn gather(rows: &mut SendableRecordBatchStream, limit: usize) -> Result<Vec<RecordBatch>> {
    let (mut gathered, mut count, mut bytes) = (Vec::new(), 0, 0);
    while count < limit && bytes < BYTES_AT_ONCE {
        let Some(batch) = rows.next().await else {
            break;
        };
        let batch = batch.map_err(Error::from)?;
        if batch.num_rows() > 0 {
            count += batch.num_rows();
            bytes += bytes_of(&batch);
            gathered.push(batch);
        }
    }
    Ok(gathered)
}

/// An encoder at rest, or at work.
enum Work {
    Idle(Box<Encoder>),
    Busy(tokio::task::JoinHandle<Result<(Encoder, Vec<Piece>)>>),
}

impl Work {
    async fn wait(self) -> Result<(Encoder, Vec<Piece>)> {
        match self {
            Self::Idle(encoder) => Ok((*encoder, Vec::new())),
            Self::Busy(work) => work.await.map_err(|error| {
                Error::internal("rows met a fault of the encoder").source(error)
            })?,
        }
    }
}

fn start<F>(mut encoder: Encoder, work: F) -> Work
where
    F: FnOnce(&mut Encoder) -> Result<Vec<Piece>> + Send + 'static,
{
    Work::Busy(tokio::task::spawn_blocking(move || {
        let pieces = work(&mut encoder)?;
        Ok((encoder, pieces))
    }))
}
