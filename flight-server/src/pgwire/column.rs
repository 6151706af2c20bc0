//! Values of a batch as PostgreSQL writes them, as text and in its binary form.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array,
    ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::{BufMut, BytesMut};
use sluice_engine::error::{Error, Result};

use super::frame::patch;
use super::moment::{self, EPOCH_DAYS, EPOCH_MICROS};
use super::number;
use super::types::{canonical, is_json, oid};
use crate::schema::cast;

/// A column of a batch, ready to be written.
#[derive(Debug)]
pub(super) enum Column {
    Bool(BooleanArray),
    Int2(PrimitiveArray<Int16Type>),
    Int4(PrimitiveArray<Int32Type>),
    Int8(PrimitiveArray<Int64Type>),
    Float4(PrimitiveArray<Float32Type>),
    Float8(PrimitiveArray<Float64Type>),
    Decimal(Decimal128Array),
    Wide(Decimal256Array),
    Text(StringArray),
    Bytes(BinaryArray),
    Date(PrimitiveArray<Date32Type>),
    Time(PrimitiveArray<Time64MicrosecondType>),
    Timestamp(PrimitiveArray<TimestampMicrosecondType>, Option<Tz>),
    Interval(PrimitiveArray<IntervalMonthDayNanoType>),
    List(ListArray, Box<Self>, u32),
}

/// The columns of `batch`; points in time with a zone are shown in `zone`.
///
/// # Errors
/// When a value does not fit what its type is called, naming the column.
pub(super) fn columns(batch: &RecordBatch, zone: Tz) -> Result<Vec<Column>> {
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields());
    columns
        .map(|(array, field)| {
            Column::new(array, zone).map_err(|error| {
                Error::user(format!("cannot send column \"{}\": {error}", field.name()))
            })
        })
        .collect()
}

impl Column {
    fn new(array: &ArrayRef, zone: Tz) -> std::result::Result<Self, arrow::error::ArrowError> {
        let kind = canonical(array.data_type());
        if is_json(&kind) {
            return Ok(Self::Text(json(array)?));
        }
        let array = cast(array, &kind)?;
        Ok(match &kind {
            DataType::Boolean => Self::Bool(array.as_boolean().clone()),
            DataType::Int16 => Self::Int2(array.as_primitive().clone()),
            DataType::Int32 => Self::Int4(array.as_primitive().clone()),
            DataType::Int64 => Self::Int8(array.as_primitive().clone()),
            DataType::Float32 => Self::Float4(array.as_primitive().clone()),
            DataType::Float64 => Self::Float8(array.as_primitive().clone()),
            DataType::Decimal128(..) => Self::Decimal(array.as_primitive().clone()),
            DataType::Decimal256(..) => Self::Wide(array.as_primitive().clone()),
            DataType::Binary => Self::Bytes(array.as_binary().clone()),
            DataType::Date32 => Self::Date(array.as_primitive().clone()),
            DataType::Time64(_) => Self::Time(array.as_primitive().clone()),
            DataType::Timestamp(_, zoned) => {
                Self::Timestamp(array.as_primitive().clone(), zoned.as_ref().map(|_| zone))
            }
            DataType::Interval(_) => Self::Interval(array.as_primitive().clone()),
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let values = Self::new(list.values(), zone)?;
                Self::List(list, Box::new(values), oid(item.data_type()))
            }
            _ => Self::Text(cast(&array, &DataType::Utf8)?.as_string().clone()),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Bool(array) => array,
            Self::Int2(array) => array,
            Self::Int4(array) => array,
            Self::Int8(array) => array,
            Self::Float4(array) => array,
            Self::Float8(array) => array,
            Self::Decimal(array) => array,
            Self::Wide(array) => array,
            Self::Text(array) => array,
            Self::Bytes(array) => array,
            Self::Date(array) => array,
            Self::Time(array) => array,
            Self::Timestamp(array, _) => array,
            Self::Interval(array) => array,
            Self::List(array, ..) => array,
        }
    }

    /// Whether there is no value in `row`.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array().is_null(row)
    }

    /// The value in `row` with its length before it, -1 standing for none.
    pub(super) fn put(&self, out: &mut BytesMut, row: usize, format: u16) {
        if self.is_null(row) {
            return out.put_i32(-1);
        }
        let at = out.len();
        out.put_u32(0);
        match format {
            0 => self.text(out, row),
            _ => self.binary(out, row),
        }
        patch(out, at, 4);
    }

    /// The value in `row` as text; it is there.
    pub(super) fn text(&self, out: &mut impl Write, row: usize) {
        // Writing to memory does not fail.
        let _written = match self {
            Self::Bool(array) => out.write_str(if array.value(row) { "t" } else { "f" }),
            Self::Int2(array) => write!(out, "{}", array.value(row)),
            Self::Int4(array) => write!(out, "{}", array.value(row)),
            Self::Int8(array) => write!(out, "{}", array.value(row)),
            Self::Float4(array) => {
                let value = array.value(row);
                number::float(out, f64::from(value), &format!("{value:e}"))
            }
            Self::Float8(array) => {
                let value = array.value(row);
                number::float(out, value, &format!("{value:e}"))
            }
            Self::Decimal(array) => out.write_str(&array.value_as_string(row)),
            Self::Wide(array) => out.write_str(&array.value_as_string(row)),
            // A text ends with its first zero for most clients, and the server has none either.
            Self::Text(array) => match array.value(row) {
                text if text.contains('\0') => out.write_str(&text.replace('\0', "")),
                text => out.write_str(text),
            },
            Self::Bytes(array) => {
                let mut hex = || -> std::fmt::Result {
                    out.write_str("\\x")?;
                    let mut bytes = array.value(row).iter();
                    bytes.try_for_each(|byte| write!(out, "{byte:02x}"))
                };
                hex()
            }
            Self::Date(array) => moment::date(out, array.value(row)),
            Self::Time(array) => moment::time(out, array.value(row)),
            Self::Timestamp(array, zone) => moment::timestamp(out, array.value(row), zone.as_ref()),
            Self::Interval(array) => moment::interval(out, array.value(row)),
            Self::List(array, values, _) => values.list_text(out, offsets(array, row)),
        };
    }

    /// The items of a list in `rows`, between braces.
    fn list_text(&self, out: &mut impl Write, rows: std::ops::Range<usize>) -> std::fmt::Result {
        let first = rows.start;
        out.write_char('{')?;
        for row in rows {
            if row > first {
                out.write_char(',')?;
            }
            if self.is_null(row) {
                out.write_str("NULL")?;
                continue;
            }
            let mut item = String::new();
            self.text(&mut item, row);
            let special = |c: char| "{},\"\\".contains(c) || c.is_whitespace();
            if item.is_empty() || item.eq_ignore_ascii_case("null") || item.contains(special) {
                let quoted = item.replace('\\', "\\\\").replace('"', "\\\"");
                write!(out, "\"{quoted}\"")?;
            } else {
                out.write_str(&item)?;
            }
        }
        out.write_char('}')
    }

    /// The value in `row` in binary; it is there.
    pub(super) fn binary(&self, out: &mut BytesMut, row: usize) {
        match self {
            Self::Bool(array) => out.put_u8(u8::from(array.value(row))),
            Self::Int2(array) => out.put_i16(array.value(row)),
            Self::Int4(array) => out.put_i32(array.value(row)),
            Self::Int8(array) => out.put_i64(array.value(row)),
            Self::Float4(array) => out.put_f32(array.value(row)),
            Self::Float8(array) => out.put_f64(array.value(row)),
            Self::Decimal(array) => number::decimal(out, &array.value_as_string(row)),
            Self::Wide(array) => number::decimal(out, &array.value_as_string(row)),
            Self::Text(_) => self.text(out, row),
            Self::Bytes(array) => out.put_slice(array.value(row)),
            Self::Date(array) => out.put_i32(array.value(row).saturating_sub(EPOCH_DAYS)),
            Self::Time(array) => out.put_i64(array.value(row)),
            Self::Timestamp(array, _) => {
                out.put_i64(array.value(row).saturating_sub(EPOCH_MICROS));
            }
            Self::Interval(array) => {
                let value = array.value(row);
                out.put_i64(value.nanoseconds / 1000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Self::List(array, values, element) => {
                values.list_binary(out, offsets(array, row), *element);
            }
        }
    }

    fn list_binary(&self, out: &mut BytesMut, rows: std::ops::Range<usize>, element: u32) {
        let nulls = rows.clone().any(|row| self.is_null(row));
        out.put_i32(i32::from(!rows.is_empty()));
        out.put_i32(i32::from(nulls));
        out.put_u32(element);
        if rows.is_empty() {
            return;
        }
        out.put_u32(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        out.put_i32(1);
        rows.for_each(|row| self.put(out, row, 1));
    }
}

/// Where the items of the list in `row` are.
fn offsets(array: &ListArray, row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| {
        let offset = array.value_offsets().get(index).copied();
        offset.and_then(|at| usize::try_from(at).ok()).unwrap_or(0)
    };
    at(row)..at(row + 1)
}

/// Each value of `array` as JSON text; a union, for which JSON has no form, as plain text.
fn json(array: &ArrayRef) -> std::result::Result<StringArray, arrow::error::ArrowError> {
    if let DataType::Union(..) = array.data_type() {
        let options = FormatOptions::default();
        let shown = ArrayFormatter::try_new(array, &options)?;
        let value = |row| (!array.is_null(row)).then(|| shown.value(row).to_string());
        return Ok((0..array.len()).map(value).collect());
    }
    let batch = RecordBatch::try_from_iter_with_nullable([("v", Arc::clone(array), true)])?;
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let lines = writer.into_inner();
    let value = |line: &[u8]| -> Option<String> {
        let value = line.strip_prefix(b"{\"v\":")?.strip_suffix(b"}")?;
        (value != b"null").then(|| String::from_utf8_lossy(value).into_owned())
    };
    // Line ends inside of texts are escaped in JSON.
    let lines = lines.strip_suffix(b"\n").unwrap_or(&lines);
    let lines = (!array.is_empty()).then(|| lines.split(|byte| *byte == b'\n'));
    Ok(lines.into_iter().flatten().map(value).collect())
}
