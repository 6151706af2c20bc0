//! Parameters: `?` becomes `$1`, `$2` and so on before planning; values come as columns of a batch
//! and are bound by position, because drivers name the columns as they like.

use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use futures::{StreamExt, TryStreamExt, stream};
use sluice_engine::error::Error;
use sluice_engine::session::Prepared;
use sluice_engine::statement::DIALECT;
use tonic::Streaming;

use crate::status::Result;

/// Rows of parameters in one call.
const ROWS_MAX: usize = 100_000;
/// Bytes of parameters in one call.
const BYTES_MAX: usize = 64 << 20;

/// `sql` with every `?` numbered. The planner takes all of them for one parameter otherwise.
///
/// # Errors
/// When the text cannot be read as SQL tokens.
pub(super) fn numbered(sql: &str) -> Result<String> {
    if !sql.contains('?') {
        return Ok(sql.to_owned());
    }
    let tokens = Tokenizer::new(&DIALECT, sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| Error::user(format!("the statement is not SQL: {error}")))?;
    let marks: Vec<_> = tokens
        .iter()
        .filter(|token| match &token.token {
            Token::Question => true,
            Token::Placeholder(name) => name == "?",
            _ => false,
        })
        .map(|token| (token.span.start.line, token.span.start.column))
        .collect();
    let mut marks = marks.into_iter().peekable();
    let mut text = String::with_capacity(sql.len() + 8);
    let (mut line, mut column, mut number) = (1, 1, 0);
    for next in sql.chars() {
        if marks.next_if_eq(&(line, column)).is_some() {
            number += 1;
            text.push_str(&format!("${number}"));
        } else {
            text.push(next);
        }
        (line, column) = if next == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        };
    }
    Ok(text)
}

/// `prepared` with the values of `row` in the place of its parameters.
///
/// # Errors
/// When there are too few or too many values, or one does not fit its parameter.
pub(super) fn bind(prepared: Prepared, rows: &RecordBatch, row: usize) -> Result<Prepared> {
    let parameters = prepared.parameters()?;
    if parameters.len() != rows.num_columns() {
        let (wanted, given) = (parameters.len(), rows.num_columns());
        let text = format!("the statement takes {wanted} parameters, but {given} were given");
        return Err(Error::user(text).into());
    }
    if parameters.is_empty() {
        return Ok(prepared);
    }
    let mut values = Vec::with_capacity(parameters.len());
    for (field, column) in parameters.iter().zip(rows.columns()) {
        let value = ScalarValue::try_from_array(column, row).map_err(|error| {
            let name = field.name();
            Error::user(format!("the value of parameter \"{name}\" cannot be read")).source(error)
        })?;
        values.push(value);
    }
    Ok(prepared.with_parameters(ParamValues::from(values))?)
}

/// The rows of parameters in a put, whose first message is `first`; `None` when there is no column.
///
/// # Errors
/// When they are no Arrow data.
pub(super) async fn read(
    first: FlightData,
    rest: Streaming<FlightData>,
) -> Result<Option<RecordBatch>> {
    // Without parameters some clients send no schema at all, others one without columns.
    if first.data_header.is_empty() {
        return Ok(None);
    }
    let data = stream::once(async { Ok(first) }).chain(rest.map_err(FlightError::from));
    let mut data = FlightRecordBatchStream::new_from_flight_data(data);
    let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
    while let Some(batch) = data.next().await {
        let batch =
            batch.map_err(|error| Error::user("the parameters are no Arrow data").source(error))?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if rows > ROWS_MAX || bytes > BYTES_MAX {
            let error = Error::limit("these are too many parameters for one call");
            let hint = format!("send at most {ROWS_MAX} rows at a time, or use bulk ingestion");
            return Err(error.hint(hint).into());
        }
        batches.push(batch);
    }
    let Some(schema) = data.schema().cloned() else {
        return Ok(None);
    };
    // Columns without rows are no rows, not values that were given before.
    let rows = concat_batches(&schema, &batches)?;
    Ok((rows.num_columns() > 0).then_some(rows))
}

/// One row of parameters as a ticket carries it.
///
/// # Errors
/// When it cannot be encoded.
pub(super) fn to_ipc(row: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), row.schema_ref())?;
    writer.write(row)?;
    Ok(writer.into_inner()?)
}

/// The row of parameters in a ticket, if there is one.
///
/// # Errors
/// When it cannot be read.
pub(super) fn from_ipc(bytes: &[u8]) -> Result<Option<RecordBatch>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(StreamReader::try_new(bytes, None)?.next().transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_are_numbered_and_quoted_ones_left_alone() {
        let rows = [
            ("SELECT 1", "SELECT 1"),
            ("SELECT ?", "SELECT $1"),
            (
                "SELECT ?,?\n, '?' -- ?\n, \"?\", ?",
                "SELECT $1,$2\n, '?' -- ?\n, \"?\", $3",
            ),
            (
                "SELECT 'it''s?', 'щ', ?\r\n+ ?",
                "SELECT 'it''s?', 'щ', $1\r\n+ $2",
            ),
            ("SELECT /* ? \n */ ?", "SELECT /* ? \n */ $1"),
            (
                "SELECT $1 WHERE a LIKE '%?%'",
                "SELECT $1 WHERE a LIKE '%?%'",
            ),
        ];
        for (sql, want) in rows {
            assert_eq!(numbered(sql).unwrap(), want);
        }
        assert!(numbered("SELECT 'open ?").is_err());
    }
}
