//! Compaction: many small files become few large ones, a piece at a time. Each piece is a commit of
//! its own, and what is held in memory is one open row group.

use std::num::NonZeroU64;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::Utc;
use deltalake::kernel::Add;
use deltalake::operations::write::writer::{DeltaWriter, WriterConfig};
use deltalake::table::config::TablePropertiesExt;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTableConfig, DeltaTableError};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use parquet::basic::{Compression, ZstdLevel};
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::fail_point;
use sluice_engine::table::{Compact, Maintained};

use super::replace::{Replacement, replace};
use super::select::{Bin, bins, closed, only, partitions};
use super::{read, zorder};
use crate::delta::encoding;
use crate::delta::fault;
use crate::delta::head::Head;
use crate::delta::store::{Store, without_files};
use crate::delta::write::discard;

/// The size of files where neither the caller nor the table names one.
const TARGET: u64 = 128 << 20;
/// Bytes of files that one commit replaces, about.
const COMMIT_BYTES: u64 = 256 << 20;
/// Files that one commit replaces at most.
const COMMIT_FILES: usize = 10_000;
/// How hard rows are pressed that are written for good. Measured on log lines: a tenth smaller than
/// what ingest writes, for about three times its work; random ids do not shrink at any level.
const CLOSED_LEVEL: i32 = 6;

/// Merges files as `wanted` says.
pub(super) async fn compact(store: &Store, wanted: &Compact) -> Result<Maintained> {
    Head::load(store).await?.check_writable(store)?;
    match wanted.zorder.is_empty() {
        true => merge(store, wanted).await,
        false => sort(store, wanted).await,
    }
}

/// Merges bin after bin until none is left of what was there at the beginning.
async fn merge(store: &Store, wanted: &Compact) -> Result<Maintained> {
    let until_ms = Utc::now().timestamp_millis();
    let mut done = Maintained::default();
    loop {
        let job = Job::begin(store, wanted).await?;
        let all = job.partitions(wanted)?;
        let all = all
            .iter()
            .flat_map(|(values, files)| bins(values, files, job.target, until_ms));
        let (mut size, mut count) = (0, 0);
        let piece: Vec<Bin> = all
            .take_while(|bin| {
                let more = size < COMMIT_BYTES && count < COMMIT_FILES;
                (size, count) = (size + bin.size(), count + bin.files.len());
                more
            })
            .collect();
        if piece.is_empty() {
            return Ok(done);
        }
        let bins = piece.into_iter().map(|bin| (bin, None)).collect();
        job.run(bins, &mut done).await?;
    }
}

/// Sorts every chosen partition anew, all of its files.
async fn sort(store: &Store, wanted: &Compact) -> Result<Maintained> {
    let mut done = Maintained::default();
    let job = Job::begin(store, wanted).await?;
    let curve = zorder::Curve::new(store, &job.stored, &wanted.zorder)?;
    for (values, files) in job.partitions(wanted)? {
        let bin = Bin { values, files };
        let bins = vec![(bin, Some(curve.clone()))];
        job.run(bins, &mut done).await?;
    }
    Ok(done)
}

/// What stays the same over one piece of work.
struct Job<'a> {
    store: &'a Store,
    state: DeltaTableState,
    /// The same version, as one commits on it.
    base: DeltaTableState,
    /// The columns that are in files.
    stored: SchemaRef,
    target: u64,
    level: Option<i32>,
    predicate: Option<String>,
}

impl<'a> Job<'a> {
    async fn begin(store: &'a Store, wanted: &Compact) -> Result<Self> {
        let wrong = |error| fault::delta(format!("read table \"{}\"", store.name), error);
        let config = DeltaTableConfig::default();
        let state = DeltaTableState::try_new(&store.log, config, None);
        let state = state.await.map_err(wrong)?;
        // Without files: a rewrite depends on its own files and no others, and the check for
        // conflicts then looks at nothing else.
        let version = Some(state.version());
        let base = DeltaTableState::try_new(&store.log, without_files(), version);
        let base = base.await.map_err(wrong)?;
        let names = state.metadata().partition_columns();
        let whole = state.snapshot().arrow_schema();
        let fields = whole
            .fields()
            .iter()
            .filter(|field| !names.contains(field.name()));
        let stored = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        let own = state.metadata().configuration().get("delta.targetFileSize");
        let own = own.map(|_| state.table_config().target_file_size().get());
        Ok(Self {
            target: wanted.target_bytes.or(own).unwrap_or(TARGET).max(1),
            level: wanted.closed_for.map(|_| CLOSED_LEVEL),
            predicate: wanted.predicate.clone(),
            store,
            state,
            base,
            stored,
        })
    }

    fn partitions(
        &self,
        wanted: &Compact,
    ) -> Result<std::collections::BTreeMap<super::select::Values, Vec<super::select::File>>> {
        let mut all = partitions(&self.state);
        if let Some(predicate) = &wanted.predicate {
            only(self.store, &self.state, &mut all, predicate)?;
        }
        if let Some(quiet) = wanted.closed_for {
            closed(&mut all, quiet);
        }
        Ok(all)
    }

    /// Writes the rows of `bins` anew and commits that.
    async fn run(
        &self,
        bins: Vec<(Bin, Option<zorder::Curve>)>,
        done: &mut Maintained,
    ) -> Result<()> {
        let (mut files, mut adds) = (Vec::new(), Vec::new());
        for (bin, curve) in bins {
            match self.rewrite(&bin, curve).await {
                Ok(new) => adds.extend(new),
                Err(error) => {
                    discard(self.store, &adds).await;
                    return Err(error);
                }
            }
            files.extend(bin.files);
        }
        fail_point::pass("during_compaction").await?;
        let removed: (u64, u64) = (files.len() as u64, files.iter().map(|file| file.size).sum());
        let size = adds.iter().map(|add| u64::try_from(add.size).unwrap_or(0));
        let added: (u64, u64) = (adds.len() as u64, size.sum());
        let replacement = Replacement {
            files,
            adds,
            predicate: self.predicate.clone(),
            target: self.target,
        };
        let version = replace(self.store, &self.base, replacement).await?;
        done.version = Some(version);
        done.files_added += added.0;
        done.bytes_added += added.1;
        done.files_removed += removed.0;
        done.bytes_removed += removed.1;
        Ok(())
    }

    /// One file for the rows of `bin`, or with a sort order as many as their size asks for.
    async fn rewrite(&self, bin: &Bin, curve: Option<zorder::Curve>) -> Result<Vec<Add>> {
        let rows = read::rows(self.store, &self.stored, &bin.files);
        let limit = match curve {
            // What fills a bin fits one file; the bound is for rows that are pressed less well.
            None => self.target.saturating_mul(4),
            Some(_) => self.target,
        };
        let rows = match curve {
            None => rows,
            Some(curve) => curve.sort(self.store, &self.stored, &bin.files).await?,
        };
        let folder = bin.files.first().and_then(|file| parent(&file.path));
        let mut adds = self.write(rows, folder.as_ref(), limit).await?;
        let written_ms = bin.files.iter().map(|file| file.written_ms).max();
        for add in &mut adds {
            if let Some(folder) = &folder {
                add.path = format!("{folder}/{}", add.path);
            }
            add.partition_values = bin.values.clone().into_iter().collect();
            add.data_change = false;
            // The rows are as old as they were, so that a partition that was closed stays closed.
            add.modification_time = written_ms.unwrap_or(add.modification_time);
        }
        Ok(adds)
    }

    async fn write(
        &self,
        mut rows: BoxStream<'static, Result<RecordBatch>>,
        folder: Option<&Path>,
        limit: u64,
    ) -> Result<Vec<Add>> {
        let Some(first) = rows.try_next().await? else {
            return Ok(Vec::new());
        };
        let mut writer = self.writer(&first, folder, limit);
        let mut count = first.num_rows();
        self.put(&mut writer, &first).await?;
        while let Some(batch) = rows.try_next().await? {
            count += batch.num_rows();
            self.put(&mut writer, &batch).await?;
            tokio::task::yield_now().await;
        }
        let adds = writer.close().await.map_err(|error| self.failed(error))?;
        let written: u64 = adds.iter().filter_map(rows_of).sum();
        if written != count as u64 {
            return Err(Error::new(
                Kind::Internal,
                format!(
                    "{count} rows of table \"{}\" were read and {written} written; nothing was \
                     replaced",
                    self.store.name
                ),
            ));
        }
        Ok(adds)
    }

    fn writer(&self, first: &RecordBatch, folder: Option<&Path>, limit: u64) -> DeltaWriter {
        let mut properties = encoding::properties(first);
        let level = self.level.and_then(|level| ZstdLevel::try_new(level).ok());
        if let Some(level) = level {
            let builder = properties.into_builder();
            properties = builder.set_compression(Compression::ZSTD(level)).build();
        }
        let table = self.state.table_config();
        let named = table.data_skipping_stats_columns.as_ref();
        let named: Option<Vec<String>> =
            named.map(|names| names.iter().map(ToString::to_string).collect());
        let named = named.map(|names| {
            let stored = |name: &String| self.stored.field_with_name(name).is_ok();
            names.into_iter().filter(stored).collect()
        });
        let config = WriterConfig::new(
            Arc::clone(&self.stored),
            Vec::new(),
            Some(properties),
            NonZeroU64::new(limit),
            Some(read::ROWS),
            table.num_indexed_cols(),
            named,
        );
        let files = self.store.files();
        match folder {
            Some(folder) => {
                DeltaWriter::new(Arc::new(PrefixStore::new(files, folder.clone())), config)
            }
            None => DeltaWriter::new(files, config),
        }
    }

    async fn put(&self, writer: &mut DeltaWriter, rows: &RecordBatch) -> Result<()> {
        writer.write(rows).await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: DeltaTableError) -> Error {
        let what = format!("write files of table \"{}\" anew", self.store.name);
        fault::delta(what, error)
    }
}

fn parent(path: &Path) -> Option<Path> {
    let mut parts: Vec<_> = path.parts().collect();
    parts.pop();
    (!parts.is_empty()).then(|| parts.into_iter().collect())
}

fn rows_of(add: &Add) -> Option<u64> {
    let statistics: serde_json::Value = serde_json::from_str(add.stats.as_deref()?).ok()?;
    statistics.get("numRecords")?.as_u64()
}
