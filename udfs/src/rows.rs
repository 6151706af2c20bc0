//! Text arrays as rows of bytes that lie next to each other, and arrays with some rows replaced.
//!
//! A function that reads many rows at once gets them as [`Rows`] and records what it replaces in
//! [`Changes`]. The cost of a change is its row: rows without one are copied in runs, and an array
//! without any is returned itself.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BufferBuilder, ByteView, GenericStringArray, OffsetSizeTrait,
    StringViewArray, StringViewBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::common::exec_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

/// Views of at most this many bytes hold their text themselves.
const INLINE_VIEW_MAX: usize = 12;
/// Bytes of views that are gathered at a time, so that they are still in the cache when read.
const GATHERED: usize = 64 * 1024;

/// Rows of text: row `i` lies in `bytes` between `bounds[i]` and `bounds[i + 1]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    /// The text, which is valid UTF-8 between any two bounds.
    pub(crate) bytes: &'a [u8],
    /// Where rows begin and end.
    pub(crate) bounds: Bounds<'a>,
}

/// Bounds in either size that arrays have.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bounds<'a> {
    /// Of small arrays.
    Small(&'a [i32]),
    /// Of large ones.
    Large(&'a [i64]),
}

impl Rows<'_> {
    /// The text of row `row`.
    pub(crate) fn text(&self, row: usize) -> &str {
        let bound = |at: usize| match self.bounds {
            Bounds::Small(bounds) => bounds.get(at).map(|bound| bound.as_usize()),
            Bounds::Large(bounds) => bounds.get(at).map(|bound| bound.as_usize()),
        };
        let (start, end) = (bound(row).unwrap_or(0), bound(row + 1).unwrap_or(0));
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> usize {
        let bounds = match self.bounds {
            Bounds::Small(bounds) => bounds.len(),
            Bounds::Large(bounds) => bounds.len(),
        };
        bounds.saturating_sub(1)
    }
}

/// Rows that get another text, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    rows: Vec<(usize, Range<usize>)>,
    texts: String,
    /// Number of the first of the rows that are being read.
    base: usize,
}

impl Changes {
    /// The number in the whole array of the row that `read` calls `row`.
    pub(crate) fn number(&self, row: usize) -> usize {
        self.base + row
    }

    /// Lets `write` append the new text of `row`, which stays as it is if that returns false.
    pub(crate) fn write(&mut self, row: usize, write: impl FnOnce(&mut String) -> bool) {
        let start = self.texts.len();
        if write(&mut self.texts) {
            self.rows.push((self.base + row, start..self.texts.len()));
        } else {
            self.texts.truncate(start);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        let text = |span: &Range<usize>| self.texts.get(span.clone()).unwrap_or_default();
        self.rows.iter().map(move |(row, span)| (*row, text(span)))
    }
}

/// Applies `read`, which may get the rows of an array in several parts, to all texts of `value`.
///
/// An array in which nothing changes is returned itself. Views are the exception: their buffers
/// may hold text no row refers to any more, which `read` has not seen and which Arrow IPC would
/// send along, so a view array that is not compact is copied.
///
/// # Errors
/// Fails when the texts of one array outgrow its offsets, or on an array that is not text.
pub(crate) fn change<F>(value: &ColumnarValue, read: &mut F) -> Result<ColumnarValue>
where
    F: FnMut(Rows<'_>, &mut Changes),
{
    match value {
        ColumnarValue::Array(array) => change_array(array, read).map(ColumnarValue::Array),
        ColumnarValue::Scalar(scalar) => {
            let changed = change_array(&scalar.to_array()?, read)?;
            let changed = ScalarValue::try_from_array(&changed, 0)?;
            Ok(ColumnarValue::Scalar(changed))
        }
    }
}

fn change_array<F>(array: &ArrayRef, read: &mut F) -> Result<ArrayRef>
where
    F: FnMut(Rows<'_>, &mut Changes),
{
    match array.data_type() {
        DataType::Utf8 => change_strings::<i32, F>(array, |bounds| Bounds::Small(bounds), read),
        DataType::LargeUtf8 => {
            change_strings::<i64, F>(array, |bounds| Bounds::Large(bounds), read)
        }
        DataType::Utf8View => Ok(change_views(array, read)),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = change_array(dictionary.values(), read)?;
            if Arc::ptr_eq(&values, dictionary.values()) {
                return Ok(Arc::clone(array));
            }
            Ok(dictionary.with_values(values))
        }
        other => exec_err!("cannot read {other} as text"),
    }
}

/// Text under a NULL is rewritten too: it is invisible to SQL but not to a reader of the buffer.
fn change_strings<O, F>(
    array: &ArrayRef,
    sized: impl for<'a> Fn(&'a [O]) -> Bounds<'a>,
    read: &mut F,
) -> Result<ArrayRef>
where
    O: OffsetSizeTrait,
    F: FnMut(Rows<'_>, &mut Changes),
{
    let input: &GenericStringArray<O> = array.as_string();
    let (bytes, bounds) = (input.value_data(), input.value_offsets());
    let mut changes = Changes::default();
    let rows = Rows {
        bytes,
        bounds: sized(bounds),
    };
    read(rows, &mut changes);
    if changes.rows.is_empty() {
        return Ok(Arc::clone(array));
    }
    let start = bounds.first().map_or(0, |offset| offset.as_usize());
    let end = bounds.last().map_or(start, |offset| offset.as_usize());
    let mut output: BufferBuilder<u8> = BufferBuilder::new(end - start + changes.texts.len());
    let mut offsets: Vec<O> = Vec::with_capacity(bounds.len());
    offsets.push(O::zero());
    // Input up to `copied` is in the output.
    let mut copied = start;
    for (row, text) in changes.iter() {
        let (Some(from), Some(to)) = (bounds.get(row), bounds.get(row + 1)) else {
            continue;
        };
        let kept = bounds.get(..=row).unwrap_or_default();
        push_offsets(&mut offsets, kept, copied, output.len())?;
        output.append_slice(bytes.get(copied..from.as_usize()).unwrap_or_default());
        output.append_slice(text.as_bytes());
        offsets.push(offset(output.len())?);
        copied = to.as_usize();
    }
    push_offsets(&mut offsets, bounds, copied, output.len())?;
    output.append_slice(bytes.get(copied..end).unwrap_or_default());
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let nulls = input.nulls().cloned();
    let array = GenericStringArray::<O>::try_new(offsets, output.finish(), nulls)?;
    Ok(Arc::new(array))
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

/// Views lie anywhere, so their text is gathered before it is read.
fn change_views<F>(array: &ArrayRef, read: &mut F) -> ArrayRef
where
    F: FnMut(Rows<'_>, &mut Changes),
{
    let input = array.as_string_view();
    let mut changes = Changes::default();
    let (mut bytes, mut bounds) = (Vec::new(), vec![0]);
    for row in 0..input.len() {
        bytes.extend_from_slice(input.value(row).as_bytes());
        bounds.push(bytes.len() as i64);
        if bytes.len() >= GATHERED || row + 1 == input.len() {
            let rows = Rows {
                bytes: &bytes,
                bounds: Bounds::Large(&bounds),
            };
            read(rows, &mut changes);
            changes.base = row + 1;
            bytes.clear();
            bounds.truncate(1);
        }
    }
    if changes.rows.is_empty() {
        return if is_compact(input) {
            Arc::clone(array)
        } else {
            Arc::new(input.gc())
        };
    }
    let mut builder = StringViewBuilder::with_capacity(input.len());
    let mut row = 0;
    for (changed, text) in changes.iter() {
        let kept = input.iter().skip(row).take(changed - row);
        kept.for_each(|text| builder.append_option(text));
        builder.append_option(input.is_valid(changed).then_some(text));
        row = changed + 1;
    }
    let kept = input.iter().skip(row);
    kept.for_each(|text| builder.append_option(text));
    Arc::new(builder.finish())
}

/// Whether the views cover the buffers in order and without a gap.
fn is_compact(views: &StringViewArray) -> bool {
    let buffers = views.data_buffers();
    let (mut buffer, mut covered) = (0, 0);
    for view in views.views() {
        let view = ByteView::from(*view);
        let length = view.length as usize;
        if length <= INLINE_VIEW_MAX {
            continue;
        }
        while view.buffer_index as usize != buffer {
            let whole = buffers
                .get(buffer)
                .is_some_and(|bytes| bytes.len() == covered);
            if !whole {
                return false;
            }
            (buffer, covered) = (buffer + 1, 0);
        }
        if view.offset as usize != covered {
            return false;
        }
        covered += length;
    }
    let rest = buffers.get(buffer..).unwrap_or_default();
    rest.iter().map(|bytes| bytes.len()).sum::<usize>() == covered
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray};
    use arrow::compute::cast;
    use arrow::datatypes::Int32Type;

    use super::*;

    fn shout(text: &str, out: &mut String) -> bool {
        let hit = text.contains("hit");
        if hit {
            out.push_str(&text.replace("hit", "H!"));
        }
        hit
    }

    /// Shouts row by row.
    fn read(rows: Rows<'_>, changes: &mut Changes) {
        for row in 0..rows.count() {
            changes.write(row, |out| shout(rows.text(row), out));
        }
    }

    fn map(array: &ArrayRef) -> ArrayRef {
        change_array(array, &mut read).unwrap()
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
        let mapped = change_array(&keys, &mut |rows, changes| {
            calls += rows.count();
            read(rows, changes);
        });
        let want: ArrayRef = Arc::new(StringArray::from(vec!["H!", "b", "H!", "H!"]));
        assert_eq!(
            cast(&mapped.unwrap(), &DataType::Utf8).unwrap().as_ref(),
            want.as_ref()
        );
        assert_eq!(calls, 2);
    }
}
