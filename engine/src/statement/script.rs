//! SQL text as tokens, and a script as its statements.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::DIALECT;
use crate::error::{Error, Result};

/// Cuts a script into its statements. Comments before a statement and empty statements are left
/// out.
///
/// # Errors
/// When the text cannot be read as SQL tokens, such as an open quote.
pub fn split(sql: &str) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    let mut start: Option<usize> = None;
    let mut end = 0;
    let mut cursor = Cursor::new(sql);
    for token in tokens(sql)? {
        match token.token {
            Token::SemiColon => {
                statements.extend(start.take().map(|start| sql[start..end].to_owned()));
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => {
                let from = cursor.advance(token.span.start);
                start.get_or_insert(from);
                end = cursor.advance(token.span.end);
            }
        }
    }
    statements.extend(start.map(|start| sql[start..end].to_owned()));
    Ok(statements)
}

/// The tokens of `sql`, each with its place.
pub(crate) fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| Error::from(&ParserError::from(error)))
}

/// Turns the tokenizer's lines and columns, both counted from 1 and columns in characters, into
/// byte positions. Goes forward only, so that a script costs one pass.
pub(super) struct Cursor<'a> {
    sql: &'a str,
    at: Location,
    byte: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of `sql`.
    pub(super) fn new(sql: &'a str) -> Self {
        Self {
            sql,
            at: Location { line: 1, column: 1 },
            byte: 0,
        }
    }

    /// The byte at `to`, which is not before the last one asked for.
    pub(super) fn advance(&mut self, to: Location) -> usize {
        for c in self.sql[self.byte..].chars() {
            if (self.at.line, self.at.column) >= (to.line, to.column) {
                break;
            }
            self.byte += c.len_utf8();
            if c == '\n' {
                self.at = Location {
                    line: self.at.line + 1,
                    column: 1,
                };
            } else {
                self.at.column += 1;
            }
        }
        self.byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_cut_at_semicolons_outside_quotes_and_comments() {
        let cut = |sql: &str| split(sql).unwrap();
        assert_eq!(
            cut("SELECT ';' ; -- a;b\nSELECT 2"),
            ["SELECT ';'", "SELECT 2"]
        );
        assert_eq!(cut(";; /* ; */ ;"), Vec::<String>::new());
        assert_eq!(
            cut("SELECT 'é', \"ü;\"\n, 1;\n\nSELECT 3;"),
            ["SELECT 'é', \"ü;\"\n, 1", "SELECT 3"]
        );
        assert!(split("SELECT 'open").is_err());
    }
}
