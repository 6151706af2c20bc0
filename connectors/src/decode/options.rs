//! What the options of a stream say of decoding: the format, what becomes of unknown keys, how
//! large a record may be, and which path of a record is which column.

use std::collections::BTreeMap;

use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};

/// The options that every stream takes; what ends in `.` is a beginning.
pub(crate) const OPTIONS: [&str; 4] = ["format", "schema", "max_record_bytes", "column."];

/// The largest record that is decoded, unless the definition says otherwise.
const MAX_RECORD_BYTES: usize = 16 << 20;
/// What it may say at most: the offsets of a text column end at 2 GiB.
const MOST_RECORD_BYTES: usize = 1 << 30;
/// How deep a mapped path may go.
const DEEPEST: usize = 16;

/// How the bytes of a record become columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object for each record; keys are columns.
    Json,
    /// The whole record as one text column.
    Raw,
    /// A syslog message of RFC 5424 or RFC 3164.
    Syslog,
    /// An event in the Common Event Format of ArcSight.
    Cef,
    /// Pairs of keys and values, `level=info msg="it is on"`.
    Logfmt,
}

const ENCODINGS: [(&str, Encoding); 5] = [
    ("json", Encoding::Json),
    ("raw", Encoding::Raw),
    ("syslog", Encoding::Syslog),
    ("cef", Encoding::Cef),
    ("logfmt", Encoding::Logfmt),
];

/// What becomes of keys without a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// They are kept in `_extra`.
    Extra,
    /// They are kept in `_extra`, and pipelines make columns of them.
    Evolve,
    /// Their record is refused.
    Strict,
}

/// The options, understood.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) encoding: Encoding,
    /// None when the definition says nothing of it.
    pub(super) unknown: Option<Unknown>,
    pub(super) max_record_bytes: usize,
    /// For each mapped column the keys that lead to it.
    pub(super) paths: BTreeMap<String, Vec<String>>,
}

impl Options {
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        let name = &definition.name;
        let option = |key: &str| definition.options.get(key).map(String::as_str);
        let bare = definition.schema.fields().is_empty();
        let encoding = match option("format") {
            None if bare => Encoding::Raw,
            None => Encoding::Json,
            Some(format) => choose(name, "format", format, &ENCODINGS)?,
        };
        let unknown = option("schema").map(|schema| {
            let choices = [
                ("strict", Unknown::Strict),
                ("extra", Unknown::Extra),
                ("evolve", Unknown::Evolve),
            ];
            choose(name, "schema", schema, &choices)
        });
        let max_record_bytes = option("max_record_bytes")
            .map_or(Ok(MAX_RECORD_BYTES), |text| record_bytes(name, text))?;
        let own = definition.options.iter();
        let mapped = own.filter_map(|(key, path)| Some((key.strip_prefix("column.")?, path)));
        let paths = mapped.map(|(column, path)| Ok((column.to_owned(), keys(name, column, path)?)));
        let options = Self {
            encoding,
            unknown: unknown.transpose()?,
            max_record_bytes,
            paths: paths.collect::<Result<_>>()?,
        };
        if encoding == Encoding::Raw {
            options.check_raw(name)?;
        }
        Ok(options)
    }

    /// The options in words, those that were left out as well.
    pub(super) fn settings(&self) -> BTreeMap<String, String> {
        let named = |(name, _): &(&str, Encoding)| (*name).to_owned();
        let format = ENCODINGS.iter().find(|(_, of)| *of == self.encoding);
        let mut settings = BTreeMap::from([
            ("format".to_owned(), format.map(named).unwrap_or_default()),
            (
                "max_record_bytes".to_owned(),
                self.max_record_bytes.to_string(),
            ),
        ]);
        if self.encoding != Encoding::Raw {
            let unknown = match self.unknown {
                Some(Unknown::Strict) => "strict",
                Some(Unknown::Evolve) => "evolve",
                Some(Unknown::Extra) | None => "extra",
            };
            settings.insert("schema".to_owned(), unknown.to_owned());
        }
        let pointer = |keys: &[String]| -> String {
            let escaped = keys
                .iter()
                .map(|key| key.replace('~', "~0").replace('/', "~1"));
            escaped.map(|key| format!("/{key}")).collect()
        };
        let paths = self.paths.iter();
        settings.extend(paths.map(|(column, keys)| (format!("column.{column}"), pointer(keys))));
        settings
    }

    fn check_raw(&self, table: &str) -> Result<()> {
        let option = match (self.unknown, self.paths.keys().next()) {
            (Some(_), _) => "schema".to_owned(),
            (None, Some(column)) => format!("column.{column}"),
            (None, None) => return Ok(()),
        };
        let message =
            format!("table \"{table}\" has the format \"raw\" and the option \"{option}\"");
        Err(Error::user(message).hint("a raw record has no keys; leave the option out"))
    }
}

fn choose<T: Copy>(table: &str, option: &str, given: &str, choices: &[(&str, T)]) -> Result<T> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == given) {
        return Ok(*choice);
    }
    let message = format!("table \"{table}\" has the unknown {option} \"{given}\"");
    let names: Vec<String> = choices
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    Err(Error::user(message).hint(format!("valid values are {}", names.join(", "))))
}

/// A number of bytes, perhaps in KiB, MiB or GiB.
fn record_bytes(table: &str, text: &str) -> Result<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start() {
        "" => Some(0),
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        _ => None,
    };
    let bytes = number.parse::<usize>().ok();
    let bytes = shift
        .zip(bytes)
        .and_then(|(shift, bytes)| bytes.checked_mul(1 << shift));
    bytes
        .filter(|bytes| (1..=MOST_RECORD_BYTES).contains(bytes))
        .ok_or_else(|| {
            let message = format!("table \"{table}\" has \"max_record_bytes\" as \"{text}\"");
            Error::user(message).hint("give bytes, as 16777216 or 16 MiB, up to 1 GiB")
        })
}

/// The keys of a path: a JSON pointer when it begins with a slash, else keys joined by dots.
fn keys(table: &str, column: &str, path: &str) -> Result<Vec<String>> {
    let wrong = |what: &str| {
        Error::user(format!(
            "table \"{table}\" maps column \"{column}\" to the path \"{path}\", {what}"
        ))
        .hint(
            "a path is a key ('@timestamp'), keys joined by dots ('kubernetes.pod.name'), or a \
             JSON pointer ('/http/response/status_code'), in which ~1 is a slash and ~0 is ~",
        )
    };
    let keys: Vec<String> = match path.strip_prefix('/') {
        Some(pointer) => {
            let escaped = |key: &str| key.replace("~0", "").replace("~1", "").contains('~');
            if pointer.split('/').any(escaped) {
                return Err(wrong("in which ~ is not part of ~0 or ~1"));
            }
            let parts = pointer.split('/');
            parts
                .map(|key| key.replace("~1", "/").replace("~0", "~"))
                .collect()
        }
        None if path.split('.').any(str::is_empty) => return Err(wrong("which has an empty key")),
        None => path.split('.').map(str::to_owned).collect(),
    };
    if keys.len() > DEEPEST {
        return Err(wrong(&format!("which has more than {DEEPEST} keys")));
    }
    Ok(keys)
}
