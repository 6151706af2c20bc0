//! Statements about the session: what they change, and what they show.

use datafusion::logical_expr::{
    LogicalPlan, ResetVariable, SetVariable, Statement as PlanStatement,
};

use super::prepared::{Change, Work};
use super::{Session, permission, variables};
use crate::context::{self, CATALOG, INFORMATION, PUBLIC, SYSTEM};
use crate::error::{Error, Result};
use crate::near::{listed, near};
use crate::statement::{SEARCH_PATH, SessionStatement, TIME_ZONE, quote};

/// The schemas that a session can be in.
const SCHEMAS: [&str; 3] = [PUBLIC, SYSTEM, INFORMATION];

const DEFAULT_SCHEMA: &str = "datafusion.catalog.default_schema";
const DEFAULT_CATALOG: &str = "datafusion.catalog.default_catalog";
const DEFAULT_ZONE: &str = "datafusion.execution.time_zone";

/// Settings with values of their own memory and disk, which DataFusion does not list.
const RUNTIME: &str = "datafusion.runtime.";

/// What is to be done for a statement about the session.
#[expect(
    clippy::large_enum_variant,
    reason = "made for one statement and taken apart at once"
)]
pub(super) enum Planned {
    /// An effect.
    Work(Work),
    /// A query that shows something.
    Query(String),
}

impl Session {
    /// Plans a statement about the session.
    ///
    /// # Errors
    /// When a name or value is not known, or belongs to the server.
    pub(super) fn plan_session(&self, statement: SessionStatement) -> Result<Planned> {
        let change = match statement {
            SessionStatement::Nothing => Change::Nothing,
            SessionStatement::Show { name } => return self.show(&name).map(Planned::Query),
            SessionStatement::List { column, like } => {
                return Ok(Planned::Query(list(column, like.as_deref())));
            }
            SessionStatement::Use { parts } => {
                return self.option(DEFAULT_SCHEMA, Some(used(&parts)?));
            }
            SessionStatement::Reset { name: None } => Change::All,
            SessionStatement::Reset { name: Some(name) } => return self.set(&name, None),
            SessionStatement::Set { name, value } => return self.set(&name, value),
        };
        Ok(Planned::Work(Work::Session(change)))
    }

    fn set(&self, name: &str, value: Option<String>) -> Result<Planned> {
        if variables::is_known(name) {
            if let Some(value) = &value {
                variables::check(name, value)?;
            }
            let name = name.to_owned();
            return Ok(Planned::Work(Work::Session(Change::Variable {
                name,
                value,
            })));
        }
        match name {
            SEARCH_PATH => {
                let schema = value.as_deref().map_or(Ok(PUBLIC.to_owned()), searched)?;
                self.option(DEFAULT_SCHEMA, Some(schema))
            }
            "schema" => self.option(DEFAULT_SCHEMA, value),
            "catalog" | "database" => {
                let wanted = value.unwrap_or_else(|| CATALOG.to_owned());
                known_catalog(&wanted)?;
                Ok(Planned::Work(Work::Session(Change::Nothing)))
            }
            TIME_ZONE => self.option(
                DEFAULT_ZONE,
                value.map(|zone| checked_zone(&zone)).transpose()?,
            ),
            name => self.option(name, value),
        }
    }

    /// One of DataFusion's settings, or of Sluice's own; `None` is what sessions begin with.
    fn option(&self, name: &str, value: Option<String>) -> Result<Planned> {
        let fresh = self.commands.contexts.session().state();
        let entries = fresh.config_options().entries();
        let entry = entries.iter().find(|entry| entry.key == name);
        if entry.is_none() && !name.starts_with(RUNTIME) && !name.starts_with("sluice.") {
            return Err(unknown(
                name,
                entries.iter().map(|entry| entry.key.as_str()),
            ));
        }
        let value = match (name, value) {
            (DEFAULT_SCHEMA, Some(schema)) => known_schema(&schema).map(|()| Some(schema))?,
            (DEFAULT_CATALOG, Some(catalog)) => known_catalog(&catalog).map(|()| Some(catalog))?,
            (DEFAULT_ZONE, Some(zone)) => Some(checked_zone(&zone)?),
            (_, value) => value,
        };
        let variable = name.to_owned();
        let value = match (value, name) {
            (None, "sluice.on_error") => Some("fail".to_owned()),
            (None, _) => entry.and_then(|entry| entry.value.clone()),
            (value, _) => value,
        };
        let plan = LogicalPlan::Statement(match value {
            Some(value) => PlanStatement::SetVariable(SetVariable { variable, value }),
            None => PlanStatement::ResetVariable(ResetVariable { variable }),
        });
        permission::check(&plan, self.authority)?;
        Ok(Planned::Work(Work::Effect(plan)))
    }

    /// The query that shows a setting, in a column of its name.
    fn show(&self, name: &str) -> Result<String> {
        let (shown, value) = match name {
            SEARCH_PATH => (SEARCH_PATH, self.setting(DEFAULT_SCHEMA)),
            TIME_ZONE => {
                let zone = self
                    .setting(DEFAULT_ZONE)
                    .unwrap_or_else(|| "UTC".to_owned());
                ("TimeZone", Some(zone))
            }
            "session_authorization" => ("session_authorization", self.setting("user")),
            "sluice.on_error" => ("sluice.on_error", self.setting("on_error")),
            "sluice.user" => ("sluice.user", self.setting("user")),
            name => match self.variables.shown(name) {
                Some((shown, value)) => (shown, Some(value)),
                None => {
                    let state = self.context.state();
                    let entries = state.config_options().entries();
                    return Err(unknown(
                        name,
                        entries.iter().map(|entry| entry.key.as_str()),
                    ));
                }
            },
        };
        let value = value.map_or_else(|| "NULL".to_owned(), |value| literal(&value));
        Ok(format!("SELECT {value} AS {}", quote(shown)))
    }

    /// The value of one of DataFusion's settings.
    fn setting(&self, name: &str) -> Option<String> {
        let state = self.context.state();
        let mut entries = state.config_options().entries().into_iter();
        entries.find(|entry| entry.key == name)?.value
    }

    /// Makes a change of the session.
    ///
    /// # Errors
    /// When a setting cannot go back to what it was.
    pub(super) fn change(&self, change: Change) -> Result<()> {
        match change {
            Change::Nothing => Ok(()),
            Change::Variable { name, value } => {
                self.variables.set(&name, value);
                Ok(())
            }
            Change::All => {
                self.variables.clear();
                let fresh = self.commands.contexts.session().state();
                context::restore(&self.context, fresh.config_options())
            }
        }
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let mut known: Vec<&str> = known.collect();
    for name in variables::names() {
        known.push(name);
    }
    known.push(SEARCH_PATH);
    known.push("TimeZone");
    let error = Error::user(format!("there is no setting \"{name}\""));
    match near(name, known) {
        near if near.is_empty() => error.hint("SHOW ALL lists the settings"),
        near => error.hint(format!("did you mean {}?", listed(near))),
    }
}

/// The first schema of a search path that exists.
fn searched(path: &str) -> Result<String> {
    let parts = path.split(',').map(|part| part.trim().trim_matches('"'));
    let mut own = parts
        .filter(|part| !["$user", "pg_catalog", ""].contains(part))
        .peekable();
    let Some(first) = own.peek().map(|first| (*first).to_owned()) else {
        return Ok(PUBLIC.to_owned());
    };
    match own.find(|part| known_schema(part).is_ok()) {
        Some(found) => Ok(found.to_owned()),
        None => known_schema(&first).map(|()| first),
    }
}

fn used(parts: &[String]) -> Result<String> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [CATALOG] => Ok(PUBLIC.to_owned()),
        [schema] => known_schema(schema).map(|()| (*schema).to_owned()),
        [catalog, schema] => {
            known_catalog(catalog)?;
            known_schema(schema).map(|()| (*schema).to_owned())
        }
        _ => Err(Error::user("USE takes a schema, or a catalog and a schema")),
    }
}

fn known_schema(name: &str) -> Result<()> {
    match SCHEMAS.contains(&name) {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no schema \"{name}\""))
            .hint(format!("there are {}", listed(SCHEMAS)))),
    }
}

fn known_catalog(name: &str) -> Result<()> {
    match name == CATALOG {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no catalog \"{name}\""))
            .hint(format!("the only one is \"{CATALOG}\""))),
    }
}

/// A time zone that Arrow knows.
fn checked_zone(zone: &str) -> Result<String> {
    let spelled = match zone.to_uppercase().as_str() {
        "UTC" | "GMT" | "Z" | "ZULU" => "UTC",
        _ => zone,
    };
    match spelled.parse::<arrow::array::timezone::Tz>() {
        Ok(_) => Ok(spelled.to_owned()),
        Err(_) => Err(Error::user(format!("\"{zone}\" is no time zone"))
            .hint("write a name such as 'Europe/Vienna', or an offset such as '+02:00'")),
    }
}

fn list(column: &str, like: Option<&str>) -> String {
    let shown = match column {
        "catalog_name" => "database_name",
        other => other,
    };
    let filter = like.map(|like| format!(" WHERE {column} LIKE {}", literal(like)));
    format!(
        "SELECT DISTINCT {column} AS {shown} FROM information_schema.schemata{} ORDER BY 1",
        filter.unwrap_or_default()
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
