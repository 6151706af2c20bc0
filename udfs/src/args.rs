//! Arguments of functions: text in every Arrow form it comes in, and literal options.
//!
//! A text function states its work on `&str` once; [`map_text`] applies it to arrays and scalars
//! of Utf8, LargeUtf8, Utf8View and dictionaries of them and returns the type it was given.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BufferBuilder, GenericStringArray, OffsetSizeTrait, StringViewArray,
    StringViewBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

/// Views of at most this many bytes hold their text themselves.
const INLINE_VIEW_MAX: usize = 12;

/// The type in which text argument `given` of `function` is processed.
///
/// # Errors
/// Refuses a type that is not text, with the cast to write as a hint.
pub(crate) fn text_type(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::Dictionary(_, value) if value.is_string() => Ok(given.clone()),
        other => {
            plan_err!("{function} reads text, not {other}; cast the argument: CAST(... AS VARCHAR)")
        }
    }
}

/// The type in which an option that is a string or a list of strings is processed.
///
/// # Errors
/// Refuses every other type, naming the option.
pub(crate) fn option_type(function: &str, option: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Null => Ok(DataType::Utf8),
        text if text.is_string() => Ok(text.clone()),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if item.data_type().is_string() || item.data_type().is_null() =>
        {
            Ok(given.clone())
        }
        other => {
            plan_err!("option \"{option}\" of {function} is a string or a list, not {other}")
        }
    }
}

/// The words of a literal option: the parts of a string between commas, or the items of a list.
/// None stands for NULL, which leaves the option at its default.
///
/// # Errors
/// Fails when the value is not text.
pub(crate) fn words(value: &ScalarValue) -> Result<Option<Vec<String>>> {
    if value.is_null() {
        return Ok(None);
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Ok(Some(
            text.split(',').map(|word| word.trim().to_owned()).collect(),
        ));
    }
    let items = items(value)?.into_iter();
    Ok(Some(items.map(|word| word.trim().to_owned()).collect()))
}

/// The items of a literal list of strings.
///
/// # Errors
/// Fails when the value is not a list of text.
pub(crate) fn items(value: &ScalarValue) -> Result<Vec<String>> {
    let array = value.to_array()?;
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(0),
        DataType::LargeList(_) => array.as_list::<i64>().value(0),
        DataType::FixedSizeList(_, _) => array.as_fixed_size_list().value(0),
        other => return plan_err!("an option is a string or a list of strings, not {other}"),
    };
    let items = cast(&items, &DataType::Utf8)?;
    let items = items.as_string::<i32>().iter();
    Ok(items
        .map(|word| word.unwrap_or_default().to_owned())
        .collect())
}

/// Applies `rewrite` to every text of `value`. It returns false to keep a text as it is, or
/// appends the new text to its second argument and returns true.
///
/// An array in which nothing changes is returned itself. Views are the exception: their buffers
/// may hold text no row refers to any more, which `rewrite` has not seen and which Arrow IPC would
/// send along, so a view array that is not compact is copied.
///
/// # Errors
/// Fails when the texts of one array outgrow its offsets, or on an array that is not text.
pub(crate) fn map_text<F>(value: &ColumnarValue, rewrite: &mut F) -> Result<ColumnarValue>
where
    F: FnMut(&str, &mut String) -> bool,
{
    match value {
        ColumnarValue::Array(array) => map_array(array, rewrite).map(ColumnarValue::Array),
        ColumnarValue::Scalar(scalar) => {
            let mapped = map_array(&scalar.to_array()?, rewrite)?;
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &mapped, 0,
            )?))
        }
    }
}

fn map_array<F>(array: &ArrayRef, rewrite: &mut F) -> Result<ArrayRef>
where
    F: FnMut(&str, &mut String) -> bool,
{
    match array.data_type() {
        DataType::Utf8 => map_strings::<i32, F>(array, rewrite),
        DataType::LargeUtf8 => map_strings::<i64, F>(array, rewrite),
        DataType::Utf8View => Ok(map_views(array, rewrite)),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = map_array(dictionary.values(), rewrite)?;
            if Arc::ptr_eq(&values, dictionary.values()) {
                return Ok(Arc::clone(array));
            }
            Ok(dictionary.with_values(values))
        }
        other => exec_err!("cannot read {other} as text"),
    }
}

/// Rows without a change are copied in runs, so the cost of a hit is the row, not the array. Text
/// under a NULL is rewritten too: it is invisible to SQL but not to a reader of the buffer.
fn map_strings<O, F>(array: &ArrayRef, rewrite: &mut F) -> Result<ArrayRef>
where
    O: OffsetSizeTrait,
    F: FnMut(&str, &mut String) -> bool,
{
    let input: &GenericStringArray<O> = array.as_string();
    let bytes = input.value_data();
    let bounds = input.value_offsets();
    let start = bounds.first().map_or(0, |offset| offset.as_usize());
    let mut output: BufferBuilder<u8> = BufferBuilder::new(0);
    let mut offsets: Vec<O> = Vec::new();
    let mut scratch = String::new();
    // Input up to `copied` is in the output; rows up to `offsets.len() - 1` have their offset.
    let mut copied = start;
    for row in 0..input.len() {
        scratch.clear();
        if !rewrite(input.value(row), &mut scratch) {
            continue;
        }
        let (Some(from), Some(to)) = (bounds.get(row), bounds.get(row + 1)) else {
            continue;
        };
        if offsets.is_empty() {
            output.reserve(bytes.len() - start + scratch.len());
            offsets.reserve(bounds.len());
            offsets.push(O::zero());
        }
        push_offsets(
            &mut offsets,
            bounds.get(..=row).unwrap_or_default(),
            copied,
            output.len(),
        )?;
        output.append_slice(bytes.get(copied..from.as_usize()).unwrap_or_default());
        output.append_slice(scratch.as_bytes());
        offsets.push(offset(output.len())?);
        copied = to.as_usize();
    }
    if offsets.is_empty() {
        return Ok(Arc::clone(array));
    }
    push_offsets(&mut offsets, bounds, copied, output.len())?;
    let end = bounds.last().map_or(copied, |offset| offset.as_usize());
    output.append_slice(bytes.get(copied..end).unwrap_or_default());
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let nulls = input.nulls().cloned();
    Ok(Arc::new(GenericStringArray::<O>::try_new(
        offsets,
        output.finish(),
        nulls,
    )?))
}

/// Extends `offsets` to the length of `bounds`, for rows whose bytes move from position `copied`
/// of the input to position `moved` of the output.
fn push_offsets<O: OffsetSizeTrait>(
    offsets: &mut Vec<O>,
    bounds: &[O],
    copied: usize,
    moved: usize,
) -> Result<()> {
    for bound in bounds.iter().skip(offsets.len()) {
        offsets.push(offset(bound.as_usize() - copied + moved)?);
    }
    Ok(())
}

fn offset<O: OffsetSizeTrait>(position: usize) -> Result<O> {
    O::from_usize(position).ok_or_else(|| {
        let text = "the rewritten texts of one batch exceed 2 GiB; lower the batch size";
        DataFusionError::Execution(text.to_owned())
    })
}

fn map_views<F>(array: &ArrayRef, rewrite: &mut F) -> ArrayRef
where
    F: FnMut(&str, &mut String) -> bool,
{
    let input = array.as_string_view();
    let mut output: Option<StringViewBuilder> = None;
    let mut scratch = String::new();
    for row in 0..input.len() {
        let text = input.value(row);
        scratch.clear();
        let changed = rewrite(text, &mut scratch);
        if changed && output.is_none() {
            let mut builder = StringViewBuilder::with_capacity(input.len());
            input
                .iter()
                .take(row)
                .for_each(|text| builder.append_option(text));
            output = Some(builder);
        }
        if let Some(builder) = &mut output {
            let text = if changed { scratch.as_str() } else { text };
            builder.append_option(input.is_valid(row).then_some(text));
        }
    }
    match output {
        Some(mut builder) => Arc::new(builder.finish()),
        None if is_compact(input) => Arc::clone(array),
        None => Arc::new(input.gc()),
    }
}

/// Whether the views cover the buffers in order and without a gap.
fn is_compact(views: &StringViewArray) -> bool {
    let mut covered = 0;
    for view in views.views() {
        let view = arrow::array::ByteView::from(*view);
        let length = view.length as usize;
        if length <= INLINE_VIEW_MAX {
            continue;
        }
        let before = views.data_buffers().iter().take(view.buffer_index as usize);
        if before.map(|buffer| buffer.len()).sum::<usize>() + view.offset as usize != covered {
            return false;
        }
        covered += length;
    }
    covered
        == views
            .data_buffers()
            .iter()
            .map(|buffer| buffer.len())
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn shout(text: &str, out: &mut String) -> bool {
        let hit = text.contains("hit");
        if hit {
            out.push_str(&text.replace("hit", "H!"));
        }
        hit
    }

    fn map(array: &ArrayRef) -> ArrayRef {
        map_array(array, &mut shout).unwrap()
    }

    const LONG: &str = "a long text that does not fit a view";

    #[test]
    fn every_position_of_a_change_is_rebuilt() {
        let rows = [
            Some("hit"),
            None,
            Some(LONG),
            Some(""),
            Some("a hit b"),
            Some("tail"),
        ];
        let want = [
            Some("H!"),
            None,
            Some(LONG),
            Some(""),
            Some("a H! b"),
            Some("tail"),
        ];
        let plain: ArrayRef = Arc::new(StringArray::from(rows.to_vec()));
        let wanted: ArrayRef = Arc::new(StringArray::from(want.to_vec()));
        for kind in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
            let (input, wanted) = (cast(&plain, &kind).unwrap(), cast(&wanted, &kind).unwrap());
            for from in 0..rows.len() {
                for length in 0..=rows.len() - from {
                    let got = map(&input.slice(from, length));
                    assert_eq!(got.as_ref(), wanted.slice(from, length).as_ref());
                }
            }
        }
    }

    #[test]
    fn an_array_without_a_change_is_returned_itself() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec![Some(LONG), None, Some("x")]));
        let views: ArrayRef = Arc::new(StringViewArray::from(vec![Some(LONG), None, Some("x")]));
        let keys: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter([LONG, "x", LONG]));
        for array in [plain, views, keys] {
            assert!(Arc::ptr_eq(&array, &map(&array)), "{}", array.data_type());
        }
    }

    #[test]
    fn bytes_no_view_refers_to_do_not_pass() {
        let views = StringViewArray::from(vec!["the secret hit of a hidden row", LONG]);
        let visible: ArrayRef = Arc::new(views.slice(1, 1));
        let mapped = map(&visible);
        assert_eq!(mapped.as_ref(), visible.as_ref());
        for buffer in mapped.as_string_view().data_buffers() {
            assert!(!buffer.windows(6).any(|window| window == b"secret"));
        }
    }

    #[test]
    fn a_dictionary_value_is_processed_once() {
        let keys: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter([
            "hit", "b", "hit", "hit",
        ]));
        let mut calls = 0;
        let mapped = map_array(&keys, &mut |text, out| {
            calls += 1;
            shout(text, out)
        });
        let want: ArrayRef = Arc::new(StringArray::from(vec!["H!", "b", "H!", "H!"]));
        assert_eq!(
            cast(&mapped.unwrap(), &DataType::Utf8).unwrap().as_ref(),
            want.as_ref()
        );
        assert_eq!(calls, 2);
    }

    #[test]
    fn options_are_words_of_a_string_or_items_of_a_list() {
        let text = ScalarValue::from("email, phone");
        assert_eq!(
            words(&text).unwrap(),
            Some(vec!["email".to_owned(), "phone".to_owned()])
        );
        assert_eq!(words(&ScalarValue::Utf8(None)).unwrap(), None);
        let items = [ScalarValue::from("email")];
        let list = ScalarValue::List(ScalarValue::new_list_nullable(&items, &DataType::Utf8));
        assert_eq!(words(&list).unwrap(), Some(vec!["email".to_owned()]));
    }
}
