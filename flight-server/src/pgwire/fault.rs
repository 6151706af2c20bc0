//! What ends a statement or a connection, in the words of the protocol: a SQLSTATE, a message, a
//! hint, and where in the text.

use std::io;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use sluice_engine::error::{Error, Kind};

/// Results of this module.
pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

/// Why a statement did not end well.
#[derive(Debug)]
pub(super) enum Fault {
    /// The client is told why.
    Refused(Refusal),
    /// The client cannot be told: it is gone, or does not read.
    Gone(io::Error),
}

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The character that is wrong, from 1.
    pub(super) position: Option<usize>,
    /// It ends the connection.
    pub(super) fatal: bool,
}

impl Refusal {
    /// An error of the statement.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            position: None,
            fatal: false,
        }
    }

    /// An error that ends the connection.
    pub(super) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            fatal: true,
            ..Self::new(code, message)
        }
    }

    /// With the way out.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A message that breaks the rules of the protocol.
    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::new("08P01", message)
    }

    /// What the server does not have.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("0A000", message)
    }

    /// A statement that cannot be read.
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message)
    }

    /// `error` of the statement `sql`.
    pub(super) fn of(error: &Error, sql: &str) -> Self {
        Self {
            code: sqlstate(error),
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            position: position(error.message(), sql),
            fatal: false,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(Refusal::of(&error, ""))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// The SQLSTATE of `error`.
fn sqlstate(error: &Error) -> &'static str {
    match error.kind() {
        Kind::Internal => "XX000",
        Kind::Cancelled => "57014",
        Kind::Unsupported => "0A000",
        Kind::Denied => "42501",
        Kind::Conflict => "40001",
        Kind::Unavailable => "58000",
        Kind::Limit if error.is_shortage() => "53200",
        Kind::Limit if error.message().contains("ran longer") => "57014",
        Kind::Limit => "54000",
        Kind::Exists => "42710",
        Kind::NotFound | Kind::User => of_user(error),
        _ => "XX000",
    }
}

/// What the client can mend, by what the planner says and else by the words of the message.
fn of_user(error: &Error) -> &'static str {
    let source = std::error::Error::source(error);
    let root = source
        .and_then(|source| source.downcast_ref::<DataFusionError>())
        .map(DataFusionError::find_root);
    match root {
        Some(DataFusionError::SQL(..)) => return "42601",
        Some(DataFusionError::SchemaError(schema, _)) => {
            return match schema.as_ref() {
                SchemaError::FieldNotFound { .. } => "42703",
                SchemaError::AmbiguousReference { .. } => "42702",
                _ => "42701",
            };
        }
        _ => {}
    }
    let text = error.message().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        () if has(&["syntax error", "cannot read the sql", "several statements"]) => "42601",
        () if has(&["divide by zero"]) => "22012",
        () if has(&["overflow", "out of range"]) => "22003",
        () if has(&["cannot cast", "parse", "does not fit"]) => "22P02",
        () if is_data(root) => "22000",
        () if has(&["function"]) => "42883",
        () if has(&["table", "relation", "stream"]) => "42P01",
        () if has(&["schema"]) => "3F000",
        () if has(&["column", "field"]) => "42703",
        () if error.kind() == Kind::NotFound => "42704",
        () => "42000",
    }
}

/// Whether the values are wrong and not the statement.
fn is_data(root: Option<&DataFusionError>) -> bool {
    matches!(
        root,
        Some(DataFusionError::ArrowError(..) | DataFusionError::Execution(_))
    )
}

/// The place that a syntax error names as `Line: 1, Column: 8`, as a character of `sql` from 1.
fn position(message: &str, sql: &str) -> Option<usize> {
    let rest = message.split("Line: ").nth(1)?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let line: usize = line.trim().parse().ok()?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let column: usize = digits.parse().ok()?;
    let before = sql.split('\n').take(line.checked_sub(1)?);
    let before: usize = before.map(|line| line.chars().count() + 1).sum();
    let place = before + column;
    (place <= sql.chars().count() + 1).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_state() {
        for (error, want) in [
            (Error::internal("a fault"), "XX000"),
            (Error::cancelled("stopped"), "57014"),
            (Error::unsupported("no"), "0A000"),
            (Error::denied("no"), "42501"),
            (Error::limit("too much"), "54000"),
            (Error::limit("the statement ran longer than 1s"), "57014"),
            (Error::not_found("table \"x\" does not exist"), "42P01"),
            (Error::user("there is no function \"f\""), "42883"),
            (Error::user("syntax error: nonsense"), "42601"),
            (Error::user("Divide by zero error"), "22012"),
            (Error::exists("there is a table \"x\""), "42710"),
        ] {
            assert_eq!(Refusal::of(&error, "").code, want, "{error}");
        }
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = Error::user("syntax error: Expected: x, found: y at Line: 2, Column: 3");
        assert_eq!(Refusal::of(&error, "SELECT\n  é").position, Some(10));
        assert_eq!(Refusal::of(&error, "SELECT").position, None);
        assert_eq!(Refusal::of(&Error::user("other"), "SELECT").position, None);
    }
}
