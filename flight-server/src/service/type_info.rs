//! The SQL types of the server, as ODBC tools ask for them when they connect.

use arrow::record_batch::RecordBatch;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};

use super::info::unbuilt;
use crate::status::Result;

/// Digits or characters of a type, and the numbers' radix, where it has one.
type Shape = (Option<i32>, Option<i32>);

const TEXT: Shape = (Some(i32::MAX), None);

const fn binary(digits: i32) -> Shape {
    (Some(digits), Some(2))
}

const fn decimal(digits: i32) -> Shape {
    (Some(digits), Some(10))
}

const fn time(characters: i32) -> Shape {
    (Some(characters), None)
}

/// Name, code, shape of each type.
const TYPES: [(&str, XdbcDataType, Shape); 18] = [
    ("BOOLEAN", XdbcDataType::XdbcBit, (Some(1), None)),
    ("TINYINT", XdbcDataType::XdbcTinyint, decimal(3)),
    ("SMALLINT", XdbcDataType::XdbcSmallint, decimal(5)),
    ("INTEGER", XdbcDataType::XdbcInteger, decimal(10)),
    ("BIGINT", XdbcDataType::XdbcBigint, decimal(19)),
    ("REAL", XdbcDataType::XdbcReal, binary(24)),
    ("FLOAT", XdbcDataType::XdbcFloat, binary(24)),
    ("DOUBLE", XdbcDataType::XdbcDouble, binary(53)),
    ("DECIMAL", XdbcDataType::XdbcDecimal, decimal(38)),
    ("NUMERIC", XdbcDataType::XdbcNumeric, decimal(38)),
    ("CHAR", XdbcDataType::XdbcChar, TEXT),
    ("VARCHAR", XdbcDataType::XdbcVarchar, TEXT),
    ("TEXT", XdbcDataType::XdbcLongvarchar, TEXT),
    ("VARBINARY", XdbcDataType::XdbcVarbinary, TEXT),
    ("DATE", XdbcDataType::XdbcDate, time(10)),
    ("TIME", XdbcDataType::XdbcTime, time(18)),
    ("TIMESTAMP", XdbcDataType::XdbcTimestamp, time(29)),
    ("INTERVAL", XdbcDataType::XdbcInterval, time(i32::MAX)),
];

/// The types with the code `data_type`, or all.
///
/// # Errors
/// When the answer cannot be built.
pub(super) fn batch(data_type: Option<i32>) -> Result<RecordBatch> {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    for (name, data_type, (column_size, num_prec_radix)) in TYPES {
        let number = num_prec_radix.is_some();
        let decimal = matches!(name, "DECIMAL" | "NUMERIC");
        let quote = (!number && name != "BOOLEAN").then(|| "'".to_owned());
        let (sql_data_type, datetime_subcode) = verbose(data_type);
        builder.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            column_size,
            literal_prefix: quote.clone(),
            literal_suffix: quote,
            create_params: decimal.then(|| vec!["precision".into(), "scale".into()]),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: matches!(name, "CHAR" | "VARCHAR" | "TEXT"),
            searchable: Searchable::Full,
            unsigned_attribute: number.then_some(false),
            fixed_prec_scale: false,
            auto_increment: number.then_some(false),
            local_type_name: Some(name.to_owned()),
            minimum_scale: decimal.then_some(0),
            maximum_scale: decimal.then_some(38),
            sql_data_type,
            datetime_subcode,
            num_prec_radix,
            interval_precision: None,
        });
    }
    let data = builder.build().map_err(unbuilt)?;
    Ok(data.record_batch(data_type).map_err(unbuilt)?)
}

/// The general code of a type, and what distinguishes it among those of that code.
fn verbose(data_type: XdbcDataType) -> (XdbcDataType, Option<XdbcDatetimeSubcode>) {
    use XdbcDatetimeSubcode as Subcode;
    match data_type {
        // Code 1 is a date among date-times and a year among intervals.
        XdbcDataType::XdbcDate => (XdbcDataType::XdbcDatetime, Some(Subcode::XdbcSubcodeYear)),
        XdbcDataType::XdbcTime => (XdbcDataType::XdbcDatetime, Some(Subcode::XdbcSubcodeTime)),
        XdbcDataType::XdbcTimestamp => (
            XdbcDataType::XdbcDatetime,
            Some(Subcode::XdbcSubcodeTimestamp),
        ),
        other => (other, None),
    }
}
