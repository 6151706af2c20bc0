//! Z-order: rows that are near in several columns come near in files, so that a query on any of
//! them reads few.
//!
//! Values are replaced by their rank among a sample, which makes columns comparable whatever their
//! types and ranges; the bits of the ranks are interleaved, and rows are sorted by that number, on
//! disk where they do not fit.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::row::{Row, RowConverter, SortField};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::SessionConfig;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sluice_engine::error::{Error, Result};

use super::read;
use super::select::File;
use crate::delta::store::Store;

/// The most columns that a curve goes through: beyond, it is near to none of them.
const COLUMNS: usize = 8;
/// Rows whose values make the ranks.
const SAMPLE: usize = 20_000;
/// Different ranks in one column.
const RANKS: usize = 256;
const RANK_BITS: u32 = 8;
/// Memory for sorting; more goes to disk.
const MEMORY: usize = 256 << 20;
/// Bytes of rows that sorting hands on at once, about: it holds so much of each of its pieces.
const SORTED_BYTES: u64 = 4 << 20;
/// Bytes of a value, as rows are compared, that its rank goes by. Those that begin alike have ranks
/// side by side.
const PREFIX: usize = 128;
/// The column of a row's place on the curve, while rows are sorted.
const PLACE: &str = "_sluice_place";

/// The columns to sort by.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    columns: Vec<String>,
}

impl Curve {
    /// # Errors
    /// [`sluice_engine::error::Kind::User`] for columns that cannot be sorted by.
    pub(super) fn new(store: &Store, stored: &SchemaRef, columns: &[String]) -> Result<Self> {
        let name = &store.name;
        let known = || {
            let names: Vec<&str> = stored.fields().iter().map(|f| f.name().as_str()).collect();
            format!("columns in its files are {}", names.join(", "))
        };
        if columns.len() > COLUMNS {
            return Err(Error::user(format!(
                "table \"{name}\" cannot be sorted by more than {COLUMNS} columns at once"
            )));
        }
        for (place, column) in columns.iter().enumerate() {
            let Ok(field) = stored.field_with_name(column) else {
                return Err(Error::user(format!(
                    "table \"{name}\" cannot be sorted by \"{column}\", which is not in its files"
                ))
                .hint(known()));
            };
            if field.data_type().is_nested() {
                return Err(Error::unsupported(format!(
                    "table \"{name}\" cannot be sorted by \"{column}\", which is nested"
                )));
            }
            if columns[..place].contains(column) {
                return Err(Error::user(format!(
                    "table \"{name}\" cannot be sorted by \"{column}\" twice"
                )));
            }
        }
        Ok(Self {
            columns: columns.to_vec(),
        })
    }

    /// The rows of `files` along the curve.
    pub(super) async fn sort(
        self,
        store: &Store,
        stored: &SchemaRef,
        files: &[File],
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let ranks = self.sample(store, stored, files).await?;
        let mut fields: Vec<_> = stored.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(PLACE, DataType::UInt64, false)));
        let placed = Arc::new(Schema::new(fields));
        let schema = Arc::clone(&placed);
        let rows = read::rows(store, stored, files)
            .map(move |rows| ranks.place(&schema, &rows?))
            .map_err(DataFusionError::from);
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&placed), rows);
        let once = Arc::new(Once {
            schema: placed,
            rows: Mutex::new(Some(Box::pin(rows))),
        });
        let row_bytes = read::bytes_per_row(store, files).await?;
        let at_once = read::rows_at_once(row_bytes, SORTED_BYTES);
        let sorted = sorted(once, at_once).map_err(Error::from)?;
        let width = stored.fields().len();
        let rows = sorted.map(move |rows| {
            let rows = rows.map_err(Error::from)?;
            let columns: Vec<usize> = (0..width).collect();
            rows.project(&columns).map_err(|error| wrong(&error))
        });
        Ok(rows.boxed())
    }

    /// The ranks of values, from rows all over the files.
    async fn sample(&self, store: &Store, stored: &SchemaRef, files: &[File]) -> Result<Ranks> {
        let places = self
            .columns
            .iter()
            .filter_map(|name| stored.index_of(name).ok());
        let only = stored.project(&places.collect::<Vec<_>>());
        let only = Arc::new(only.map_err(|error| wrong(&error))?);
        let converters = only
            .fields()
            .iter()
            .map(|field| RowConverter::new(vec![SortField::new(field.data_type().clone())]));
        let converters: Vec<_> = converters
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| wrong(&error))?;
        let mut values: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); converters.len()];
        let (mut step, mut seen) = (1, 0);
        let mut rows = read::rows(store, &only, files);
        while let Some(batch) = rows.try_next().await? {
            let first = (step - seen % step) % step;
            let picked = (first..batch.num_rows()).step_by(step);
            for ((values, converter), column) in
                values.iter_mut().zip(&converters).zip(batch.columns())
            {
                let converted = converter.convert_columns(std::slice::from_ref(column));
                let converted = converted.map_err(|error| wrong(&error))?;
                values.extend(picked.clone().map(|row| prefix(&converted.row(row)).into()));
            }
            seen += batch.num_rows();
            // Twice the sample: every other value goes, and so does every other row from here on.
            while values.iter().any(|values| values.len() > 2 * SAMPLE) {
                for values in &mut values {
                    let mut keep = false;
                    values.retain(|_| {
                        keep = !keep;
                        keep
                    });
                }
                step *= 2;
            }
        }
        Ok(Ranks {
            columns: self.columns.clone(),
            converters: Arc::new(converters),
            bounds: values.into_iter().map(bounds).collect(),
        })
    }
}

/// The values at which a rank ends and the next begins.
fn bounds(mut values: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    values.sort_unstable();
    let each = values.len().div_ceil(RANKS).max(1);
    let mut bounds: Vec<Box<[u8]>> = values.into_iter().step_by(each).skip(1).collect();
    bounds.dedup();
    bounds
}

/// What of a value is compared: rows are in the order of their bytes, so their beginnings are, too.
fn prefix<'a>(row: &'a Row<'_>) -> &'a [u8] {
    let bytes = row.as_ref();
    &bytes[..bytes.len().min(PREFIX)]
}

struct Ranks {
    columns: Vec<String>,
    converters: Arc<Vec<RowConverter>>,
    bounds: Vec<Vec<Box<[u8]>>>,
}

impl Ranks {
    /// `rows` with the place of each on the curve.
    fn place(&self, schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut places = vec![0_u64; rows.num_rows()];
        let count = u32::try_from(self.columns.len()).unwrap_or(1);
        let columns = self
            .columns
            .iter()
            .zip(self.converters.iter())
            .zip(&self.bounds);
        for (number, ((name, converter), bounds)) in (0_u32..).zip(columns) {
            let Some(column) = rows.column_by_name(name) else {
                continue;
            };
            let converted = converter.convert_columns(std::slice::from_ref(column));
            let converted = converted.map_err(|error| wrong(&error))?;
            for (place, row) in places.iter_mut().zip(converted.iter()) {
                let rank = bounds.partition_point(|bound| bound.as_ref() <= prefix(&row));
                *place |= spread(rank as u64, number, count);
            }
        }
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns.push(Arc::new(UInt64Array::from(places)));
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| wrong(&error))
    }
}

/// The bits of `rank` at the places that column `number` of `count` has.
fn spread(rank: u64, number: u32, count: u32) -> u64 {
    (0..RANK_BITS)
        .map(|bit| (rank >> bit & 1) << (bit * count + (count - 1 - number)))
        .fold(0, |all, bit| all | bit)
}

fn sorted(
    once: Arc<Once>,
    rows_at_once: usize,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let schema = Arc::clone(&once.schema);
    let input = StreamingTableExec::try_new(
        Arc::clone(&schema),
        vec![once],
        None,
        std::iter::empty::<LexOrdering>(),
        false,
        None,
    )?;
    let by = PhysicalSortExpr::new_default(col(PLACE, &schema)?);
    let order = LexOrdering::new([by])
        .ok_or_else(|| DataFusionError::Internal("there is nothing to sort by".to_owned()))?;
    let runtime: RuntimeEnv = RuntimeEnvBuilder::new()
        .with_memory_limit(MEMORY, 1.0)
        .build()?;
    let config = SessionConfig::new().with_batch_size(rows_at_once);
    let context = TaskContext::default()
        .with_session_config(config)
        .with_runtime(Arc::new(runtime));
    SortExec::new(order, Arc::new(input)).execute(0, Arc::new(context))
}

/// Rows that are read once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        rows.unwrap_or_else(|| {
            let nothing = futures::stream::empty();
            Box::pin(RecordBatchStreamAdapter::new(
                Arc::clone(&self.schema),
                nothing,
            ))
        })
    }
}

fn wrong(error: &arrow::error::ArrowError) -> Error {
    Error::internal(format!("cannot sort rows: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_take_turns() {
        assert_eq!(spread(0b11, 0, 2) | spread(0b00, 1, 2), 0b1010);
        assert_eq!(spread(0b01, 0, 2) | spread(0b11, 1, 2), 0b0111);
        assert_eq!(spread(255, 0, 1), 255);
        let all = (0..8).fold(0, |all, number| all | spread(255, number, 8));
        assert_eq!(all, u64::MAX);
    }
}
