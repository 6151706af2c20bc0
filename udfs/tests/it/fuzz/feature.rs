//! What is remarkable about an answer: which fields are there, why it was refused, which findings
//! stand next to each other. A case is kept when it shows what none has shown, which takes the
//! place of counting branches: that needs a compiler of its own.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};

/// Fields whose values are told apart, and not only whether they are there.
const NAMED: [&str; 6] = [
    "parse_error",
    "format",
    "category",
    "rule",
    "device_type",
    "scheme",
];

/// Features that have been seen, as hashes.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<u64>);

impl Seen {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of `features` is new.
    pub(super) fn add(&mut self, features: &[u64]) -> bool {
        let before = self.0.len();
        self.0.extend(features);
        self.0.len() > before
    }
}

pub(super) fn of(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// The sentence of a message without what it quotes and counts.
pub(super) fn sentence(message: &str) -> String {
    let outside = message.split(['"', '\'', '`']).step_by(2);
    outside
        .flat_map(str::chars)
        .filter(|c| !c.is_ascii_digit())
        .take(160)
        .collect()
}

/// The features of the first row of `answer`, which call number `call` gave.
pub(super) fn of_answer(call: usize, answer: &ArrayRef) -> Vec<u64> {
    let mut features = Vec::new();
    walk(&answer.slice(0, 1), of(call), "", &mut features);
    features
}

fn walk(value: &ArrayRef, place: u64, name: &str, features: &mut Vec<u64>) {
    if value.is_empty() || value.is_null(0) {
        features.push(of((place, "null")));
        return;
    }
    match value.data_type() {
        DataType::Struct(fields) => {
            let columns = value.as_struct().columns();
            let there: Vec<bool> = columns.iter().map(|column| column.is_valid(0)).collect();
            features.push(of((place, there)));
            for (at, (column, field)) in columns.iter().zip(fields).enumerate() {
                walk(column, of((place, at)), field.name(), features);
            }
        }
        DataType::List(_) => list(&value.as_list::<i32>().value(0), place, features),
        DataType::Map(_, _) => {
            features.push(of((place, value.as_map().value_length(0).min(4))));
        }
        DataType::Boolean => features.push(of((place, value.as_boolean().value(0)))),
        kind if kind.is_string() => {
            let text = cast(value, &DataType::Utf8).expect("text is text");
            let text = text.as_string::<i32>().value(0);
            features.push(match NAMED.contains(&name) {
                true => of((place, sentence(text))),
                false => of((place, text.is_empty(), text.is_ascii(), text.contains('\\'))),
            });
        }
        kind if kind.is_numeric() => {
            let number = cast(value, &DataType::Float64).expect("numbers are numbers");
            let number = number.as_primitive::<Float64Type>().value(0);
            let size = number.abs().log10().clamp(-2.0, 20.0) as i64;
            features.push(of((place, number < 0.0, size)));
        }
        _ => features.push(of((place, "there"))),
    }
}

/// A list is how long it is, what its items are, and which stand next to each other.
fn list(items: &ArrayRef, place: u64, features: &mut Vec<u64>) {
    features.push(of((place, items.len().min(4))));
    let mut before = 0;
    for at in 0..items.len().min(16) {
        let mut item = Vec::new();
        walk(&items.slice(at, 1), place, "category", &mut item);
        let name = match items.data_type() {
            DataType::Struct(_) => item.iter().fold(0, |all, one| of((all, one))),
            _ => 0,
        };
        features.extend(item);
        features.push(of((place, before, name)));
        before = name;
    }
}
