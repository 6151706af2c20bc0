//! Which tables a query of a system table asks for, so that the others are not opened.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::Expr;

/// The column that names the table.
pub(super) const TABLE: &str = "table";

/// Whether `filter` is about `column` alone.
pub(crate) fn is_about(filter: &Expr, column: &str) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty() && columns.iter().all(|found| found.name == column)
}

/// Those of `names`, which `column` has, for which every filter about it alone holds.
pub(crate) fn selected(
    state: &dyn Session,
    column: &str,
    names: Vec<String>,
    filters: &[Expr],
) -> DfResult<Vec<String>> {
    let schema = Arc::new(Schema::new(vec![Field::new(column, DataType::Utf8, false)]));
    let known = DFSchema::try_from(Arc::clone(&schema))?;
    let mut names = names;
    for filter in filters.iter().filter(|filter| is_about(filter, column)) {
        let expression = state.create_physical_expr(filter.clone(), &known)?;
        let values = StringArray::from_iter_values(&names);
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(values)])?;
        let count = rows.num_rows();
        let holds = expression.evaluate(&rows)?.into_array(count)?;
        let Some(holds) = holds.as_boolean_opt() else {
            continue;
        };
        names = names
            .into_iter()
            .zip(holds.iter())
            .filter_map(|(name, holds)| (holds == Some(true)).then_some(name))
            .collect();
    }
    Ok(names)
}
