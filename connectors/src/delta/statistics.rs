//! What the log says of a file's rows, so that queries skip files: how many there are, and for each
//! indexed column the least and the greatest value and how many have none.

use arrow::datatypes::{DataType, Field, Fields, Schema};
use chrono::{DateTime, Datelike, NaiveDate};
use deltalake::table::state::DeltaTableState;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};
use sluice_engine::lineage;

/// How many columns are indexed where the table does not say.
const DEFAULT_FIRST: i64 = 32;
/// Digits of a decimal that a number in the log keeps.
const EXACT_DIGITS: u8 = 15;

/// Which columns have bounds in the log.
#[derive(Debug, Clone)]
pub(super) enum Indexed {
    /// So many of the first, and those that say where rows came from.
    First(usize),
    /// These, by their paths.
    Named(Vec<String>),
}

impl Indexed {
    /// What the properties of `state` say.
    pub(super) fn new(state: &DeltaTableState) -> Self {
        let properties = state.metadata().configuration();
        if let Some(named) = properties.get("delta.dataSkippingStatsColumns") {
            let names = named.split(',').map(|name| name.trim().replace('`', ""));
            return Self::Named(names.collect());
        }
        let first = properties.get("delta.dataSkippingNumIndexedCols");
        let first = first.and_then(|first| first.parse::<i64>().ok());
        // Any number below zero means every column.
        Self::First(usize::try_from(first.unwrap_or(DEFAULT_FIRST)).unwrap_or(usize::MAX))
    }

    fn has(&self, place: usize, path: &[&str]) -> bool {
        match self {
            Self::First(count) => place < *count || lineage::is_lineage(path[0]),
            Self::Named(names) => {
                let path = path.join(".");
                names.contains(&path)
            }
        }
    }
}

/// The statistics of one file, as the log's JSON.
pub(super) fn of_file(schema: &Schema, file: &ParquetMetaData, indexed: &Indexed) -> String {
    let mut found = Found::default();
    for (place, field) in schema.fields().iter().enumerate() {
        let mut path = vec![field.name().as_str()];
        found.visit(file, field, (place, &mut path), indexed);
    }
    json!({
        "numRecords": file.file_metadata().num_rows(),
        "minValues": found.least,
        "maxValues": found.greatest,
        "nullCount": found.nulls,
    })
    .to_string()
}

#[derive(Default)]
struct Found {
    least: Map<String, Value>,
    greatest: Map<String, Value>,
    nulls: Map<String, Value>,
}

impl Found {
    fn visit<'a>(
        &mut self,
        file: &ParquetMetaData,
        field: &'a Field,
        (place, path): (usize, &mut Vec<&'a str>),
        indexed: &Indexed,
    ) {
        if let DataType::Struct(fields) = field.data_type() {
            let fields: &'a Fields = fields;
            for field in fields {
                path.push(field.name());
                self.visit(file, field, (place, path), indexed);
                path.pop();
            }
            return;
        }
        if field.data_type().is_nested() || !indexed.has(place, path) {
            return;
        }
        let columns = file.file_metadata().schema_descr().columns();
        let same = |parts: &[String]| parts.iter().map(String::as_str).eq(path.iter().copied());
        let Some(column) = columns
            .iter()
            .position(|column| same(column.path().parts()))
        else {
            return;
        };
        let groups = file.row_groups().iter();
        let groups: Option<Vec<_>> = groups
            .map(|group| group.column(column).statistics())
            .collect();
        // A group without statistics leaves the file without.
        let Some(groups) = groups else {
            return;
        };
        let nulls: Option<u64> = groups.iter().map(|group| group.null_count_opt()).sum();
        if let Some(nulls) = nulls {
            insert(&mut self.nulls, path, nulls.into());
        }
        if let Some((least, greatest)) = bounds(field.data_type(), &groups) {
            insert(&mut self.least, path, least);
            insert(&mut self.greatest, path, greatest);
        }
    }
}

fn insert(into: &mut Map<String, Value>, path: &[&str], value: Value) {
    let [parents @ .., name] = path else {
        return;
    };
    let mut here = into;
    for parent in parents {
        let inner = here
            .entry((*parent).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return;
        };
        here = inner;
    }
    here.insert((*name).to_owned(), value);
}

/// The least and the greatest value of all groups, where the log can say them. Groups in which no
/// row has a value have none.
fn bounds(data_type: &DataType, groups: &[&Statistics]) -> Option<(Value, Value)> {
    macro_rules! bounds {
        ($variant:ident, $say:expr) => {{
            let mut all = None;
            for group in groups {
                let Statistics::$variant(group) = group else {
                    return None;
                };
                let (Some(least), Some(greatest)) = (group.min_opt(), group.max_opt()) else {
                    if group.null_count_opt()? > 0 {
                        continue;
                    }
                    return None;
                };
                all = Some(match all {
                    None => (least, greatest),
                    Some((low, high)) => (
                        if least < low { least } else { low },
                        if greatest > high { greatest } else { high },
                    ),
                });
            }
            let (least, greatest) = all?;
            Some(($say(least)?, $say(greatest)?))
        }};
    }
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => {
            bounds!(Int32, |value: &i32| Some(Value::from(*value)))
        }
        DataType::Date32 => bounds!(Int32, |days: &i32| date(*days)),
        DataType::Int64 => bounds!(Int64, |value: &i64| Some(Value::from(*value))),
        DataType::Timestamp(_, _) => bounds!(Int64, |micros: &i64| time(*micros)),
        DataType::Float32 => bounds!(Float, |value: &f32| number(f64::from(*value))),
        DataType::Float64 => bounds!(Double, |value: &f64| number(*value)),
        DataType::Decimal128(digits, scale) if *digits <= EXACT_DIGITS => {
            let scaled = |value: i64| decimal(value, *scale);
            match groups.first()? {
                Statistics::Int32(_) => bounds!(Int32, |value: &i32| scaled(i64::from(*value))),
                _ => bounds!(Int64, |value: &i64| scaled(*value)),
            }
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            bounds!(ByteArray, |value: &parquet::data_type::ByteArray| {
                value.as_utf8().ok().map(Value::from)
            })
        }
        _ => None,
    }
}

fn date(days: i32) -> Option<Value> {
    let date = NaiveDate::from_epoch_days(days)?;
    (1..=9999)
        .contains(&date.year())
        .then(|| date.format("%Y-%m-%d").to_string().into())
}

fn time(micros: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_micros(micros)?;
    (1..=9999)
        .contains(&time.year())
        .then(|| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into())
}

fn number(value: f64) -> Option<Value> {
    serde_json::Number::from_f64(value).map(Value::Number)
}

/// Digits are moved in text, since dividing would round a bound.
fn decimal(value: i64, scale: i8) -> Option<Value> {
    let text = format!("{value}e-{scale}");
    text.parse().ok().and_then(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, StructArray,
        TimestampMicrosecondArray,
    };
    use arrow::record_batch::RecordBatch;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;
    use std::sync::Arc;

    fn statistics(columns: Vec<(&str, ArrayRef)>, indexed: &Indexed) -> Value {
        let rows = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let properties = WriterProperties::builder()
            .set_statistics_truncate_length(Some(8))
            .set_max_row_group_row_count(Some(2))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        let file = writer.finish().unwrap();
        serde_json::from_str(&of_file(&rows.schema(), &file, indexed)).unwrap()
    }

    #[test]
    fn bounds_hold_every_value() {
        let number: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None, Some(-2)]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["b", "zzzzzzzzzzzz", "aaaaaaaaaaaa"]));
        let never: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 3]));
        let float: ArrayRef = Arc::new(Float64Array::from(vec![1.5, f64::INFINITY, 0.0]));
        let day: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, i32::MAX]));
        let time = TimestampMicrosecondArray::from(vec![1, 1_500_000, 0]).with_timezone("UTC");
        let price = Decimal128Array::from(vec![-105, 7, 0]).with_precision_and_scale(9, 2);
        let inner = StructArray::try_from(vec![("deep", ArrayRef::clone(&number))]).unwrap();
        let columns = vec![
            ("number", number),
            ("text", text),
            ("never", never),
            ("float", float),
            ("day", day),
            ("time", Arc::new(time) as ArrayRef),
            ("price", Arc::new(price.unwrap()) as ArrayRef),
            ("inner", Arc::new(inner) as ArrayRef),
        ];
        let found = statistics(columns, &Indexed::First(32));
        assert_eq!(found["numRecords"], 3);
        assert_eq!(
            found["minValues"],
            json!({
                "number": -2, "text": "aaaaaaaa", "time": "1970-01-01T00:00:00.000000Z",
                "price": -1.05, "inner": {"deep": -2},
            })
        );
        assert_eq!(
            found["maxValues"],
            json!({
                "number": 3, "text": "zzzzzzz{", "time": "1970-01-01T00:00:01.500000Z",
                "price": 0.07, "inner": {"deep": 3},
            })
        );
        assert_eq!(
            found["nullCount"],
            json!({
                "number": 1, "text": 0, "never": 3, "float": 0, "day": 0, "time": 0, "price": 0,
                "inner": {"deep": 1},
            })
        );
    }

    #[test]
    fn only_indexed_columns_and_lineage_have_bounds() {
        let one = || -> ArrayRef { Arc::new(Int64Array::from(vec![1])) };
        let columns = || vec![("a", one()), ("b", one()), ("_offset", one())];
        let found = statistics(columns(), &Indexed::First(1));
        assert_eq!(found["minValues"], json!({"a": 1, "_offset": 1}));
        let found = statistics(columns(), &Indexed::Named(vec!["b".into()]));
        assert_eq!(found["minValues"], json!({"b": 1}));
    }
}
