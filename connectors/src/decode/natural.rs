//! The columns of a stream that declares none, for formats whose fields have names of their own.

use arrow::datatypes::{DataType, Field, Fields};
use sluice_engine::lineage;

use super::options::Encoding;

/// The fields of a syslog message.
///
/// `severity` and `facility` are names (`err`, `auth`), `severity_number` and `priority` the
/// numbers they come from, `structured_data` JSON: an object for each element, a parameter that
/// repeats an array. `version` is 1 for RFC 5424 and NULL for RFC 3164.
const SYSLOG: [(&str, DataType); 12] = [
    ("timestamp", DataType::Null),
    ("severity", DataType::Utf8),
    ("severity_number", DataType::Int64),
    ("facility", DataType::Utf8),
    ("hostname", DataType::Utf8),
    ("app_name", DataType::Utf8),
    ("proc_id", DataType::Utf8),
    ("msg_id", DataType::Utf8),
    ("structured_data", DataType::Utf8),
    ("message", DataType::Utf8),
    ("priority", DataType::Int64),
    ("version", DataType::Int64),
];

/// The header of a CEF event, after what a syslog prefix says.
const CEF: [(&str, DataType); 9] = [
    ("timestamp", DataType::Null),
    ("hostname", DataType::Utf8),
    ("version", DataType::Utf8),
    ("device_vendor", DataType::Utf8),
    ("device_product", DataType::Utf8),
    ("device_version", DataType::Utf8),
    ("device_event_class_id", DataType::Utf8),
    ("name", DataType::Utf8),
    ("severity", DataType::Utf8),
];

/// The columns of a stream of `encoding`; empty when its records name them.
pub(super) fn columns(encoding: Encoding) -> Fields {
    let columns: &[(&str, DataType)] = match encoding {
        Encoding::Syslog => &SYSLOG,
        Encoding::Cef => &CEF,
        Encoding::Raw => &[("value", DataType::Utf8)],
        Encoding::Json | Encoding::Logfmt => &[],
    };
    let field = |(name, data_type): &(&str, DataType)| {
        // The type of timestamps has a zone, so it cannot be a constant.
        let data_type = match data_type {
            DataType::Null => lineage::timestamp_type(),
            other => other.clone(),
        };
        Field::new(*name, data_type, true)
    };
    columns.iter().map(field).collect()
}
