//! `CALL procedure('table', argument => value, ...)`: maintenance by hand.
//!
//! Every argument is read or refused: none vanishes.

use std::time::Duration;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Statement as SqlStatement,
    Value,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::Statement;
use super::name::unquote;
use super::script::tokens;
use super::syntax::end;
use crate::budget;
use crate::config::{parse_duration, parse_size};
use crate::error::{Error, Result};
use crate::table::Compact;

/// A procedure with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The table it works on.
    pub table: String,
    /// What it does.
    pub procedure: Procedure,
}

/// What a `CALL` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// `optimize`: merges files.
    Optimize(Compact),
    /// `vacuum`: deletes files that no version names any longer.
    Vacuum {
        /// Keep the files of versions younger than this; `None` for the table's own setting.
        retention: Option<Duration>,
        /// Only say what would be deleted.
        dry_run: bool,
        /// Look for files that no commit ever named, too.
        full: bool,
        /// Take a retention that may harm queries and writers.
        force: bool,
    },
    /// `checkpoint`: sums the log up.
    Checkpoint,
    /// `clean_log`: removes old log entries.
    CleanLog {
        /// Keep entries younger than this; `None` for the server's setting.
        retention: Option<Duration>,
    },
    /// `replay`: stores dead letters that can be decoded now.
    Replay {
        /// Only those of which this holds, over the columns of `system.dead_letters`.
        predicate: Option<String>,
        /// So many at most.
        limit: Option<u64>,
        /// Only say what would be stored.
        dry_run: bool,
    },
}

/// The procedures, each with the names of its arguments after the table.
const PROCEDURES: [(&str, &[&str]); 5] = [
    ("optimize", &["zorder", "target_size", "where"]),
    ("vacuum", &["retention", "dry_run", "full", "force"]),
    ("checkpoint", &[]),
    ("clean_log", &["retention"]),
    ("replay", &["where", "limit", "dry_run"]),
];

impl Procedure {
    /// Its name in a `CALL`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Optimize(_) => "optimize",
            Self::Vacuum { .. } => "vacuum",
            Self::Checkpoint => "checkpoint",
            Self::CleanLog { .. } => "clean_log",
            Self::Replay { .. } => "replay",
        }
    }
}

/// Reads a whole `CALL`.
pub(super) fn call(parser: &mut Parser<'_>) -> Result<Statement> {
    let parsed = parser
        .parse_statement()
        .map_err(|error| Error::from(&error))?;
    end(parser).map_err(|error| Error::from(&error))?;
    match parsed {
        SqlStatement::Call(function) => Call::new(&function).map(Statement::Call),
        _ => Err(Error::user("CALL names no procedure")),
    }
}

impl Call {
    fn new(function: &Function) -> Result<Self> {
        let name = function.name.to_string().to_lowercase();
        let Some((name, valid)) = PROCEDURES.into_iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = PROCEDURES.iter().map(|(known, _)| *known).collect();
            return Err(Error::user(format!("there is no procedure \"{name}\""))
                .hint(format!("there are {}", known.join(", "))));
        };
        let mut arguments = Arguments::read(name, valid, function)?;
        let procedure = match name {
            "optimize" => Procedure::Optimize(Compact {
                target_bytes: arguments.size("target_size")?,
                predicate: arguments.predicate("where")?,
                zorder: arguments.names("zorder")?,
                closed_for: None,
            }),
            "vacuum" => Procedure::Vacuum {
                retention: arguments.duration("retention")?,
                dry_run: arguments.flag("dry_run")?,
                full: arguments.flag("full")?,
                force: arguments.flag("force")?,
            },
            "clean_log" => Procedure::CleanLog {
                retention: arguments.duration("retention")?,
            },
            "replay" => Procedure::Replay {
                predicate: arguments.predicate("where")?,
                limit: arguments.number("limit")?,
                dry_run: arguments.flag("dry_run")?,
            },
            _ => Procedure::Checkpoint,
        };
        let table = arguments.table;
        Ok(Self { table, procedure })
    }
}

struct Arguments {
    procedure: &'static str,
    table: String,
    named: Vec<(String, Expr)>,
}

impl Arguments {
    fn read(procedure: &'static str, valid: &[&str], function: &Function) -> Result<Self> {
        let usage = || match valid {
            [] => format!("write CALL {procedure}('table')"),
            _ => format!(
                "write CALL {procedure}('table', argument => value); arguments are {}",
                valid.join(", ")
            ),
        };
        let given: &[FunctionArg] = match &function.args {
            FunctionArguments::List(list) if list.clauses.is_empty() => &list.args,
            _ => &[],
        };
        let (mut table, mut named) = (None, Vec::<(String, Expr)>::new());
        for argument in given {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if table.is_none() => {
                    table = Some(text(procedure, "the table", value)?);
                }
                FunctionArg::Named {
                    name,
                    arg: FunctionArgExpr::Expr(value),
                    ..
                } => {
                    let name = name.value.to_lowercase();
                    let wrong = match () {
                        () if !valid.contains(&name.as_str()) => "has no argument",
                        () if named.iter().any(|(known, _)| *known == name) => "has twice",
                        () => {
                            named.push((name, value.clone()));
                            continue;
                        }
                    };
                    let message = format!("procedure \"{procedure}\" {wrong} \"{name}\"");
                    return Err(Error::user(message).hint(usage()));
                }
                other => {
                    let message = format!("procedure \"{procedure}\" does not take {other}");
                    return Err(Error::user(message).hint(usage()));
                }
            }
        }
        let table = table.ok_or_else(|| {
            Error::user(format!("procedure \"{procedure}\" is given no table")).hint(usage())
        })?;
        let table = unquote(&table);
        Ok(Self {
            procedure,
            table,
            named,
        })
    }

    fn take(&mut self, name: &str) -> Option<Expr> {
        let place = self.named.iter().position(|(known, _)| known == name)?;
        Some(self.named.swap_remove(place).1)
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        let value = self.take(name);
        value
            .map(|value| text(self.procedure, name, &value))
            .transpose()
    }

    /// A text that is planned later, within the same bounds as a statement.
    fn predicate(&mut self, name: &str) -> Result<Option<String>> {
        let text = self.text(name)?;
        if let Some(text) = &text {
            let wrong = |error: Error| error.context(format!("\"{name}\" of {}", self.procedure));
            budget::check(&tokens(text).map_err(wrong)?).map_err(wrong)?;
        }
        Ok(text)
    }

    fn duration(&mut self, name: &str) -> Result<Option<Duration>> {
        self.text(name)?
            .map(|text| parse_duration(&text))
            .transpose()
    }

    fn size(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match parse_size(&text)?.as_u64() {
            0 => {
                Err(Error::user(format!("argument \"{name}\" is 0")).hint("write it like '128MiB'"))
            }
            bytes => Ok(Some(bytes)),
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = match &value {
            Expr::Value(literal) => match &literal.value {
                Value::Number(text, _) => text.parse().ok(),
                _ => None,
            },
            _ => None,
        };
        let wrong = || expected(self.procedure, name, "a whole number", &value);
        number.map(Some).ok_or_else(wrong)
    }

    fn flag(&mut self, name: &str) -> Result<bool> {
        match self.take(name) {
            None => Ok(false),
            Some(Expr::Value(value)) if matches!(value.value, Value::Boolean(_)) => {
                Ok(value.value == Value::Boolean(true))
            }
            Some(other) => Err(expected(self.procedure, name, "true or false", &other)),
        }
    }

    fn names(&mut self, name: &str) -> Result<Vec<String>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Expr::Array(array)) if !array.elem.is_empty() => {
                let texts = array
                    .elem
                    .iter()
                    .map(|item| text(self.procedure, name, item));
                texts.map(|text| Ok(unquote(&text?))).collect()
            }
            Some(other) => {
                let columns = "columns, such as ARRAY['a', 'b']";
                Err(expected(self.procedure, name, columns, &other))
            }
        }
    }
}

fn text(procedure: &str, name: &str, value: &Expr) -> Result<String> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => Ok(text.clone()),
            other => Err(expected(procedure, name, "a text in quotes", other)),
        },
        other => Err(expected(procedure, name, "a text in quotes", other)),
    }
}

fn expected(procedure: &str, name: &str, what: &str, got: &impl std::fmt::Display) -> Error {
    Error::user(format!(
        "{name} of procedure \"{procedure}\" is {got}, and {what} is expected"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn read(sql: &str) -> Call {
        match parse(sql).unwrap() {
            Statement::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arguments_are_read_by_name() {
        let call = read(
            "CALL optimize('Logs', zorder => ARRAY['source', '\"Sev\"'], target_size => '64MiB',
                           where => 'date < ''2026-02-01''')",
        );
        assert_eq!(call.table, "logs");
        assert_eq!(
            call.procedure,
            Procedure::Optimize(Compact {
                target_bytes: Some(64 << 20),
                predicate: Some("date < '2026-02-01'".to_owned()),
                zorder: vec!["source".to_owned(), "Sev".to_owned()],
                closed_for: None,
            })
        );
        let call = read("call VACUUM('logs', dry_run => true, retention => '7 days');");
        assert_eq!(
            call.procedure,
            Procedure::Vacuum {
                retention: Some(Duration::from_secs(7 * 24 * 3600)),
                dry_run: true,
                full: false,
                force: false,
            }
        );
        assert_eq!(
            read("CALL checkpoint('logs')").procedure,
            Procedure::Checkpoint
        );
        let call = read("CALL replay('logs', where => 'error_code = ''wrong_type''', limit => 10)");
        assert_eq!(
            call.procedure,
            Procedure::Replay {
                predicate: Some("error_code = 'wrong_type'".to_owned()),
                limit: Some(10),
                dry_run: false,
            }
        );
    }

    #[test]
    fn no_argument_vanishes() {
        for (sql, part) in [
            (
                "CALL compact('logs')",
                "optimize, vacuum, checkpoint, clean_log, replay",
            ),
            (
                "CALL vacuum('logs', retain => '1d')",
                "retention, dry_run, full, force",
            ),
            (
                "CALL vacuum('logs', full => true, full => false)",
                "has twice \"full\"",
            ),
            ("CALL vacuum('logs', '7 days')", "does not take '7 days'"),
            ("CALL vacuum('logs', retention => '7 parsecs')", "7 parsecs"),
            ("CALL vacuum('logs', dry_run => 'yes')", "true or false"),
            ("CALL optimize('logs', zorder => 'a')", "ARRAY['a', 'b']"),
            ("CALL replay('logs', limit => 'all')", "a whole number"),
            ("CALL optimize('logs', target_size => '0B')", "is 0"),
            ("CALL optimize(zorder => ARRAY['a'])", "no table"),
            ("CALL checkpoint", "no table"),
            ("CALL checkpoint()", "no table"),
            ("CALL checkpoint('logs') please", "please"),
        ] {
            let error = parse(sql).unwrap_err().to_string();
            assert!(error.contains(part), "{sql}: {error}");
        }
    }
}
