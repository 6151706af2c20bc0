//! `CALL`: one piece of maintenance by hand, or dead letters replayed.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::Commands;
use crate::error::{Error, Result};
use crate::ledger;
use crate::maintenance::check_retention;
use crate::replay::{self, Replay, Replayer};
use crate::statement::{Call, Procedure};
use crate::table::{Maintained, Maintenance, Orphans};

/// The columns of the answer.
static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let count = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        text("table"),
        text("action"),
        Field::new("version", DataType::Int64, true),
        count("files_added"),
        count("files_removed"),
        count("bytes_added"),
        count("bytes_removed"),
    ]))
});

/// The columns of the answer to a `CALL`.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when they cannot be made, which would be a fault here.
pub(crate) fn answer_schema(procedure: &Procedure) -> Result<SchemaRef> {
    match procedure {
        Procedure::Replay { .. } => Ok(replay::rows(&[])?.schema()),
        _ => Ok(Arc::clone(&COLUMNS)),
    }
}

impl Commands {
    /// Runs `call` to its end and says what it did.
    pub(super) async fn call(&self, call: Call) -> Result<RecordBatch> {
        if let Procedure::Replay {
            predicate,
            limit,
            dry_run,
        } = call.procedure
        {
            return self
                .replay(&Replay {
                    table: call.table,
                    predicate,
                    limit,
                    dry_run,
                })
                .await;
        }
        let table = self.catalog.table(&call.table).await?;
        let action = call.procedure.name();
        let work = self.work(call.procedure)?;
        // Merging plans a predicate and encodes rows; the rest waits for the store.
        let done = match matches!(work, Maintenance::Compact(_)) {
            true => {
                self.cpu
                    .run(async move { ledger::maintain(table.as_ref(), &work).await })
                    .await?
            }
            false => ledger::maintain(table.as_ref(), &work).await?,
        };
        answer(&call.table, action, done)
    }

    async fn replay(&self, replay: &Replay) -> Result<RecordBatch> {
        let replayer = Replayer {
            catalog: Arc::clone(&self.catalog),
            pipelines: Arc::clone(&self.pipelines),
            contexts: Arc::clone(&self.contexts),
            cpu: Arc::clone(&self.cpu),
        };
        replay::rows(&replayer.run(replay).await?)
    }

    fn work(&self, procedure: Procedure) -> Result<Maintenance> {
        Ok(match procedure {
            Procedure::Replay { .. } => return Err(Error::internal("a replay is no maintenance")),
            Procedure::Checkpoint => Maintenance::Checkpoint,
            Procedure::CleanLog { retention } => Maintenance::CleanLog {
                retention: retention.unwrap_or(self.maintenance.log_retention),
            },
            Procedure::Optimize(compact) => Maintenance::Compact(compact),
            Procedure::Vacuum {
                retention,
                dry_run,
                full,
                force,
            } => {
                if let Some(retention) = retention
                    && !dry_run
                    && !force
                {
                    check_retention(retention, self.query_timeout)?;
                }
                Maintenance::Vacuum {
                    retention,
                    dry_run,
                    orphans: match full {
                        true => Orphans::All,
                        false => Orphans::Kept,
                    },
                }
            }
        })
    }
}

fn answer(table: &str, action: &str, done: Maintained) -> Result<RecordBatch> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let count = |number: u64| Arc::new(Int64Array::from(vec![whole(number)])) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![table])),
        Arc::new(StringArray::from(vec![action])),
        Arc::new(Int64Array::from(vec![done.version.map(whole)])),
        count(done.files_added),
        count(done.files_removed),
        count(done.bytes_added),
        count(done.bytes_removed),
    ];
    RecordBatch::try_new(Arc::clone(&COLUMNS), columns)
        .map_err(|error| Error::internal(format!("cannot answer a CALL: {error}")).source(error))
}
