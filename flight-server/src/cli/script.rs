//! SQL text as statements that know their file and line, so that an error says where it belongs.

use std::path::Path;

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use sluice_engine::error::{Error, Result};
use sluice_engine::statement::{DIALECT, split};

/// Characters of a statement that an error shows.
const SHOWN_CHARS_MAX: usize = 60;

/// One statement and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The statement, without the semicolon.
    pub(crate) sql: String,
    /// File and line; `None` for text given on the command line.
    place: Option<String>,
}

impl Statement {
    /// `error` with the place and the beginning of the statement.
    pub(crate) fn locate(&self, error: Error) -> Error {
        match &self.place {
            Some(place) => error.context(format!("{place}: \"{}\"", shown(&self.sql))),
            None => error,
        }
    }
}

/// The statements of `text`; `file` is the name under which errors show them.
///
/// # Errors
/// When the text cannot be read as SQL tokens, such as an open quote.
pub(crate) fn statements(text: &str, file: Option<&str>) -> Result<Vec<Statement>> {
    let statements = split(text).map_err(|error| match file {
        Some(file) => error.context(file),
        None => error,
    })?;
    let lines = first_lines(text);
    let place = |index: usize| {
        let line = lines.get(index).copied().unwrap_or_default();
        file.map(|file| format!("{file}:{line}"))
    };
    let placed = statements.into_iter().enumerate();
    Ok(placed
        .map(|(index, sql)| Statement {
            sql,
            place: place(index),
        })
        .collect())
}

/// Reads the script in `path`.
///
/// # Errors
/// When the file cannot be read, or is not SQL.
pub(crate) fn read(path: &Path) -> Result<Vec<Statement>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::not_found(format!("cannot read \"{shown}\": {error}")).source(error)
    })?;
    statements(&text, Some(&shown.to_string()))
}

/// Whether the last statement of `text` ends with a semicolon, which ends the reading at the
/// prompt. Inside a quote or comment it never does.
pub(crate) fn is_complete(text: &str) -> bool {
    let tokens = Tokenizer::new(&DIALECT, text)
        .tokenize()
        .unwrap_or_default();
    let last = tokens
        .iter()
        .rev()
        .find(|token| !matches!(token, Token::Whitespace(_)));
    last == Some(&Token::SemiColon)
}

/// The line on which each statement begins.
fn first_lines(text: &str) -> Vec<u64> {
    let tokens = Tokenizer::new(&DIALECT, text)
        .tokenize_with_location()
        .unwrap_or_default();
    let mut lines = Vec::new();
    let mut inside = false;
    for token in tokens {
        match token.token {
            Token::SemiColon => inside = false,
            Token::Whitespace(_) | Token::EOF => {}
            _ if inside => {}
            _ => {
                lines.push(token.span.start.line);
                inside = true;
            }
        }
    }
    lines
}

/// The beginning of a statement, on one line.
fn shown(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN_CHARS_MAX {
        return line;
    }
    line.chars().take(SHOWN_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_know_their_lines_whatever_the_comments_say() {
        let text = "-- SELECT 2;\nSELECT 1;\n\n/* a\nb */ SELECT\n  2;;\n";
        let found = statements(text, Some("a.sql")).unwrap();
        let places: Vec<_> = found.iter().map(|s| s.place.as_deref().unwrap()).collect();
        assert_eq!(places, ["a.sql:2", "a.sql:5"]);
        let error = found[1].locate(Error::user("no")).to_string();
        assert_eq!(error, "a.sql:5: \"SELECT 2\": no");
    }

    #[test]
    fn a_statement_is_complete_at_its_semicolon_outside_quotes_and_comments() {
        for text in ["SELECT 1;", "SELECT 1; -- done\n", ";"] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "",
            "SELECT 1",
            "SELECT ';",
            "SELECT 1 -- ;",
            "/* ;",
            "SELECT 1; SELECT 2",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }

    #[test]
    fn long_statements_are_shown_cut() {
        assert_eq!(shown("SELECT\n   1"), "SELECT 1");
        assert_eq!(shown(&"x".repeat(200)).chars().count(), SHOWN_CHARS_MAX + 1);
    }
}
