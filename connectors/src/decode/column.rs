//! Columns that take JSON values one at a time and can drop their last ones again.

use std::mem;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    NullBufferBuilder, PrimitiveArray, StringArray, new_null_array,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::kernels::cast_utils::{Parser, parse_decimal, string_to_datetime};
use arrow::compute::{cast, concat};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, FieldRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;
use chrono::Utc;
use sluice_engine::error::{Error, Result};

use super::check::{check, check_number, unquote};
use super::fault::Fault;

/// Up to here a double holds every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One column being filled.
#[derive(Debug)]
pub(super) struct Column {
    field: FieldRef,
    values: Values,
    valid: NullBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Text {
        text: String,
        ends: Vec<i32>,
    },
    Integer {
        values: Vec<i64>,
        min: i64,
        max: i64,
    },
    Float(Vec<f64>),
    Boolean(Vec<bool>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Decimal(Vec<i128>),
    Nested {
        decoder: Option<Box<Decoder>>,
        rows: Vec<ArrayRef>,
    },
}

impl Column {
    pub(super) fn new(field: &FieldRef) -> Self {
        let integer = |min: i64, max: i64| Values::Integer {
            values: Vec::new(),
            min,
            max,
        };
        let values = match field.data_type() {
            DataType::Utf8 => Values::Text {
                text: String::new(),
                ends: Vec::new(),
            },
            DataType::Int8 => integer(i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
            DataType::Int64 => integer(i64::MIN, i64::MAX),
            DataType::UInt8 => integer(0, u8::MAX.into()),
            DataType::UInt16 => integer(0, u16::MAX.into()),
            DataType::UInt32 => integer(0, u32::MAX.into()),
            DataType::Float32 | DataType::Float64 => Values::Float(Vec::new()),
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Date32 => Values::Date(Vec::new()),
            DataType::Timestamp(_, _) => Values::Timestamp(Vec::new()),
            DataType::Decimal128(_, _) => Values::Decimal(Vec::new()),
            _ => Values::Nested {
                decoder: None,
                rows: Vec::new(),
            },
        };
        Self {
            field: Arc::clone(field),
            values,
            valid: NullBufferBuilder::new(0),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.field.name()
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// Appends a JSON value that is not null; `raw` is well-formed apart from what [`check`] looks
    /// at.
    pub(super) fn append(&mut self, raw: &str) -> Result<(), Fault> {
        let fitted = match &mut self.values {
            Values::Text { text, ends } => {
                append_json_text(text, raw)?;
                end_text(text, ends).is_some()
            }
            Values::Integer { values, min, max } => integer(raw)
                .filter(|n| (*min..=*max).contains(n))
                .map(|n| values.push(n))
                .is_some(),
            Values::Float(values) => float(raw).map(|x| values.push(x)).is_some(),
            Values::Boolean(values) => boolean(raw).map(|b| values.push(b)).is_some(),
            Values::Date(values) => string(raw)
                .and_then(Date32Type::parse)
                .map(|day| values.push(day))
                .is_some(),
            Values::Timestamp(values) => timestamp(raw).map(|us| values.push(us)).is_some(),
            Values::Decimal(values) => decimal(raw, self.field.data_type())
                .map(|n| values.push(n))
                .is_some(),
            Values::Nested { decoder, rows } => {
                check(raw)?;
                nested(decoder, &self.field, raw)
                    .map(|row| rows.push(row))
                    .is_some()
            }
        };
        if fitted {
            self.valid.append_non_null();
            return Ok(());
        }
        check(raw)?;
        Err(Fault::wrong_type(
            self.field.name(),
            self.field.data_type(),
            raw,
        ))
    }

    /// Appends text as it is; only to a text column.
    pub(super) fn append_text(&mut self, value: &str) -> Result<(), Fault> {
        if let Values::Text { text, ends } = &mut self.values {
            let before = text.len();
            text.push_str(value);
            if end_text(text, ends).is_some() {
                self.valid.append_non_null();
                return Ok(());
            }
            text.truncate(before);
        }
        Err(Fault::wrong_type(
            self.field.name(),
            self.field.data_type(),
            value,
        ))
    }

    pub(super) fn append_null(&mut self) {
        self.valid.append_null();
        match &mut self.values {
            Values::Text { ends, .. } => ends.push(ends.last().copied().unwrap_or(0)),
            Values::Integer { values, .. } | Values::Timestamp(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Boolean(values) => values.push(false),
            Values::Date(values) => values.push(0),
            Values::Decimal(values) => values.push(0),
            Values::Nested { rows, .. } => rows.push(new_null_array(self.field.data_type(), 1)),
        }
    }

    /// Drops everything after the first `rows` values, half-appended ones included.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Text { text, ends } => {
                ends.truncate(rows);
                text.truncate(
                    ends.last()
                        .and_then(|end| usize::try_from(*end).ok())
                        .unwrap_or(0),
                );
            }
            Values::Integer { values, .. } | Values::Timestamp(values) => values.truncate(rows),
            Values::Float(values) => values.truncate(rows),
            Values::Boolean(values) => values.truncate(rows),
            Values::Date(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Nested { rows: kept, .. } => kept.truncate(rows),
        }
    }

    /// Takes the values as an array; the column is empty afterwards.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        self.array().map_err(|error| {
            let name = self.field.name();
            let message = format!("the values of column \"{name}\" do not form an array");
            Error::internal(message).source(error)
        })
    }

    fn array(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.valid.finish();
        let to = self.field.data_type();
        Ok(match &mut self.values {
            Values::Text { text, ends } => {
                let offsets: Vec<i32> = std::iter::once(0).chain(take(ends)).collect();
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let room = text.len();
                let bytes = mem::replace(text, String::with_capacity(room)).into_bytes();
                Arc::new(StringArray::try_new(
                    offsets,
                    Buffer::from_vec(bytes),
                    nulls,
                )?)
            }
            Values::Integer { values, .. } => {
                let array: ArrayRef = Arc::new(Int64Array::try_new(take(values).into(), nulls)?);
                if to == &DataType::Int64 {
                    array
                } else {
                    cast(&array, to)?
                }
            }
            Values::Float(values) => {
                let array: ArrayRef = Arc::new(Float64Array::try_new(take(values).into(), nulls)?);
                if to == &DataType::Float64 {
                    array
                } else {
                    cast(&array, to)?
                }
            }
            Values::Boolean(values) => Arc::new(BooleanArray::new(take(values).into(), nulls)),
            Values::Date(values) => Arc::new(Date32Array::try_new(take(values).into(), nulls)?),
            Values::Timestamp(values) => {
                Arc::new(typed::<TimestampMicrosecondType>(take(values), nulls, to)?)
            }
            Values::Decimal(values) => {
                let array = Decimal128Array::try_new(take(values).into(), nulls)?;
                Arc::new(array.with_data_type(to.clone()))
            }
            Values::Nested { rows, .. } if rows.is_empty() => new_null_array(to, 0),
            Values::Nested { rows, .. } => {
                let rows = mem::take(rows);
                concat(&rows.iter().map(AsRef::as_ref).collect::<Vec<_>>())?
            }
        })
    }
}

/// Takes the values and leaves room for as many again: chunks resemble each other.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len();
    mem::replace(values, Vec::with_capacity(room))
}

fn typed<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<arrow::buffer::NullBuffer>,
    to: &DataType,
) -> Result<PrimitiveArray<T>, ArrowError> {
    Ok(PrimitiveArray::<T>::try_new(values.into(), nulls)?.with_data_type(to.clone()))
}

/// Strings as they are, everything else as its own text.
fn append_json_text(text: &mut String, raw: &str) -> Result<(), Fault> {
    match string(raw) {
        Some(plain) => text.push_str(plain),
        None if raw.starts_with('"') => text.push_str(&unquote(raw)?),
        None => {
            check(raw)?;
            text.push_str(raw);
        }
    }
    Ok(())
}

/// Ends the value that was just pushed; `None` if the offsets of the column cannot hold it.
fn end_text(text: &str, ends: &mut Vec<i32>) -> Option<()> {
    ends.push(i32::try_from(text.len()).ok()?);
    Some(())
}

/// What is between the quotes of a string without escapes.
fn string(raw: &str) -> Option<&str> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', inner.as_bytes())
        .is_none()
        .then_some(inner)
}

fn boolean(raw: &str) -> Option<bool> {
    match raw {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A whole number; `12.0` and `1e3` are whole too.
fn integer(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number = float(raw).filter(|x| x.fract() == 0.0 && x.abs() <= EXACT)?;
    format!("{number:.0}").parse().ok()
}

fn float(raw: &str) -> Option<f64> {
    if raw.starts_with(['"', '{', '[', 't', 'f']) {
        return None;
    }
    check_number(raw).ok()?;
    raw.parse().ok()
}

/// Microseconds since the epoch, from text or from a number whose magnitude tells its unit: seconds
/// below 1e11, then milliseconds, microseconds and nanoseconds, each for three more digits.
fn timestamp(raw: &str) -> Option<i64> {
    if raw.starts_with('"') {
        let owned;
        let text = match string(raw) {
            Some(text) => text,
            None => {
                owned = unquote(raw).ok()?;
                &owned
            }
        };
        return Some(string_to_datetime(&Utc, text).ok()?.timestamp_micros());
    }
    if let Ok(number) = raw.parse::<i64>() {
        return match number.unsigned_abs() {
            0..100_000_000_000 => number.checked_mul(1_000_000),
            100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
            100_000_000_000_000..100_000_000_000_000_000 => Some(number),
            _ => Some(number.div_euclid(1_000)),
        };
    }
    let number = float(raw)?;
    let scale = match number.abs() {
        x if x < 1e11 => 1e6,
        x if x < 1e14 => 1e3,
        x if x < 1e17 => 1.0,
        x if x < 9e18 => 1e-3,
        _ => return None,
    };
    format!("{:.0}", number * scale).parse().ok()
}

fn decimal(raw: &str, to: &DataType) -> Option<i128> {
    let DataType::Decimal128(precision, scale) = to else {
        return None;
    };
    let number = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(raw);
    if !number.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return None;
    }
    check_number(raw).ok()?;
    parse_decimal::<Decimal128Type>(number, *precision, *scale).ok()
}

/// One nested value by arrow's own reader, alone, so that a wrong one harms no other.
fn nested(decoder: &mut Option<Box<Decoder>>, field: &FieldRef, raw: &str) -> Option<ArrayRef> {
    let mut reader = match decoder.take() {
        Some(reader) => reader,
        None => Box::new(
            ReaderBuilder::new_with_field(Arc::clone(field))
                .build_decoder()
                .ok()?,
        ),
    };
    let read = reader.decode(raw.as_bytes()).ok()?;
    let batch = reader.flush().ok()??;
    if read != raw.len() || batch.num_rows() != 1 {
        return None;
    }
    *decoder = Some(reader);
    batch.columns().first().map(Arc::clone)
}
