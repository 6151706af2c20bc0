//! What a client asks for beside its statements: by headers for one call, by session options for
//! all that follow. A header counts more than an option, and both more than the driver's name.
//!
//! | header | session option | |
//! |---|---|---|
//! | `x-sluice-types` | `types` | the [`Profile`] of results |
//! | `x-sluice-compression` | `compression` | `none`, `lz4` or `zstd`, as the client can read |
//! | `x-sluice-row-bytes` | `row_bytes` | the largest row that the client can take |
//! | `x-sluice-schema` | `schema` | where unqualified names are looked up |
//! | `x-sluice-timezone` | `timezone` | the zone of `now()` and of texts without one |
//! | | `catalog` | always `sluice` |
//! | `grpc-timeout` | | when a query ends, whether or not its rows are read |

use std::str::FromStr;
use std::time::Duration;

use arrow::array::timezone::Tz;
use sluice_engine::context::{CATALOG, PUBLIC, SYSTEM};
use sluice_engine::error::Error;
use sluice_engine::session::Session;
use tokio::time::Instant;
use tonic::metadata::MetadataMap;

use super::statement;
use crate::schema::{HEADER as TYPES_HEADER, OPTION as TYPES, Profile};
use crate::status::Result;
use crate::stream::{Compression, Wishes};

const COMPRESSION: &str = "compression";
const ROW_BYTES: &str = "row_bytes";
const CATALOG_NAME: &str = "catalog";
const SCHEMA: &str = "schema";
const TIMEZONE: &str = "timezone";

const COMPRESSION_HEADER: &str = "x-sluice-compression";
const ROW_BYTES_HEADER: &str = "x-sluice-row-bytes";
const SCHEMA_HEADER: &str = "x-sluice-schema";
const TIMEZONE_HEADER: &str = "x-sluice-timezone";

/// The schemas there are.
const SCHEMAS: [&str; 3] = [PUBLIC, SYSTEM, "information_schema"];
/// The largest row that a message can hold.
const ROW_BYTES_MAX: usize = 1 << 30;

/// How a session's results are sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settings {
    /// The types that the client named.
    profile: Option<Profile>,
    compression: Option<Compression>,
    row_bytes: Option<usize>,
}

/// What one call asks for in its headers.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    settings: Settings,
    by_agent: Profile,
    schema: Option<String>,
    timezone: Option<String>,
    deadline: Option<Instant>,
}

/// What is wrong with an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such option.
    Name,
    /// The option cannot have this value.
    Value,
}

impl Asked {
    /// Reads the headers of a call.
    ///
    /// # Errors
    /// When a header has a value that cannot be, naming those that can.
    pub(super) fn read(headers: &MetadataMap) -> Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let settings = Settings {
            profile: parsed(
                text(TYPES_HEADER),
                Profile::named,
                TYPES_HEADER,
                Profile::NAMES,
            )?,
            compression: parsed(
                text(COMPRESSION_HEADER),
                Compression::named,
                COMPRESSION_HEADER,
                Compression::NAMES,
            )?,
            row_bytes: parsed(
                text(ROW_BYTES_HEADER),
                row_bytes,
                ROW_BYTES_HEADER,
                "a number of bytes up to 1 GiB",
            )?,
        };
        let known = |name: &str| SCHEMAS.contains(&name).then(|| name.to_owned());
        let list = SCHEMAS.join(", ");
        let zone = |name: &str| Tz::from_str(name).ok().map(|_| name.to_owned());
        let hint = "a name such as Europe/Berlin, or an offset such as +02:00";
        Ok(Self {
            settings,
            by_agent: Profile::of_user_agent(text("user-agent").unwrap_or_default()),
            schema: parsed(text(SCHEMA_HEADER), known, SCHEMA_HEADER, &list)?,
            timezone: parsed(text(TIMEZONE_HEADER), zone, TIMEZONE_HEADER, hint)?,
            deadline: text("grpc-timeout")
                .and_then(timeout)
                .map(|patience| Instant::now() + patience),
        })
    }

    /// The types of the call's results, in a session with these settings.
    pub(super) fn profile(&self, session: Settings) -> Profile {
        let named = self.settings.profile.or(session.profile);
        named.unwrap_or(self.by_agent)
    }

    /// How its rows are sent.
    pub(super) fn wishes(&self, session: Settings) -> Wishes {
        let usual = Wishes::default();
        let compression = self.settings.compression.or(session.compression);
        let row_bytes = self.settings.row_bytes.or(session.row_bytes);
        Wishes {
            compression: compression.unwrap_or(usual.compression),
            row_bytes_max: row_bytes.unwrap_or(usual.row_bytes_max),
            deadline: self.deadline,
        }
    }

    /// Gives `session` the schema and time zone that the headers name.
    ///
    /// # Errors
    /// When they cannot be set.
    pub(super) async fn apply(&self, session: &Session) -> Result<()> {
        for (option, wanted) in [(SCHEMA, &self.schema), (TIMEZONE, &self.timezone)] {
            if let Some(wanted) = wanted
                && current(session, option).as_ref() != Some(wanted)
            {
                assign(session, option, wanted).await?;
            }
        }
        Ok(())
    }
}

impl Settings {
    /// Sets the option `name`, in `session` or here; without a value to its default.
    ///
    /// # Errors
    /// When the session refuses it. What is wrong with the option itself is the value.
    pub(super) async fn set(
        &mut self,
        session: &Session,
        name: &str,
        value: Option<&str>,
    ) -> Result<Option<Fault>> {
        let known = match (name, value) {
            (CATALOG_NAME, value) => value.is_none_or(|value| value == CATALOG),
            (SCHEMA, value) => {
                let value = value.unwrap_or(PUBLIC);
                let known = SCHEMAS.contains(&value);
                if known {
                    assign(session, SCHEMA, value).await?;
                }
                known
            }
            (TIMEZONE, value) => {
                let value = value.unwrap_or("UTC");
                let known = Tz::from_str(value).is_ok();
                if known {
                    assign(session, TIMEZONE, value).await?;
                }
                known
            }
            (TYPES, value) => replace(&mut self.profile, value, Profile::named),
            (COMPRESSION, value) => replace(&mut self.compression, value, Compression::named),
            (ROW_BYTES, value) => replace(&mut self.row_bytes, value, row_bytes),
            _ => return Ok(Some(Fault::Name)),
        };
        Ok((!known).then_some(Fault::Value))
    }

    /// All options with their values, in `session` where there is one.
    pub(super) fn all(
        self,
        session: Option<&Session>,
        asked: &Asked,
    ) -> [(&'static str, String); 6] {
        let wishes = Asked::default().wishes(self);
        let current = |option| session.and_then(|session| current(session, option));
        [
            (CATALOG_NAME, CATALOG.to_owned()),
            (SCHEMA, current(SCHEMA).unwrap_or_else(|| PUBLIC.to_owned())),
            (
                TIMEZONE,
                current(TIMEZONE).unwrap_or_else(|| "UTC".to_owned()),
            ),
            (TYPES, asked.profile(self).name().to_owned()),
            (COMPRESSION, wishes.compression.name().to_owned()),
            (ROW_BYTES, wishes.row_bytes_max.to_string()),
        ]
    }
}

fn parsed<T>(
    value: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    header: &str,
    known: &str,
) -> Result<Option<T>> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let wrong = || Error::user(format!("the header {header} cannot be \"{value}\""));
    let read = read(value).ok_or_else(|| wrong().hint(format!("it is one of: {known}")));
    Ok(Some(read?))
}

fn replace<T>(slot: &mut Option<T>, value: Option<&str>, read: impl Fn(&str) -> Option<T>) -> bool {
    let new = value.map(read);
    match new {
        Some(None) => false,
        new => {
            *slot = new.flatten();
            true
        }
    }
}

fn row_bytes(text: &str) -> Option<usize> {
    let bytes = text.parse().ok()?;
    (1..=ROW_BYTES_MAX).contains(&bytes).then_some(bytes)
}

fn current(session: &Session, option: &str) -> Option<String> {
    let state = session.context().state_ref();
    let state = state.read();
    let options = state.config_options();
    match option {
        SCHEMA => Some(options.catalog.default_schema.clone()),
        _ => options.execution.time_zone.clone(),
    }
}

async fn assign(session: &Session, option: &str, value: &str) -> Result<()> {
    let variable = match option {
        SCHEMA => "datafusion.catalog.default_schema",
        _ => "datafusion.execution.time_zone",
    };
    let sql = format!("SET {variable} = '{}'", value.replace('\'', "''"));
    statement::run(session, &session.prepare(&sql).await?).await?;
    Ok(())
}

/// How long the client waits, as gRPC writes it: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Result<Asked> {
        let mut headers = MetadataMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Asked::read(&headers)
    }

    #[test]
    fn a_header_counts_more_than_an_option_and_both_more_than_the_driver() {
        let java = ("user-agent", "grpc-java-netty/1.71.0");
        let session = Settings {
            profile: Some(Profile::Full),
            ..Settings::default()
        };
        let profile = |pairs: &[_], session| asked(pairs).unwrap().profile(session);
        assert_eq!(profile(&[], Settings::default()), Profile::Compat);
        assert_eq!(profile(&[java], Settings::default()), Profile::Jdbc);
        assert_eq!(profile(&[java], session), Profile::Full);
        let compat = ("x-sluice-types", "COMPAT");
        assert_eq!(profile(&[java, compat], session), Profile::Compat);
    }

    #[test]
    fn a_header_that_cannot_be_is_named_with_those_that_can() {
        for (name, value, part) in [
            ("x-sluice-types", "views", "compat, jdbc, full"),
            ("x-sluice-compression", "gzip", "lz4"),
            ("x-sluice-row-bytes", "0", "bytes"),
            ("x-sluice-schema", "private", "public"),
            ("x-sluice-timezone", "Nowhere/At_all", "Europe/Berlin"),
        ] {
            let text = asked(&[(name, value)]).unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(part), "{text}");
            assert!(asked(&[(name, "")]).is_ok(), "{name} may be empty");
        }
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let rows = [
            ("2H", Some(7_200_000)),
            ("3M", Some(180_000)),
            ("4S", Some(4_000)),
            ("5m", Some(5)),
            ("6000u", Some(6)),
            ("7000000n", Some(7)),
            ("", None),
            ("S", None),
            ("123456789S", None),
            ("1x", None),
            ("-1S", None),
        ];
        for (text, want) in rows {
            let got = timeout(text).map(|time| time.as_millis());
            assert_eq!(got, want, "{text}");
        }
    }
}
