//! Where a row came from: the four columns that every stream carries and that a pipeline appends to
//! every row it stores. They make exactly-once delivery provable in SQL.

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};

use std::sync::Arc;

/// The topic (or file) a row was read from; `VARCHAR`.
pub const TOPIC: &str = "_topic";
/// The partition within the topic; `INT`.
pub const PARTITION: &str = "_partition";
/// The position within the partition; `BIGINT`.
pub const OFFSET: &str = "_offset";
/// When the record was produced, as the broker recorded it; `TIMESTAMP`, microseconds UTC.
pub const TIMESTAMP: &str = "_kafka_ts";

/// All four names, in the order in which they are appended.
pub const NAMES: [&str; 4] = [TOPIC, PARTITION, OFFSET, TIMESTAMP];

/// The type of every timestamp that Sluice stores.
#[must_use]
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The four fields, in the order of [`NAMES`]; all nullable, as Delta tables are altered to hold
/// them.
#[must_use]
pub fn fields() -> [FieldRef; 4] {
    [
        Arc::new(Field::new(TOPIC, DataType::Utf8, true)),
        Arc::new(Field::new(PARTITION, DataType::Int32, true)),
        Arc::new(Field::new(OFFSET, DataType::Int64, true)),
        Arc::new(Field::new(TIMESTAMP, timestamp_type(), true)),
    ]
}

/// The key of the record a row was read from; `VARBINARY`.
pub const KEY: &str = "_key";
/// The headers of the record: a list of `{key VARCHAR, value VARBINARY}`, in their order, as keys
/// may repeat.
pub const HEADERS: &str = "_headers";

/// What a stream of keyed records has beside the lineage columns, for those who select it. `*`
/// includes them; an `INSERT` whose query only gets them by `*` leaves out what its table lacks.
#[must_use]
pub fn record_fields() -> [FieldRef; 2] {
    let header = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Binary, true),
    ]);
    let item = Field::new("item", DataType::Struct(header), false);
    [
        Arc::new(Field::new(KEY, DataType::Binary, true)),
        Arc::new(Field::new(HEADERS, DataType::List(Arc::new(item)), true)),
    ]
}

/// Whether `name` is one of the lineage columns.
#[must_use]
pub fn is_lineage(name: &str) -> bool {
    NAMES.contains(&name)
}
