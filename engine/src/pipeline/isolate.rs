//! Runs the query so that a record it fails over harms no other: the rows at fault are looked for
//! in ever smaller slices and become dead letters. A run that panics fails alike.

use std::sync::Arc;

use arrow::array::{Array, LargeBinaryArray, RecordBatch};
use datafusion::physical_plan::ExecutionPlan;

use crate::error::{Error, Kind, Result};
use crate::pipeline::dead_letters::refused;
use crate::pipeline::transform::{Made, Transform};
use crate::redaction::{self, Redacted};
use crate::runtime::Cpu;
use crate::source::{Reject, SourceBatch};
use crate::table::Table;

/// Into how many slices a failing one is cut. A lone bad row is found in few runs, and when all are
/// bad there is hardly more than one run for each.
const SLICES: usize = 16;
/// So many rows that all fail over a fault of Sluice's, and none that passes, are not the fault of
/// the rows.
const SYSTEMIC_ROWS: usize = 16;

/// The query over one cut.
#[derive(Debug)]
pub struct Isolation<'a> {
    transform: &'a Arc<Transform>,
    table: &'a Arc<dyn Table>,
    cpu: &'a Cpu,
    plan: Arc<dyn ExecutionPlan>,
}

/// What the query made of rows.
#[derive(Debug, Default)]
pub struct Isolated {
    /// Rows of the target, in the order of those they were made of.
    pub rows: Vec<RecordBatch>,
    /// The records that the query or the target refused.
    pub refused: Vec<Reject>,
    /// What was redacted in the rows.
    pub redacted: Vec<Redacted>,
}

/// Rows with the bytes that they were decoded from.
#[derive(Debug, Clone)]
struct Slice {
    rows: RecordBatch,
    raw: Option<LargeBinaryArray>,
}

impl<'a> Isolation<'a> {
    /// Plans for one cut, whose rows go to `table`.
    ///
    /// # Errors
    /// When the query cannot be planned.
    pub async fn begin(
        transform: &'a Arc<Transform>,
        table: &'a Arc<dyn Table>,
        cpu: &'a Cpu,
    ) -> Result<Self> {
        let planning = Arc::clone(transform);
        let plan = cpu.run(async move { planning.begin().await }).await?;
        Ok(Self {
            transform,
            table,
            cpu,
            plan,
        })
    }

    /// Runs the query over the rows of `batches`.
    ///
    /// # Errors
    /// Whatever is not the fault of single rows, such as running out of memory.
    pub async fn run(&self, batches: &[SourceBatch]) -> Result<Isolated> {
        let filled = batches.iter().filter(|batch| batch.rows.num_rows() > 0);
        let mut slices: Vec<Slice> = filled.map(Slice::of).collect();
        if slices.is_empty() {
            return Ok(Isolated::default());
        }
        let whole: Vec<RecordBatch> = slices.iter().map(|slice| slice.rows.clone()).collect();
        match self.attempt(whole).await {
            Ok(Made { rows, redacted }) => {
                return Ok(Isolated {
                    rows,
                    refused: Vec::new(),
                    redacted,
                });
            }
            Err(error) if blames_rows(&error) => {}
            Err(error) => return Err(error),
        }
        let mut isolated = Isolated::default();
        let (mut passed, mut faults) = (0, Vec::new());
        // A stack of slices in reverse order, so that results keep the order of the rows.
        slices.reverse();
        while let Some(slice) = slices.pop() {
            let error = match self.attempt(vec![slice.rows.clone()]).await {
                Ok(made) => {
                    passed += slice.rows.num_rows();
                    isolated.rows.extend(made.rows);
                    redaction::add(&mut isolated.redacted, made.redacted);
                    continue;
                }
                Err(error) if blames_rows(&error) => error,
                Err(error) => return Err(error),
            };
            if slice.rows.num_rows() > 1 {
                slices.extend(slice.cut().into_iter().rev());
                continue;
            }
            // Memory that others hold is not the row's fault.
            if error.is_shortage() {
                return Err(error);
            }
            isolated
                .refused
                .push(refused(&slice.rows, slice.bytes(), &error)?);
            if error.kind() == Kind::Internal {
                faults.push(error);
            }
        }
        match faults.pop() {
            Some(fault) if passed == 0 && faults.len() + 1 >= SYSTEMIC_ROWS => Err(fault),
            _ => Ok(isolated),
        }
    }

    async fn attempt(&self, rows: Vec<RecordBatch>) -> Result<Made> {
        let (transform, plan) = (Arc::clone(self.transform), Arc::clone(&self.plan));
        let table = Arc::clone(self.table);
        let run = async move {
            let made = transform.run(&plan, rows).await?;
            check_nulls(&transform, &made.rows)?;
            made.rows
                .iter()
                .try_for_each(|rows| table.check_rows(rows))?;
            Ok(made)
        };
        self.cpu.run(run).await
    }
}

impl Slice {
    fn of(batch: &SourceBatch) -> Self {
        Self {
            rows: batch.rows.clone(),
            raw: batch.raw.clone(),
        }
    }

    fn cut(&self) -> Vec<Self> {
        let count = self.rows.num_rows();
        let length = count.div_ceil(SLICES);
        let starts = (0..count).step_by(length);
        starts
            .map(|start| {
                let length = length.min(count - start);
                Self {
                    rows: self.rows.slice(start, length),
                    raw: self.raw.as_ref().map(|raw| raw.slice(start, length)),
                }
            })
            .collect()
    }

    fn bytes(&self) -> Option<&[u8]> {
        let raw = self.raw.as_ref()?;
        raw.is_valid(0).then(|| raw.value(0))
    }
}

/// Whether smaller slices may tell which rows are at fault.
fn blames_rows(error: &Error) -> bool {
    matches!(error.kind(), Kind::User | Kind::Internal | Kind::Limit)
}

/// A NULL in a NOT NULL column of the target is the row's fault.
fn check_nulls(transform: &Transform, batches: &[RecordBatch]) -> Result<()> {
    for batch in batches {
        for (field, column) in transform.target().fields().iter().zip(batch.columns()) {
            if !field.is_nullable() && column.null_count() > 0 {
                let name = field.name();
                return Err(Error::user(format!(
                    "column \"{name}\" is NOT NULL and the value is NULL"
                )));
            }
        }
    }
    Ok(())
}
