//! Streams whose undeclared keys become columns of the target. What several records of a cut have
//! in `_extra` and the table lacks is added as a nullable column before the rows are appended, and
//! values that fit are moved there, also into columns that another process has added.
//!
//! Nothing is lost when that fails: what has no column stays in `_extra`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use tracing::{info, warn};

use crate::error::{Error, Kind, Result};
use crate::insert::EXTRA;
use crate::lineage;
use crate::pipeline::batch::Origins;
use crate::pipeline::extra::{Sightings, fill, fillable, survey};
use crate::pipeline::transform::Transform;
use crate::runtime::Cpu;
use crate::table::Table;

/// Records of a cut in which a key must be before it becomes a column.
const RECORDS_MIN: usize = 3;
/// Columns that a table may have in all.
const COLUMNS_MAX: usize = 512;
/// Bytes of a key that may be a column's name.
const NAME_MAX: usize = 128;
/// Characters that other readers of the table do not take in a column's name.
const UNFIT_CHARS: &str = " ,;{}()\n\t=\"`";
/// How often keys without a column make this look for columns that others have added.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A target that grows columns.
#[derive(Debug)]
pub struct Evolution {
    table: Arc<dyn Table>,
    target: SchemaRef,
    /// Columns that the query gives values for.
    given: BTreeSet<String>,
    known: Mutex<(SchemaRef, Instant)>,
}

impl Evolution {
    /// `None` when the query of `transform` does not pass `_extra` through to the target.
    #[must_use]
    pub fn new(table: &Arc<dyn Table>, transform: &Transform) -> Option<Self> {
        let target = transform.target();
        let extra = target.field_with_name(EXTRA).ok()?;
        if !transform.passes_extra() || extra.data_type() != &DataType::Utf8 {
            return None;
        }
        Some(Self {
            table: Arc::clone(table),
            target: Arc::clone(target),
            given: transform.given().iter().cloned().collect(),
            known: Mutex::new((Arc::clone(target), Instant::now())),
        })
    }

    /// Gives `rows` their columns, adding those that are missing, and how many values did not fit.
    ///
    /// # Errors
    /// When the table cannot be read or changed.
    pub async fn apply(
        self: &Arc<Self>,
        cpu: &Cpu,
        rows: Vec<RecordBatch>,
    ) -> Result<(Vec<RecordBatch>, u64)> {
        if !rows.iter().any(has_extra) {
            return Ok((rows, 0));
        }
        let (known, looked) = self.known();
        let (this, surveyed) = (Arc::clone(self), rows);
        let (surveyed, seen) = cpu
            .run(async move {
                let seen = this.survey(&surveyed, &known)?;
                Ok((surveyed, seen))
            })
            .await?;
        let frequent = |(_, seen): (&String, &Sightings)| seen.records() >= RECORDS_MIN;
        if seen.iter().any(frequent) || (!seen.is_empty() && looked.elapsed() > LOOK_AGAIN) {
            self.add_columns(&seen).await?;
        }
        let (known, _) = self.known();
        let this = Arc::clone(self);
        cpu.run(async move { this.fill(&surveyed, &known) }).await
    }

    fn known(&self) -> (SchemaRef, Instant) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&known.0), known.1)
    }

    async fn look(&self) -> Result<SchemaRef> {
        let schema = self.table.schema().await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (Arc::clone(&schema), Instant::now());
        Ok(schema)
    }

    fn survey(&self, rows: &[RecordBatch], known: &Schema) -> Result<BTreeMap<String, Sightings>> {
        let mut seen = BTreeMap::new();
        let columns = known
            .fields()
            .iter()
            .map(|field| field.name().to_lowercase());
        let names: BTreeSet<String> = reserved().map(str::to_lowercase).chain(columns).collect();
        let is_new = |name: &str| may_be_column(name) && !names.contains(&name.to_lowercase());
        for rows in rows.iter().filter(|rows| has_extra(rows)) {
            let origins = Origins::of(rows)?;
            let offset = |row| origins.offset(row);
            if let Some(extra) = extra_of(rows) {
                survey(extra, offset, is_new, &mut seen);
            }
        }
        Ok(seen)
    }

    async fn add_columns(&self, seen: &BTreeMap<String, Sightings>) -> Result<()> {
        let known = self.look().await?;
        let there = |name: &str| {
            let mut fields = known.fields().iter();
            fields.any(|field| field.name().eq_ignore_ascii_case(name))
        };
        let mut missing: Vec<(&String, &Sightings)> = seen
            .iter()
            .filter(|(name, seen)| seen.records() >= RECORDS_MIN && !there(name))
            .collect();
        missing.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.records()));
        let mut columns: Vec<FieldRef> = Vec::new();
        for (name, seen) in missing {
            let twin = |field: &FieldRef| field.name().eq_ignore_ascii_case(name);
            if known.fields().len() + columns.len() < COLUMNS_MAX && !columns.iter().any(twin) {
                columns.push(Arc::new(Field::new(name, seen.column(), true)));
            }
        }
        if columns.is_empty() {
            return Ok(());
        }
        match self.table.add_columns(&columns).await {
            Ok(()) => {
                let names: Vec<&str> = columns.iter().map(|field| field.name().as_str()).collect();
                info!(
                    columns = names.join(", "),
                    "columns added for undeclared keys"
                );
            }
            // Somebody else was faster, with another type perhaps; what does not fit stays.
            Err(error) if matches!(error.kind(), Kind::User | Kind::Conflict) => {
                warn!(%error, "columns for undeclared keys were not added");
            }
            Err(error) => return Err(error),
        }
        self.look().await.map(|_| ())
    }

    fn fill(&self, rows: &[RecordBatch], known: &Schema) -> Result<(Vec<RecordBatch>, u64)> {
        let free = |field: &&FieldRef| {
            let name = field.name();
            !self.given.contains(name) && !is_reserved(name) && fillable(field)
        };
        let fields: Vec<FieldRef> = known.fields().iter().filter(free).cloned().collect();
        let added = fields
            .iter()
            .filter(|field| self.target.field_with_name(field.name()).is_err());
        let all: Vec<FieldRef> = self.target.fields().iter().chain(added).cloned().collect();
        let schema = Arc::new(Schema::new(all));
        let (mut filled, mut unfit) = (Vec::with_capacity(rows.len()), 0);
        for rows in rows {
            let moved = extra_of(rows).map(|extra| fill(extra, &fields));
            unfit += moved.as_ref().map_or(0, |moved| moved.unfit);
            let column = |field: &FieldRef| -> ArrayRef {
                let place = fields.iter().position(|free| free.name() == field.name());
                match (&moved, place) {
                    (Some(moved), _) if field.name() == EXTRA => Arc::clone(&moved.extra),
                    (Some(moved), Some(place)) => Arc::clone(&moved.columns[place]),
                    _ => match rows.column_by_name(field.name()) {
                        Some(column) => Arc::clone(column),
                        None => new_null_array(field.data_type(), rows.num_rows()),
                    },
                }
            };
            let columns = schema.fields().iter().map(column).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns);
            filled
                .push(batch.map_err(|error| Error::internal(format!("evolved columns: {error}")))?);
        }
        Ok((filled, unfit))
    }
}

fn extra_of(rows: &RecordBatch) -> Option<&StringArray> {
    rows.column_by_name(EXTRA)?.as_string_opt::<i32>()
}

fn has_extra(rows: &RecordBatch) -> bool {
    extra_of(rows).is_some_and(|extra| extra.null_count() < extra.len())
}

/// Names that say something else already.
fn reserved() -> impl Iterator<Item = &'static str> {
    let beside = [EXTRA, lineage::KEY, lineage::HEADERS];
    lineage::NAMES.into_iter().chain(beside)
}

fn is_reserved(name: &str) -> bool {
    reserved().any(|reserved| reserved.eq_ignore_ascii_case(name))
}

fn may_be_column(name: &str) -> bool {
    let fits = |char: char| !char.is_control() && !UNFIT_CHARS.contains(char);
    !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(fits)
}
