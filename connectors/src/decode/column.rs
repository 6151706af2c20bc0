//! Columns that take JSON values one at a time and can drop their last ones again.

use std::mem;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    NullBufferBuilder, PrimitiveArray, StringArray, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat};
use arrow::datatypes::{ArrowPrimitiveType, DataType, FieldRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::json::reader::Decoder;
use serde_json::value::RawValue;
use sluice_engine::error::{Error, Result};
use sluice_udfs::parse::grammar::time;

use super::check::check;
use super::convert::{self, boolean, date, decimal, float, integer, nested, timestamp};
use super::fault::Fault;
use super::number;
use super::scan::{Json, Quoted};

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

    pub(super) fn is_nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// Appends a JSON value; `raw` is well-formed apart from what [`check`] looks at.
    pub(super) fn append(&mut self, raw: &str) -> Result<(), Fault> {
        if raw == "null" {
            return self.append_missing("the record has null");
        }
        let fitted = match &mut self.values {
            Values::Text { text, ends } => {
                convert::append_text(text, raw)?;
                end_text(text, ends).is_some()
            }
            Values::Integer { values, min, max } => {
                push(values, integer(raw).filter(|n| (*min..=*max).contains(n)))
            }
            Values::Float(values) => push(values, float(raw)),
            Values::Boolean(values) => push(values, boolean(raw)),
            Values::Date(values) => push(values, date(raw)),
            Values::Timestamp(values) => push(values, timestamp(raw)),
            Values::Decimal(values) => push(values, decimal(raw, self.field.data_type())),
            Values::Nested { decoder, rows } => {
                check(raw)?;
                push(rows, nested(decoder, &self.field, raw))
            }
        };
        if fitted {
            self.valid.append_non_null();
            return Ok(());
        }
        check(raw)?;
        let (name, expected) = (self.field.name(), self.field.data_type());
        Err(Fault::wrong_type(name, expected, raw))
    }

    /// Appends a value of a format that has no types: text, or the text of what the column holds.
    /// Of other columns than those of text an empty one is NULL.
    pub(super) fn append_text(&mut self, value: &str) -> Result<(), Fault> {
        let fitted = match &mut self.values {
            Values::Text { text, ends } => {
                text.push_str(value);
                end_text(text, ends).is_some()
            }
            _ if value.is_empty() => return self.append_missing("its text is empty"),
            Values::Integer { values, min, max } => {
                push(values, integer(value).filter(|n| (*min..=*max).contains(n)))
            }
            Values::Float(values) => push(values, float(value)),
            Values::Boolean(values) => push(values, boolean(&value.to_ascii_lowercase())),
            Values::Date(values) => push(values, time::date(value)),
            Values::Timestamp(values) => push(values, time::timestamp(value)),
            Values::Decimal(values) => push(values, decimal(value, self.field.data_type())),
            Values::Nested { .. } => match serde_json::from_str::<&RawValue>(value) {
                Ok(raw) if check(raw.get()).is_ok() => return self.append(raw.get()),
                _ => false,
            },
        };
        if fitted {
            self.valid.append_non_null();
            return Ok(());
        }
        let (name, expected) = (self.field.name(), self.field.data_type());
        Err(Fault::wrong_text(name, expected, value))
    }

    /// Appends the JSON value that begins at `at`, and gives its end; None unless everything about
    /// it is right, and then the column may hold a half of it.
    pub(super) fn take(&mut self, json: Json<'_>, at: usize) -> Option<usize> {
        let rest = json.rest(at);
        let first = *rest.first()?;
        let end = match &mut self.values {
            Values::Text { text, ends } if first == b'"' => match json.string(at)? {
                Quoted::Plain(inner, end) => {
                    text.push_str(inner);
                    end_text(text, ends)?;
                    Some(end)
                }
                Quoted::Escaped(end) => {
                    json.unescape(at, end, text)?;
                    end_text(text, ends)?;
                    Some(end)
                }
            },
            Values::Integer { values, min, max } => number::integer(rest)
                .filter(|(number, _)| (*min..=*max).contains(number))
                .map(|(number, length)| {
                    values.push(number);
                    at + length
                }),
            Values::Float(values) => number::float(rest).map(|(number, length)| {
                values.push(number);
                at + length
            }),
            Values::Timestamp(values) if first == b'"' => match json.string(at)? {
                Quoted::Plain(inner, end) => {
                    values.push(time::timestamp(inner)?);
                    Some(end)
                }
                Quoted::Escaped(_) => None,
            },
            _ => None,
        };
        match end {
            Some(end) => {
                self.valid.append_non_null();
                Some(end)
            }
            None => {
                let (raw, end) = json.value(at)?;
                self.append(raw).ok()?;
                Some(end)
            }
        }
    }

    /// Appends a NULL for a value that is not there, or says `how` it is not.
    pub(super) fn append_missing(&mut self, how: &str) -> Result<(), Fault> {
        if !self.field.is_nullable() {
            return Err(Fault::missing(self.field.name(), how));
        }
        self.append_null();
        Ok(())
    }

    fn append_null(&mut self) {
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
    nulls: Option<NullBuffer>,
    to: &DataType,
) -> Result<PrimitiveArray<T>, ArrowError> {
    Ok(PrimitiveArray::<T>::try_new(values.into(), nulls)?.with_data_type(to.clone()))
}

/// Ends the value that was just pushed; `None` if the offsets of the column cannot hold it.
fn end_text(text: &str, ends: &mut Vec<i32>) -> Option<()> {
    ends.push(i32::try_from(text.len()).ok()?);
    Some(())
}

fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    value.map(|value| values.push(value)).is_some()
}
