//! Records that do not reach the table: kept whole in `<table>__dlq` with their position and the
//! reason, and looked for among rows when a query fails over one of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::LineDelimitedWriter;

use crate::error::{Error, Kind, Result};
use crate::lineage;
use crate::pipeline::transform::Transform;
use crate::source::Reject;

/// What the name of a dead-letter table ends with.
pub const SUFFIX: &str = "__dlq";

/// The code of a record that was decoded and that the query or the table refused.
pub const CODE_REFUSED: &str = "refused";

/// The columns of every dead-letter table.
#[must_use]
pub fn schema() -> SchemaRef {
    let [topic, partition, offset, timestamp] = lineage::fields();
    let field = |name: &str, kind: DataType| Arc::new(Field::new(name, kind, true));
    Arc::new(Schema::new(vec![
        topic,
        partition,
        offset,
        timestamp,
        field("key", DataType::Binary),
        field("raw", DataType::Binary),
        field("code", DataType::Utf8),
        field("reason", DataType::Utf8),
        field("pipeline", DataType::Utf8),
        field("rejected_at", lineage::timestamp_type()),
    ]))
}

/// The rejects as rows of [`schema`].
///
/// # Errors
/// [`Kind::Internal`] when the columns do not fit, which would be a fault here.
pub fn rows(rejects: &[&Reject], pipeline: &str, at_us: i64) -> Result<RecordBatch> {
    let (mut topic, mut partition) = (StringBuilder::new(), Int32Builder::new());
    let (mut offset, mut timestamp) = (Int64Builder::new(), TimestampMicrosecondBuilder::new());
    let (mut key, mut raw) = (BinaryBuilder::new(), BinaryBuilder::new());
    let (mut code, mut reason) = (StringBuilder::new(), StringBuilder::new());
    let (mut name, mut at) = (StringBuilder::new(), TimestampMicrosecondBuilder::new());
    for reject in rejects {
        topic.append_value(&reject.topic);
        partition.append_value(reject.partition);
        offset.append_value(reject.offset);
        timestamp.append_option(reject.timestamp_us);
        key.append_option(reject.key.as_deref());
        raw.append_option(reject.raw.as_deref());
        code.append_value(reject.code);
        reason.append_value(&reject.reason);
        name.append_value(pipeline);
        at.append_value(at_us);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(topic.finish()),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(timestamp.finish().with_timezone("UTC")),
        Arc::new(key.finish()),
        Arc::new(raw.finish()),
        Arc::new(code.finish()),
        Arc::new(reason.finish()),
        Arc::new(name.finish()),
        Arc::new(at.finish().with_timezone("UTC")),
    ];
    RecordBatch::try_new(schema(), columns)
        .map_err(|error| Error::internal(format!("dead letters: {error}")))
}

/// Runs the query over `rows`, and when it fails over a value finds the rows at fault: what the
/// other rows give, and those rows as rejects.
///
/// # Errors
/// Whatever is not the fault of single rows, such as running out of memory.
pub async fn run_isolating(
    transform: &Transform,
    rows: Vec<RecordBatch>,
) -> Result<(Vec<RecordBatch>, Vec<Reject>)> {
    let failure = match transform.run(rows.clone()).await {
        Ok(out) => match check_nulls(transform, &out) {
            Ok(()) => return Ok((out, Vec::new())),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if failure.kind() != Kind::User {
        return Err(failure);
    }
    let (mut out, mut rejects) = (Vec::new(), Vec::new());
    // A stack of slices in reverse order, so that results keep the order of the rows.
    let mut slices: Vec<RecordBatch> = rows.into_iter().rev().collect();
    while let Some(slice) = slices.pop() {
        let result = transform.run(vec![slice.clone()]).await;
        let result = result.and_then(|out| check_nulls(transform, &out).map(|()| out));
        match result {
            Ok(batches) => out.extend(batches),
            Err(error) if error.kind() != Kind::User => return Err(error),
            Err(error) if slice.num_rows() == 1 => rejects.push(refused(&slice, &error)?),
            Err(_) => {
                let half = slice.num_rows() / 2;
                slices.push(slice.slice(half, slice.num_rows() - half));
                slices.push(slice.slice(0, half));
            }
        }
    }
    Ok((out, rejects))
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

/// One decoded row as a reject: its bytes are the row as JSON, the record's own being gone.
fn refused(row: &RecordBatch, error: &Error) -> Result<Reject> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
    let fault = |what: &str| Error::internal(format!("a row came without {what}"));
    let column = |name: &'static str| row.column_by_name(name).ok_or_else(|| fault(name));
    let mut raw = Vec::new();
    LineDelimitedWriter::new(&mut raw)
        .write_batches(&[row])
        .map_err(|error| Error::internal(format!("a row cannot be written as JSON: {error}")))?;
    let topic = column(lineage::TOPIC)?
        .as_string_opt::<i32>()
        .ok_or_else(|| fault("a topic"))?;
    let partition = column(lineage::PARTITION)?.as_primitive_opt::<Int32Type>();
    let offset = column(lineage::OFFSET)?.as_primitive_opt::<Int64Type>();
    let times = column(lineage::TIMESTAMP)?.as_primitive_opt::<TimestampMicrosecondType>();
    Ok(Reject {
        topic: topic.value(0).to_owned(),
        partition: partition.ok_or_else(|| fault("a partition"))?.value(0),
        offset: offset.ok_or_else(|| fault("an offset"))?.value(0),
        timestamp_us: times.and_then(|times| times.iter().next().flatten()),
        key: None,
        raw: Some(raw.trim_ascii_end().to_vec()),
        code: CODE_REFUSED,
        reason: error.message().to_owned(),
    })
}
