//! `system.pipelines`: what every pipeline does in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::error::Result as DfResult;

use crate::pipeline::status::PipelineProgress;
use crate::statement::{self, Statement};
use crate::store::StoredPipeline;

/// One row for each pipeline of `progress`, with its body out of `stored`.
pub(super) fn rows(
    progress: &[PipelineProgress],
    stored: &BTreeMap<String, StoredPipeline>,
) -> DfResult<RecordBatch> {
    let definitions = progress.iter().map(|p| {
        let sql = &stored.get(&p.pipeline)?.sql;
        match statement::parse(sql).ok()? {
            Statement::CreatePipeline(create) => Some((create.body, options(&create.options))),
            _ => None,
        }
    });
    let (bodies, options): (Vec<_>, Vec<_>) = definitions.map(Option::unzip).unzip();
    let (bodies, options) = (StringArray::from(bodies), StringArray::from(options));
    let text = |get: fn(&PipelineProgress) -> Option<&str>| -> ArrayRef {
        Arc::new(progress.iter().map(get).collect::<StringArray>())
    };
    let number = |get: fn(&PipelineProgress) -> Option<u64>| -> ArrayRef {
        let values = progress
            .iter()
            .map(|p| get(p).and_then(|n| i64::try_from(n).ok()));
        Arc::new(values.collect::<Int64Array>())
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(|p| Some(&p.pipeline)), false),
        ("state", text(|p| Some(p.state.as_str())), false),
        ("definition", Arc::new(bodies) as ArrayRef, true),
        ("events", number(|p| Some(p.events)), false),
        ("rows", number(|p| Some(p.rows)), false),
        ("rejected", number(|p| Some(p.rejected)), false),
        ("lag", number(|p| Some(p.lag)), false),
        ("freshness_ms", number(|p| p.freshness_ms), true),
        ("version", number(|p| p.version), true),
        ("error", text(|p| p.error.as_deref()), true),
        ("last_error", text(|p| p.last_error.as_deref()), true),
        (
            "schema_conflicts",
            number(|p| Some(p.schema_conflicts)),
            false,
        ),
        ("options", Arc::new(options) as ArrayRef, true),
    ])?)
}

/// Options as they stand in `WITH`.
fn options(options: &BTreeMap<String, String>) -> String {
    let pairs = options.iter().map(|(key, value)| {
        let value = value.replace('\'', "''");
        format!("{key} = '{value}'")
    });
    pairs.collect::<Vec<_>>().join(", ")
}
