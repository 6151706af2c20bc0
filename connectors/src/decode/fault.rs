//! Why a record could not be decoded, and the descriptions that all reasons share.

use std::fmt;

use arrow::datatypes::DataType;

/// The longest piece of a value that a reason quotes, in characters.
const QUOTED: usize = 80;

/// A record that could not be decoded: a stable code for grouping, and the reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `bad_json`, `bad_utf8`, `wrong_type`, `missing_column`, `no_value` or `too_long`.
    pub code: &'static str,
    /// The reason, naming the column where one is at fault.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl Fault {
    pub(super) fn bad_json(error: impl fmt::Display) -> Self {
        Self {
            code: "bad_json",
            reason: cut(&format!("not a JSON object: {error}"), 200),
        }
    }

    pub(super) fn bad_utf8(at: usize) -> Self {
        Self {
            code: "bad_utf8",
            reason: format!("not UTF-8 text: invalid byte at {at}"),
        }
    }

    pub(super) fn no_value() -> Self {
        Self {
            code: "no_value",
            reason: "the record has a key but no value".into(),
        }
    }

    /// The record is longer than any that is decoded.
    #[must_use]
    pub fn too_long(bytes: usize) -> Self {
        let reason = format!("{bytes} bytes are too long; only the beginning is kept");
        Self {
            code: "too_long",
            reason,
        }
    }

    /// `found` is a piece of JSON text.
    pub(super) fn wrong_type(column: &str, expected: &DataType, found: &str) -> Self {
        let (expected, found) = (sql_name(expected), describe(found));
        let reason = format!("column \"{column}\": expected {expected}, found {found}");
        Self {
            code: "wrong_type",
            reason,
        }
    }

    pub(super) fn missing(column: &str, how: &str) -> Self {
        Self {
            code: "missing_column",
            reason: format!("column \"{column}\" is NOT NULL and {how}"),
        }
    }
}

/// What a piece of JSON text is, quoting the beginning of it.
fn describe(raw: &str) -> String {
    match raw.bytes().next() {
        Some(b'"') => format!("the string {}", cut(raw, QUOTED)),
        Some(b'{') => format!("the object {}", cut(raw, QUOTED)),
        Some(b'[') => format!("the array {}", cut(raw, QUOTED)),
        Some(b't' | b'f') => format!("the boolean {raw}"),
        _ => format!("the number {}", cut(raw, QUOTED)),
    }
}

/// At most `length` characters of `text`, with dots where something is missing.
fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The name that SQL has for a type.
fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "VARCHAR",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INT UNSIGNED",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Boolean => "BOOLEAN",
        DataType::Date32 => "DATE",
        DataType::Timestamp(_, _) => "TIMESTAMP",
        DataType::Decimal128(precision, scale) => return format!("DECIMAL({precision}, {scale})"),
        DataType::List(item) => return format!("{}[]", sql_name(item.data_type())),
        DataType::Map(_, _) => "MAP",
        _ => "STRUCT",
    }
    .to_owned()
}
