//! Columns that take JSON values, or the texts of formats without types, and say which did not fit.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, ListArray, NullBufferBuilder};
use arrow::buffer::{BooleanBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::parse_decimal;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, FieldRef, Fields, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use datafusion::common::exec_err;
use datafusion::error::Result;

use super::columns::{self, Numbers, Texts};
use super::grammar::json::{self, Items, Kind, Members};
use super::grammar::text::Text;
use super::grammar::time;
use super::grammar::wrong::Wrong;
use super::maps::Maps;
use super::schema;

/// Structs of at most this many columns need no memory for a row.
const FEW: usize = 32;

/// One column.
pub(crate) struct Column {
    data_type: DataType,
    values: Values,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a column, not for a value"
)]
enum Values {
    Text(Texts),
    Integer(Numbers<Int64Type>, i64, i64),
    Float(Numbers<Float64Type>),
    Boolean(Vec<bool>, NullBufferBuilder),
    Timestamp(Numbers<TimestampMicrosecondType>),
    Date(Numbers<Date32Type>),
    Decimal(Numbers<Decimal128Type>, u8, i8),
    List(FieldRef, Box<Column>, Vec<i32>, NullBufferBuilder),
    Struct(Columns),
    Map(Maps),
}

/// A value on its way to a column.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// JSON that has been checked.
    Json(&'a str),
    /// Text without a type.
    Text(Text<'a>),
}

impl Column {
    fn new(data_type: &DataType, rows: usize) -> Self {
        let integer = |min: i64, max: i64| Values::Integer(Numbers::with_capacity(rows), min, max);
        let values = match data_type {
            DataType::Int8 => integer(i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => integer(i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => integer(i32::MIN.into(), i32::MAX.into()),
            DataType::Int64 => integer(i64::MIN, i64::MAX),
            DataType::Float32 | DataType::Float64 => Values::Float(Numbers::with_capacity(rows)),
            DataType::Boolean => {
                Values::Boolean(Vec::with_capacity(rows), NullBufferBuilder::new(rows))
            }
            DataType::Timestamp(_, _) => Values::Timestamp(Numbers::with_capacity(rows)),
            DataType::Date32 => Values::Date(Numbers::with_capacity(rows)),
            DataType::Decimal128(precision, scale) => {
                Values::Decimal(Numbers::with_capacity(rows), *precision, *scale)
            }
            DataType::List(item) => {
                let items = Box::new(Self::new(item.data_type(), rows));
                let valid = NullBufferBuilder::new(rows);
                Values::List(Arc::clone(item), items, vec![0], valid)
            }
            DataType::Struct(fields) => Values::Struct(Columns::new(fields, rows)),
            DataType::Map(_, _) => Values::Map(Maps::with_capacity(rows, 0)),
            _ => Values::Text(Texts::with_capacity(rows, rows * 16)),
        };
        Self {
            data_type: data_type.clone(),
            values,
        }
    }

    /// Appends `value`, or NULL where it is none, or does not fit; then it returns false.
    pub(crate) fn push(&mut self, value: Option<Value<'_>>) -> bool {
        match value {
            None | Some(Value::Json("null")) => {
                self.push_null();
                true
            }
            Some(Value::Json(raw)) => match json::string(raw) {
                Some(text) => self.push_text(text, Some(raw)),
                None => self.push_json(raw),
            },
            Some(Value::Text(text)) => self.push_text(text, None),
        }
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Text(texts) => texts.push_null(),
            Values::Integer(values, _, _) => values.push(None),
            Values::Float(values) => values.push(None),
            Values::Boolean(values, valid) => {
                values.push(false);
                valid.append_null();
            }
            Values::Timestamp(values) => values.push(None),
            Values::Date(values) => values.push(None),
            Values::Decimal(values, _, _) => values.push(None),
            Values::List(_, _, ends, valid) => {
                ends.push(ends.last().copied().unwrap_or(0));
                valid.append_null();
            }
            Values::Struct(columns) => columns.push_null(),
            Values::Map(maps) => maps.end_null(),
        }
    }

    /// Appends a string, which is `json` where it is one of JSON: what it holds counts for a column
    /// that is not text.
    fn push_text(&mut self, text: Text<'_>, json: Option<&str>) -> bool {
        if let Values::Text(texts) = &mut self.values {
            texts.push_text(Some(text));
            return true;
        }
        let inner = text.to_cow();
        let inner = inner.trim();
        if inner.is_empty() && json.is_none() {
            self.push_null();
            return true;
        }
        match &mut self.values {
            Values::Timestamp(values) => {
                let time = time::timestamp(inner);
                values.push(time);
                time.is_some()
            }
            Values::Date(values) => {
                let date = time::date(inner);
                values.push(date);
                date.is_some()
            }
            Values::Integer(..) | Values::Float(_) | Values::Boolean(..) if json.is_none() => {
                match &self.values {
                    Values::Boolean(..) => self.push_json(&inner.to_ascii_lowercase()),
                    _ => self.push_json(inner),
                }
            }
            Values::Decimal(..) => self.push_json(inner),
            _ if json.is_none() && json::value(inner).is_ok() => self.push_json(inner),
            _ => {
                self.push_null();
                false
            }
        }
    }

    /// Appends a JSON value that is not a string.
    fn push_json(&mut self, raw: &str) -> bool {
        let fits = match &mut self.values {
            Values::Text(texts) => {
                texts.push(raw);
                return true;
            }
            Values::Integer(values, min, max) => {
                let number = integer(raw).filter(|number| (*min..=*max).contains(number));
                values.push(number);
                return number.is_some();
            }
            Values::Float(values) => {
                let number = float(raw);
                values.push(number);
                return number.is_some();
            }
            Values::Boolean(values, valid) if matches!(raw, "true" | "false") => {
                values.push(raw == "true");
                valid.append_non_null();
                true
            }
            Values::Timestamp(values) => {
                let time = time::epoch(raw);
                values.push(time);
                return time.is_some();
            }
            Values::Date(values) => {
                let date = time::epoch(raw).and_then(time::day_of);
                values.push(date);
                return date.is_some();
            }
            Values::Decimal(values, precision, scale) => {
                let number = parse_decimal::<Decimal128Type>(raw, *precision, *scale).ok();
                values.push(number);
                return number.is_some();
            }
            Values::List(_, items, ends, valid) if Kind::of(raw) == Some(Kind::Array) => {
                let mut fits = true;
                let mut end = ends.last().copied().unwrap_or(0);
                if let Ok(mut values) = Items::of(raw) {
                    while let Ok(Some(item)) = values.step() {
                        fits &= items.push(Some(Value::Json(item)));
                        end += 1;
                    }
                }
                ends.push(end);
                valid.append_non_null();
                return fits;
            }
            Values::Struct(columns) if Kind::of(raw) == Some(Kind::Object) => {
                return columns.push(raw).is_ok_and(|wrong| wrong.is_none());
            }
            Values::Map(maps) if Kind::of(raw) == Some(Kind::Object) => {
                if let Ok(mut members) = Members::of(raw) {
                    while let Ok(Some((key, value))) = members.step() {
                        let value = json::string(value).unwrap_or_else(|| Text::plain(value));
                        maps.put(key, Some(value).filter(|value| value.raw != "null"));
                    }
                }
                maps.end();
                true
            }
            _ => false,
        };
        if !fits {
            self.push_null();
        }
        fits
    }

    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let data_type = &self.data_type;
        Ok(match self.values {
            Values::Text(texts) => texts.finish()?,
            Values::Integer(values, _, _) => cast(&values.finish(&DataType::Int64)?, data_type)?,
            Values::Float(values) => cast(&values.finish(&DataType::Float64)?, data_type)?,
            Values::Boolean(values, mut valid) => Arc::new(BooleanArray::new(
                BooleanBuffer::from(values),
                valid.finish(),
            )),
            Values::Timestamp(values) => values.finish(data_type)?,
            Values::Date(values) => values.finish(data_type)?,
            Values::Decimal(values, _, _) => values.finish(data_type)?,
            Values::List(item, items, ends, mut valid) => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(ListArray::try_new(
                    item,
                    ends,
                    items.finish()?,
                    valid.finish(),
                )?)
            }
            Values::Struct(columns) => columns.finish()?,
            Values::Map(maps) => maps.finish()?,
        })
    }
}

/// The columns of a struct.
pub(crate) struct Columns {
    fields: Fields,
    pub(crate) columns: Vec<Column>,
    pub(crate) valid: NullBufferBuilder,
}

impl Columns {
    pub(crate) fn new(fields: &Fields, rows: usize) -> Self {
        let column = |field: &FieldRef| Column::new(field.data_type(), rows);
        Self {
            fields: fields.clone(),
            columns: fields.iter().map(column).collect(),
            valid: NullBufferBuilder::new(rows),
        }
    }

    /// Appends the members of a JSON object, NULL for one that is missing; the first column that
    /// its value does not fit.
    ///
    /// # Errors
    /// When `raw` is not an object; then nothing is appended.
    pub(crate) fn push<'a>(&mut self, raw: &'a str) -> Result<Option<usize>, Wrong<'a>> {
        if self.columns.len() <= FEW {
            let mut values = [None; FEW];
            return self.push_into(raw, &mut values);
        }
        let mut values = vec![None; self.columns.len()];
        self.push_into(raw, &mut values)
    }

    fn push_into<'a>(
        &mut self,
        raw: &'a str,
        values: &mut [Option<&'a str>],
    ) -> Result<Option<usize>, Wrong<'a>> {
        let mut members = Members::of(raw)?;
        // Records tend to have their keys in the order of the columns.
        let mut next = 0;
        while let Some((key, value)) = members.step()? {
            let is = |at: usize| {
                self.fields
                    .get(at)
                    .is_some_and(|field| key.is(field.name()))
            };
            let found = match is(next) {
                true => Some(next),
                false => (0..self.fields.len()).find(|at| is(*at)),
            };
            if let Some(at) = found
                && let Some(slot) = values.get_mut(at)
            {
                *slot = Some(value);
                next = at + 1;
            }
        }
        let values = values.iter().map(|value| value.map(Value::Json));
        Ok(self.push_values(values))
    }

    /// Appends one value for each column; the first column that its value does not fit.
    pub(crate) fn push_values<'a>(
        &mut self,
        values: impl Iterator<Item = Option<Value<'a>>>,
    ) -> Option<usize> {
        let mut wrong = None;
        let values = values.chain(std::iter::repeat(None));
        for (at, (column, value)) in self.columns.iter_mut().zip(values).enumerate() {
            if !column.push(value) {
                wrong = wrong.or(Some(at));
            }
        }
        self.valid.append_non_null();
        wrong
    }

    /// Appends NULL.
    pub(crate) fn push_null(&mut self) {
        self.columns.iter_mut().for_each(Column::push_null);
        self.valid.append_null();
    }

    /// Says that the value of the column at `at` does not fit.
    pub(crate) fn wrong(&self, at: usize) -> String {
        match self.fields.get(at) {
            Some(field) => {
                let (name, data_type) = (field.name(), schema::sql_name(field.data_type()));
                format!("\"{name}\" is no {data_type}")
            }
            None => String::new(),
        }
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let data_type = DataType::Struct(self.fields);
        let columns: Result<Vec<_>> = self.columns.into_iter().map(Column::finish).collect();
        columns::structs(&data_type, columns?, &mut self.valid)
    }

    /// Takes the columns with `errors` as the last one.
    pub(crate) fn finish_with(mut self, answer: &DataType, errors: Texts) -> Result<ArrayRef> {
        let columns: Result<Vec<_>> = self.columns.into_iter().map(Column::finish).collect();
        let mut columns = columns?;
        columns.push(errors.finish()?);
        match answer {
            DataType::Struct(_) => columns::structs(answer, columns, &mut self.valid),
            other => exec_err!("{other} is no struct"),
        }
    }
}

/// A whole number, also as `12.0` or `1e3`.
pub(crate) fn integer(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    let number = float(raw).filter(|number| number.fract() == 0.0)?;
    // Beyond this a double does not say which whole number is meant.
    (number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// A finite number.
pub(crate) fn float(raw: &str) -> Option<f64> {
    let begins = raw
        .bytes()
        .next()
        .is_some_and(|byte| byte == b'-' || byte.is_ascii_digit());
    let number = begins.then(|| raw.parse::<f64>().ok())?;
    number.filter(|number| number.is_finite())
}
