//! Columns of text to columns of structs: every Arrow form of text in, one struct for each row out,
//! NULL for NULL. A value of a dictionary is parsed once, however many rows have it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, MapBuilder,
    MapFieldNames, StringBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

/// The field in which a parser says why a row has no others.
pub(crate) const PARSE_ERROR: &str = "parse_error";

/// What parses rows into columns of a struct.
pub(crate) trait Rows {
    /// Adds the row that `text` gives.
    fn push(&mut self, text: &str);
    /// Adds a row without a value.
    fn push_null(&mut self);
    /// The columns, in the order of the fields.
    fn finish(&mut self) -> Vec<ArrayRef>;
}

/// Parses every text of `value` into a struct of `fields`.
///
/// # Errors
/// Fails on an array that is not text, and when the texts of one batch exceed 2 GiB.
pub(crate) fn parse_text(
    value: &ColumnarValue,
    fields: &Fields,
    rows: &mut dyn Rows,
) -> Result<ColumnarValue> {
    match value {
        ColumnarValue::Array(array) => {
            let parsed = parse_array(array, fields, rows)?;
            Ok(ColumnarValue::Array(parsed))
        }
        ColumnarValue::Scalar(scalar) => {
            let parsed = parse_array(&scalar.to_array()?, fields, rows)?;
            let scalar = ScalarValue::try_from_array(&parsed, 0)?;
            Ok(ColumnarValue::Scalar(scalar))
        }
    }
}

fn parse_array(array: &ArrayRef, fields: &Fields, rows: &mut dyn Rows) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8 => push_all(array.as_string::<i32>().iter(), rows)?,
        DataType::LargeUtf8 => push_all(array.as_string::<i64>().iter(), rows)?,
        DataType::Utf8View => push_all(array.as_string_view().iter(), rows)?,
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = parse_array(dictionary.values(), fields, rows)?;
            return Ok(take(&values, dictionary.keys(), None)?);
        }
        other => return exec_err!("cannot read {other} as text"),
    }
    let nulls: Option<NullBuffer> = array.nulls().cloned();
    let columns = rows.finish();
    let parsed = StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?;
    Ok(Arc::new(parsed))
}

/// No field is longer than the text it was taken from, so the check keeps every column below the
/// bound of its offsets.
fn push_all<'a>(texts: impl Iterator<Item = Option<&'a str>>, rows: &mut dyn Rows) -> Result<()> {
    let mut bytes = 0;
    for text in texts {
        match text {
            Some(text) => {
                bytes += text.len();
                if bytes > i32::MAX as usize {
                    return exec_err!(
                        "the texts of one batch exceed 2 GiB; lower datafusion.execution.batch_size"
                    );
                }
                rows.push(text);
            }
            None => rows.push_null(),
        }
    }
    Ok(())
}

/// The type of a field that is taken from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// VARCHAR.
    Text,
    /// BIGINT.
    Integer,
    /// DOUBLE.
    Float,
    /// BOOLEAN.
    Boolean,
}

impl Kind {
    /// A field of this type, which may be NULL.
    pub(crate) fn field(self, name: &str) -> Field {
        let data_type = match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
        };
        Field::new(name, data_type, true)
    }

    /// What a value of this type is called in a message.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Boolean => "true or false",
        }
    }
}

/// One column of a struct, being filled.
#[derive(Debug)]
pub(crate) enum Column {
    /// VARCHAR.
    Text(StringBuilder),
    /// BIGINT.
    Integer(Int64Builder),
    /// DOUBLE.
    Float(Float64Builder),
    /// BOOLEAN.
    Boolean(BooleanBuilder),
}

impl Column {
    /// An empty column of `kind`.
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Float => Self::Float(Float64Builder::new()),
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
        }
    }

    /// Adds what `text` says in the column's type: NULL where it says nothing of that type, which
    /// is an error unless it says nothing at all.
    ///
    /// # Errors
    /// When `text` is not of the type.
    pub(crate) fn push(&mut self, text: Option<&str>) -> std::result::Result<(), ()> {
        let given = text.is_some_and(|text| !text.is_empty());
        let read = match self {
            Self::Text(column) => {
                column.append_option(text);
                true
            }
            Self::Integer(column) => {
                let value = text.and_then(|text| text.parse().ok());
                column.append_option(value);
                value.is_some()
            }
            Self::Float(column) => {
                let value = text.and_then(|text| text.parse().ok());
                column.append_option(value);
                value.is_some()
            }
            Self::Boolean(column) => {
                let value = text.and_then(boolean);
                column.append_option(value);
                value.is_some()
            }
        };
        if given && !read { Err(()) } else { Ok(()) }
    }

    /// The column as an array; the next one begins empty.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(column) => Arc::new(column.finish()),
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
        }
    }
}

/// A field of texts by name.
pub(crate) fn map_field(name: &str) -> Field {
    let key = Field::new("key", DataType::Utf8, false);
    let value = Field::new("value", DataType::Utf8, true);
    Field::new_map(name, "entries", key, value, false, true)
}

/// An empty column of such a field.
pub(crate) fn text_map() -> MapBuilder<StringBuilder, StringBuilder> {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
}

/// The words that PostgreSQL reads as BOOLEAN.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "t", "yes", "y", "on", "1"]) {
        return Some(true);
    }
    is(&["false", "f", "no", "n", "off", "0"]).then_some(false)
}
