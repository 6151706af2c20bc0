//! Statements about the connection itself, which the engine never sees: transactions, settings of
//! clients, cursors, COPY to the client.

use super::fault::{Refusal, Result};
use super::words::{Word, Words};

/// A statement about the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Begins a transaction block.
    Begin,
    /// Ends it.
    Commit,
    /// Ends it, or goes back to a savepoint.
    Rollback { to_savepoint: ToSavepoint },
    /// `SAVEPOINT` or `RELEASE`, which is in the tag.
    Savepoint(&'static str),
    /// Sets a setting; `None` sets its default.
    Set {
        name: String,
        value: Option<String>,
        tag: &'static str,
    },
    /// Shows a setting.
    Show(String),
    /// `DISCARD ALL` or a part of it.
    Discard(&'static str),
    /// Forgets a prepared statement, or all.
    Deallocate(Option<String>),
    /// What needs nothing done, such as `LISTEN`: its tag.
    Nothing(&'static str),
    /// A cursor over a query.
    Declare {
        name: String,
        query: String,
        hold: bool,
    },
    /// Rows of a cursor; `MOVE` drops them.
    Fetch(Fetch),
    /// Closes a cursor, or all.
    Close(Option<String>),
    /// Rows to the client.
    Copy(Copy),
}

/// Whether a rollback ends the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToSavepoint {
    Yes,
    No,
}

/// Rows of a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) cursor: String,
    /// How many; `None` for all.
    pub(super) rows: Option<usize>,
    /// They are not sent.
    pub(super) dropped: bool,
}

/// `COPY .. TO STDOUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) query: String,
    pub(super) style: Style,
}

/// How rows are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) format: Format,
    pub(super) header: bool,
    pub(super) delimiter: char,
    pub(super) null: String,
    pub(super) quote: char,
    pub(super) escape: char,
}

/// The format of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Csv,
    Binary,
}

/// The command that `sql` is; `None` for what the engine runs.
///
/// # Errors
/// When it begins as a command and goes on as none, or as one that is not supported.
pub(super) fn parse(sql: &str) -> Result<Option<Command>, Refusal> {
    let mut words = Words::of(sql);
    let Some(Word::Bare(first)) = words.next() else {
        return Ok(None);
    };
    let tag = |tag| Ok(Some(Command::Nothing(tag)));
    match first.as_str() {
        "begin" => Ok(Some(Command::Begin)),
        "start" if words.take("transaction") => Ok(Some(Command::Begin)),
        "commit" | "end" => Ok(Some(Command::Commit)),
        "rollback" | "abort" => Ok(Some(rollback(words))),
        "savepoint" => Ok(Some(Command::Savepoint("SAVEPOINT"))),
        "release" => Ok(Some(Command::Savepoint("RELEASE"))),
        "set" => set(words),
        "reset" => Ok(reset(words)),
        "show" => Ok(show(words)),
        "discard" => discard(words).map(Some),
        "deallocate" => deallocate(words).map(Some),
        "listen" => tag("LISTEN"),
        "unlisten" => tag("UNLISTEN"),
        "notify" => tag("NOTIFY"),
        "checkpoint" => tag("CHECKPOINT"),
        "lock" => tag("LOCK TABLE"),
        "declare" => declare(words).map(Some),
        "fetch" => fetch(words, "FETCH").map(Some),
        "move" => fetch(words, "MOVE").map(Some),
        "close" => close(words).map(Some),
        "copy" => copy(words),
        _ => Ok(None),
    }
}

fn expected(what: &str) -> Refusal {
    Refusal::syntax(format!("syntax error: expected {what}"))
}

fn rollback(mut words: Words<'_>) -> Command {
    words.skip(&["work", "transaction"]);
    let to_savepoint = match words.take("to") {
        true => ToSavepoint::Yes,
        false => ToSavepoint::No,
    };
    Command::Rollback { to_savepoint }
}

/// `SET [SESSION | LOCAL] name {TO | =} value`, `SET TIME ZONE value`, `SET NAMES value`. Settings
/// of the engine are the engine's business.
fn set(mut words: Words<'_>) -> Result<Option<Command>, Refusal> {
    words.skip(&["session", "local"]);
    if words.take("characteristics") || words.take("transaction") || words.take("constraints") {
        return Ok(Some(Command::Nothing("SET")));
    }
    let name = if words.take("time") {
        words.take("zone");
        "timezone".to_owned()
    } else if words.take("names") {
        "client_encoding".to_owned()
    } else {
        let name = words
            .name()
            .ok_or_else(|| expected("the name of a setting"))?;
        if matches!(name.as_str(), "datafusion" | "sluice") {
            return Ok(None);
        }
        if name == "authorization" || name == "role" {
            return Ok(Some(Command::Nothing("SET")));
        }
        let dotted = words.sign('.').then(|| words.name()).flatten();
        let name = match dotted {
            Some(more) => format!("{name}.{more}"),
            None => name,
        };
        if !(words.sign('=') || words.take("to")) {
            return Err(expected("TO or = and a value"));
        }
        name
    };
    let value = match words.peek() {
        Some(Word::Bare(word)) if matches!(word.as_str(), "default" | "local") => None,
        Some(_) => Some(value(words)),
        None => return Err(expected("a value")),
    };
    let tag = "SET";
    Ok(Some(Command::Set { name, value, tag }))
}

/// The values that follow, separated by commas.
fn value(mut words: Words<'_>) -> String {
    let mut value = String::new();
    while let Some(word) = words.next() {
        match word {
            Word::Bare(text) | Word::Name(text) | Word::Text(text) => value.push_str(&text),
            Word::Sign(',') => value.push_str(", "),
            Word::Sign(';') => {}
            Word::Sign(sign) => value.push(sign),
        }
    }
    value
}

fn reset(mut words: Words<'_>) -> Option<Command> {
    if words.take("all") {
        return Some(Command::Discard("RESET"));
    }
    let name = match words.take("time") {
        true => "timezone".to_owned(),
        false => words.name()?,
    };
    if matches!(name.as_str(), "datafusion" | "sluice") {
        return None;
    }
    let (value, tag) = (None, "RESET");
    Some(Command::Set { name, value, tag })
}

/// A setting of clients; what the engine can show, it shows.
fn show(mut words: Words<'_>) -> Option<Command> {
    let name = match words.next()? {
        Word::Bare(name) | Word::Name(name) => name,
        _ => return None,
    };
    let name = match name.as_str() {
        "time" if words.take("zone") => "timezone".to_owned(),
        "transaction" if words.take("isolation") => "transaction_isolation".to_owned(),
        "session" if words.take("authorization") => "session_authorization".to_owned(),
        "tables" | "columns" | "functions" | "create" | "pipelines" | "policies" | "catalogs"
        | "schemas" | "databases" | "views" | "all" | "datafusion" | "sluice" => return None,
        _ => name,
    };
    let dotted = words.sign('.').then(|| words.name()).flatten();
    Some(Command::Show(match dotted {
        Some(more) => format!("{name}.{more}"),
        None => name,
    }))
}

fn discard(mut words: Words<'_>) -> Result<Command, Refusal> {
    match words.next() {
        Some(Word::Bare(word)) => match word.as_str() {
            "all" => Ok(Command::Discard("DISCARD ALL")),
            "plans" => Ok(Command::Nothing("DISCARD PLANS")),
            "sequences" => Ok(Command::Nothing("DISCARD SEQUENCES")),
            "temp" | "temporary" => Ok(Command::Nothing("DISCARD TEMP")),
            _ => Err(expected("ALL, PLANS, SEQUENCES or TEMP")),
        },
        _ => Err(expected("ALL, PLANS, SEQUENCES or TEMP")),
    }
}

fn deallocate(mut words: Words<'_>) -> Result<Command, Refusal> {
    words.skip(&["prepare"]);
    if words.take("all") {
        return Ok(Command::Deallocate(None));
    }
    let name = words
        .name()
        .ok_or_else(|| expected("the name of a statement"))?;
    Ok(Command::Deallocate(Some(name)))
}

fn declare(mut words: Words<'_>) -> Result<Command, Refusal> {
    let name = words
        .name()
        .ok_or_else(|| expected("the name of a cursor"))?;
    words.skip(&["binary", "insensitive", "asensitive", "no", "scroll"]);
    if !words.take("cursor") {
        return Err(expected("CURSOR"));
    }
    let hold = words.take("with");
    words.skip(&["without", "hold"]);
    if !words.take("for") {
        return Err(expected("FOR and a query"));
    }
    let query = words.rest().to_owned();
    Ok(Command::Declare { name, query, hold })
}

/// `FETCH [direction] [FROM | IN] cursor`, forward only.
fn fetch(mut words: Words<'_>, verb: &'static str) -> Result<Command, Refusal> {
    let backward = ["backward", "prior", "first", "last", "absolute", "relative"];
    if backward.iter().any(|word| words.take(word)) {
        return Err(Refusal::new("55000", "a cursor goes forward only")
            .hint("declare it again to read it from its beginning"));
    }
    let forward = words.take("forward");
    let rows = match words.number() {
        Some(number) => Some(
            usize::try_from(number)
                .map_err(|_| Refusal::new("55000", "a cursor goes forward only"))?,
        ),
        None if words.take("all") => None,
        None => {
            let _next = !forward && words.take("next");
            Some(1)
        }
    };
    words.skip(&["from", "in"]);
    let cursor = words
        .name()
        .ok_or_else(|| expected("the name of a cursor"))?;
    let dropped = verb == "MOVE";
    Ok(Command::Fetch(Fetch {
        cursor,
        rows,
        dropped,
    }))
}

fn close(mut words: Words<'_>) -> Result<Command, Refusal> {
    let name = match words.take("all") {
        true => None,
        false => Some(
            words
                .name()
                .ok_or_else(|| expected("the name of a cursor"))?,
        ),
    };
    match words.is_done() {
        true => Ok(Command::Close(name)),
        false => Err(expected("the end of the statement")),
    }
}

/// `COPY {table [(columns)] | (query)} TO STDOUT ..`; to files is the engine's to refuse.
fn copy(mut words: Words<'_>) -> Result<Option<Command>, Refusal> {
    let query = match words.parenthesized() {
        Some(query) => query.to_owned(),
        None => {
            let start = words.rest();
            let mut length = start.len();
            while let Some(word) = words.peek() {
                if matches!(word, Word::Bare(word) if word == "to" || word == "from") {
                    length = start.len() - words.rest().len();
                    break;
                }
                words.next();
            }
            let target = start.get(..length).unwrap_or_default().trim();
            match target.split_once('(') {
                Some((table, columns)) => {
                    let columns = columns.trim_end().trim_end_matches(')');
                    format!("SELECT {columns} FROM {table}")
                }
                None => format!("SELECT * FROM {target}"),
            }
        }
    };
    if words.take("from") {
        return match words.take("stdin") {
            true => Err(Refusal::unsupported("COPY FROM STDIN is not supported")
                .hint("INSERT the rows, or ingest them over Flight SQL")),
            false => Ok(None),
        };
    }
    if !words.take("to") {
        return Err(expected("TO STDOUT"));
    }
    if !words.take("stdout") {
        return Ok(None);
    }
    let style = style(words)?;
    Ok(Some(Command::Copy(Copy { query, style })))
}

fn style(mut words: Words<'_>) -> Result<Style, Refusal> {
    let mut given = Given::default();
    words.skip(&["with"]);
    let inner = words.parenthesized();
    let mut options = inner.map_or(words, Words::of);
    while let Some(option) = options.next() {
        given.take(&option, &mut options)?;
    }
    let csv = given.format == Some(Format::Csv);
    let quote = given.quote.unwrap_or('"');
    Ok(Style {
        format: given.format.unwrap_or(Format::Text),
        header: given.header,
        delimiter: given.delimiter.unwrap_or(if csv { ',' } else { '\t' }),
        null: given
            .null
            .unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned()),
        quote,
        escape: given.escape.unwrap_or(quote),
    })
}

#[derive(Default)]
struct Given {
    format: Option<Format>,
    header: bool,
    delimiter: Option<char>,
    null: Option<String>,
    quote: Option<char>,
    escape: Option<char>,
}

impl Given {
    fn take(&mut self, option: &Word, words: &mut Words<'_>) -> Result<(), Refusal> {
        let Word::Bare(option) = option else {
            return match option {
                Word::Sign(',' | ';') => Ok(()),
                _ => Err(expected("an option of COPY")),
            };
        };
        match option.as_str() {
            "format" => {
                let name = words.next();
                self.format = Some(match name {
                    Some(Word::Bare(name) | Word::Text(name)) => format(&name)?,
                    _ => return Err(expected("text, csv or binary")),
                });
            }
            "csv" | "binary" => self.format = Some(format(option)?),
            "header" => {
                let off = ["false", "off", "0"].iter().any(|word| words.take(word));
                let _on = ["true", "on", "1", "match"]
                    .iter()
                    .any(|word| words.take(word));
                self.header = !off;
            }
            "delimiter" => self.delimiter = Some(one(words)?),
            "quote" => self.quote = Some(one(words)?),
            "escape" => self.escape = Some(one(words)?),
            "null" => self.null = Some(text(words)?),
            "encoding" => {
                text(words)?;
            }
            other => {
                let text = format!("COPY has no option \"{other}\" here");
                return Err(Refusal::unsupported(text)
                    .hint("it takes FORMAT, HEADER, DELIMITER, NULL, QUOTE, ESCAPE and ENCODING"));
            }
        }
        Ok(())
    }
}

fn format(name: &str) -> Result<Format, Refusal> {
    match name.to_lowercase().as_str() {
        "text" => Ok(Format::Text),
        "csv" => Ok(Format::Csv),
        "binary" => Ok(Format::Binary),
        _ => Err(expected("text, csv or binary")),
    }
}

fn text(words: &mut Words<'_>) -> Result<String, Refusal> {
    words.skip(&["as", "e"]);
    match words.next() {
        Some(Word::Text(text)) => Ok(text.replace("\\t", "\t")),
        _ => Err(expected("a text in quotes")),
    }
}

fn one(words: &mut Words<'_>) -> Result<char, Refusal> {
    let text = text(words)?;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(expected("one character in quotes")),
    }
}

#[cfg(test)]
mod tests;
