//! Why a record could not be decoded, and the descriptions that all reasons share.

use std::fmt;

use arrow::datatypes::DataType;

/// The longest piece of a value that a reason quotes, in characters.
const QUOTED: usize = 80;
const NOT_JSON: &str = "not a JSON object: ";

/// A record that could not be decoded: a stable code for grouping, and the reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `bad_json`, `bad_syslog`, `bad_cef`, `bad_logfmt`, `bad_utf8`, `wrong_type`,
    /// `missing_column`, `unknown_key`, `no_value` or `too_large`.
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
            reason: cut(&format!("{NOT_JSON}{error}"), 200),
        }
    }

    /// What [`Fault::bad_json`] was made of.
    pub(super) fn json_detail(&self) -> &str {
        self.reason.strip_prefix(NOT_JSON).unwrap_or(&self.reason)
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

    /// The record does not follow the grammar of a text format, whose own code is `code`.
    pub(super) fn bad_text(code: &'static str, reason: impl fmt::Display) -> Self {
        Self {
            code,
            reason: cut(&reason.to_string(), 200),
        }
    }

    /// The record is larger than any that is decoded; `sha256` is the digest of all its bytes.
    #[must_use]
    pub fn too_large(bytes: u64, limit: usize, sha256: &[u8]) -> Self {
        let digest = sha256.iter().fold(String::new(), |mut text, byte| {
            text.push_str(&format!("{byte:02x}"));
            text
        });
        let reason = format!(
            "the record has {bytes} bytes and max_record_bytes is {limit}; only the beginning is \
             kept; sha256 of the whole value {digest}"
        );
        Self {
            code: "too_large",
            reason,
        }
    }

    /// A key without a column, where the definition wants none.
    pub(super) fn unknown_key(key: &str) -> Self {
        Self {
            code: "unknown_key",
            reason: format!("the key \"{}\" has no column", cut(key, QUOTED)),
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

    /// `found` is text of a format whose values have no types.
    pub(super) fn wrong_text(column: &str, expected: &DataType, found: &str) -> Self {
        let (expected, found) = (sql_name(expected), cut(found, QUOTED));
        Self {
            code: "wrong_type",
            reason: format!("column \"{column}\": expected {expected}, found the text \"{found}\""),
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
