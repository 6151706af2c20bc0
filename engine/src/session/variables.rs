//! Settings that drivers and tools expect a database to have. What is known to do no harm is kept
//! and shown again; a few have an effect. The names and values are PostgreSQL's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::near::listed;

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Anything: it has no effect.
    Any,
    /// Nothing: it says what the server is.
    Nothing,
    /// These words alone.
    Only(&'static [&'static str]),
    /// A length of time in milliseconds or with its unit, of which 0 is none.
    Time,
}

/// A setting by the name that is shown, and its value until one is set.
type Variable = (&'static str, &'static str, Takes);

/// What text is encoded in, by its many names.
const UTF8: Takes = Takes::Only(&["utf8", "utf-8", "utf8mb4", "unicode"]);
const ON: Takes = Takes::Only(&["on", "true", "1", "yes"]);

/// The version of PostgreSQL whose settings and functions these are, which clients compare.
const SERVER_VERSION: &str = concat!("16.0 (Sluice ", env!("CARGO_PKG_VERSION"), ")");

const VARIABLES: &[Variable] = &[
    ("ansi_nulls", "on", ON),
    ("ansi_padding", "on", Takes::Any),
    ("ansi_warnings", "on", Takes::Any),
    ("application_name", "", Takes::Any),
    ("arithabort", "on", Takes::Any),
    ("autocommit", "on", Takes::Any),
    ("bytea_output", "hex", Takes::Any),
    ("character_set_results", "UTF8", UTF8),
    ("check_function_bodies", "on", Takes::Any),
    ("client_encoding", "UTF8", UTF8),
    ("client_min_messages", "notice", Takes::Any),
    ("concat_null_yields_null", "on", ON),
    ("DateStyle", "ISO, MDY", Takes::Any),
    ("default_transaction_deferrable", "off", Takes::Any),
    (
        "default_transaction_isolation",
        "read committed",
        Takes::Any,
    ),
    ("default_transaction_read_only", "off", Takes::Any),
    ("enable_seqscan", "on", Takes::Any),
    ("escape_string_warning", "on", Takes::Any),
    ("extra_float_digits", "1", Takes::Any),
    ("geqo", "on", Takes::Any),
    ("idle_in_transaction_session_timeout", "0", Takes::Any),
    ("in_hot_standby", "off", Takes::Nothing),
    ("integer_datetimes", "on", Takes::Nothing),
    ("IntervalStyle", "postgres", Takes::Any),
    ("is_superuser", "off", Takes::Nothing),
    ("jit", "off", Takes::Any),
    ("lc_collate", "C", Takes::Nothing),
    ("lc_ctype", "C", Takes::Nothing),
    ("lc_messages", "C", Takes::Any),
    ("lc_monetary", "C", Takes::Any),
    ("lc_numeric", "C", Takes::Any),
    ("lc_time", "C", Takes::Any),
    ("lock_timeout", "0", Takes::Any),
    ("max_identifier_length", "63", Takes::Nothing),
    ("max_index_keys", "32", Takes::Nothing),
    ("max_parallel_workers_per_gather", "0", Takes::Any),
    ("net_write_timeout", "0", Takes::Any),
    ("nocount", "off", Takes::Any),
    ("quoted_identifier", "on", ON),
    ("role", "none", Takes::Nothing),
    ("row_security", "on", Takes::Any),
    ("server_encoding", "UTF8", Takes::Nothing),
    ("server_version", SERVER_VERSION, Takes::Nothing),
    ("server_version_num", "160000", Takes::Nothing),
    ("sql_mode", "ANSI", Takes::Any),
    ("sql_safe_updates", "off", Takes::Any),
    (
        "sql_select_limit",
        "0",
        Takes::Only(&["0", "18446744073709551615"]),
    ),
    ("standard_conforming_strings", "on", ON),
    ("statement_timeout", "0", Takes::Time),
    ("synchronize_seqscans", "on", Takes::Any),
    ("synchronous_commit", "on", Takes::Any),
    ("tcp_user_timeout", "0", Takes::Any),
    ("textsize", "0", Takes::Any),
    ("transaction_deferrable", "off", Takes::Any),
    ("transaction_isolation", "read committed", Takes::Any),
    ("transaction_read_only", "off", Takes::Any),
    ("wait_timeout", "0", Takes::Any),
    ("work_mem", "4MB", Takes::Any),
    ("xact_isolation", "read committed", Takes::Any),
];

/// The longest value that is kept.
const VALUE_BYTES_MAX: usize = 1_024;

/// What one session has set.
#[derive(Debug, Default)]
pub(super) struct Variables(Mutex<BTreeMap<&'static str, String>>);

/// The names of all of them, as they are shown.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, ..)| *name)
}

/// Whether there is one of this name, in lower case.
pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
}

/// Checks that `name` takes `value`.
///
/// # Errors
/// When it does not, saying what it takes.
pub(super) fn check(name: &str, value: &str) -> Result<()> {
    let Some((name, fixed, takes)) = find(name) else {
        return Err(Error::user(format!("there is no setting \"{name}\"")));
    };
    let wrong = || Error::user(format!("\"{name}\" cannot be '{value}'"));
    if value.len() > VALUE_BYTES_MAX {
        let text = format!("the value of \"{name}\" is longer than {VALUE_BYTES_MAX} bytes");
        return Err(Error::user(text));
    }
    match takes {
        Takes::Any => Ok(()),
        Takes::Nothing if value.eq_ignore_ascii_case(fixed) => Ok(()),
        Takes::Nothing => Err(wrong().hint(format!("it is '{fixed}' and stays so"))),
        Takes::Only(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => Ok(()),
        Takes::Only(words) => {
            Err(wrong().hint(format!("it takes {}", listed(words.iter().copied()))))
        }
        Takes::Time => match time(value) {
            Some(_) => Ok(()),
            None => Err(wrong().hint("it is a number of milliseconds, or a time such as '5s'")),
        },
    }
}

impl Variables {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `value`, which [`check`] has passed; `None` is the default.
    pub(super) fn set(&self, name: &str, value: Option<String>) {
        let Some((name, ..)) = find(name) else {
            return;
        };
        match value {
            Some(value) => self.lock().insert(name, value),
            None => self.lock().remove(name),
        };
    }

    /// Forgets all that was set.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// The name as it is shown, and the value.
    pub(super) fn shown(&self, name: &str) -> Option<(&'static str, String)> {
        let (name, default, _) = find(name)?;
        let own = self.lock().get(name).cloned();
        Some((name, own.unwrap_or_else(|| (*default).to_owned())))
    }

    /// The longest that a statement may run, where the session has said so.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let own = self.lock().get("statement_timeout").cloned()?;
        time(&own).filter(|time| !time.is_zero())
    }
}

/// A length of time: milliseconds, or a number with its unit.
fn time(value: &str) -> Option<Duration> {
    match value.parse::<u32>() {
        Ok(milliseconds) => Some(Duration::from_millis(milliseconds.into())),
        Err(_) => humantime::parse_duration(value).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_shown_and_forgotten() {
        let own = Variables::default();
        let shown = |name: &str| {
            own.shown(name)
                .map(|(name, value)| format!("{name}={value}"))
        };
        assert_eq!(shown("datestyle").unwrap(), "DateStyle=ISO, MDY");
        own.set("datestyle", Some("German".into()));
        assert_eq!(shown("DATESTYLE").unwrap(), "DateStyle=German");
        own.clear();
        assert_eq!(shown("datestyle").unwrap(), "DateStyle=ISO, MDY");
        assert_eq!(shown("no_such"), None);
        assert_eq!(own.timeout(), None);
        own.set("statement_timeout", Some("250".into()));
        assert_eq!(own.timeout(), Some(Duration::from_millis(250)));
        own.set("statement_timeout", Some("2min".into()));
        assert_eq!(own.timeout(), Some(Duration::from_secs(120)));
    }

    #[test]
    fn values_without_sense_are_refused() {
        for (name, value) in [
            ("client_encoding", "LATIN1"),
            ("server_version", "9"),
            ("statement_timeout", "soon"),
            ("standard_conforming_strings", "off"),
        ] {
            let error = check(name, value).unwrap_err();
            assert!(error.hint_text().is_some(), "{error}");
        }
        check("client_encoding", "UTF8").unwrap();
        check("standard_conforming_strings", "ON").unwrap();
    }

    #[test]
    fn names_are_in_order_and_once() {
        let all: Vec<String> = names().map(str::to_lowercase).collect();
        assert!(all.is_sorted_by(|one, next| one < next));
    }
}
