//! The positions that a version of a table stores, all read in one pass: those of the newest
//! checkpoint, and over them those of the log entries since.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use sluice_engine::error::Result;
use tracing::debug;

use super::history::{Entry, Log};
use super::process::Process;
use super::store::Store;

/// Where each application id stands.
pub(super) type Positions = HashMap<String, i64>;

/// How many commits are asked who made them.
const LOOK_BACK: u64 = 16;

/// How many log entries are read at once.
const CONCURRENT_READS: usize = 16;

/// All positions at `version`; `None` when the log is kept in a way that only the Delta library
/// reads, or changes underfoot.
///
/// # Errors
/// When the store is at fault.
pub(super) async fn read_all(store: &Store, version: u64) -> Result<Option<Positions>> {
    let log = Log::list(store).await?;
    let (mut positions, first) = match log.newest_checkpoint(version) {
        None => (Positions::new(), 0),
        Some((checkpoint, files)) => match read_checkpoint(store, &files).await {
            Ok(positions) => (positions, checkpoint + 1),
            Err(error) => {
                debug!(table = %store.name, checkpoint, %error, "a checkpoint is not read");
                return Ok(None);
            }
        },
    };
    let Some(entries) = read_entries(store, first..version + 1).await? else {
        return Ok(None);
    };
    for entry in entries {
        positions.extend(entry.positions);
    }
    Ok(Some(positions))
}

/// The log entries of `versions`, in their order; `None` when one is gone.
///
/// # Errors
/// When the store is at fault or an entry is damaged.
pub(super) async fn read_entries(
    store: &Store,
    versions: std::ops::Range<u64>,
) -> Result<Option<Vec<Entry>>> {
    let entries: Vec<Option<Entry>> = futures::stream::iter(versions)
        .map(|version| Entry::read(store, version))
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    Ok(entries.into_iter().collect())
}

/// Who moved the position `app_id` last, as far as one of the last commits up to `version` did and
/// says so. For the text of an error: what cannot be read is not told.
pub(super) async fn mover(store: &Store, version: u64, app_id: &str) -> Option<Process> {
    for version in (version.saturating_sub(LOOK_BACK)..=version).rev() {
        let entry = Entry::read(store, version).await.ok()??;
        if entry.positions.iter().any(|(id, _)| id == app_id) {
            return entry.stamp?.process;
        }
    }
    None
}

async fn read_checkpoint(store: &Store, files: &[Path]) -> Result<Positions, ParquetError> {
    let mut positions = Positions::new();
    for file in files {
        let reader = ParquetObjectReader::new(store.files(), file.clone());
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
        let columns =
            ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
        let mut batches = builder.with_projection(columns).build()?;
        while let Some(batch) = batches.try_next().await? {
            take_positions(&batch, &mut positions);
        }
    }
    Ok(positions)
}

/// A table without positions has a checkpoint without the column.
fn take_positions(batch: &RecordBatch, positions: &mut Positions) {
    let Some(txn) = batch
        .column_by_name("txn")
        .and_then(|txn| txn.as_struct_opt())
    else {
        return;
    };
    let ids = txn
        .column_by_name("appId")
        .and_then(|ids| ids.as_string_opt::<i32>());
    let at = txn
        .column_by_name("version")
        .and_then(|at| at.as_primitive_opt::<Int64Type>());
    let (Some(ids), Some(at)) = (ids, at) else {
        return;
    };
    for row in (0..txn.len()).filter(|row| txn.is_valid(*row)) {
        if ids.is_valid(row) && at.is_valid(row) {
            positions.insert(ids.value(row).to_owned(), at.value(row));
        }
    }
}
