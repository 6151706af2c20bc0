//! `system.enrichment`: the files and stored tables that functions read beside their arguments.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::error::Result as DfResult;

use crate::enrichment::{Present, Status};
use crate::plugin::Enriching;

/// One row for each file or table; `path` is where the file is, or the name of the table.
pub(super) fn rows(present: &Present) -> DfResult<RecordBatch> {
    let files = &present.files;
    let data = |status: &Status| status.part.data.as_ref().ok().cloned();
    let text = |get: fn(&Status) -> Option<String>| -> ArrayRef {
        Arc::new(files.iter().map(get).collect::<StringArray>())
    };
    let versions = files.iter().map(|status| data(status)?.version);
    let counts = files.iter().map(|status| {
        let Enriching { rows, .. } = data(status)?;
        i64::try_from(rows).ok()
    });
    let loaded = files.iter().map(|status| status.loaded_us);
    let loaded = loaded.collect::<TimestampMicrosecondArray>();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("name", text(|status| Some(status.part.name.clone())), false),
        (
            "kind",
            text(|status| Some(status.part.file.kind().to_owned())),
            false,
        ),
        (
            "path",
            text(|status| Some(status.part.file.place().to_string())),
            false,
        ),
        (
            "version",
            Arc::new(versions.collect::<StringArray>()) as ArrayRef,
            true,
        ),
        (
            "rows",
            Arc::new(counts.collect::<Int64Array>()) as ArrayRef,
            true,
        ),
        (
            "loaded_at",
            Arc::new(loaded.with_timezone("UTC")) as ArrayRef,
            true,
        ),
        ("error", text(|status| status.error.clone()), true),
    ])?)
}
