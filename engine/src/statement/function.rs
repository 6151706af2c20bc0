//! Statements about functions of users.

use std::fmt::Write as _;

use datafusion::sql::sqlparser::ast::DataType;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::Statement;
use super::name::{literal, quote};
use super::script::Cursor;
use super::syntax::{end, name, word};

/// A function's definition as written.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateFunction {
    /// The function.
    pub name: String,
    /// Take the place of the one that exists.
    pub or_replace: bool,
    /// Leave an existing one alone.
    pub if_not_exists: bool,
    /// The arguments and their types, in order.
    pub arguments: Vec<(String, DataType)>,
    /// The type of the answer, where the definition names one.
    pub returns: Option<DataType>,
    /// What it does.
    pub body: FunctionBody,
}

/// What a function does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionBody {
    /// An SQL expression over the arguments.
    Sql(String),
    /// Grok patterns for the only argument, tried in order.
    Grok(Vec<String>),
}

impl CreateFunction {
    /// The body as an SQL expression over the arguments.
    #[must_use]
    pub fn expression(&self) -> String {
        match &self.body {
            FunctionBody::Sql(expression) => expression.clone(),
            FunctionBody::Grok(patterns) => {
                let subject = self.arguments.iter().map(|(name, _)| quote(name));
                let patterns = patterns.iter().map(|pattern| literal(pattern));
                let all: Vec<_> = subject.chain(patterns).collect();
                format!("grok({})", all.join(", "))
            }
        }
    }
}

/// The arguments of a function between parentheses, as they are declared.
#[must_use]
pub fn function_arguments(create: &CreateFunction) -> String {
    let arguments = create.arguments.iter();
    let arguments: Vec<_> = arguments
        .map(|(name, kind)| format!("{} {kind}", quote(name)))
        .collect();
    format!("({})", arguments.join(", "))
}

/// Writes a function's definition so that it reads back as itself.
#[must_use]
pub fn function_sql(create: &CreateFunction) -> String {
    let mut sql = format!(
        "CREATE FUNCTION {}{}",
        quote(&create.name),
        function_arguments(create)
    );
    if let Some(returns) = &create.returns {
        // Writing to a String cannot fail.
        let _written = write!(sql, " RETURNS {returns}");
    }
    match &create.body {
        FunctionBody::Sql(expression) => sql.push_str(&format!(" RETURN {expression}")),
        FunctionBody::Grok(patterns) => {
            let patterns: Vec<_> = patterns.iter().map(|pattern| literal(pattern)).collect();
            sql.push_str(&format!(" LANGUAGE GROK AS {}", patterns.join(", ")));
        }
    }
    sql
}

/// `CREATE FUNCTION`, whose expression is taken from `text`.
pub(super) fn create_function(
    parser: &mut Parser<'_>,
    text: &str,
) -> Result<Statement, ParserError> {
    word(parser, "CREATE")?;
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    word(parser, "FUNCTION")?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    if or_replace && if_not_exists {
        return Err(ParserError::ParserError(
            "OR REPLACE and IF NOT EXISTS exclude each other".into(),
        ));
    }
    let name = name(parser)?;
    let arguments = arguments(parser)?;
    let (mut returns, mut language, mut texts) = (None, None, Vec::new());
    let body = loop {
        let token = parser.next_token();
        let first = match &token.token {
            Token::Word(word) => word.value.to_uppercase(),
            Token::EOF if !texts.is_empty() => break body(language.as_deref(), texts)?,
            _ => String::new(),
        };
        match first.as_str() {
            "RETURNS" if returns.is_none() => returns = Some(parser.parse_data_type()?),
            "LANGUAGE" if language.is_none() => {
                language = Some(parser.parse_identifier()?.value.to_uppercase());
            }
            "AS" if texts.is_empty() => {
                texts = parser.parse_comma_separated(body_text)?;
            }
            "RETURN" if texts.is_empty() => {
                let next = parser.peek_token();
                if next.token == Token::EOF {
                    return parser.expected("an expression after RETURN", next);
                }
                let at = Cursor::new(text).advance(next.span.start);
                let expression = text.get(at..).unwrap_or_default().to_owned();
                break body(language.as_deref(), vec![expression])?;
            }
            _ => {
                return parser.expected("RETURNS, LANGUAGE, AS 'body' or RETURN expression", token);
            }
        }
    };
    Ok(Statement::CreateFunction(CreateFunction {
        name,
        or_replace,
        if_not_exists,
        arguments,
        returns,
        body,
    }))
}

/// `(name TYPE, ...)`.
fn arguments(parser: &mut Parser<'_>) -> Result<Vec<(String, DataType)>, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let mut arguments: Vec<(String, DataType)> = Vec::new();
    if parser.consume_token(&Token::RParen) {
        return Ok(arguments);
    }
    loop {
        let name = name(parser)?;
        if arguments.iter().any(|(known, _)| *known == name) {
            let text = format!("argument \"{name}\" stands twice");
            return Err(ParserError::ParserError(text));
        }
        arguments.push((name, parser.parse_data_type()?));
        let token = parser.next_token();
        match token.token {
            Token::Comma => {}
            Token::RParen => return Ok(arguments),
            _ => return parser.expected("a comma or closing parenthesis", token),
        }
    }
}

fn body_text(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    let token = parser.next_token();
    match token.token {
        Token::SingleQuotedString(text) => Ok(text),
        Token::DollarQuotedString(text) => Ok(text.value),
        _ => parser.expected("the body as text", token),
    }
}

fn body(language: Option<&str>, mut texts: Vec<String>) -> Result<FunctionBody, ParserError> {
    let wrong = |text: String| Err(ParserError::ParserError(text));
    match language {
        Some("GROK") => Ok(FunctionBody::Grok(texts)),
        Some("SQL") | None => match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Ok(FunctionBody::Sql(text)),
            _ => wrong("a function in SQL has one body".to_owned()),
        },
        Some(other) => wrong(format!("functions are written in SQL or GROK, not {other}")),
    }
}

/// `DROP FUNCTION`.
pub(super) fn drop_function(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
    word(parser, "DROP")?;
    word(parser, "FUNCTION")?;
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = name(parser)?;
    end(parser)?;
    Ok(Statement::DropFunction { name, if_exists })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    fn read(sql: &str) -> CreateFunction {
        match parse(sql).unwrap() {
            Statement::CreateFunction(create) => create,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definitions_read_back_as_themselves() {
        for sql in [
            "CREATE FUNCTION f(x BIGINT) RETURN x + 1",
            "create or replace function F(\"X\" int, y text) returns double return \"X\" * y",
            "CREATE FUNCTION g(line VARCHAR) LANGUAGE GROK AS '%{WORD:it''s}', '%{INT:n}'",
            "CREATE FUNCTION g(line VARCHAR) AS $$line || 'x'$$ LANGUAGE SQL",
            "CREATE FUNCTION IF NOT EXISTS now_text() AS 'CAST(now() AS VARCHAR)'",
        ] {
            let create = read(sql);
            let again = read(&function_sql(&create));
            assert_eq!(again.body, create.body, "{sql}");
            assert_eq!(again.arguments, create.arguments, "{sql}");
            assert_eq!(function_sql(&again), function_sql(&create));
        }
        let grok = read("CREATE FUNCTION g(line VARCHAR) LANGUAGE GROK AS 'a''b'");
        assert_eq!(grok.expression(), "grok(\"line\", 'a''b')");
    }

    #[test]
    fn errors_say_what_was_expected() {
        let text = |sql: &str| parse(sql).unwrap_err().message().to_owned();
        assert!(text("CREATE FUNCTION f(x INT)").contains("RETURN expression"));
        assert!(text("CREATE FUNCTION f(x INT) RETURN").contains("expression after RETURN"));
        assert!(text("CREATE FUNCTION f(x INT, x INT) RETURN x").contains("stands twice"));
        assert!(text("CREATE FUNCTION f(x INT) LANGUAGE C AS 'x'").contains("SQL or GROK"));
        assert!(text("CREATE FUNCTION f(x INT) AS 'x', 'y'").contains("one body"));
        assert!(text("DROP FUNCTION f g").contains("end of the statement"));
    }
}
