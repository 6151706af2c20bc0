//! `system.policies`: what is redacted how, one row for each rule of each policy.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::error::Result as DfResult;

use crate::redaction::PolicyRule;

/// One row for each of `rules`.
pub(super) fn rows(rules: &[PolicyRule]) -> DfResult<RecordBatch> {
    let text = |get: fn(&PolicyRule) -> &str| -> ArrayRef {
        Arc::new(
            rules
                .iter()
                .map(|rule| Some(get(rule)))
                .collect::<StringArray>(),
        )
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(|rule| &rule.policy), false),
        ("hash", text(|rule| &rule.hash), false),
        ("category", text(|rule| &rule.category), false),
        ("mode", text(|rule| &rule.mode), false),
    ])?)
}
