//! Records that do not reach the table: kept whole in `<table>__dlq` with their position and the
//! reason.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::json::LineDelimitedWriter;

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::batch::Origins;
use crate::source::Reject;

/// What the name of a dead-letter table ends with.
pub const SUFFIX: &str = "__dlq";

/// What the name of a writer that replays dead letters adds to its pipeline's.
pub const REPLAY_SUFFIX: &str = ":replay";

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
/// [`crate::error::Kind::Internal`] when the columns do not fit, which would be a fault here.
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

/// The one record of `row` as a reject, with the bytes it was decoded from; where the stream keeps
/// none, the row as JSON.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when the row does not say where it came from.
pub fn refused(row: &RecordBatch, raw: Option<&[u8]>, error: &Error) -> Result<Reject> {
    let origins = Origins::of(row)?;
    let raw = match raw {
        Some(raw) => raw.to_vec(),
        None => as_json(row)?,
    };
    let key = row.column_by_name(lineage::KEY);
    let key = key.and_then(|keys| keys.as_binary_opt::<i32>());
    let times = row.column_by_name(lineage::TIMESTAMP);
    let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    Ok(Reject {
        topic: origins.topic(0).to_owned(),
        partition: origins.partition(0),
        offset: origins.offset(0),
        timestamp_us: times.and_then(|times| times.iter().next().flatten()),
        key: key.and_then(|keys| keys.iter().next().flatten().map(<[u8]>::to_vec)),
        raw: Some(raw),
        code: CODE_REFUSED,
        reason: error.message().to_owned(),
    })
}

fn as_json(row: &RecordBatch) -> Result<Vec<u8>> {
    let mut json = Vec::new();
    LineDelimitedWriter::new(&mut json)
        .write_batches(&[row])
        .map_err(|error| Error::internal(format!("a row cannot be written as JSON: {error}")))?;
    Ok(json.trim_ascii_end().to_vec())
}
