//! How much room rows take: what they hold themselves, whatever else is in the buffers they share.

use arrow::array::{Array, AsArray, GenericByteViewArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ByteViewType, DataType};
use arrow::error::ArrowError;

/// Bytes of the rows in `batch`.
pub(super) fn batch_bytes(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| array_bytes(column.as_ref()))
        .sum()
}

/// Bytes of the rows in `array`; buffers it shares with other rows count for its own part only.
pub(super) fn array_bytes(array: &dyn Array) -> usize {
    let nulls = array.len().div_ceil(8);
    nulls
        + match array.data_type() {
            DataType::Struct(_) => array
                .as_struct()
                .columns()
                .iter()
                .map(|child| array_bytes(child.as_ref()))
                .sum(),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                child_bytes(list.offsets(), list.values().as_ref())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                child_bytes(list.offsets(), list.values().as_ref())
            }
            DataType::Utf8View => view_bytes(array.as_string_view()),
            DataType::BinaryView => view_bytes(array.as_binary_view()),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let (keys, values) = (dictionary.keys(), dictionary.values());
                // Rows of a dictionary leave with values of their own, or share those there are.
                let each = array_bytes(values.as_ref()) / values.len().max(1);
                array_bytes(keys) + each * keys.len()
            }
            DataType::Map(..) => {
                let map = array.as_map();
                child_bytes(map.offsets(), map.entries())
            }
            DataType::FixedSizeList(..) => {
                array_bytes(array.as_fixed_size_list().values().as_ref())
            }
            _ => {
                let whole = |_: ArrowError| array.get_buffer_memory_size();
                array
                    .to_data()
                    .get_slice_memory_size()
                    .unwrap_or_else(whole)
            }
        }
}

fn view_bytes<V: ByteViewType>(views: &GenericByteViewArray<V>) -> usize {
    let texts: usize = views.lengths().map(|length| length as usize).sum();
    size_of_val(&**views.views()) + texts
}

fn child_bytes<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, child: &dyn Array) -> usize {
    let bound = |offset: Option<&O>| offset.map_or(0, |at| at.as_usize());
    let (start, end) = (bound(offsets.first()), bound(offsets.last()));
    let child = child.slice(start, end.saturating_sub(start));
    size_of_val(&**offsets) + array_bytes(child.as_ref())
}
