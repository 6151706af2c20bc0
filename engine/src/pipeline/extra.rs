//! The keys that a stream does not declare, as they lie in `_extra`: one JSON object for each row.
//! Values are moved into columns where they fit exactly, and left as they were written where not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Names that one survey remembers; what is met beyond them stays in `_extra`.
const NAMES_MAX: usize = 4096;

/// What a JSON value may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Boolean,
    Integer,
    Number,
    Text,
}

/// How often a key was seen with values of each shape.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sightings {
    booleans: usize,
    integers: usize,
    numbers: usize,
    texts: usize,
    last: Option<i64>,
}

/// The keys and values of one object, in their order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Sightings {
    /// Records with a value that a column could hold.
    #[must_use]
    pub fn records(&self) -> usize {
        self.booleans + self.integers + self.numbers + self.texts
    }

    /// The type that holds most of the values.
    #[must_use]
    pub fn column(&self) -> DataType {
        let numbers = self.integers + self.numbers;
        match () {
            () if self.texts >= numbers.max(self.booleans) => DataType::Utf8,
            () if self.booleans > numbers => DataType::Boolean,
            () if self.numbers > 0 => DataType::Float64,
            () => DataType::Int64,
        }
    }

    fn see(&mut self, shape: Shape, offset: i64) {
        // Rows of one record are neighbours and count once.
        if self.last == Some(offset) {
            return;
        }
        self.last = Some(offset);
        match shape {
            Shape::Boolean => self.booleans += 1,
            Shape::Integer => self.integers += 1,
            Shape::Number => self.numbers += 1,
            Shape::Text => self.texts += 1,
        }
    }
}

/// Adds the keys of `extra` for which `is_new` holds to `seen`, up to a few thousand; `offsets`
/// tells records apart.
pub fn survey(
    extra: &StringArray,
    offsets: impl Fn(usize) -> i64,
    is_new: impl Fn(&str) -> bool,
    seen: &mut BTreeMap<String, Sightings>,
) {
    for row in (0..extra.len()).filter(|row| extra.is_valid(*row)) {
        let Some(Object(pairs)) = parse(extra.value(row)) else {
            continue;
        };
        for (key, value) in pairs.iter().filter(|(key, _)| is_new(key)) {
            let Some(shape) = shape(value.get()) else {
                continue;
            };
            if let Some(sightings) = seen.get_mut(key.as_ref()) {
                sightings.see(shape, offsets(row));
            } else if seen.len() < NAMES_MAX {
                let mut sightings = Sightings::default();
                sightings.see(shape, offsets(row));
                seen.insert(key.clone().into_owned(), sightings);
            }
        }
    }
}

/// Values moved out of `_extra`.
#[derive(Debug)]
pub struct Moved {
    /// What is left there.
    pub extra: ArrayRef,
    /// The columns, in the order of the fields asked for.
    pub columns: Vec<ArrayRef>,
    /// Values that stayed because they do not fit their column.
    pub unfit: u64,
}

/// Moves the values that fit out of `extra` into columns `fields`.
#[must_use]
pub fn fill(extra: &StringArray, fields: &[FieldRef]) -> Moved {
    let places: BTreeMap<&str, usize> = fields
        .iter()
        .enumerate()
        .map(|(place, field)| (field.name().as_str(), place))
        .collect();
    let mut columns: Vec<Column> = fields.iter().map(|field| Column::new(field)).collect();
    let mut left = StringBuilder::with_capacity(extra.len(), extra.value_data().len());
    let mut unfit = 0;
    for row in 0..extra.len() {
        let text = extra.is_valid(row).then(|| extra.value(row));
        let object = text.and_then(parse);
        let Some((text, Object(pairs))) = text.zip(object) else {
            left.append_option(text);
            columns.iter_mut().for_each(Column::skip);
            continue;
        };
        let mut kept = Vec::new();
        let mut filled = vec![false; columns.len()];
        let place = |key: &Cow<'_, str>| places.get(key.as_ref()).copied();
        let mut met = vec![0_usize; columns.len()];
        for place in pairs.iter().filter_map(|(key, _)| place(key)) {
            met[place] += 1;
        }
        for (key, value) in &pairs {
            match place(key) {
                // Of a key that comes twice nobody knows which value is meant.
                Some(place) if met[place] == 1 => {
                    if columns[place].push(value.get()) {
                        filled[place] = true;
                    } else {
                        unfit += 1;
                        kept.push((key, value));
                    }
                }
                _ => kept.push((key, value)),
            }
        }
        let unfilled = columns
            .iter_mut()
            .zip(&filled)
            .filter(|(_, filled)| !**filled);
        unfilled.for_each(|(column, _)| column.skip());
        match kept.len() {
            all if all == pairs.len() => left.append_value(text),
            0 => left.append_null(),
            _ => left.append_value(written(&kept)),
        }
    }
    Moved {
        extra: Arc::new(left.finish()),
        columns: columns.into_iter().map(Column::finish).collect(),
        unfit,
    }
}

/// Whether a column of this type can be filled.
#[must_use]
pub fn fillable(field: &Field) -> bool {
    field.is_nullable()
        && matches!(
            field.data_type(),
            DataType::Int64 | DataType::Float64 | DataType::Boolean | DataType::Utf8
        )
}

enum Column {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Text(StringBuilder),
}

impl Column {
    fn new(field: &Field) -> Self {
        match field.data_type() {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int64 => Self::Integer(Int64Builder::new()),
            DataType::Float64 => Self::Number(Float64Builder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn skip(&mut self) {
        match self {
            Self::Boolean(column) => column.append_null(),
            Self::Integer(column) => column.append_null(),
            Self::Number(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
        }
    }

    /// Takes `value` if it fits; a JSON null fits everywhere.
    fn push(&mut self, value: &str) -> bool {
        if value == "null" {
            self.skip();
            return true;
        }
        match self {
            Self::Boolean(column) => value
                .parse()
                .map(|value| column.append_value(value))
                .is_ok(),
            Self::Integer(column) => value
                .parse()
                .map(|value| column.append_value(value))
                .is_ok(),
            Self::Number(column) => number(value)
                .map(|value| column.append_value(value))
                .is_some(),
            Self::Text(column) => serde_json::from_str::<Cow<'_, str>>(value)
                .map(|value| column.append_value(value))
                .is_ok(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Boolean(mut column) => Arc::new(column.finish()),
            Self::Integer(mut column) => Arc::new(column.finish()),
            Self::Number(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
        }
    }
}

fn shape(value: &str) -> Option<Shape> {
    match value.as_bytes().first()? {
        b'"' => Some(Shape::Text),
        b't' | b'f' => Some(Shape::Boolean),
        b'-' | b'0'..=b'9' if value.parse::<i64>().is_ok() => Some(Shape::Integer),
        b'-' | b'0'..=b'9' => number(value).map(|_| Shape::Number),
        _ => None,
    }
}

/// A JSON number as DOUBLE; an integer only where DOUBLE holds it exactly.
fn number(value: &str) -> Option<f64> {
    const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
    let integer = value
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_digit());
    if integer && value.parse::<i64>().ok()?.unsigned_abs() > EXACT {
        return None;
    }
    let first = value.as_bytes().first()?;
    if *first != b'-' && !first.is_ascii_digit() {
        return None;
    }
    value.parse().ok().filter(|value: &f64| value.is_finite())
}

fn written(pairs: &[(&Cow<'_, str>, &&RawValue)]) -> String {
    let mut text = String::from("{");
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(key.as_ref()).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    text
}

fn parse(text: &str) -> Option<Object<'_>> {
    serde_json::from_str(text).ok()
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    pairs.push((key, map.next_value()?));
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Pairs).map(Object)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(Key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(extra: &[Option<&str>], fields: &[(&str, DataType)]) -> (Vec<Option<String>>, Moved) {
        let fields: Vec<FieldRef> = fields
            .iter()
            .map(|(name, kind)| Arc::new(Field::new(*name, kind.clone(), true)))
            .collect();
        let moved = fill(&StringArray::from(extra.to_vec()), &fields);
        let left = arrow::array::AsArray::as_string::<i32>(&moved.extra);
        let left = left.iter().map(|text| text.map(str::to_owned)).collect();
        (left, moved)
    }

    #[test]
    fn what_fits_is_moved_and_what_does_not_stays_as_written() {
        let rows = [
            Some(r#"{"n":1,"x":1.50,"deep":{"a":[1]}}"#),
            None,
            Some(r#"{"n":"one","big":12345678901234567890123}"#),
            Some(r#"{"n":null}"#),
            Some(r#"{"n":1,"n":2}"#),
            Some("not an object"),
        ];
        let (left, moved) = moved(&rows, &[("n", DataType::Int64)]);
        let want = [
            Some(r#"{"x":1.50,"deep":{"a":[1]}}"#),
            None,
            rows[2],
            None,
            rows[4],
            rows[5],
        ];
        assert_eq!(left, want.map(|text| text.map(str::to_owned)));
        assert_eq!(moved.unfit, 1);
        assert_eq!(moved.columns[0].null_count(), 5);
    }

    #[test]
    fn keys_with_escapes_come_back_as_they_mean() {
        let (left, _) = moved(
            &[Some(r#"{"a\"b":1,"t":"\u0041"}"#)],
            &[("t", DataType::Utf8)],
        );
        assert_eq!(left, [Some(r#"{"a\"b":1}"#.to_owned())]);
    }

    #[test]
    fn a_survey_remembers_so_many_names_and_goes_on_counting_them() {
        let row = |from: usize, to: usize| {
            let pairs: Vec<String> = (from..to).map(|n| format!(r#""k{n:06}":1"#)).collect();
            Some(format!("{{{}}}", pairs.join(",")))
        };
        let rows: StringArray = [row(0, 3), row(0, 3 * NAMES_MAX), row(0, 3)]
            .into_iter()
            .collect();
        let mut seen = BTreeMap::new();
        survey(
            &rows,
            |row| i64::try_from(row).unwrap(),
            |_| true,
            &mut seen,
        );
        assert_eq!(seen.len(), NAMES_MAX);
        assert_eq!(seen["k000002"].records(), 3);
    }

    #[test]
    fn the_column_takes_the_type_of_most_values() {
        let kind = |values: &[&str]| {
            let rows = values
                .iter()
                .map(|value| Some(format!(r#"{{"k":{value}}}"#)));
            let mut seen = BTreeMap::new();
            let rows: StringArray = rows.collect();
            survey(
                &rows,
                |row| i64::try_from(row).unwrap(),
                |_| true,
                &mut seen,
            );
            let k: Sightings = seen.get("k").copied().unwrap_or_default();
            (k.records(), k.column())
        };
        assert_eq!(kind(&["1", "2", "3"]), (3, DataType::Int64));
        assert_eq!(kind(&["1", "2.5", "null"]), (2, DataType::Float64));
        assert_eq!(kind(&["true", "false", "1"]), (3, DataType::Boolean));
        assert_eq!(kind(&["\"a\"", "\"b\"", "1", "{}"]), (3, DataType::Utf8));
        assert_eq!(kind(&["99999999999999999999"]), (0, DataType::Utf8));
    }
}
