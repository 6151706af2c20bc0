//! Random columns of random types: what is announced is settled and what is sent, and a client
//! reads the values that the query gave.

use std::fmt::Write;

use arrow::array::{
    ArrayData, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Int8Array, Int32Array, IntervalDayTimeArray,
    IntervalMonthDayNanoArray, LargeListArray, ListViewArray, MapArray, NullArray,
    RecordBatchOptions, RunArray, StructArray, UnionArray, make_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    FieldRef, Fields, Int8Type, IntervalDayTime, IntervalMonthDayNano, IntervalUnit, TimeUnit,
    UnionFields, UnionMode,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::schema::conform;

/// Batches that are tried; enough that each pair of container and type comes many times.
const BATCHES: u64 = 1_500;

struct Random(StdRng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    fn chance(&mut self) -> bool {
        self.0.random_bool(0.5)
    }

    fn scalar(&mut self) -> DataType {
        use DataType as T;
        let units = [
            TimeUnit::Second,
            TimeUnit::Millisecond,
            TimeUnit::Microsecond,
            TimeUnit::Nanosecond,
        ];
        let unit = units[self.below(4)];
        let zones = [
            None,
            Some("UTC"),
            Some("+00:00"),
            Some("Europe/Berlin"),
            Some("-05:30"),
        ];
        let zone = zones[self.below(5)].map(Into::into);
        let plain = [
            T::Null,
            T::Boolean,
            T::Int8,
            T::Int16,
            T::Int32,
            T::Int64,
            T::UInt8,
            T::UInt16,
            T::UInt32,
            T::UInt64,
            T::Float16,
            T::Float32,
            T::Float64,
            T::Utf8,
            T::LargeUtf8,
            T::Utf8View,
            T::Binary,
            T::LargeBinary,
            T::BinaryView,
            T::FixedSizeBinary(3),
            T::Date32,
            T::Date64,
            T::Decimal32(7, 2),
            T::Decimal64(15, 3),
            T::Decimal128(38, 9),
            T::Decimal256(30, 2),
            T::Decimal256(60, 9),
            T::Time32(TimeUnit::Second),
            T::Time32(TimeUnit::Millisecond),
            T::Time64(TimeUnit::Microsecond),
            T::Time64(TimeUnit::Nanosecond),
            T::Interval(IntervalUnit::YearMonth),
            T::Interval(IntervalUnit::DayTime),
            T::Interval(IntervalUnit::MonthDayNano),
            T::Duration(unit),
            T::Timestamp(unit, zone),
        ];
        plain[self.below(plain.len())].clone()
    }

    fn field(&mut self, name: &str, depth: usize) -> FieldRef {
        let kind = self.kind(depth);
        // The values of these may be null where their rows are not.
        let always = matches!(
            kind,
            DataType::Null
                | DataType::Dictionary(..)
                | DataType::RunEndEncoded(..)
                | DataType::Union(..)
        );
        let nullable = always || self.chance();
        Arc::new(Field::new(name, kind, nullable))
    }

    fn kind(&mut self, depth: usize) -> DataType {
        use DataType as T;
        if depth == 0 || self.chance() {
            return self.scalar();
        }
        let inner = depth - 1;
        match self.below(12) {
            0 => T::List(self.field("item", inner)),
            1 => T::LargeList(self.field("item", inner)),
            2 => T::ListView(self.field("item", inner)),
            3 => T::FixedSizeList(self.field("item", inner), 2),
            4 | 5 => T::Struct(self.fields(inner)),
            6 => {
                let key = Arc::new(Field::new("keys", T::Utf8View, false));
                let value = self.field("values", inner);
                let entries = T::Struct(Fields::from(vec![key, value]));
                T::Map(Arc::new(Field::new("entries", entries, false)), false)
            }
            7 | 8 => T::Dictionary(Box::new(T::Int8), Box::new(self.keyed())),
            9 => {
                let ends = Arc::new(Field::new("run_ends", T::Int32, false));
                T::RunEndEncoded(ends, Arc::new(Field::new("values", self.keyed(), true)))
            }
            10 => T::Union(self.members(inner), UnionMode::Dense),
            _ => T::Union(self.members(inner), UnionMode::Sparse),
        }
    }

    /// A type that dictionaries and runs may hold.
    fn keyed(&mut self) -> DataType {
        loop {
            match self.scalar() {
                DataType::Null => {}
                other => return other,
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Fields {
        let count = self.below(4);
        (0..count)
            .map(|n| self.field(&format!("f{n}"), depth))
            .collect()
    }

    fn members(&mut self, depth: usize) -> UnionFields {
        let count = 1 + self.below(3);
        (0..count)
            .map(|n| {
                (
                    i8::try_from(n).unwrap(),
                    self.field(&format!("u{n}"), depth),
                )
            })
            .collect()
    }

    fn nulls(&mut self, len: usize, nullable: bool) -> Option<NullBuffer> {
        if !nullable || self.chance() {
            return None;
        }
        Some((0..len).map(|_| self.chance()).collect::<Vec<_>>().into())
    }

    fn offsets(&mut self, len: usize) -> Vec<i32> {
        let mut at = 0;
        let mut offsets = vec![0];
        for _ in 0..len {
            at += i32::try_from(self.below(4)).unwrap();
            offsets.push(at);
        }
        offsets
    }

    fn array(&mut self, kind: &DataType, len: usize, nullable: bool) -> ArrayRef {
        use DataType as T;
        match kind {
            T::List(item) => {
                let offsets = self.offsets(len);
                let values = self.values(item, *offsets.last().unwrap());
                let nulls = self.nulls(len, nullable);
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(ListArray::new(Arc::clone(item), offsets, values, nulls))
            }
            T::LargeList(item) => {
                let offsets = self.offsets(len);
                let values = self.values(item, *offsets.last().unwrap());
                let nulls = self.nulls(len, nullable);
                let long: Vec<i64> = offsets.into_iter().map(i64::from).collect();
                let offsets = OffsetBuffer::new(long.into());
                Arc::new(LargeListArray::new(
                    Arc::clone(item),
                    offsets,
                    values,
                    nulls,
                ))
            }
            T::ListView(item) => {
                let values = self.values(item, 10);
                let starts: Vec<i32> = (0..len).map(|_| self.0.random_range(0..8)).collect();
                let sizes: Vec<i32> = (0..len).map(|_| self.0.random_range(0..3)).collect();
                let nulls = self.nulls(len, nullable);
                let (starts, sizes) = (starts.into(), sizes.into());
                Arc::new(ListViewArray::new(
                    Arc::clone(item),
                    starts,
                    sizes,
                    values,
                    nulls,
                ))
            }
            T::FixedSizeList(item, size) => {
                let values = self.values(item, i32::try_from(len).unwrap() * size);
                let nulls = self.nulls(len, nullable);
                Arc::new(FixedSizeListArray::new(
                    Arc::clone(item),
                    *size,
                    values,
                    nulls,
                ))
            }
            T::Struct(fields) => Arc::new(self.record(fields, len, nullable)),
            T::Map(entries, sorted) => {
                let T::Struct(fields) = entries.data_type() else {
                    unreachable!("entries are pairs")
                };
                let offsets = self.offsets(len);
                let pairs = usize::try_from(*offsets.last().unwrap()).unwrap();
                let pairs = self.record(fields, pairs, false);
                let nulls = self.nulls(len, nullable);
                let (entries, offsets) = (Arc::clone(entries), OffsetBuffer::new(offsets.into()));
                Arc::new(MapArray::new(entries, offsets, pairs, nulls, *sorted))
            }
            T::Dictionary(_, values) => {
                let values = self.array(values, 5, true);
                let keys = (0..len).map(|_| i8::try_from(self.below(5)).unwrap());
                let keys: Vec<i8> = keys.collect();
                let keys = Int8Array::new(keys.into(), self.nulls(len, nullable));
                Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
            }
            T::RunEndEncoded(_, values) => self.runs(values, len),
            T::Union(fields, mode) => self.union(fields, *mode, len),
            scalar => self.scalars(scalar, len, nullable),
        }
    }

    fn values(&mut self, item: &FieldRef, len: i32) -> ArrayRef {
        let len = usize::try_from(len).unwrap();
        self.array(item.data_type(), len, item.is_nullable())
    }

    fn record(&mut self, fields: &Fields, len: usize, nullable: bool) -> StructArray {
        let columns = fields.iter();
        let columns: Vec<ArrayRef> = columns
            .map(|field| self.array(field.data_type(), len, field.is_nullable()))
            .collect();
        let nulls = self.nulls(len, nullable);
        StructArray::try_new_with_length(fields.clone(), columns, nulls, len).unwrap()
    }

    fn runs(&mut self, values: &FieldRef, len: usize) -> ArrayRef {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < len {
            at = (at + 1 + self.below(3)).min(len);
            ends.push(i32::try_from(at).unwrap());
        }
        let values = self.array(values.data_type(), ends.len(), true);
        Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(ends), &values).unwrap())
    }

    fn union(&mut self, fields: &UnionFields, mode: UnionMode, len: usize) -> ArrayRef {
        let ids: Vec<i8> = (0..len)
            .map(|_| i8::try_from(self.below(fields.len())).unwrap())
            .collect();
        let mut used = vec![0; fields.len()];
        let mut offsets = Vec::new();
        for id in &ids {
            let used = &mut used[usize::try_from(*id).unwrap()];
            offsets.push(*used);
            *used += 1;
        }
        let lens: Vec<usize> = match mode {
            UnionMode::Dense => used
                .iter()
                .map(|used| usize::try_from(*used).unwrap())
                .collect(),
            UnionMode::Sparse => vec![len; fields.len()],
        };
        let children: Vec<ArrayRef> = fields
            .iter()
            .zip(lens)
            .map(|((_, field), len)| self.array(field.data_type(), len, field.is_nullable()))
            .collect();
        let offsets = (mode == UnionMode::Dense).then(|| ScalarBuffer::from(offsets));
        Arc::new(UnionArray::try_new(fields.clone(), ids.into(), offsets, children).unwrap())
    }

    fn scalars(&mut self, kind: &DataType, len: usize, nullable: bool) -> ArrayRef {
        use DataType as T;
        let numbers: Vec<i64> = (0..len).map(|_| self.0.random_range(0..100)).collect();
        let nulls = self.nulls(len, nullable);
        let small = || {
            let small: Vec<i32> = numbers.iter().map(|n| i32::try_from(*n).unwrap()).collect();
            Arc::new(Int32Array::new(small.into(), nulls.clone())) as ArrayRef
        };
        let texts = || {
            let texts = numbers
                .iter()
                .map(|n| "x".repeat(usize::try_from(n / 4).unwrap()));
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
            let data: ArrayData = texts.to_data();
            make_array(data.into_builder().nulls(nulls.clone()).build().unwrap())
        };
        let wide = || Arc::new(Int64Array::new(numbers.clone().into(), nulls.clone())) as ArrayRef;
        match kind {
            T::Null => Arc::new(NullArray::new(len)),
            T::Boolean => {
                let bits: Vec<bool> = numbers.iter().map(|n| n % 2 == 0).collect();
                Arc::new(BooleanArray::new(bits.into(), nulls))
            }
            T::Utf8 | T::LargeUtf8 | T::Utf8View => cast(&texts(), kind).unwrap(),
            T::Binary | T::LargeBinary | T::BinaryView => {
                let bytes = cast(&texts(), &T::Binary).unwrap();
                assert!(bytes.as_any().is::<BinaryArray>());
                cast(&bytes, kind).unwrap()
            }
            T::FixedSizeBinary(size) => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|n| [*n as u8; 3]).collect();
                Arc::new(FixedSizeBinaryArray::new(*size, bytes.into(), nulls))
            }
            T::Float16 => {
                // Halves: whole numbers of this type are written unlike those of the others.
                let halves = numbers
                    .iter()
                    .map(|n| f32::from(i8::try_from(*n).unwrap()) + 0.5);
                let halves: ArrayRef = Arc::new(Float32Array::new(halves.collect(), nulls));
                cast(&halves, kind).unwrap()
            }
            T::Date64 => cast(&cast(&small(), &T::Date32).unwrap(), kind).unwrap(),
            T::Date32 | T::Time32(_) | T::Interval(IntervalUnit::YearMonth) => {
                cast(&small(), kind).unwrap()
            }
            T::Interval(IntervalUnit::DayTime) => {
                let spans = numbers.iter().map(|n| IntervalDayTime::new(*n as i32, 7));
                Arc::new(IntervalDayTimeArray::new(spans.collect(), nulls))
            }
            T::Interval(IntervalUnit::MonthDayNano) => {
                let spans = numbers
                    .iter()
                    .map(|n| IntervalMonthDayNano::new(*n as i32, 2, 3));
                Arc::new(IntervalMonthDayNanoArray::new(spans.collect(), nulls))
            }
            numeric => cast(&wide(), numeric).unwrap(),
        }
    }

    fn batch(&mut self) -> RecordBatch {
        let rows = self.below(12);
        let count = self.below(4);
        let fields: Vec<FieldRef> = (0..count)
            .map(|n| self.field(&format!("c{n}"), 3))
            .collect();
        let columns = fields.iter();
        let columns = columns
            .map(|field| self.array(field.data_type(), rows, field.is_nullable()))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::new(Schema::new(fields));
        RecordBatch::try_new_with_options(schema, columns, &options).unwrap()
    }
}

/// The rows as text, in which the types that a client may get say the same.
fn shown(batches: &[RecordBatch]) -> String {
    let format = FormatOptions::default()
        .with_datetime_format(Some("%Y-%m-%d"))
        .with_timestamp_format(Some("%s %f"))
        .with_timestamp_tz_format(Some("%s %f"));
    let mut text = String::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                let cell = ArrayFormatter::try_new(column, &format).unwrap();
                write!(text, "{}|", cell.value(row)).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

#[tokio::test]
async fn what_is_announced_is_what_is_sent_whatever_the_types() {
    let cpu = Cpu::new().unwrap();
    let queries = Arc::new(Queries::new(Arc::default()));
    for seed in 0..BATCHES {
        let mut random = Random(StdRng::seed_from_u64(seed));
        let whole = random.batch();
        let from = random.below(whole.num_rows() + 1);
        let part = whole.slice(from, random.below(whole.num_rows() - from + 1));
        for profile in [Profile::Compat, Profile::Jdbc, Profile::Full] {
            let wire = wire_schema(&whole.schema(), profile);
            assert_eq!(
                wire_schema(&wire, profile),
                wire,
                "seed {seed} is not settled"
            );
            for batch in [&whole, &part] {
                let what = format!("seed {seed}, {profile:?}, {:?}", batch.schema());
                let conformed = conform(batch, &wire);
                let conformed = conformed.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(conformed.schema(), wire, "{what}");
                assert_eq!(
                    shown(&[conformed]),
                    shown(std::slice::from_ref(batch)),
                    "{what}"
                );
                let nobody = (&"me".into(), uuid::Uuid::nil());
                let listed = queries.begin(uuid::Uuid::nil(), nobody);
                let query = QueryStream::ready(batch.clone());
                let wishes = Wishes::default();
                let messages = rows(
                    Arc::clone(&wire),
                    async { Ok(query) },
                    (&cpu, listed),
                    wishes,
                );
                let messages = messages.unwrap().map_err(FlightError::from);
                let mut messages = FlightRecordBatchStream::new_from_flight_data(messages);
                let mut got = Vec::new();
                while let Some(batch) = messages.next().await {
                    got.push(batch.unwrap_or_else(|error| panic!("{what}: {error}")));
                }
                assert_eq!(messages.schema(), Some(&wire), "{what}");
                assert_eq!(shown(&got), shown(std::slice::from_ref(batch)), "{what}");
            }
        }
    }
}
