//! How large the result of a call will be: never less than it is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, OffsetSizeTrait};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// What an element of a list costs beside its value: its index while the list is made.
const ELEMENT_BYTES: u128 = 8;
/// What a value costs whose size depends on others.
const VALUE_BYTES: u128 = 16;

const HOUR_NS: i128 = 3_600_000_000_000;
/// The shortest and the longest day and month in nanoseconds; clocks are changed in between.
const DAY_NS: (i128, i128) = (23 * HOUR_NS, 25 * HOUR_NS);
const MONTH_NS: (i128, i128) = (28 * 24 * HOUR_NS - HOUR_NS, 31 * 24 * HOUR_NS + HOUR_NS);
/// From the first day of the calendar to the last.
const CALENDAR_NS: i128 = 530_000 * 366 * 24 * HOUR_NS;

/// How the result of a function grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// A text, so many times.
    Repeat,
    /// A text of so many characters.
    Pad,
    /// A text whose parts are replaced.
    Replace,
    /// The elements of a list with a text between them.
    Join,
    /// A list of so many elements.
    ListRepeat,
    /// A list that is made so long.
    ListResize,
    /// The values from one to another.
    Series,
}

/// How closely a size is reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reckoning {
    /// In little time, and perhaps too large.
    Quick,
    /// Looking into every value.
    Close,
}

/// What a call asks for, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// For the largest value.
    pub(super) most: u128,
    /// For all values.
    pub(super) all: u128,
}

impl Asked {
    fn add(&mut self, bytes: u128) {
        self.most = self.most.max(bytes);
        self.all = self.all.saturating_add(bytes);
    }
}

impl Growth {
    /// Whether it makes texts; the others make lists.
    pub(super) fn is_text(self) -> bool {
        match self {
            Self::Repeat | Self::Pad | Self::Replace | Self::Join => true,
            Self::ListRepeat | Self::ListResize | Self::Series => false,
        }
    }

    /// What to do in its place.
    pub(super) fn way_out(self) -> &'static str {
        match self {
            Self::Series => {
                "range(...) and generate_series(...) in FROM give rows one by one, however many"
            }
            _ => "make the value smaller, or SET datafusion.execution.batch_size to fewer rows",
        }
    }

    /// What `args` ask for. Arguments of other types than the function takes ask for nothing: the
    /// function refuses them.
    pub(super) fn asked(self, args: &ScalarFunctionArgs, how: Reckoning) -> Result<Asked> {
        let columns = args.args.iter().map(Column::new);
        let columns: Vec<Column> = columns.collect::<Result<_>>()?;
        let constant = columns.iter().all(|column| column.constant);
        let rows = if constant { 1 } else { args.number_rows };
        let mut asked = Asked::default();
        for row in 0..rows {
            let at = |place: usize| columns.get(place).map(|column| column.at(row));
            if let Some(bytes) = self.of_row([at(0), at(1), at(2)], how)? {
                asked.add(bytes);
            }
        }
        // A constant beside columns is there once for each row.
        if !constant {
            for column in columns.iter().filter(|column| column.constant) {
                let bytes = width(&column.array, 0).saturating_mul(rows as u128);
                asked.all = asked.all.saturating_add(bytes);
            }
        }
        Ok(asked)
    }

    /// `None` where the result is NULL.
    fn of_row(self, args: [Option<Cell<'_>>; 3], how: Reckoning) -> Result<Option<u128>> {
        let [first, second, third] = args;
        let Some(first) = first else { return Ok(None) };
        if self == Self::Series {
            return series(first, second, third);
        }
        let Some(second) = second else {
            return Ok(None);
        };
        Ok(match self {
            Self::Repeat => first
                .text_bytes()
                .zip(second.count())
                .map(|(bytes, count)| bytes.saturating_mul(count)),
            Self::Pad => pad(first, second, third),
            Self::Replace => replace((first, second, third), how),
            Self::Join => {
                let between = second.text_bytes().unwrap_or(0);
                let null = third.and_then(Cell::text_bytes).unwrap_or(0);
                let text = between.saturating_add(null);
                Some(leaves(first.array, first.row).saturating_mul(text))
            }
            Self::ListRepeat => second
                .count()
                .map(|count| count.saturating_mul(ELEMENT_BYTES + width(first.array, first.row))),
            Self::ListResize => {
                let element = match third {
                    Some(value) => width(value.array, value.row),
                    None => VALUE_BYTES,
                };
                second
                    .count()
                    .map(|count| count.saturating_mul(ELEMENT_BYTES + element))
            }
            Self::Series => None,
        })
    }
}

/// An argument; a constant is an array of one value.
struct Column {
    array: ArrayRef,
    constant: bool,
}

/// One value of an argument.
#[derive(Clone, Copy)]
struct Cell<'a> {
    array: &'a ArrayRef,
    row: usize,
}

impl Column {
    fn new(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self {
                array: Arc::clone(array),
                constant: false,
            },
            ColumnarValue::Scalar(scalar) => Self {
                array: scalar.to_array()?,
                constant: true,
            },
        })
    }

    fn at(&self, row: usize) -> Cell<'_> {
        let row = if self.constant { 0 } else { row };
        Cell {
            array: &self.array,
            row,
        }
    }
}

impl<'a> Cell<'a> {
    fn text(self) -> Option<&'a str> {
        let Self { array, row } = self;
        if array.is_null(row) {
            return None;
        }
        match array.data_type() {
            DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
            DataType::Utf8View => Some(array.as_string_view().value(row)),
            _ => None,
        }
    }

    fn text_bytes(self) -> Option<u128> {
        self.text().map(|text| text.len() as u128)
    }

    fn integer(self) -> Option<i64> {
        let numbers = self.array.as_primitive_opt::<Int64Type>()?;
        numbers.is_valid(self.row).then(|| numbers.value(self.row))
    }

    /// A number of times; none below 0.
    fn count(self) -> Option<u128> {
        self.integer()
            .map(|count| u128::try_from(count).unwrap_or(0))
    }

    /// A point in time, nanoseconds since the epoch.
    fn time(self) -> Result<Option<i128>> {
        let Self { array, row } = self;
        let unit = match array.data_type() {
            DataType::Date32 | DataType::Date64 => HOUR_NS / 3_600_000,
            DataType::Timestamp(TimeUnit::Second, _) => HOUR_NS / 3_600,
            DataType::Timestamp(TimeUnit::Millisecond, _) => HOUR_NS / 3_600_000,
            DataType::Timestamp(TimeUnit::Microsecond, _) => 1000,
            DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
            _ => return Ok(None),
        };
        let mut one = array.slice(row, 1);
        if one.data_type() == &DataType::Date32 {
            one = cast(&one, &DataType::Date64)?;
        }
        let number = cast(&one, &DataType::Int64)?;
        let number = number.as_primitive::<Int64Type>();
        Ok(number
            .is_valid(0)
            .then(|| i128::from(number.value(0)) * unit))
    }

    /// A step between times.
    fn step(self) -> Option<Step> {
        let steps = self.array.as_primitive_opt::<IntervalMonthDayNanoType>()?;
        if steps.is_null(self.row) {
            return None;
        }
        let (months, days, nanos) = IntervalMonthDayNanoType::to_parts(steps.value(self.row));
        let span = |count: i32, (least, most): (i128, i128)| {
            let count = i128::from(count);
            (
                (count * least).min(count * most),
                (count * least).max(count * most),
            )
        };
        let parts = [
            span(months, MONTH_NS),
            span(days, DAY_NS),
            (i128::from(nanos), i128::from(nanos)),
        ];
        let sign = |wanted: i128| parts.iter().any(|(least, _)| least.signum() == wanted);
        Some(Step {
            least: parts.iter().map(|(least, _)| least).sum(),
            most: parts.iter().map(|(_, most)| most).sum(),
            mixed: sign(1) && sign(-1),
        })
    }
}

/// A step between times, in nanoseconds.
#[derive(Clone, Copy)]
struct Step {
    least: i128,
    most: i128,
    /// Its parts go different ways.
    mixed: bool,
}

fn pad(text: Cell<'_>, length: Cell<'_>, fill: Option<Cell<'_>>) -> Option<u128> {
    let (bytes, length) = text.text_bytes().zip(length.count())?;
    let wide = match fill {
        Some(fill) => fill.text()?.chars().map(char::len_utf8).max().unwrap_or(0) as u128,
        None => 1,
    };
    // The text has no more characters than bytes.
    let added = if length > bytes { length } else { 0 };
    Some(bytes.saturating_add(added.saturating_mul(wide)))
}

fn replace(
    (text, from, to): (Cell<'_>, Cell<'_>, Option<Cell<'_>>),
    how: Reckoning,
) -> Option<u128> {
    let (text, from, to) = (text.text()?, from.text()?, to?.text()?);
    let places = match how {
        Reckoning::Quick => text.len() / from.len().max(1) + 1,
        Reckoning::Close => text.matches(from).count(),
    };
    let added = (places as u128).saturating_mul(to.len() as u128);
    Some(added.saturating_add(text.len() as u128))
}

/// One argument is where it stops, two are where it begins and stops, the third is the step.
fn series(
    first: Cell<'_>,
    second: Option<Cell<'_>>,
    step: Option<Cell<'_>>,
) -> Result<Option<u128>> {
    if first.array.data_type() != &DataType::Int64 {
        return times(first, second, step);
    }
    let bounds = match second {
        None => first.integer().map(|stop| (0, stop)),
        Some(second) => first.integer().zip(second.integer()),
    };
    let step = step.map_or(Some(1), Cell::integer);
    Ok(bounds.zip(step).map(|((start, stop), step)| {
        let (span, step) = (i128::from(stop) - i128::from(start), i128::from(step));
        // With a step of 0 it is refused.
        let count = match step == 0 || span.signum() * step.signum() < 0 {
            true => 0,
            false => span / step + 1,
        };
        u128::try_from(count).unwrap_or(0) * 8
    }))
}

fn times(start: Cell<'_>, stop: Option<Cell<'_>>, step: Option<Cell<'_>>) -> Result<Option<u128>> {
    let (Some(stop), Some(step)) = (stop, step.and_then(Cell::step)) else {
        return Ok(None);
    };
    let Some((start, stop)) = start.time()?.zip(stop.time()?) else {
        return Ok(None);
    };
    let Step { least, most, mixed } = step;
    let (shortest, forth) = match (least, most) {
        // It is refused.
        (0, 0) if !mixed => return Ok(None),
        (least, _) if least > 0 => (least, true),
        (_, most) if most < 0 => (-most, false),
        // Parts that go different ways may stand still, and then there is no end.
        _ => return Ok(Some(u128::MAX)),
    };
    let span = match (stop - start >= 0) == forth {
        true => (stop - start).abs(),
        false if !mixed => 0,
        // One negative part is taken for a way back, and so it may run on through the calendar.
        false => CALENDAR_NS,
    };
    Ok(Some(u128::try_from(span / shortest + 1).unwrap_or(0) * 8))
}

/// About how many bytes one value takes.
fn width(array: &ArrayRef, row: usize) -> u128 {
    if array.is_null(row) {
        return VALUE_BYTES;
    }
    let of_all = |values: &ArrayRef| {
        let rows = 0..values.len();
        rows.map(|row| width(values, row))
            .fold(0_u128, u128::saturating_add)
    };
    let bytes = match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row).len() as u128,
        DataType::LargeBinary => array.as_binary::<i64>().value(row).len() as u128,
        DataType::BinaryView => array.as_binary_view().value(row).len() as u128,
        DataType::FixedSizeBinary(bytes) => u128::try_from(*bytes).unwrap_or(0),
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns
                .map(|column| width(column, row))
                .fold(0, u128::saturating_add)
        }
        DataType::Map(_, _) => {
            let entries: ArrayRef = Arc::new(array.as_map().value(row));
            of_all(&entries)
        }
        kind if kind.primitive_width().is_some() => {
            return kind.primitive_width().unwrap_or_default() as u128;
        }
        _ => match elements(array, row) {
            Some(values) => of_all(&values),
            None => Cell { array, row }.text_bytes().unwrap_or(0),
        },
    };
    bytes.saturating_add(VALUE_BYTES)
}

/// Values of a list that are no lists themselves.
fn leaves(array: &ArrayRef, row: usize) -> u128 {
    if array.is_null(row) {
        return 1;
    }
    match elements(array, row) {
        None => 1,
        Some(values) if values.data_type().is_nested() => (0..values.len())
            .map(|row| leaves(&values, row))
            .fold(0, u128::saturating_add),
        Some(values) => values.len() as u128,
    }
}

/// The elements of a list.
fn elements(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    fn of<O: OffsetSizeTrait>(array: &ArrayRef, row: usize) -> ArrayRef {
        array.as_list::<O>().value(row)
    }
    match array.data_type() {
        DataType::List(_) => Some(of::<i32>(array, row)),
        DataType::LargeList(_) => Some(of::<i64>(array, row)),
        DataType::FixedSizeList(_, _) => {
            let lists = array.as_any().downcast_ref::<FixedSizeListArray>()?;
            Some(lists.value(row))
        }
        _ => None,
    }
}
