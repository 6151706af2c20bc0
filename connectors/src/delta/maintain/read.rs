//! Reading files of one partition one after the other: the columns that are in files, as the newest
//! version of the table has them.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use sluice_engine::error::{Error, Result};

use super::select::File;
use crate::delta::align::Alignment;
use crate::delta::store::Store;

/// Rows read at once at most.
pub(super) const ROWS: usize = 8192;
/// Bytes of rows read at once, about.
const BYTES: u64 = 32 << 20;

/// The rows of `files` in their order, as `schema` has them. A batch is of about 32 MiB at most,
/// or one row.
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

/// The most bytes that rows of `files` have on average anywhere in them.
pub(super) async fn bytes_per_row(store: &Store, files: &[File]) -> Result<u64> {
    let mut most = 1;
    for file in files {
        let (_, metadata) = describe(store, file).await?;
        let groups = 0..metadata.num_row_groups();
        let bytes = groups.map(|group| bytes_of_row(&metadata, group));
        most = most.max(bytes.max().unwrap_or(0));
    }
    Ok(most)
}

async fn open(
    store: Store,
    schema: SchemaRef,
    file: File,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let (reader, metadata) = describe(&store, &file).await?;
    let known = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new());
    let known = known.map_err(|error| wrong(&store, &file, error))?;
    let mut groups = Vec::with_capacity(metadata.num_row_groups());
    for group in 0..metadata.num_row_groups() {
        let builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(reader.clone(), known.clone());
        let roots = builder.schema().fields().iter().enumerate();
        let wanted = roots.filter(|(_, field)| schema.field_with_name(field.name()).is_ok());
        let wanted: Vec<usize> = wanted.map(|(place, _)| place).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let rows = builder
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(rows_at_once(bytes_of_row(&metadata, group), BYTES))
            .build();
        groups.push(rows.map_err(|error| wrong(&store, &file, error))?);
    }
    let Some(first) = groups.first() else {
        return Ok(stream::empty().boxed());
    };
    let alignment = Alignment::new(&store.name, schema, first.schema())?;
    let rows = stream::iter(groups).flatten().map(move |batch| {
        let batch = batch.map_err(|error| wrong(&store, &file, error))?;
        alignment.apply(&batch)
    });
    Ok(rows.boxed())
}

/// How many rows make `bytes` where each has `row_bytes`.
pub(super) fn rows_at_once(row_bytes: u64, bytes: u64) -> usize {
    let rows = usize::try_from(bytes / row_bytes.max(1)).unwrap_or(ROWS);
    rows.clamp(1, ROWS)
}

/// A reader of `file` and what its last bytes say of it: where its pages are, too, if there is more
/// than can be read at once.
async fn describe(
    store: &Store,
    file: &File,
) -> Result<(ParquetObjectReader, Arc<ParquetMetaData>)> {
    let mut reader =
        ParquetObjectReader::new(store.files(), file.path.clone()).with_file_size(file.size);
    let read = ParquetMetaDataReader::new().load_and_finish(&mut reader, file.size);
    let mut metadata = read.await.map_err(|error| wrong(store, file, error))?;
    let large = metadata.row_groups().iter().any(|group| {
        let bytes = group.columns().iter().map(raw_bytes);
        bytes.sum::<u64>() > BYTES
    });
    if large {
        let mut pages = ParquetMetaDataReader::new_with_metadata(metadata)
            .with_offset_index_policy(PageIndexPolicy::Optional);
        let read = pages.load_page_index(&mut reader).await;
        let read = read.and_then(|()| pages.finish());
        metadata = read.map_err(|error| wrong(store, file, error))?;
    }
    Ok((reader, Arc::new(metadata)))
}

/// Bytes of a column's values. A dictionary has each once, and rows each time.
fn raw_bytes(column: &ColumnChunkMetaData) -> u64 {
    let values = column.unencoded_byte_array_data_bytes().unwrap_or(0);
    let bytes = values.max(column.uncompressed_size());
    u64::try_from(bytes).unwrap_or(0)
}

/// The bytes of a row of a group, on average where its rows are largest as far as pages tell.
fn bytes_of_row(metadata: &ParquetMetaData, group: usize) -> u64 {
    let pages = metadata.offset_index().and_then(|index| index.get(group));
    let group = metadata.row_group(group);
    let rows = group.num_rows().max(1);
    let columns = group.columns().iter().enumerate();
    let bytes = columns.map(|(place, column)| {
        let mean = raw_bytes(column) / rows.unsigned_abs();
        let pages = pages.and_then(|pages| pages.get(place));
        mean.max(pages.map_or(0, |pages| bytes_of_densest(pages, rows)))
    });
    bytes.sum()
}

fn bytes_of_densest(pages: &OffsetIndexMetaData, rows: i64) -> u64 {
    let firsts = pages
        .page_locations()
        .iter()
        .map(|page| page.first_row_index);
    let nexts = firsts.clone().skip(1).chain([rows]);
    let bytes = pages.unencoded_byte_array_data_bytes();
    let bytes = bytes.into_iter().flatten();
    let dense = firsts.zip(nexts).zip(bytes).map(|((first, next), bytes)| {
        let mean = bytes / (next - first).max(1);
        u64::try_from(mean).unwrap_or(0)
    });
    dense.max().unwrap_or(0)
}

fn wrong(store: &Store, file: &File, error: ParquetError) -> Error {
    let (name, path) = (&store.name, &file.path);
    let what = format!("cannot read file {path} of table \"{name}\": {error}");
    Error::unavailable(what).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use deltalake::DeltaTableConfig;
    use deltalake::table::state::DeltaTableState;
    use sluice_engine::definition::TableDefinition;
    use sluice_engine::table::{Append, TableFormat};

    use crate::delta::DeltaFormat;
    use crate::delta::encode::bytes_of;
    use crate::delta::maintain::select::partitions;

    const MIB: usize = 1 << 20;

    fn batch(texts: impl Iterator<Item = String>) -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
        RecordBatch::try_from_iter_with_nullable([("text", texts, true), ("n", numbers, true)])
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn batches_are_small_however_large_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("text", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
        ]));
        let definition = TableDefinition {
            name: "logs".into(),
            format: "DELTA".into(),
            location: folder.path().to_str().unwrap().to_owned(),
            schema: Arc::clone(&schema),
            partition_columns: Vec::new(),
            options: BTreeMap::new(),
        };
        let table = DeltaFormat::default().create(&definition).await.unwrap();
        let long = "x".repeat(MIB);
        let different = (0..150).map(|n| format!("{n}{long}"));
        let light = (0..20_000).map(|n| format!("line {n}"));
        // Among light rows; and a few values again and again, of which files hold each once.
        let among = [batch(light), batch(different)];
        let again = [batch((0..150).map(|n| format!("{}{long}", n % 3)))];
        for batches in [&among[..], &again] {
            let rows = stream::iter(Vec::from(batches).into_iter().map(Ok));
            let append = Append {
                writer: String::new(),
                rows: Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows)),
                ranges: Vec::new(),
                redactions: Vec::new(),
            };
            table.append(append).await.unwrap();
        }
        let store = Store::new(&definition, None).unwrap();
        let state = DeltaTableState::try_new(&store.log, DeltaTableConfig::default(), None);
        let state = state.await.unwrap();
        let files: Vec<File> = partitions(&state).into_values().flatten().collect();
        assert_eq!(files.len(), 2);
        let (mut count, mut most) = (0, 0);
        let mut batches = rows(&store, &schema, &files);
        while let Some(batch) = batches.try_next().await.unwrap() {
            count += batch.num_rows();
            most = most.max(bytes_of(&batch));
        }
        assert_eq!(count, 20_300);
        assert!(most < 72 * MIB, "{} MiB in a batch", most / MIB);
    }
}
