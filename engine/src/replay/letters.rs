//! Dead letters as records again: chosen, read, and decoded as their stream is defined now.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, LargeBinaryArray, RecordBatch,
    StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use datafusion::prelude::{DataFrame, SessionContext, ident, lit};

use super::{IDENTITY, Replay};
use crate::context::{CATALOG, SYSTEM};
use crate::error::{Error, Result};
use crate::lineage;
use crate::source::{Partition, ReadRange, Redecoded, Source, SourceBatch};

/// The columns that make a record again.
const COLUMNS: [&str; 8] = [
    "pipeline",
    "topic",
    "partition",
    "offset",
    "kafka_ts",
    "key",
    "raw",
    "error_code",
];
/// The code of records of which only the beginning is kept.
const CUT: &str = "too_large";

/// What tells a record from every other: topic, partition, offset, and when it was produced, as
/// the offsets of a topic begin anew when it is made anew.
pub(super) type Place = (String, i32, i64, Option<i64>);

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) pipeline: String,
    pub(super) offset: i64,
    topic: String,
    partition: i32,
    timestamp_us: Option<i64>,
    key: Option<Vec<u8>>,
    raw: Option<Vec<u8>>,
    code: String,
}

impl Letter {
    pub(super) fn partition(&self) -> Partition {
        Partition {
            topic: self.topic.clone(),
            identity: IDENTITY.to_owned(),
            index: self.partition,
        }
    }

    pub(super) fn place(&self) -> Place {
        (
            self.topic.clone(),
            self.partition,
            self.offset,
            self.timestamp_us,
        )
    }

    pub(super) fn bytes(&self) -> usize {
        self.raw.as_ref().map_or(0, Vec::len)
    }

    /// Whether its bytes are those of the record.
    pub(super) fn is_whole(&self) -> bool {
        self.raw.is_some() && self.code != CUT
    }

    pub(super) fn why_not(&self) -> String {
        match self.raw {
            None => "the record has no value".to_owned(),
            Some(_) => "only the beginning of the record is kept".to_owned(),
        }
    }
}

/// The dead letters that `replay` asks for, those of a pipeline and partition together.
///
/// # Errors
/// When the predicate is wrong.
pub(super) async fn select(context: &SessionContext, replay: &Replay) -> Result<DataFrame> {
    let letters = format!("{CATALOG}.{SYSTEM}.dead_letters");
    let mut frame = context.table(letters).await?;
    frame = frame.filter(ident("table").eq(lit(replay.table.as_str())))?;
    if let Some(predicate) = &replay.predicate {
        let parsed = frame.parse_sql_expr(predicate)?;
        frame = frame.filter(parsed)?;
    }
    let order = ["pipeline", "topic", "partition", "offset"];
    let order = order.map(|name| ident(name).sort(true, false)).to_vec();
    frame = frame.select(COLUMNS.map(ident))?.sort(order)?;
    match replay.limit.map(usize::try_from) {
        Some(Ok(limit)) => Ok(frame.limit(0, Some(limit))?),
        _ => Ok(frame),
    }
}

/// The letters of a batch.
///
/// # Errors
/// [`crate::error::Kind::Internal`] when columns are missing.
pub(super) fn read(batch: &RecordBatch) -> Result<Vec<Letter>> {
    let fault = || Error::internal("dead letters came with other columns");
    let column = |name: &str| batch.column_by_name(name).ok_or_else(fault);
    let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(fault);
    let bytes = |name: &str| column(name)?.as_binary_opt::<i32>().ok_or_else(fault);
    let (pipelines, topics, codes) = (text("pipeline")?, text("topic")?, text("error_code")?);
    let partitions = column("partition")?
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(fault)?;
    let offsets = column("offset")?
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(fault)?;
    let times = column("kafka_ts")?
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(fault)?;
    let (keys, raws) = (bytes("key")?, bytes("raw")?);
    let held = |from: &BinaryArray, row| from.is_valid(row).then(|| from.value(row).to_vec());
    Ok((0..batch.num_rows())
        .map(|row| Letter {
            pipeline: pipelines.value(row).to_owned(),
            topic: topics.value(row).to_owned(),
            partition: partitions.value(row),
            offset: offsets.value(row),
            timestamp_us: times.is_valid(row).then(|| times.value(row)),
            key: held(keys, row),
            raw: held(raws, row),
            code: codes.value(row).to_owned(),
        })
        .collect())
}

/// Decodes letters: a batch of those that can be, and why the others cannot.
///
/// # Errors
/// When the stream keeps no bytes that could be decoded again.
pub(super) fn decode(
    source: &Arc<dyn Source>,
    letters: &[&Letter],
) -> Result<(SourceBatch, Vec<String>)> {
    let bytes = letters
        .iter()
        .map(|letter| letter.raw.as_deref().unwrap_or_default());
    let Redecoded { rows, faults } = source.decode(&bytes.collect::<Vec<_>>())?;
    let good: Vec<&Letter> = letters
        .iter()
        .zip(&faults)
        .filter_map(|(letter, fault)| fault.is_none().then_some(*letter))
        .collect();
    if good.len() != rows.num_rows() || faults.len() != letters.len() {
        return Err(Error::internal(
            "records were decoded into other numbers of rows",
        ));
    }
    let schema = source.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = match rows.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None => beside(field.name(), field.data_type(), &good),
        };
        cast(&column, field.data_type())
            .map_err(|error| Error::internal(format!("records decoded again: {error}")))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::internal(format!("records decoded again: {error}")))?;
    let raw: LargeBinaryArray = good.iter().map(|letter| letter.raw.as_deref()).collect();
    let mut ranges: BTreeMap<Partition, ReadRange> = BTreeMap::new();
    for letter in &good {
        let partition = letter.partition();
        let range = ranges
            .entry(partition.clone())
            .or_insert_with(|| ReadRange {
                partition,
                from: letter.offset,
                to: letter.offset,
                decoded: 0,
                rejected: 0,
            });
        range.from = range.from.min(letter.offset);
        range.to = range.to.max(letter.offset + 1);
        range.decoded += 1;
    }
    let batch = SourceBatch {
        rows,
        rejects: Vec::new(),
        ranges: ranges.into_values().collect(),
        raw: Some(raw),
        bytes: good.iter().map(|letter| letter.bytes()).sum(),
    };
    Ok((batch, faults.into_iter().flatten().collect()))
}

/// A column that the record's bytes do not hold. Headers are not kept with dead letters.
fn beside(name: &str, kind: &DataType, letters: &[&Letter]) -> ArrayRef {
    match name {
        lineage::TOPIC => Arc::new(StringArray::from_iter_values(
            letters.iter().map(|letter| letter.topic.as_str()),
        )),
        lineage::PARTITION => Arc::new(Int32Array::from_iter_values(
            letters.iter().map(|letter| letter.partition),
        )),
        lineage::OFFSET => Arc::new(Int64Array::from_iter_values(
            letters.iter().map(|letter| letter.offset),
        )),
        lineage::TIMESTAMP => {
            let times = letters.iter().map(|letter| letter.timestamp_us);
            let times: TimestampMicrosecondArray = times.collect();
            Arc::new(times.with_timezone("UTC"))
        }
        lineage::KEY => Arc::new(BinaryArray::from_iter(
            letters.iter().map(|letter| letter.key.as_deref()),
        )),
        _ => new_null_array(kind, letters.len()),
    }
}
