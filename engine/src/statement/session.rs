//! Statements about the session itself: settings, the current schema, transactions. Drivers send
//! them on their own, in the spellings of PostgreSQL, MySQL and SQL Server.

use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::Statement;
use super::name::normalize;
use super::syntax::{end, name, word};

/// A statement about the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionStatement {
    /// The beginning, end or mark of a transaction and the like, which have no effect here.
    Nothing,
    /// `SET name = value`; no value stands for DEFAULT.
    Set {
        /// The setting, in lower case.
        name: String,
        /// Its value as written, without quotes; several are joined by commas.
        value: Option<String>,
    },
    /// `RESET name`, or all settings.
    Reset {
        /// The setting, in lower case; `None` for all.
        name: Option<String>,
    },
    /// `SHOW name`.
    Show {
        /// The setting, in lower case.
        name: String,
    },
    /// `SHOW DATABASES | CATALOGS | SCHEMAS [LIKE 'pattern']`.
    List {
        /// The column of `information_schema.schemata` that is shown.
        column: &'static str,
        /// What the names are like.
        like: Option<String>,
    },
    /// `USE [catalog.]schema`, or a catalog alone.
    Use {
        /// The parts of the name.
        parts: Vec<String>,
    },
}

/// Words that may stand in statements about transactions; none of them has an effect here.
const MODES: &str = " WORK TRANSACTION TRAN ISOLATION LEVEL SERIALIZABLE REPEATABLE READ COMMITTED \
                     UNCOMMITTED WRITE ONLY NOT DEFERRABLE DEFERRED IMMEDIATE EXCLUSIVE SNAPSHOT \
                     WITH CONSISTENT AND NO CHAIN RELEASE ";

/// The name of the setting that holds the schema of unqualified names.
pub const SEARCH_PATH: &str = "search_path";

/// The name of the setting that holds the time zone.
pub const TIME_ZONE: &str = "timezone";

/// Whether a statement that begins with these words, in upper case, is one about the session.
pub(super) fn is_session(first: &str, second: &str) -> bool {
    match first {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE"
        | "SET" | "RESET" | "USE" | "DISCARD" | "DEALLOCATE" | "CLOSE" | "UNLISTEN" => true,
        "SHOW" => !matches!(
            second,
            "" | "ALL"
                | "TABLES"
                | "COLUMNS"
                | "FIELDS"
                | "FUNCTIONS"
                | "CREATE"
                | "FULL"
                | "EXTENDED"
                | "VIEWS"
                | "DATAFUSION"
        ),
        _ => false,
    }
}

/// Parses one of them.
pub(super) fn session(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
    let verb = parser.next_token();
    let statement = match verb.token.to_string().to_uppercase().as_str() {
        "SET" => {
            let next = parser.peek_nth_token(1).token;
            let local = matches!(parser.peek_token().token, Token::Word(word)
                if word.value.eq_ignore_ascii_case("LOCAL"))
                && !matches!(next, Token::Eq | Token::Period);
            let statement = set(parser)?;
            // It lasts as long as its transaction, which is this statement.
            match local {
                true => SessionStatement::Nothing,
                false => statement,
            }
        }
        "RESET" => reset(parser)?,
        "SHOW" => show(parser)?,
        "USE" => used(parser)?,
        "DISCARD" => {
            let what = keyword(parser);
            match what.as_str() {
                "ALL" => SessionStatement::Reset { name: None },
                "PLANS" | "SEQUENCES" | "TEMP" | "TEMPORARY" => SessionStatement::Nothing,
                _ => return expected("ALL, PLANS, SEQUENCES or TEMP", &what),
            }
        }
        "DEALLOCATE" => {
            let _noise = accept(parser, "PREPARE");
            named(parser)?
        }
        "RELEASE" => {
            let _noise = accept(parser, "SAVEPOINT");
            named(parser)?
        }
        "SAVEPOINT" | "CLOSE" | "UNLISTEN" => named(parser)?,
        "ROLLBACK" | "ABORT" => {
            modes(parser);
            if accept(parser, "TO") {
                let _noise = accept(parser, "SAVEPOINT");
                named(parser)?
            } else {
                SessionStatement::Nothing
            }
        }
        _ => {
            modes(parser);
            SessionStatement::Nothing
        }
    };
    end(parser)?;
    Ok(Statement::Session(statement))
}

/// A name or `*`, which stands for something that does not exist here.
fn named(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    if !parser.consume_token(&Token::Mul) {
        name(parser)?;
    }
    Ok(SessionStatement::Nothing)
}

fn set(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    if accept(parser, "TRANSACTION") || accept(parser, "CONSTRAINTS") {
        while parser.peek_token().token != Token::EOF {
            parser.next_token();
        }
        return Ok(SessionStatement::Nothing);
    }
    let scope = ["SESSION", "LOCAL", "GLOBAL"].iter().any(|scope| {
        // A setting may be called as a scope is.
        !matches!(parser.peek_nth_token(1).token, Token::Eq | Token::Period)
            && accept(parser, scope)
    });
    if scope && accept(parser, "TRANSACTION") {
        modes(parser);
        return Ok(SessionStatement::Nothing);
    }
    if scope && accept(parser, "CHARACTERISTICS") {
        word(parser, "AS")?;
        word(parser, "TRANSACTION")?;
        modes(parser);
        return Ok(SessionStatement::Nothing);
    }
    if scope && accept(parser, "AUTHORIZATION") {
        return role(parser);
    }
    if accept(parser, "TIME") {
        word(parser, "ZONE")?;
        return zone(parser);
    }
    if accept(parser, "NAMES") {
        let value = value(parser)?;
        if accept(parser, "COLLATE") {
            let _collation = self::value(parser)?;
        }
        let name = "client_encoding".to_owned();
        return Ok(SessionStatement::Set { name, value });
    }
    match parser.peek_token().token {
        Token::Word(first) if first.value.eq_ignore_ascii_case("ROLE") => {
            parser.next_token();
            return role(parser);
        }
        Token::Word(first)
            if first.value.eq_ignore_ascii_case("SCHEMA")
                && parser.peek_nth_token(1).token != Token::Eq =>
        {
            parser.next_token();
            let (name, value) = (SEARCH_PATH.to_owned(), value(parser)?);
            return Ok(SessionStatement::Set { name, value });
        }
        _ => {}
    }
    let name = setting(parser)?;
    let switch = matches!(parser.peek_token().token, Token::Word(word)
        if word.value.eq_ignore_ascii_case("ON") || word.value.eq_ignore_ascii_case("OFF"));
    if !switch && !parser.consume_token(&Token::Eq) && !parser.consume_token(&Token::Assignment) {
        word(parser, "TO")?;
    }
    if name == TIME_ZONE {
        return zone(parser);
    }
    let mut value = value(parser)?;
    while parser.consume_token(&Token::Comma) {
        let next = self::value(parser)?.unwrap_or_default();
        value = Some(format!("{}, {next}", value.unwrap_or_default()));
    }
    Ok(SessionStatement::Set { name, value })
}

/// `SET ROLE`: everybody stays who they are.
fn role(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    match value(parser)?.as_deref() {
        None => Ok(SessionStatement::Nothing),
        Some(none) if none.eq_ignore_ascii_case("none") => Ok(SessionStatement::Nothing),
        Some(other) => {
            let text = format!("a session stays with its user, and cannot become \"{other}\"");
            Err(ParserError::ParserError(text))
        }
    }
}

fn zone(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    let name = TIME_ZONE.to_owned();
    if accept(parser, "LOCAL") {
        return Ok(SessionStatement::Set { name, value: None });
    }
    let interval = accept(parser, "INTERVAL");
    let number = matches!(
        parser.peek_token().token,
        Token::Number(..) | Token::Minus | Token::Plus
    );
    let mut value = value(parser)?;
    if number && let Some(hours) = value.as_deref().and_then(|hours| hours.parse::<f64>().ok()) {
        let minutes = (hours.abs() * 60.0).round() as u32;
        let sign = if hours < 0.0 { '-' } else { '+' };
        value = Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    if interval {
        while matches!(parser.peek_token().token, Token::Word(_)) {
            parser.next_token();
        }
    }
    Ok(SessionStatement::Set { name, value })
}

fn reset(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    if accept(parser, "ALL") {
        return Ok(SessionStatement::Reset { name: None });
    }
    if accept(parser, "ROLE") {
        return Ok(SessionStatement::Nothing);
    }
    if accept(parser, "SESSION") {
        word(parser, "AUTHORIZATION")?;
        return Ok(SessionStatement::Nothing);
    }
    let name = match accept(parser, "TIME") {
        true => {
            word(parser, "ZONE")?;
            TIME_ZONE.to_owned()
        }
        false => setting(parser)?,
    };
    Ok(SessionStatement::Reset { name: Some(name) })
}

fn show(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    for (what, column) in [
        ("DATABASES", "catalog_name"),
        ("CATALOGS", "catalog_name"),
        ("SCHEMAS", "schema_name"),
    ] {
        if accept(parser, what) {
            let like = match accept(parser, "LIKE") {
                true => value(parser)?,
                false => None,
            };
            return Ok(SessionStatement::List { column, like });
        }
    }
    let name = if accept(parser, "TIME") {
        word(parser, "ZONE")?;
        TIME_ZONE.to_owned()
    } else if accept(parser, "TRANSACTION") {
        word(parser, "ISOLATION")?;
        word(parser, "LEVEL")?;
        "transaction_isolation".to_owned()
    } else if accept(parser, "SESSION") {
        word(parser, "AUTHORIZATION")?;
        "session_authorization".to_owned()
    } else {
        setting(parser)?
    };
    Ok(SessionStatement::Show { name })
}

fn used(parser: &mut Parser<'_>) -> Result<SessionStatement, ParserError> {
    for kind in ["SCHEMA", "DATABASE", "CATALOG"] {
        if !matches!(parser.peek_nth_token(1).token, Token::EOF | Token::Period)
            && accept(parser, kind)
        {
            break;
        }
    }
    let parts = parser.parse_object_name(false)?.0;
    let parts = parts.iter().filter_map(|part| part.as_ident());
    Ok(SessionStatement::Use {
        parts: parts.map(normalize).collect(),
    })
}

/// The name of a setting: words with dots between them; what MySQL writes before it is left out.
fn setting(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    while parser.consume_token(&Token::AtSign) {}
    let parts = parser.parse_object_name(false)?.0;
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|part| part.as_ident())
        .map(|ident| ident.value.trim_start_matches('@').to_lowercase())
        .collect();
    let parts = match parts.as_slice() {
        [scope, rest @ ..] if !rest.is_empty() && ["session", "global"].contains(&&**scope) => rest,
        all => all,
    };
    Ok(match parts.join(".").as_str() {
        "time.zone" | "time_zone" => TIME_ZONE.to_owned(),
        name => name.to_owned(),
    })
}

/// One value; `None` for DEFAULT.
fn value(parser: &mut Parser<'_>) -> Result<Option<String>, ParserError> {
    let token = parser.next_token();
    Ok(Some(match &token.token {
        Token::Word(word) if word.quote_style.is_none() => {
            if word.value.eq_ignore_ascii_case("DEFAULT") {
                return Ok(None);
            }
            word.value.clone()
        }
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text.clone(),
        Token::Number(number, _) => match parser.peek_token().token {
            // A quantity with its unit.
            Token::Word(unit) if unit.quote_style.is_none() => {
                parser.next_token();
                format!("{number}{}", unit.value)
            }
            _ => number.clone(),
        },
        Token::Minus => format!("-{}", parser.parse_number_value()?.value),
        Token::Plus => format!("+{}", parser.parse_number_value()?.value),
        _ => return parser.expected("a value", token),
    }))
}

/// Takes words about transactions.
fn modes(parser: &mut Parser<'_>) {
    while matches!(parser.peek_token().token, Token::Word(word)
        if MODES.contains(&format!(" {} ", word.value.to_uppercase())))
    {
        parser.next_token();
        let _comma = parser.consume_token(&Token::Comma);
    }
}

/// Takes the word `wanted`, where it is the next.
fn accept(parser: &mut Parser<'_>, wanted: &str) -> bool {
    let next = parser.peek_token().token;
    let is = matches!(next, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted));
    if is {
        parser.next_token();
    }
    is
}

/// The next word in upper case.
fn keyword(parser: &mut Parser<'_>) -> String {
    parser.next_token().token.to_string().to_uppercase()
}

fn expected<T>(wanted: &str, found: &str) -> Result<T, ParserError> {
    Err(ParserError::ParserError(format!(
        "Expected: {wanted}, found: {found}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    fn read(sql: &str) -> SessionStatement {
        match parse(sql).unwrap() {
            Statement::Session(statement) => statement,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn what_is_about_transactions_does_nothing() {
        for sql in [
            "BEGIN",
            "begin;",
            "BEGIN WORK",
            "BEGIN READ ONLY",
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
            "START TRANSACTION",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "COMMIT",
            "COMMIT AND NO CHAIN",
            "END TRANSACTION",
            "ROLLBACK",
            "ROLLBACK WORK TO SAVEPOINT a",
            "ABORT",
            "SAVEPOINT \"x\"",
            "RELEASE SAVEPOINT x",
            "RELEASE x",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
            "SET SESSION TRANSACTION READ WRITE",
            "SET CONSTRAINTS ALL DEFERRED",
            "SET LOCAL statement_timeout = 5s",
            "SET ROLE NONE",
            "SET SESSION AUTHORIZATION DEFAULT",
            "DISCARD PLANS",
            "DEALLOCATE ALL",
            "DEALLOCATE PREPARE p1",
            "CLOSE ALL",
            "UNLISTEN *",
        ] {
            assert_eq!(read(sql), SessionStatement::Nothing, "{sql}");
        }
        assert_eq!(read("DISCARD ALL"), SessionStatement::Reset { name: None });
    }

    #[test]
    fn settings_are_read_in_every_spelling() {
        for (sql, name, value) in [
            ("SET a = 1", "a", Some("1")),
            ("SET a TO 'x''y'", "a", Some("x'y")),
            (
                "SET SESSION extra_float_digits = 3",
                "extra_float_digits",
                Some("3"),
            ),
            ("SET DateStyle = ISO, MDY", "datestyle", Some("ISO, MDY")),
            (
                "set datafusion.execution.batch_size = 5",
                "datafusion.execution.batch_size",
                Some("5"),
            ),
            ("SET a = DEFAULT", "a", None),
            ("SET a = -1", "a", Some("-1")),
            (
                "SET TIME ZONE 'Europe/Vienna'",
                "timezone",
                Some("Europe/Vienna"),
            ),
            ("SET TIME ZONE LOCAL", "timezone", None),
            ("SET TIME ZONE -5", "timezone", Some("-05:00")),
            (
                "SET time zone interval '+02:00' HOUR TO MINUTE",
                "timezone",
                Some("+02:00"),
            ),
            ("SET TimeZone = 'UTC'", "timezone", Some("UTC")),
            (
                "SET NAMES 'utf8mb4' COLLATE 'x'",
                "client_encoding",
                Some("utf8mb4"),
            ),
            ("SET SCHEMA 'system'", "search_path", Some("system")),
            (
                "SET search_path TO \"$user\", public",
                "search_path",
                Some("$user, public"),
            ),
            ("SET @@session.autocommit = 1", "autocommit", Some("1")),
            ("SET NOCOUNT ON", "nocount", Some("ON")),
        ] {
            let value = value.map(str::to_owned);
            let name = name.to_owned();
            assert_eq!(read(sql), SessionStatement::Set { name, value }, "{sql}");
        }
    }

    #[test]
    fn wrong_ones_say_what_was_expected() {
        let text = |sql: &str| parse(sql).unwrap_err().message().to_owned();
        assert!(text("SET a").contains("TO"));
        assert!(text("DISCARD x").contains("ALL, PLANS"));
        assert!(text("BEGIN nonsense").contains("end of the statement"));
        assert!(text("SET ROLE admin").contains("cannot become \"admin\""));
        assert!(text("SET x = ").contains("a value"));
    }
}
