//! `system.partitions`: where the pipelines of this process stand in each partition they read.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::error::Result as DfResult;

use crate::pipeline::status::PartitionProgress;

/// One row for each partition that a pipeline of this process reads.
pub(super) fn rows(progress: &[PartitionProgress]) -> DfResult<RecordBatch> {
    let text = |get: fn(&PartitionProgress) -> &str| -> ArrayRef {
        Arc::new(
            progress
                .iter()
                .map(|p| Some(get(p)))
                .collect::<StringArray>(),
        )
    };
    let number = |get: fn(&PartitionProgress) -> Option<i64>| -> ArrayRef {
        Arc::new(progress.iter().map(get).collect::<Int64Array>())
    };
    let time = |get: fn(&PartitionProgress) -> Option<i64>| -> ArrayRef {
        let times: TimestampMicrosecondArray = progress.iter().map(get).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let partition: Int32Array = progress.iter().map(|p| Some(p.partition.index)).collect();
    let count = |n: u64| i64::try_from(n).ok();
    let lag: Int64Array = progress.iter().map(|p| p.lag().and_then(count)).collect();
    let rejected: Int64Array = progress.iter().map(|p| count(p.rejected)).collect();
    let gap: Int64Array = progress.iter().map(|p| count(p.gap)).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("pipeline", text(|p| &p.pipeline), false),
        ("topic", text(|p| &p.partition.topic), false),
        ("partition", Arc::new(partition) as ArrayRef, false),
        ("next_offset", number(|p| Some(p.next_offset)), false),
        ("read_offset", number(|p| Some(p.read_offset)), false),
        ("high_watermark", number(|p| p.high_watermark), true),
        ("lag", Arc::new(lag), true),
        ("committed_at", time(|p| p.last_committed_us), true),
        ("kafka_ts", time(|p| p.kafka_ts_us), true),
        ("rejected", Arc::new(rejected), false),
        ("gap", Arc::new(gap), false),
    ])?)
}
