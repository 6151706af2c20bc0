//! From the rows of a column to the rows of their answers, and the literal options beside it.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;

use crate::enrich::snapshot::from_arrow;

/// The number that `find` gives each text, NULL for NULL. A dictionary's value is asked for once.
pub(crate) fn number(
    texts: &ArrayRef,
    find: &mut dyn FnMut(&str) -> Option<u32>,
) -> Result<UInt32Array> {
    Ok(match texts.data_type() {
        DataType::Utf8 => texts
            .as_string::<i32>()
            .iter()
            .map(|text| find(text?))
            .collect(),
        DataType::LargeUtf8 => texts
            .as_string::<i64>()
            .iter()
            .map(|text| find(text?))
            .collect(),
        DataType::Utf8View => texts
            .as_string_view()
            .iter()
            .map(|text| find(text?))
            .collect(),
        DataType::Dictionary(_, _) => {
            let dictionary = texts.as_any_dictionary();
            let values = number(dictionary.values(), find)?;
            let keys = cast(dictionary.keys(), &DataType::UInt32)?;
            let found = take(&values, keys.as_primitive::<UInt32Type>(), None);
            found.map_err(from_arrow)?.as_primitive().clone()
        }
        DataType::Null => UInt32Array::new_null(texts.len()),
        other => return exec_err!("cannot read {other} as text"),
    })
}

/// `answer` for an array, and for a scalar as for an array of one row.
pub(crate) fn answer(
    value: &ColumnarValue,
    answer: impl FnOnce(&ArrayRef) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    match value {
        ColumnarValue::Array(array) => answer(array).map(ColumnarValue::Array),
        ColumnarValue::Scalar(scalar) => {
            let row = answer(&scalar.to_array()?)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&row, 0)?))
        }
    }
}

/// The text of a literal option; `None` for NULL.
///
/// # Errors
/// When it is no text.
pub(crate) fn literal<'a>(
    function: &str,
    option: &str,
    value: &'a ScalarValue,
) -> Result<Option<&'a str>> {
    match value.try_as_str() {
        Some(text) => Ok(text),
        None if value.is_null() => Ok(None),
        None => plan_err!(
            "\"{option}\" of {function} is text, not {}",
            value.data_type()
        ),
    }
}

/// The literal among the arguments at `at`.
///
/// # Errors
/// When a column stands there.
pub(crate) fn literal_at<'a>(
    function: &str,
    option: &str,
    args: &'a [ColumnarValue],
    at: usize,
) -> Result<Option<&'a str>> {
    match args.get(at) {
        None => Ok(None),
        Some(ColumnarValue::Scalar(value)) => literal(function, option, value),
        Some(ColumnarValue::Array(_)) => plan_err!("\"{option}\" of {function} is a literal"),
    }
}

/// Refuses columns in the place of the literal `options`.
///
/// # Errors
/// Names the option.
pub(crate) fn no_columns(function: &str, options: &[(&str, Option<&Expr>)]) -> Result<()> {
    for (option, given) in options {
        if given.is_some_and(Expr::any_column_refs) {
            return plan_err!("\"{option}\" of {function} is a literal, not a column");
        }
    }
    Ok(())
}
