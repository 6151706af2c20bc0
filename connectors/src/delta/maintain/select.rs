//! Which files are worth merging: the small ones of one partition, in the order they were written,
//! until a file of the target's size comes out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::Utc;
use datafusion::common::DFSchema;
use datafusion::execution::SessionStateBuilder;
use datafusion::scalar::ScalarValue;
use deltalake::kernel::Remove;
use deltalake::table::state::DeltaTableState;
use object_store::path::Path;
use sluice_engine::bounded::guard;
use sluice_engine::error::{Error, Result};

use crate::delta::store::Store;

/// A file that comes this near to the target is left alone, or a partition would be written anew
/// for every file that joins it.
const NEAR: (u64, u64) = (3, 4);

/// A partition's values, as the log has them.
pub(super) type Values = BTreeMap<String, Option<String>>;

/// A file of the table.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Where it is from the table's folder.
    pub(super) path: Path,
    /// Its length in bytes.
    pub(super) size: u64,
    /// When the newest of its rows were written, milliseconds since the epoch.
    pub(super) written_ms: i64,
    /// What takes it out of the table.
    pub(super) remove: Remove,
}

/// Files that become one, or with a sort order all files of a partition.
#[derive(Debug)]
pub(super) struct Bin {
    /// The values of the partition columns of all rows.
    pub(super) values: Values,
    /// The files.
    pub(super) files: Vec<File>,
}

impl Bin {
    /// The length of all files in bytes.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// The path of a file in the store from its path in the log.
pub(super) fn object_path(path: &str) -> Path {
    Path::parse(path).unwrap_or_else(|_| Path::from(path))
}

/// All files of `state` that Sluice can write anew, by partition, each in the order of writing.
pub(super) fn partitions(state: &DeltaTableState) -> BTreeMap<Values, Vec<File>> {
    let mut partitions: BTreeMap<Values, Vec<File>> = BTreeMap::new();
    for view in state.log_data().iter() {
        let elsewhere = view.path().contains("://");
        // Rows marked as deleted, and files of other tables, are the business of who made them so.
        if elsewhere || view.deletion_vector_descriptor().is_some() {
            continue;
        }
        let remove = view.remove_action(false);
        let values = remove.partition_values.clone().unwrap_or_default();
        let file = File {
            path: object_path(&view.path()),
            size: u64::try_from(view.size()).unwrap_or(0),
            written_ms: view.modification_time(),
            remove,
        };
        let files = partitions.entry(values.into_iter().collect()).or_default();
        files.push(file);
    }
    for files in partitions.values_mut() {
        files.sort_by(|a, b| (a.written_ms, &a.path).cmp(&(b.written_ms, &b.path)));
    }
    partitions
}

/// Leaves the partitions into which nothing was written for `quiet`.
pub(super) fn closed(partitions: &mut BTreeMap<Values, Vec<File>>, quiet: Duration) {
    let quiet = i64::try_from(quiet.as_millis()).unwrap_or(i64::MAX);
    let before = Utc::now().timestamp_millis().saturating_sub(quiet);
    partitions.retain(|_, files| files.iter().all(|file| file.written_ms <= before));
}

/// The bins of one partition: files smaller than `target` that together make one of about that
/// size. Nothing written after `until_ms` is looked at, so that merging comes to an end while
/// others write.
pub(super) fn bins(values: &Values, files: &[File], target: u64, until_ms: i64) -> Vec<Bin> {
    let small = target / NEAR.1 * NEAR.0;
    let mut bins = Vec::new();
    let mut bin = Vec::new();
    let mut size = 0;
    let mut close = |bin: &mut Vec<File>| {
        let files = std::mem::take(bin);
        if files.len() > 1 {
            bins.push(Bin {
                values: values.clone(),
                files,
            });
        }
    };
    let worth = |file: &&File| file.size < small.max(1) && file.written_ms <= until_ms;
    for file in files.iter().filter(worth) {
        if size + file.size > target {
            close(&mut bin);
            size = 0;
        }
        size += file.size;
        bin.push(file.clone());
    }
    close(&mut bin);
    bins
}

/// Leaves the partitions of which `predicate` holds.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] when it is no predicate over partition columns.
pub(super) fn only(
    store: &Store,
    state: &DeltaTableState,
    partitions: &mut BTreeMap<Values, Vec<File>>,
    predicate: &str,
) -> Result<()> {
    let columns = state.metadata().partition_columns();
    let wrong = |error: &dyn std::fmt::Display| {
        let error = Error::user(format!(
            "\"{predicate}\" does not choose partitions of table \"{}\": {error}",
            store.name
        ));
        match columns.len() {
            0 => error.hint("the table has no partition columns; leave the predicate out"),
            _ => error.hint(format!(
                "it is a condition on {}, which the table is partitioned by",
                columns.join(", ")
            )),
        }
    };
    let whole = state.snapshot().arrow_schema();
    let fields = columns
        .iter()
        .filter_map(|name| whole.field_with_name(name).ok());
    let schema: SchemaRef = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    let described = DFSchema::try_from(Arc::clone(&schema)).map_err(|error| wrong(&error))?;
    let session = guard(SessionStateBuilder::new().with_default_features()).build();
    let holds = session
        .create_logical_expr(predicate, &described)
        .and_then(|expr| session.create_physical_expr(expr, &described))
        .map_err(|error| wrong(&Error::from(error)))?;
    let mut chosen = HashMap::new();
    for values in partitions.keys() {
        let rows = one_row(&schema, values).map_err(|error| wrong(&Error::from(error)))?;
        let held = holds
            .evaluate(&rows)
            .and_then(|held| held.into_array(rows.num_rows()))
            .map_err(|error| wrong(&Error::from(error)))?;
        let held = held.as_any().downcast_ref::<BooleanArray>();
        let held = held.ok_or_else(|| wrong(&"it is not a condition"))?;
        let holds = held.iter().next().flatten().unwrap_or(false);
        chosen.insert(values.clone(), holds);
    }
    partitions.retain(|values, _| chosen.get(values).copied().unwrap_or(false));
    Ok(())
}

fn one_row(schema: &SchemaRef, values: &Values) -> datafusion::error::Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| {
        let value = values.get(field.name()).cloned().flatten();
        let value = match value.filter(|text| !text.is_empty()) {
            Some(text) => ScalarValue::try_from_string(text, field.data_type())?,
            None => ScalarValue::try_from(field.data_type())?,
        };
        value.to_array()
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
    let nullable: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let one = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::new(Schema::new(nullable));
    Ok(RecordBatch::try_new_with_options(schema, columns, &one)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, size: u64, written_ms: i64) -> File {
        File {
            path: Path::from(name),
            size,
            written_ms,
            remove: Remove::default(),
        }
    }

    #[test]
    fn small_files_fill_bins_in_order_and_one_alone_stays() {
        let files = [
            file("a", 40, 1),
            file("big", 90, 2),
            file("b", 50, 3),
            file("c", 60, 4),
            file("young", 10, 99),
        ];
        let bins = bins(&Values::new(), &files, 100, 50);
        let names: Vec<Vec<String>> = bins
            .iter()
            .map(|bin| bin.files.iter().map(|file| file.path.to_string()).collect())
            .collect();
        assert_eq!(names, [["a", "b"]]);
    }
}
