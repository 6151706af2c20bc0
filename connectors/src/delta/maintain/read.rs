//! Reading files of one partition one after the other: the columns that are in files, as the newest
//! version of the table has them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use sluice_engine::error::{Error, Result};

use super::select::File;
use crate::delta::align::Alignment;
use crate::delta::store::Store;

/// Rows read at once.
const ROWS: usize = 8192;

/// The rows of `files` in their order, as `schema` has them.
pub(super) fn rows(
    store: &Store,
    schema: &SchemaRef,
    files: &[File],
) -> BoxStream<'static, Result<RecordBatch>> {
    let (store, schema) = (store.clone(), Arc::clone(schema));
    let files = stream::iter(files.to_vec());
    files
        .then(move |file| open(store.clone(), Arc::clone(&schema), file))
        .try_flatten()
        .boxed()
}

async fn open(
    store: Store,
    schema: SchemaRef,
    file: File,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let reader =
        ParquetObjectReader::new(store.files(), file.path.clone()).with_file_size(file.size);
    let wrong = {
        let (name, path) = (Arc::clone(&store.name), file.path);
        move |error: ParquetError| {
            let what = format!("cannot read file {path} of table \"{name}\": {error}");
            Error::unavailable(what).source(error)
        }
    };
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await;
    let builder = builder.map_err(&wrong)?;
    let roots = builder.schema().fields().iter().enumerate();
    let wanted = roots.filter(|(_, field)| schema.field_with_name(field.name()).is_ok());
    let wanted: Vec<usize> = wanted.map(|(place, _)| place).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let rows = builder
        .with_projection(mask)
        .with_batch_size(ROWS)
        .build()
        .map_err(&wrong)?;
    let alignment = Alignment::new(&store.name, schema, rows.schema())?;
    let rows = rows.map(move |batch| alignment.apply(&batch.map_err(&wrong)?));
    Ok(rows.boxed())
}
