//! What became of the dead letters of one pipeline.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use crate::error::{Error, Result};

/// The figures of one pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The pipeline.
    pub pipeline: String,
    /// Dead letters that were asked for.
    pub letters: u64,
    /// Records that are in the table now and were not before.
    pub stored: u64,
    /// Their rows.
    pub rows: u64,
    /// Records that the table held already.
    pub stored_before: u64,
    /// Records that the pipeline's query leaves out.
    pub filtered: u64,
    /// Records that stay dead letters.
    pub failed: u64,
    /// Why the first of them does.
    pub reason: Option<String>,
}

impl Outcome {
    pub(super) fn of(pipeline: &str) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn fail(&mut self, count: u64, reason: &str) {
        self.failed += count;
        self.reason.get_or_insert_with(|| reason.to_owned());
    }
}

/// The figures as rows, for the answer of a statement.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when the columns do not fit, which would be a fault here.
pub fn rows(outcomes: &[Outcome]) -> Result<RecordBatch> {
    let number = |get: fn(&Outcome) -> u64| -> ArrayRef {
        let values = outcomes
            .iter()
            .map(|outcome| i64::try_from(get(outcome)).ok());
        Arc::new(values.collect::<Int64Array>())
    };
    let text = |get: fn(&Outcome) -> Option<&str>| -> ArrayRef {
        Arc::new(outcomes.iter().map(get).collect::<StringArray>())
    };
    RecordBatch::try_from_iter_with_nullable([
        ("pipeline", text(|of| Some(&of.pipeline)), false),
        ("dead_letters", number(|of| of.letters), false),
        ("stored", number(|of| of.stored), false),
        ("rows", number(|of| of.rows), false),
        ("stored_before", number(|of| of.stored_before), false),
        ("filtered", number(|of| of.filtered), false),
        ("failed", number(|of| of.failed), false),
        ("first_error", text(|of| of.reason.as_deref()), true),
    ])
    .map_err(|error| Error::internal(format!("figures of a replay: {error}")))
}
