//! Columns being filled row by row: text, maps of text, and the structs that hold them. Text is
//! copied out of the input, so that a result never shares a buffer with what it was parsed from.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, NullBufferBuilder,
    PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::grammar::text::Text;

/// Bytes of a column of text, at most.
const TEXT_MAX: usize = i32::MAX as usize;
/// The zone of every time.
pub(crate) const UTC: &str = "UTC";

/// What is parsed from text, being filled.
pub(crate) trait Rows {
    /// Appends what `text`, which is in row `row` of the batch, says.
    fn push(&mut self, text: &str, row: usize);
    /// Appends the answer to NULL.
    fn push_null(&mut self);
    /// Takes the column.
    ///
    /// # Errors
    /// When its texts are more than a column can hold.
    fn finish(self) -> Result<ArrayRef>;
}

/// How much text comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// Parses every text of `value` with what `make` makes. Texts of a dictionary are parsed once.
///
/// # Errors
/// When `value` is not text, or an answer is more than a column can hold.
pub(crate) fn parse<R: Rows>(
    value: &ColumnarValue,
    make: impl FnOnce(Size) -> R,
) -> Result<ColumnarValue> {
    match value {
        ColumnarValue::Scalar(scalar) => {
            let parsed = parse_array(&scalar.to_array()?, make)?;
            let scalar = ScalarValue::try_from_array(&parsed, 0)?;
            Ok(ColumnarValue::Scalar(scalar))
        }
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let parsed = parse_array(dictionary.values(), make)?;
                Ok(ColumnarValue::Array(take(
                    &parsed,
                    dictionary.keys(),
                    None,
                )?))
            }
            _ => parse_array(array, make).map(ColumnarValue::Array),
        },
    }
}

/// Parses every text of `array`; dictionaries are unpacked.
pub(crate) fn parse_array<R: Rows>(
    array: &ArrayRef,
    make: impl FnOnce(Size) -> R,
) -> Result<ArrayRef> {
    fn fill<'a, R: Rows>(
        texts: impl Iterator<Item = Option<&'a str>>,
        size: Size,
        make: impl FnOnce(Size) -> R,
    ) -> Result<ArrayRef> {
        let mut rows = make(size);
        for (row, text) in texts.enumerate() {
            match text {
                Some(text) => rows.push(text, row),
                None => rows.push_null(),
            }
        }
        rows.finish()
    }
    let size = |bytes: Option<usize>| Size {
        rows: array.len(),
        bytes: bytes.unwrap_or(0),
    };
    match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>();
            let ends = texts.value_offsets();
            let bytes = ends.last().zip(ends.first()).map(|(to, from)| to - from);
            let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
            fill(texts.iter(), size(bytes), make)
        }
        DataType::LargeUtf8 => {
            let texts = array.as_string::<i64>();
            let ends = texts.value_offsets();
            let bytes = ends.last().zip(ends.first()).map(|(to, from)| to - from);
            let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
            fill(texts.iter(), size(bytes), make)
        }
        DataType::Utf8View => {
            let texts = array.as_string_view();
            let bytes = texts.lengths().map(|length| length as usize).sum();
            fill(texts.iter(), size(Some(bytes)), make)
        }
        DataType::Dictionary(_, value) => parse_array(&cast(array, value)?, make),
        other => exec_err!("cannot read {other} as text"),
    }
}

/// A column of text.
#[derive(Debug)]
pub(crate) struct Texts {
    text: String,
    /// Where each text ends.
    ends: Vec<i32>,
    /// Whether the texts are more than a column can hold; then `ends` are wrong.
    is_full: bool,
    valid: NullBufferBuilder,
}

impl Texts {
    /// Room for `rows` texts of `bytes` together.
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self {
            text: String::with_capacity(bytes),
            ends,
            is_full: false,
            valid: NullBufferBuilder::new(rows),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    #[inline]
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.end();
    }

    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.ends.push(self.text.len() as i32);
        self.valid.append_null();
    }

    #[inline]
    pub(crate) fn push_some(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.push_null(),
        }
    }

    /// Appends what `text` stands for.
    #[inline]
    pub(crate) fn push_text(&mut self, text: Option<Text<'_>>) {
        match text {
            Some(text) => {
                text.push_to(&mut self.text);
                self.end();
            }
            None => self.push_null(),
        }
    }

    /// Appends the text that `write` writes.
    #[inline]
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.end();
    }

    #[inline]
    fn end(&mut self) {
        self.is_full |= self.text.len() > TEXT_MAX;
        self.ends.push(self.text.len() as i32);
        self.valid.append_non_null();
    }

    /// The text at `at`; empty for one that is NULL.
    pub(crate) fn get(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).and_then(|end| usize::try_from(*end).ok());
        match (end(at), end(at + 1)) {
            (Some(from), Some(to)) => self.text.get(from..to).unwrap_or_default(),
            _ => "",
        }
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        if self.is_full {
            let text = "what was parsed from one batch exceeds 2 GiB; lower the batch size";
            return Err(DataFusionError::Execution(text.to_owned()));
        }
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let bytes = Buffer::from_vec(self.text.into_bytes());
        let texts = StringArray::try_new(ends, bytes, self.valid.finish())?;
        Ok(Arc::new(texts))
    }
}

/// A column of lists of text.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(crate) items: Texts,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

impl Lists {
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            items: Texts::with_capacity(rows * 4, bytes),
            ends: vec![0],
            valid: NullBufferBuilder::new(rows),
        }
    }

    /// Makes a list of the items that were pushed since the last one.
    pub(crate) fn end(&mut self) {
        self.ends.push(self.items.len() as i32);
        self.valid.append_non_null();
    }

    /// Drops the items that were pushed since the last list, and appends NULL.
    pub(crate) fn end_null(&mut self) {
        let last = self.ends.last().copied().unwrap_or(0);
        self.items.truncate(usize::try_from(last).unwrap_or(0));
        self.ends.push(last);
        self.valid.append_null();
    }

    pub(crate) fn data_type() -> DataType {
        DataType::List(text_field("item"))
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let items = self.items.finish()?;
        let lists = ListArray::try_new(text_field("item"), ends, items, self.valid.finish())?;
        Ok(Arc::new(lists))
    }
}

impl Texts {
    /// Drops all but the first `rows` texts.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if self.is_full {
            return;
        }
        self.ends.truncate(rows + 1);
        let end = self.ends.last().and_then(|end| usize::try_from(*end).ok());
        self.text.truncate(end.unwrap_or(0));
        self.valid.truncate(rows);
    }

    pub(crate) fn is_null(&self, at: usize) -> bool {
        self.valid.as_slice().is_some() && !self.valid.is_valid(at)
    }
}

/// A column of numbers.
#[derive(Debug)]
pub(crate) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            valid: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
    }

    /// Takes the column as one of `data_type`, which has numbers of this kind.
    pub(crate) fn finish(mut self, data_type: &DataType) -> Result<ArrayRef> {
        let values = ScalarBuffer::from(self.values);
        let numbers = PrimitiveArray::<T>::try_new(values, self.valid.finish())?;
        Ok(Arc::new(numbers.with_data_type(data_type.clone())))
    }
}

/// A column of truth values.
#[derive(Debug)]
pub(crate) struct Booleans {
    values: Vec<bool>,
    valid: NullBufferBuilder,
}

impl Booleans {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            valid: NullBufferBuilder::new(rows),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Option<bool>) {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
    }

    pub(crate) fn finish(mut self) -> Result<ArrayRef> {
        let values = BooleanBuffer::from(self.values);
        Ok(Arc::new(BooleanArray::new(values, self.valid.finish())))
    }
}

/// A struct of the columns that `fields` describes; rows that are not `valid` are NULL.
pub(crate) fn structs(
    data_type: &DataType,
    columns: Vec<ArrayRef>,
    valid: &mut NullBufferBuilder,
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = data_type else {
        return exec_err!("{data_type} is no struct");
    };
    let structs = StructArray::try_new(fields.clone(), columns, valid.finish())?;
    Ok(Arc::new(structs))
}

/// A struct type of nullable fields.
pub(crate) fn struct_type<const N: usize>(fields: [(&str, DataType); N]) -> DataType {
    let field = |(name, data_type)| Field::new(name, data_type, true);
    DataType::Struct(fields.into_iter().map(field).collect())
}

/// Microseconds in UTC, as every table has them.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

fn text_field(name: &str) -> FieldRef {
    Field::new(name, DataType::Utf8, true).into()
}
