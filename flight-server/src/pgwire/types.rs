//! Types on both sides: what PostgreSQL calls a column of a query, the Arrow type that its values
//! are brought to before they are written, and the Arrow type of a parameter.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const CHAR: u32 = 18;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// Field metadata by which a table of the catalog gives a column another type than its Arrow type
/// says, such as `oid`.
pub(super) const TYPE: &str = "postgres:type";

/// Types and the types of their arrays.
const ARRAYS: [(u32, u32); 22] = [
    (BOOL, 1000),
    (BYTEA, 1001),
    (CHAR, 1002),
    (NAME, 1003),
    (INT2, 1005),
    (INT4, 1007),
    (TEXT, 1009),
    (BPCHAR, 1014),
    (VARCHAR, 1015),
    (INT8, 1016),
    (FLOAT4, 1021),
    (FLOAT8, 1022),
    (OID, 1028),
    (TIMESTAMP, 1115),
    (DATE, 1182),
    (TIME, 1183),
    (TIMESTAMPTZ, 1185),
    (INTERVAL, 1187),
    (NUMERIC, 1231),
    (JSON, 199),
    (UUID, 2951),
    (JSONB, 3807),
];

/// The array type of `element`.
fn array_of(element: u32) -> u32 {
    let found = ARRAYS.iter().find(|(of, _)| *of == element);
    found.map_or(JSON, |(_, array)| *array)
}

/// The element type of `array`.
pub(super) fn element_of(array: u32) -> Option<u32> {
    let found = ARRAYS.iter().find(|(_, of)| *of == array);
    found.map(|(element, _)| *element)
}

/// What PostgreSQL calls the columns of `field`.
pub(super) fn oid_of(field: &Field) -> u32 {
    let named = field
        .metadata()
        .get(TYPE)
        .and_then(|text| text.parse().ok());
    named.unwrap_or_else(|| oid(field.data_type()))
}

/// What PostgreSQL calls values of `kind`.
pub(super) fn oid(kind: &DataType) -> u32 {
    match canonical(kind) {
        DataType::Boolean => BOOL,
        DataType::Int16 => INT2,
        DataType::Int32 => INT4,
        DataType::Int64 => INT8,
        DataType::Float32 => FLOAT4,
        DataType::Float64 => FLOAT8,
        DataType::Decimal128(..) | DataType::Decimal256(..) => NUMERIC,
        DataType::Binary => BYTEA,
        DataType::Date32 => DATE,
        DataType::Time64(_) => TIME,
        DataType::Timestamp(_, None) => TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => TIMESTAMPTZ,
        DataType::Interval(_) => INTERVAL,
        DataType::List(item) if item.data_type().is_nested() => JSON,
        DataType::List(item) => array_of(oid(item.data_type())),
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => JSON,
        _ => TEXT,
    }
}

/// The bytes of a value, or -1 where they differ.
pub(super) fn size(oid: u32) -> i16 {
    match oid {
        BOOL | CHAR => 1,
        INT2 => 2,
        INT4 | OID | FLOAT4 | DATE => 4,
        INT8 | FLOAT8 | TIME | TIMESTAMP | TIMESTAMPTZ => 8,
        INTERVAL | UUID => 16,
        NAME => 64,
        _ => -1,
    }
}

/// What is known beyond the type: the digits of a decimal.
pub(super) fn modifier(kind: &DataType) -> i32 {
    match canonical(kind) {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4
        }
        _ => -1,
    }
}

/// The type that values of `kind` are brought to before they are written. Nested types stay; they
/// are written as JSON.
pub(super) fn canonical(kind: &DataType) -> DataType {
    match kind {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Interval(_) | DataType::Duration(_) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Dictionary(_, values) => canonical(values),
        DataType::RunEndEncoded(_, values) => canonical(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let kind = canonical(item.data_type());
            DataType::List(Arc::new(Field::new(item.name(), kind, true)))
        }
        other => other.clone(),
    }
}

/// Whether values of the canonical type `kind` are written as JSON.
pub(super) fn is_json(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) => item.data_type().is_nested(),
        kind => kind.is_nested(),
    }
}

/// The Arrow type of a parameter that a client calls `oid`; `None` for what it leaves open.
pub(super) fn arrow(oid: u32) -> Option<DataType> {
    if let Some(element) = element_of(oid) {
        let item = Field::new("item", arrow(element)?, true);
        return Some(DataType::List(Arc::new(item)));
    }
    Some(match oid {
        BOOL => DataType::Boolean,
        INT2 => DataType::Int16,
        INT4 => DataType::Int32,
        INT8 | OID => DataType::Int64,
        FLOAT4 => DataType::Float32,
        FLOAT8 => DataType::Float64,
        NUMERIC => DataType::Decimal128(38, 10),
        BYTEA => DataType::Binary,
        DATE => DataType::Date32,
        TIME => DataType::Time64(TimeUnit::Microsecond),
        TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        TEXT | VARCHAR | BPCHAR | NAME | CHAR | JSON | JSONB | UUID => DataType::Utf8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name() {
        let list = |kind| DataType::List(Arc::new(Field::new("item", kind, true)));
        let nested = DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into());
        let text = DataType::Dictionary(DataType::Int8.into(), DataType::Utf8View.into());
        for (kind, want) in [
            (DataType::UInt8, INT2),
            (DataType::UInt32, INT8),
            (DataType::UInt64, NUMERIC),
            (text.clone(), TEXT),
            (DataType::Null, TEXT),
            (list(text), 1009),
            (list(DataType::Float16), 1021),
            (list(list(DataType::Int8)), JSON),
            (list(nested.clone()), JSON),
            (nested, JSON),
            (DataType::Duration(TimeUnit::Second), INTERVAL),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
                TIMESTAMPTZ,
            ),
        ] {
            assert_eq!(oid(&kind), want, "{kind}");
        }
        assert_eq!(modifier(&DataType::Decimal128(10, 2)), (10 << 16) + 2 + 4);
    }

    #[test]
    fn parameters_come_back_as_they_are_called() {
        for oid_of in [
            BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, BYTEA, DATE, TIMESTAMP,
        ] {
            assert_eq!(arrow(oid_of).as_ref().map(oid), Some(oid_of));
        }
        assert_eq!(arrow(1007).as_ref().map(oid), Some(1007));
        assert_eq!(arrow(0), None);
    }
}
