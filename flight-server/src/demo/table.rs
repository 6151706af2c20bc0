//! Answers as plain columns: names over a rule, numbers to the right, long text cut.

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sluice_engine::error::{Error, Result};

/// Between two columns.
const GAP: &str = "  ";
/// Longer cells are cut, so that a line of the table stays a line of the terminal.
const CELL_MAX: usize = 74;

/// One column of the table, as text.
struct Column {
    name: String,
    numeric: bool,
    cells: Vec<String>,
}

/// Draws `batches`, which all have the same columns.
///
/// # Errors
/// When a value cannot be shown as text.
pub(crate) fn draw(batches: &[RecordBatch]) -> Result<String> {
    let columns = columns(batches)?;
    let widths: Vec<usize> = columns
        .iter()
        .map(|c| {
            c.cells
                .iter()
                .chain([&c.name])
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let line = |cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns
            .iter()
            .zip(&widths)
            .map(|(column, &width)| match column.numeric {
                true => format!("{:>width$}", cell(column)),
                false => format!("{:<width$}", cell(column)),
            })
            .collect();
        cells.join(GAP).trim_end().to_owned() + "\n"
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = line(&|column| column.name.clone()) + &rule.join(GAP) + "\n";
    for row in 0..rows {
        text += &line(&|column| column.cells.get(row).cloned().unwrap_or_default());
    }
    if rows == 0 {
        text += "(no rows)\n";
    }
    Ok(text)
}

fn columns(batches: &[RecordBatch]) -> Result<Vec<Column>> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let mut columns = Vec::new();
    for (index, field) in first.schema().fields().iter().enumerate() {
        let numeric = field.data_type().is_numeric();
        let mut cells = Vec::new();
        for batch in batches {
            cells.extend(cells_of(batch, index)?);
        }
        columns.push(Column {
            name: field.name().clone(),
            numeric,
            cells,
        });
    }
    Ok(columns)
}

fn cells_of(batch: &RecordBatch, index: usize) -> Result<Vec<String>> {
    let options = FormatOptions::default().with_null("-");
    let shown = ArrayFormatter::try_new(batch.column(index).as_ref(), &options)
        .map_err(|error| Error::internal(format!("cannot show column {index}: {error}")))?;
    Ok((0..batch.num_rows())
        .map(|row| cut(shown.value(row).to_string()))
        .collect())
}

fn cut(text: String) -> String {
    if text.chars().count() <= CELL_MAX {
        return text;
    }
    text.chars().take(CELL_MAX - 3).collect::<String>() + "..."
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_numbers_stand_to_the_right() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("auth"), None]));
        let counts: ArrayRef = Arc::new(Int64Array::from(vec![7, 1200]));
        let batch = RecordBatch::try_from_iter([("source", names), ("n", counts)]).unwrap();
        let want = "source     n\n------  ----\nauth       7\n-       1200\n";
        assert_eq!(draw(std::slice::from_ref(&batch)).unwrap(), want);
        assert!(draw(&[batch.slice(0, 0)]).unwrap().ends_with("(no rows)\n"));
        assert_eq!(cut("x".repeat(100)).len(), CELL_MAX);
    }
}
