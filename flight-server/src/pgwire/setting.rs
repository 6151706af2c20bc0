//! The settings that clients of PostgreSQL ask for: those that are announced when a client
//! connects, those with an effect here, and those that are only remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::timezone::Tz;

use super::fault::{Refusal, Result};

/// What the server says its version is: clients choose their queries by it.
pub(super) const VERSION: &str = concat!("16.6 (Sluice ", env!("CARGO_PKG_VERSION"), ")");

/// Settings, what they are, and the name under which they are announced to clients; empty for
/// those that are not.
const KNOWN: [(&str, &str, &str); 36] = [
    ("application_name", "", "application_name"),
    ("backslash_quote", "safe_encoding", ""),
    ("bytea_output", "hex", ""),
    ("client_encoding", "UTF8", "client_encoding"),
    ("client_min_messages", "notice", ""),
    ("datestyle", "ISO, MDY", "DateStyle"),
    ("default_transaction_isolation", "read committed", ""),
    (
        "default_transaction_read_only",
        "off",
        "default_transaction_read_only",
    ),
    ("escape_string_warning", "on", ""),
    ("extra_float_digits", "1", ""),
    ("idle_in_transaction_session_timeout", "0", ""),
    ("in_hot_standby", "off", "in_hot_standby"),
    ("integer_datetimes", "on", "integer_datetimes"),
    ("intervalstyle", "postgres", "IntervalStyle"),
    ("is_superuser", "off", "is_superuser"),
    ("jit", "off", ""),
    ("lc_collate", "C", ""),
    ("lc_ctype", "C", ""),
    ("lc_messages", "C", ""),
    ("lc_monetary", "C", ""),
    ("lock_timeout", "0", ""),
    ("max_identifier_length", "63", ""),
    ("max_index_keys", "32", ""),
    ("row_security", "on", ""),
    ("search_path", "public", ""),
    ("server_encoding", "UTF8", "server_encoding"),
    ("server_version", VERSION, "server_version"),
    ("server_version_num", "160006", ""),
    ("session_authorization", "", "session_authorization"),
    (
        "standard_conforming_strings",
        "on",
        "standard_conforming_strings",
    ),
    ("statement_timeout", "0", ""),
    ("synchronize_seqscans", "on", ""),
    ("timezone", "UTC", "TimeZone"),
    ("transaction_isolation", "read committed", ""),
    ("transaction_read_only", "off", ""),
    ("xmloption", "content", ""),
];

/// Settings that nobody can set.
const FIXED: [&str; 10] = [
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "max_identifier_length",
    "max_index_keys",
    "server_encoding",
    "server_version",
    "server_version_num",
];

/// The settings and what they are at first.
pub(super) fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    KNOWN.iter().map(|(name, value, _)| (*name, *value))
}

/// Values of one connection's settings.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// What they go back to.
    defaults: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    zone: Tz,
}

impl Settings {
    /// The settings of a connection of `user` before it asked for any.
    pub(super) fn new(user: &str) -> Result<Self, Refusal> {
        let mut values: BTreeMap<String, String> = known()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        values.insert("session_authorization".to_owned(), user.to_owned());
        Ok(Self {
            defaults: values.clone(),
            values,
            zone: zone("UTC")?,
        })
    }

    /// What a client asked for when it connected is what its settings go back to.
    pub(super) fn begin(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        self.set(name, Some(value))?;
        let name = name.to_lowercase();
        if let Some(value) = self.values.get(&name) {
            self.defaults.insert(name, value.clone());
        }
        Ok(())
    }

    /// Sets `name`; without a value, to what it was at first.
    ///
    /// # Errors
    /// When it cannot be set, or not to this.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        let name = name.to_lowercase();
        let Some(value) = value else {
            match self.defaults.get(&name).cloned() {
                Some(value) => return self.set(&name, Some(&value)),
                None => {
                    self.values.remove(&name);
                    return Ok(());
                }
            }
        };
        if self.values.get(&name).is_some_and(|old| old == value) {
            return Ok(());
        }
        let refused = |hint: &str| {
            let text = format!("invalid value for parameter \"{name}\": \"{value}\"");
            Err(Refusal::new("22023", text).hint(hint))
        };
        match name.as_str() {
            fixed if FIXED.contains(&fixed) => {
                let text = format!("parameter \"{name}\" cannot be changed");
                return Err(Refusal::new("55P02", text));
            }
            "client_encoding" => {
                let plain = value.to_uppercase().replace(['-', '_', '\''], "");
                if !["UTF8", "UNICODE", "SQLASCII"].contains(&plain.as_str()) {
                    return refused("texts are UTF8");
                }
                self.values.insert(name, "UTF8".to_owned());
                return Ok(());
            }
            "timezone" => self.zone = zone(value)?,
            "statement_timeout" | "idle_session_timeout" if millis(value).is_none() => {
                return refused("it is a number of milliseconds, or a text such as '5s'");
            }
            "standard_conforming_strings" if !is_on(value) => {
                return refused("a backslash stands for itself in plain texts");
            }
            "bytea_output" if value != "hex" => return refused("it is hex"),
            "intervalstyle" if value != "postgres" => return refused("it is postgres"),
            // Dates are always written as ISO says; the order is for reading them.
            "datestyle" => {
                let order = ["DMY", "YMD"]
                    .into_iter()
                    .find(|o| value.to_uppercase().contains(o));
                let value = format!("ISO, {}", order.unwrap_or("MDY"));
                self.values.insert(name, value);
                return Ok(());
            }
            _ => {}
        }
        self.values.insert(name, value.to_owned());
        Ok(())
    }

    /// All settings as they were at first.
    pub(super) fn reset(&mut self) -> Result<(), Refusal> {
        self.values = self.defaults.clone();
        let name = self.values.get("timezone").cloned().unwrap_or_default();
        self.zone = zone(&name)?;
        Ok(())
    }

    /// The value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(&name.to_lowercase()).map(String::as_str)
    }

    /// The zone in which points in time are shown.
    pub(super) fn zone(&self) -> Tz {
        self.zone
    }

    /// How long a statement may run.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let limit = self.get("statement_timeout").and_then(millis)?;
        (limit > 0).then(|| Duration::from_millis(limit))
    }

    /// How long the client may be silent, where it is said.
    pub(super) fn idle(&self) -> Option<Duration> {
        let limit = self.get("idle_session_timeout").and_then(millis)?;
        (limit > 0).then(|| Duration::from_millis(limit))
    }

    /// The settings that clients watch, under the names by which they know them.
    pub(super) fn announced(&self) -> Vec<(&'static str, String)> {
        let announced = KNOWN.iter().filter(|(.., shown)| !shown.is_empty());
        let value = |name: &str| self.get(name).unwrap_or_default().to_owned();
        announced
            .map(|(name, _, shown)| (*shown, value(name)))
            .collect()
    }
}

fn is_on(value: &str) -> bool {
    matches!(value.to_lowercase().as_str(), "on" | "true" | "1" | "yes")
}

/// The zone `name`, such as `Europe/Berlin`, `+02:00` or an offset in hours.
fn zone(name: &str) -> Result<Tz, Refusal> {
    let plain = match name.to_uppercase().as_str() {
        "UTC" | "GMT" | "Z" | "DEFAULT" | "LOCAL" | "ETC/UTC" | "" => "+00:00".to_owned(),
        _ => match name.parse::<i32>() {
            Ok(hours) if (-14..=14).contains(&hours) => {
                let sign = if hours < 0 { '-' } else { '+' };
                format!("{sign}{:02}:00", hours.abs())
            }
            _ => name.to_owned(),
        },
    };
    plain.parse().map_err(|_| {
        let text = format!("invalid value for parameter \"TimeZone\": \"{name}\"");
        Refusal::new("22023", text).hint("such as 'UTC', 'Europe/Berlin' or '+02:00'")
    })
}

/// A length of time in milliseconds, which is also its unit where none is given.
fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c.is_whitespace());
    let number: u64 = digits.parse().ok()?;
    let unit = match text.get(digits.len()..)?.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_and_go_back() {
        let mut settings = Settings::new("me").unwrap();
        settings.begin("TimeZone", "Europe/Berlin").unwrap();
        settings.set("statement_timeout", Some("5s")).unwrap();
        assert_eq!(settings.timeout(), Some(Duration::from_secs(5)));
        settings.set("timezone", Some("-3")).unwrap();
        assert_eq!(settings.get("TIMEZONE"), Some("-3"));
        settings.set("my.own", Some("x")).unwrap();
        settings.reset().unwrap();
        assert_eq!(settings.get("timezone"), Some("Europe/Berlin"));
        assert_eq!((settings.timeout(), settings.get("my.own")), (None, None));
    }

    #[test]
    fn what_would_make_answers_wrong_is_refused() {
        let mut settings = Settings::new("me").unwrap();
        for (name, value) in [
            ("client_encoding", "LATIN1"),
            ("timezone", "Atlantis"),
            ("statement_timeout", "soon"),
            ("server_version", "9"),
            ("standard_conforming_strings", "off"),
        ] {
            assert!(settings.set(name, Some(value)).is_err(), "{name}");
        }
        for value in ["utf-8", "UNICODE", "'UTF8'"] {
            settings.set("client_encoding", Some(value)).unwrap();
        }
    }

    #[test]
    fn names_stand_in_order() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
