//! `system.functions`: the reference of the SQL functions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Documentation;

use crate::context::Functions;
use crate::plugin::Plugin;

/// One row for each function of `plugin` and of users.
pub(super) fn rows(plugin: &Plugin, own: &Functions) -> DfResult<RecordBatch> {
    let mut rows: Vec<(&str, &str, Option<&Documentation>)> = Vec::new();
    rows.extend(
        plugin
            .scalars
            .iter()
            .map(|f| (f.name(), "scalar", f.documentation())),
    );
    rows.extend(
        plugin
            .aggregates
            .iter()
            .map(|f| (f.name(), "aggregate", f.documentation())),
    );
    rows.extend(
        plugin
            .windows
            .iter()
            .map(|f| (f.name(), "window", f.documentation())),
    );
    rows.extend(
        own.values()
            .map(|f| (f.name(), "scalar", f.documentation())),
    );
    rows.sort_unstable_by_key(|row| row.0);
    let column = |get: fn(&Documentation) -> &str| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.2.map(get))
                .collect::<StringArray>(),
        )
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        (
            "name",
            Arc::new(rows.iter().map(|r| Some(r.0)).collect::<StringArray>()) as ArrayRef,
            false,
        ),
        (
            "kind",
            Arc::new(rows.iter().map(|r| Some(r.1)).collect::<StringArray>()) as ArrayRef,
            false,
        ),
        ("family", column(|doc| doc.doc_section.label), true),
        ("syntax", column(|doc| &doc.syntax_example), true),
        ("description", column(|doc| &doc.description), true),
        (
            "example",
            column(|doc| doc.sql_example.as_deref().unwrap_or_default()),
            true,
        ),
    ])?)
}
