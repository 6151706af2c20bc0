//! Arrays as other types with the same values. Containers are taken apart here and put together
//! again around their converted values, because Arrow's own cast knows only some pairs of them;
//! what is no container is left to that cast. Only the part of a container's values that its rows
//! use is converted.

use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, FixedSizeListArray, GenericByteViewArray,
    GenericListArray, MapArray, OffsetSizeTrait, StructArray, UInt64Array, UnionArray, make_array,
    new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{ByteViewType, DataType, FieldRef, Fields, UInt64Type, UnionFields};
use arrow::error::ArrowError;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// `array` as `want`; the same array where it is that already.
///
/// # Errors
/// When a value does not fit `want`, or when there is more text or more list than one array of
/// `want` can hold: halves of the rows may fit then.
pub(super) fn convert(array: &ArrayRef, want: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    if array.data_type() == want && !shares(want) {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), want) {
        (T::Null, _) => Ok(new_null_array(want, array.len())),
        (T::Dictionary(..), T::Dictionary(_, inner)) => {
            let dictionary = array.as_any_dictionary();
            used_dictionary(dictionary, inner, want)
        }
        (T::Dictionary(..), _) => decode_dictionary(array, want),
        (T::RunEndEncoded(_, inner), _) if inner.data_type() != want => {
            convert(&cast(array, inner.data_type())?, want)
        }
        (T::List(_), T::List(item)) => list::<i32, i32>(array, item),
        (T::LargeList(_), T::List(item)) => list::<i64, i32>(array, item),
        (T::LargeList(_), T::LargeList(item)) => list::<i64, i64>(array, item),
        (T::ListView(_), T::List(item)) => gathered::<i32, i32>(array, item),
        (T::LargeListView(_), T::List(item)) => gathered::<i64, i32>(array, item),
        (T::LargeListView(_), T::LargeList(item)) => gathered::<i64, i64>(array, item),
        (T::FixedSizeList(..), T::FixedSizeList(item, size)) => fixed_list(array, item, *size),
        (T::Struct(_), T::Struct(fields)) => Ok(Arc::new(members(array.as_struct(), fields)?)),
        (T::Map(..), T::Map(entries, sorted)) => map(array.as_map(), entries, *sorted),
        (T::Union(..), T::Union(fields, _)) => union(array.as_union(), fields),
        (T::Utf8View, T::Utf8View) => Ok(Arc::new(array.as_string_view().gc())),
        (T::BinaryView, T::BinaryView) => Ok(Arc::new(array.as_binary_view().gc())),
        (T::Utf8View, T::Utf8) => {
            fits(array.as_string_view())?;
            cast(array, want)
        }
        (T::BinaryView, T::Binary) => {
            fits(array.as_binary_view())?;
            cast(array, want)
        }
        _ => cast(array, want),
    }
}

/// Whether arrays of `kind` may hold values that none of their rows has. Such values may be what a
/// filter or a function took out of the rows, so they are dropped even where the type stays.
pub(super) fn shares(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => shares(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| shares(field.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| shares(field.data_type())),
        _ => false,
    }
}

/// As Arrow casts; a value that does not fit is an error and not NULL.
pub(super) fn cast(array: &ArrayRef, want: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, want, &options)
}

/// Arrow's cast panics where the bytes of views do not fit 32-bit offsets.
fn fits<V: ByteViewType>(views: &GenericByteViewArray<V>) -> Result<()> {
    let bytes: usize = views.lengths().map(|length| length as usize).sum();
    match i32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(ArrowError::OffsetOverflowError(bytes)),
    }
}

/// The rows of a dictionary. Of a large one with few rows, the values are looked up first.
fn decode_dictionary(array: &ArrayRef, want: &DataType) -> Result<ArrayRef> {
    let dictionary = array.as_any_dictionary();
    let (keys, values) = (dictionary.keys(), dictionary.values());
    if values.len() > keys.len() {
        return convert(&take(values, keys, None)?, want);
    }
    take(&convert(values, want)?, keys, None)
}

/// A dictionary of only those values that its rows have.
fn used_dictionary(
    dictionary: &dyn AnyDictionaryArray,
    inner: &DataType,
    want: &DataType,
) -> Result<ArrayRef> {
    let wide = cast(&make_array(dictionary.keys().to_data()), &DataType::UInt64)?;
    let mut places = vec![None; dictionary.values().len()];
    let mut used: Vec<u64> = Vec::new();
    let mut place = |key: u64| {
        let slot = usize::try_from(key)
            .ok()
            .and_then(|key| places.get_mut(key))?;
        let place = *slot.get_or_insert_with(|| {
            used.push(key);
            used.len() as u64 - 1
        });
        Some(place)
    };
    let keys = wide.as_primitive::<UInt64Type>().iter();
    let keys: UInt64Array = keys.map(|key| place(key?)).collect();
    let keys: ArrayRef = Arc::new(keys);
    let values = convert(
        &take(dictionary.values(), &UInt64Array::from(used), None)?,
        inner,
    )?;
    let keys = cast(&keys, dictionary.keys().data_type())?
        .to_data()
        .into_builder();
    let data = keys
        .data_type(want.clone())
        .add_child_data(values.to_data());
    Ok(make_array(data.build()?))
}

/// The part of a list's values that its rows use, and where each row ends in it.
fn used<O: OffsetSizeTrait, N: OffsetSizeTrait>(
    offsets: &OffsetBuffer<O>,
    values: &ArrayRef,
) -> Result<(OffsetBuffer<N>, ArrayRef)> {
    let (first, last) = match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (first.as_usize(), last.as_usize()),
        _ => (0, 0),
    };
    let length = last - first;
    if N::from_usize(length).is_none() {
        return Err(ArrowError::OffsetOverflowError(length));
    }
    let moved = offsets
        .iter()
        .map(|offset| N::usize_as(offset.as_usize() - first));
    let moved: ScalarBuffer<N> = moved.collect();
    Ok((OffsetBuffer::new(moved), values.slice(first, length)))
}

fn list<O: OffsetSizeTrait, N: OffsetSizeTrait>(
    array: &ArrayRef,
    item: &FieldRef,
) -> Result<ArrayRef> {
    let array = array.as_list::<O>();
    let (offsets, values) = used::<O, N>(array.offsets(), array.values())?;
    let values = convert(&values, item.data_type())?;
    let nulls = array.nulls().cloned();
    let list = GenericListArray::<N>::try_new(Arc::clone(item), offsets, values, nulls)?;
    Ok(Arc::new(list))
}

/// A list out of views, whose rows may overlap and come in any order.
fn gathered<O: OffsetSizeTrait, N: OffsetSizeTrait>(
    array: &ArrayRef,
    item: &FieldRef,
) -> Result<ArrayRef> {
    let array = array.as_list_view::<O>();
    let mut indices = Vec::new();
    let mut ends = vec![N::usize_as(0)];
    for row in 0..array.len() {
        if array.is_valid(row) {
            let (from, size) = (
                array.offsets()[row].as_usize(),
                array.sizes()[row].as_usize(),
            );
            indices.extend((from..from + size).map(|index| index as u64));
        }
        let end = N::from_usize(indices.len());
        ends.push(end.ok_or(ArrowError::OffsetOverflowError(indices.len()))?);
    }
    let values = take(array.values(), &UInt64Array::from(indices), None)?;
    let values = convert(&values, item.data_type())?;
    let (offsets, nulls) = (OffsetBuffer::new(ends.into()), array.nulls().cloned());
    let list = GenericListArray::<N>::try_new(Arc::clone(item), offsets, values, nulls)?;
    Ok(Arc::new(list))
}

fn fixed_list(array: &ArrayRef, item: &FieldRef, size: i32) -> Result<ArrayRef> {
    let list = array.as_fixed_size_list();
    let values = convert(list.values(), item.data_type())?;
    let (nulls, rows) = (list.nulls().cloned(), list.len());
    let list =
        FixedSizeListArray::try_new_with_length(Arc::clone(item), size, values, nulls, rows)?;
    Ok(Arc::new(list))
}

fn members(array: &StructArray, fields: &Fields) -> Result<StructArray> {
    let members = array.columns().iter().zip(fields);
    let members = members.map(|(column, field)| convert(column, field.data_type()));
    let members = members.collect::<Result<Vec<_>>>()?;
    let nulls = array.nulls().cloned();
    StructArray::try_new_with_length(fields.clone(), members, nulls, array.len())
}

fn map(array: &MapArray, entries: &FieldRef, sorted: bool) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::InvalidArgumentError(
            "a map without entries".to_owned(),
        ));
    };
    let all: ArrayRef = Arc::new(array.entries().clone());
    let (offsets, used) = used::<i32, i32>(array.offsets(), &all)?;
    let pairs = members(used.as_struct(), fields)?;
    let nulls = array.nulls().cloned();
    let map = MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, sorted)?;
    Ok(Arc::new(map))
}

fn union(array: &UnionArray, fields: &UnionFields) -> Result<ArrayRef> {
    let children = fields.iter();
    let children = children.map(|(id, field)| convert(array.child(id), field.data_type()));
    let children = children.collect::<Result<Vec<_>>>()?;
    let (ids, offsets) = (array.type_ids().clone(), array.offsets().cloned());
    Ok(Arc::new(UnionArray::try_new(
        fields.clone(),
        ids,
        offsets,
        children,
    )?))
}
