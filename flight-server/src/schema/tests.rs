//! Every type a query can give leaves as a type that every driver reads, with its values unchanged.

use arrow::array::{
    Array, ArrayRef, BinaryViewArray, Date64Array, Decimal32Array, DictionaryArray,
    FixedSizeListArray, Float16Array, Int32Array, LargeListArray, LargeStringArray, ListArray,
    ListViewArray, MapArray, NullArray, RunArray, StringArray, StringViewArray, StructArray,
    TimestampNanosecondArray, UInt64Array, new_empty_array, new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Int32Type, IntervalUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;

fn scalars() -> Vec<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256,
        Duration, FixedSizeBinary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Interval,
        LargeBinary, LargeUtf8, Null, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64,
        Utf8, Utf8View,
    };
    let mut all = vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(4),
        Date32,
        Date64,
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(38, 9),
        Decimal256(60, 9),
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        all.push(Duration(unit));
        all.push(Timestamp(unit, None));
        all.push(Timestamp(unit, Some("UTC".into())));
    }
    all
}

/// Each type inside each container.
fn wrapped(inner: &DataType) -> Vec<DataType> {
    let item = || Arc::new(Field::new("item", inner.clone(), false));
    let key = Field::new("key", DataType::Utf8View, false);
    let entries = DataType::Struct(vec![key, Field::new("value", inner.clone(), true)].into());
    vec![
        DataType::List(item()),
        DataType::LargeList(item()),
        DataType::ListView(item()),
        DataType::LargeListView(item()),
        DataType::FixedSizeList(Arc::new(Field::new("item", inner.clone(), true)), 2),
        DataType::Struct(vec![Field::new("a", inner.clone(), true)].into()),
        DataType::Map(Arc::new(Field::new("entries", entries, false)), false),
    ]
}

/// All types, two containers deep.
fn kinds() -> Vec<DataType> {
    let scalars = scalars();
    let once: Vec<DataType> = scalars.iter().flat_map(wrapped).collect();
    let twice: Vec<DataType> = once.iter().flat_map(wrapped).collect();
    let dictionary = |kind: DataType| DataType::Dictionary(DataType::Int32.into(), kind.into());
    let dictionaries = [dictionary(DataType::Utf8), dictionary(DataType::Utf8View)];
    [scalars, once, twice, dictionaries.to_vec()].concat()
}

fn readable(kind: &DataType) -> bool {
    match kind {
        DataType::Null
        | DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::BinaryView
        | DataType::LargeBinary
        | DataType::Dictionary(..)
        | DataType::RunEndEncoded(..)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Float16
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Date64 => false,
        DataType::List(item) | DataType::FixedSizeList(item, _) => {
            item.is_nullable() && readable(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().all(|f| readable(f.data_type())),
        DataType::Map(entries, _) => readable(entries.data_type()),
        _ => true,
    }
}

fn batch_of(column: ArrayRef) -> RecordBatch {
    let field = Field::new("c", column.data_type().clone(), true);
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
}

#[test]
fn every_type_leaves_readable_nullable_and_as_announced() {
    for kind in kinds() {
        let schema = Schema::new(vec![Field::new("c", kind.clone(), false)]);
        let wire = wire_schema(&schema, Profile::Compat);
        let field = wire.field(0);
        assert!(
            field.is_nullable() && readable(field.data_type()),
            "{kind} left as {field:?}"
        );
        assert_eq!(
            wire_schema(&wire, Profile::Compat),
            wire,
            "{kind} is not settled"
        );
        for column in [new_empty_array(&kind), new_null_array(&kind, 3)] {
            let sent = conform(&batch_of(Arc::clone(&column)), &wire)
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(sent.schema(), wire);
            assert_eq!(sent.num_rows(), column.len());
            if column.null_count() > 0 {
                assert_eq!(sent.column(0).null_count(), column.null_count(), "{kind}");
            }
        }
    }
}

fn shown(column: &ArrayRef) -> Vec<String> {
    let format = ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap();
    (0..column.len())
        .map(|row| format.value(row).to_string())
        .collect()
}

fn item(kind: DataType) -> FieldRef {
    Arc::new(Field::new("item", kind, true))
}

fn columns() -> Vec<ArrayRef> {
    let texts = StringViewArray::from(vec![Some("a"), None, Some("a text too long to be inlined")]);
    let texts: ArrayRef = Arc::new(texts);
    [flat_columns(&texts), nested_columns(&texts)].concat()
}

fn flat_columns(texts: &ArrayRef) -> Vec<ArrayRef> {
    let halves = [1.5_f32, -2.25].map(|x| Some(half(x)));
    vec![
        Arc::clone(texts),
        Arc::new(LargeStringArray::from(vec!["x", "щ"])),
        Arc::new(BinaryViewArray::from(vec![Some(b"xyz".as_slice()), None])),
        Arc::new(DictionaryArray::<Int32Type>::from_iter([
            Some("a"),
            None,
            Some("b"),
            Some("a"),
        ])),
        Arc::new(
            RunArray::try_new(
                &Int32Array::from(vec![2, 3]),
                &StringArray::from(vec!["r", "s"]),
            )
            .unwrap(),
        ),
        Arc::new(Float16Array::from_iter(halves)),
        Arc::new(
            Decimal32Array::from(vec![12_345])
                .with_precision_and_scale(7, 2)
                .unwrap(),
        ),
        Arc::new(UInt64Array::from(vec![u64::MAX])),
        Arc::new(
            TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789]).with_timezone("UTC"),
        ),
    ]
}

fn nested_columns(texts: &ArrayRef) -> Vec<ArrayRef> {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 3]));
    let long = OffsetBuffer::new(ScalarBuffer::from(vec![0_i64, 1, 3]));
    let entry = Fields::from(vec![
        Field::new("key", DataType::Int32, false),
        Field::new("value", DataType::Utf8View, true),
    ]);
    let columns = vec![Arc::clone(&numbers), Arc::clone(texts)];
    let pairs = StructArray::new(entry.clone(), columns, None);
    let entries = Arc::new(Field::new("entries", DataType::Struct(entry), false));
    vec![
        Arc::new(ListArray::new(
            item(DataType::Utf8View),
            offsets.clone(),
            Arc::clone(texts),
            None,
        )),
        Arc::new(LargeListArray::new(
            item(DataType::Utf8View),
            long,
            Arc::clone(texts),
            None,
        )),
        Arc::new(ListViewArray::new(
            item(DataType::Int32),
            ScalarBuffer::from(vec![1, 0]),
            ScalarBuffer::from(vec![2, 1]),
            Arc::clone(&numbers),
            None,
        )),
        Arc::new(FixedSizeListArray::new(
            item(DataType::Utf8View),
            3,
            Arc::clone(texts),
            None,
        )),
        Arc::new(pairs.clone()),
        Arc::new(MapArray::new(entries, offsets, pairs, None, false)),
    ]
}

fn half(
    value: f32,
) -> <arrow::datatypes::Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native {
    let narrow = arrow::compute::cast(
        &arrow::array::Float32Array::from(vec![value]),
        &DataType::Float16,
    );
    arrow::array::AsArray::as_primitive::<arrow::datatypes::Float16Type>(&narrow.unwrap()).value(0)
}

#[test]
fn values_leave_unchanged_also_from_slices() {
    for column in columns() {
        let batch = batch_of(column);
        let wire = wire_schema(&batch.schema(), Profile::Compat);
        let sent = conform(&batch, &wire).unwrap();
        assert_eq!(
            shown(sent.column(0)),
            shown(batch.column(0)),
            "{:?}",
            batch.schema()
        );
        let slice = batch.slice(batch.num_rows() - 1, 1);
        let sent = conform(&slice, &wire).unwrap();
        assert_eq!(
            shown(sent.column(0)),
            shown(slice.column(0)),
            "slice of {:?}",
            batch.schema()
        );
    }
    let day = batch_of(Arc::new(Date64Array::from(vec![86_400_000 * 19_000])));
    let sent = conform(&day, &wire_schema(&day.schema(), Profile::Compat)).unwrap();
    assert_eq!(shown(sent.column(0)), ["2022-01-08"]);
    let nothing = batch_of(Arc::new(NullArray::new(2)));
    let sent = conform(&nothing, &wire_schema(&nothing.schema(), Profile::Compat)).unwrap();
    assert_eq!(sent.column(0).null_count(), 2);
}

#[test]
fn rows_without_columns_keep_their_number() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let schema = Arc::new(Schema::empty());
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).unwrap();
    assert_eq!(conform(&batch, &schema).unwrap().num_rows(), 3);
}

#[test]
fn tables_are_described_with_sql_names_and_real_nullability() {
    let table = Schema::new(vec![
        Field::new("a", DataType::Utf8View, false),
        Field::new("b", DataType::Decimal64(10, 2), true),
    ]);
    let origin = Origin {
        catalog: "sluice",
        schema: "public",
        table: "t",
        writable: true,
    };
    let described = described(&table, origin, Profile::Compat);
    let (a, b) = (described.field(0), described.field(1));
    assert_eq!((a.data_type(), a.is_nullable()), (&DataType::Utf8, false));
    assert_eq!(a.metadata()["ARROW:FLIGHT:SQL:TYPE_NAME"], "VARCHAR");
    assert_eq!(
        (
            b.metadata()["ARROW:FLIGHT:SQL:PRECISION"].as_str(),
            b.metadata()["ARROW:FLIGHT:SQL:SCALE"].as_str()
        ),
        ("10", "2")
    );
}

#[test]
fn parameters_are_nullable_and_their_timestamps_milliseconds() {
    let kind = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let field = parameter_field(&Field::new("$1", kind, false));
    assert_eq!(
        field,
        Field::new("$1", DataType::Timestamp(TimeUnit::Millisecond, None), true)
    );
    let field = parameter_field(&Field::new("$2", DataType::Null, true));
    assert_eq!(field.data_type(), &DataType::Utf8);
}
