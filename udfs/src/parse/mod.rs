//! Fields out of text: the formats that logs have, patterns, addresses and user agents.
//!
//! [`grammar`] takes a text apart and knows nothing of Arrow; each function fills columns with what
//! it finds. A line that does not have the form of its format never fails a query: its fields are
//! NULL and `parse_error`, the last field, says why. Every text is read in time that is linear in
//! its length.

pub mod grammar;
mod columns;
mod maps;
mod clock;
mod function;
mod schema;
mod typed;
mod json_path;
mod record;
pub(crate) mod structs;

pub use operators::JsonOperators;

crate::registry::functions! {
    dissect,
    grok,
    json_as_text,
    json_contains,
    json_get,
    json_get_array,
    json_get_bool,
    json_get_float,
    json_get_int,
    json_get_str,
    json_length,
    json_object_keys,
    parse_cef,
    parse_clf,
    parse_csv,
    parse_json,
    parse_kv,
    parse_leef,
    parse_log,
    parse_logfmt,
    parse_syslog,
    parse_url,
    parse_user_agent,
    severity_number,
}

mod operators;
