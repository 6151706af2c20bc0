//! SQL text to statements: ours (pipelines, `VERIFY TABLE`) and everything DataFusion's parser
//! takes.
//!
//! Our statements are told by their first words, so no SQL that DataFusion accepts changes meaning.

use std::collections::BTreeMap;

use datafusion::sql::parser::{CreateExternalTable, DFParserBuilder, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{Expr, Ident, Value};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::budget;
use crate::error::{Error, Result};

/// The dialect of all SQL.
pub static DIALECT: GenericDialect = GenericDialect {};

/// One parsed statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// Anything DataFusion's parser takes.
    Sql(Box<DfStatement>),
    /// `CREATE [OR REPLACE] PIPELINE [IF NOT EXISTS] name [WITH (...)] AS INSERT INTO ...`.
    CreatePipeline(CreatePipeline),
    /// `ALTER PIPELINE name PAUSE | RESUME | REWIND TO ...`.
    AlterPipeline {
        /// The pipeline.
        name: String,
        /// What to do with it.
        action: PipelineAction,
    },
    /// `DROP PIPELINE [IF EXISTS] name`.
    DropPipeline {
        /// The pipeline.
        name: String,
        /// Its absence is no error.
        if_exists: bool,
    },
    /// `SHOW PIPELINES`.
    ShowPipelines,
    /// `VERIFY TABLE name`.
    VerifyTable {
        /// The table.
        name: String,
    },
}

/// A pipeline's definition as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePipeline {
    /// The pipeline.
    pub name: String,
    /// Keep the offsets and take the new body.
    pub or_replace: bool,
    /// Leave an existing one alone.
    pub if_not_exists: bool,
    /// What is between the parentheses of `WITH`.
    pub options: BTreeMap<String, String>,
    /// The statement after `AS`, as written.
    pub body: String,
}

/// What `ALTER PIPELINE` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineAction {
    /// Stop after committing what was read.
    Pause,
    /// Go on from the stored offsets.
    Resume,
    /// Read again from an earlier place; what is stored stays.
    Rewind(RewindTo),
}

/// The place that a pipeline goes back to, in every partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RewindTo {
    /// The first record it ever read.
    Earliest,
    /// An offset.
    Offset(i64),
    /// The first stored record that was produced at this time or later; text that SQL reads as a
    /// timestamp.
    Timestamp(String),
}

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

/// Parses exactly one statement.
///
/// # Errors
/// [`crate::error::Kind::User`] for syntax errors, no statement, or several.
pub fn parse(sql: &str) -> Result<Statement> {
    let statements = split(sql)?;
    let [text] = statements.as_slice() else {
        return Err(match statements.len() {
            0 => Error::user("there is no statement to run"),
            _ => {
                Error::user("several statements where one is expected").hint("send them one by one")
            }
        });
    };
    let tokens: Vec<TokenWithSpan> = tokens(text)?
        .into_iter()
        .filter(|t| !matches!(t.token, Token::Whitespace(_)))
        .collect();
    budget::check(&tokens)?;
    if let Some(parse) = own(&tokens) {
        let mut parser = Parser::new(&DIALECT).with_tokens_with_locations(tokens);
        return parse(&mut parser, text).map_err(|error| syntax(&error));
    }
    let parsed = DFParserBuilder::new(text.as_str())
        .with_dialect(&DIALECT)
        .build()
        .and_then(|mut parser| parser.parse_statements())?;
    parsed
        .into_iter()
        .next()
        .map(|statement| Statement::Sql(Box::new(statement)))
        .ok_or_else(|| Error::user("there is no statement to run"))
}

type OwnParser = fn(&mut Parser<'_>, &str) -> Result<Statement, ParserError>;

/// The parser for a statement of ours, told by its first words.
fn own(tokens: &[TokenWithSpan]) -> Option<OwnParser> {
    let mut words = tokens.iter().map_while(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
        _ => None,
    });
    match (words.next()?.as_str(), words.next()?.as_str()) {
        ("CREATE", "PIPELINE") => Some(create_pipeline),
        ("CREATE", "OR") if words.any(|word| word == "PIPELINE") => Some(create_pipeline),
        ("ALTER", "PIPELINE") => Some(alter_pipeline),
        ("DROP", "PIPELINE") => Some(drop_pipeline),
        ("SHOW", "PIPELINES") => Some(|parser, _| {
            word(parser, "SHOW")?;
            word(parser, "PIPELINES")?;
            end(parser)?;
            Ok(Statement::ShowPipelines)
        }),
        ("VERIFY", _) => Some(|parser, _| {
            word(parser, "VERIFY")?;
            word(parser, "TABLE")?;
            let name = name(parser)?;
            end(parser)?;
            Ok(Statement::VerifyTable { name })
        }),
        _ => None,
    }
}

fn create_pipeline(parser: &mut Parser<'_>, text: &str) -> Result<Statement, ParserError> {
    word(parser, "CREATE")?;
    let or_replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    word(parser, "PIPELINE")?;
    let if_not_exists = parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS]);
    if or_replace && if_not_exists {
        return Err(ParserError::ParserError(
            "OR REPLACE and IF NOT EXISTS exclude each other".into(),
        ));
    }
    let name = name(parser)?;
    let options = if parser.parse_keyword(Keyword::WITH) {
        parser.expect_token(&Token::LParen)?;
        let pairs = parser.parse_comma_separated(option)?;
        parser.expect_token(&Token::RParen)?;
        pairs.into_iter().collect()
    } else {
        BTreeMap::new()
    };
    parser.expect_keyword(Keyword::AS)?;
    let first = parser.peek_token();
    if first.token == Token::EOF {
        return parser.expected("INSERT INTO after AS", first);
    }
    let body = text[Cursor::new(text).advance(first.span.start)..].to_owned();
    let pipeline = CreatePipeline {
        name,
        or_replace,
        if_not_exists,
        options,
        body,
    };
    Ok(Statement::CreatePipeline(pipeline))
}

fn alter_pipeline(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
    word(parser, "ALTER")?;
    word(parser, "PIPELINE")?;
    let name = name(parser)?;
    let token = parser.next_token();
    let action = match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case("pause") => PipelineAction::Pause,
        Token::Word(word) if word.value.eq_ignore_ascii_case("resume") => PipelineAction::Resume,
        Token::Word(word) if word.value.eq_ignore_ascii_case("rewind") => {
            PipelineAction::Rewind(rewind_to(parser)?)
        }
        _ => return parser.expected("PAUSE, RESUME or REWIND TO", token),
    };
    end(parser)?;
    Ok(Statement::AlterPipeline { name, action })
}

fn rewind_to(parser: &mut Parser<'_>) -> Result<RewindTo, ParserError> {
    word(parser, "TO")?;
    let token = parser.next_token();
    match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case("earliest") => Ok(RewindTo::Earliest),
        Token::Word(word) if word.value.eq_ignore_ascii_case("offset") => {
            let value = parser.parse_literal_uint()?;
            i64::try_from(value)
                .map(RewindTo::Offset)
                .map_err(|_| ParserError::ParserError(format!("offset {value} is too large")))
        }
        Token::Word(word) if word.value.eq_ignore_ascii_case("timestamp") => {
            Ok(RewindTo::Timestamp(parser.parse_literal_string()?))
        }
        _ => parser.expected("EARLIEST, OFFSET number or TIMESTAMP 'time'", token),
    }
}

fn drop_pipeline(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
    word(parser, "DROP")?;
    word(parser, "PIPELINE")?;
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = name(parser)?;
    end(parser)?;
    Ok(Statement::DropPipeline { name, if_exists })
}

/// `key = 'value'`; the key may be quoted or dotted, the value a string or a number.
fn option(parser: &mut Parser<'_>) -> Result<(String, String), ParserError> {
    let key = match parser.peek_token().token {
        Token::SingleQuotedString(key) => {
            parser.next_token();
            key
        }
        _ => parser.parse_object_name(false)?.to_string(),
    };
    // An `=` is how SQL writes it; OPTIONS (...) of DataFusion goes without.
    let _equals = parser.consume_token(&Token::Eq);
    let value = match parser.parse_value()?.value {
        Value::SingleQuotedString(text) => text,
        Value::Number(text, _) => text,
        Value::Boolean(value) => value.to_string(),
        other => {
            return Err(ParserError::ParserError(format!(
                "option {key} takes no {other}"
            )));
        }
    };
    Ok((key.to_lowercase(), value))
}

fn word(parser: &mut Parser<'_>, expected: &str) -> Result<(), ParserError> {
    let token = parser.next_token();
    match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case(expected) => Ok(()),
        _ => parser.expected(expected, token),
    }
}

fn name(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    parser.parse_identifier().map(|ident| normalize(&ident))
}

fn end(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    let token = parser.next_token();
    match token.token {
        Token::EOF => Ok(()),
        _ => parser.expected("the end of the statement", token),
    }
}

/// An identifier's name: lowercase unless quoted, as everywhere in DataFusion.
#[must_use]
pub fn normalize(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The name that an identifier's text stands for, quotes taken off.
#[must_use]
pub fn unquote(text: &str) -> String {
    match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

/// Writes a name so that it reads back as itself.
#[must_use]
pub fn quote(name: &str) -> String {
    Expr::Identifier(Ident::with_quote('"', name)).to_string()
}

/// Writes a pipeline's definition so that it reads back as itself.
#[must_use]
pub fn pipeline_sql(create: &CreatePipeline) -> String {
    let CreatePipeline {
        name,
        options,
        body,
        ..
    } = create;
    let pairs: Vec<String> = options
        .iter()
        .map(|(key, value)| format!("{} = {}", literal(key), literal(value)))
        .collect();
    let with = if pairs.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", pairs.join(", "))
    };
    format!("CREATE PIPELINE {}{with} AS {body}", quote(name))
}

/// Writes a table's definition so that it reads back as itself, columns and options included.
#[must_use]
pub fn external_table_sql(create: &CreateExternalTable) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let CreateExternalTable {
        name,
        columns,
        constraints,
        file_type,
        ..
    } = create;
    let mut parts: Vec<String> = columns.iter().map(ToString::to_string).collect();
    parts.extend(constraints.iter().map(ToString::to_string));
    let columns = if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(parts))
    };
    let mut sql = format!("CREATE EXTERNAL TABLE {name}{columns} STORED AS {file_type}");
    if !create.table_partition_cols.is_empty() {
        // The parser keeps them as written, quotes included.
        let names = create.table_partition_cols.clone();
        sql.push_str(&format!(" PARTITIONED BY ({})", list(names)));
    }
    if !create.order_exprs.is_empty() {
        let order = |exprs: &Vec<_>| exprs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let orders = create.order_exprs.iter().flat_map(order).collect();
        sql.push_str(&format!(" WITH ORDER ({})", list(orders)));
    }
    sql.push_str(&format!(" LOCATION {}", literal(&create.location)));
    if !create.options.is_empty() {
        let pairs = create
            .options
            .iter()
            .map(|(key, value)| format!("{} {value}", literal(key)));
        sql.push_str(&format!(" OPTIONS ({})", list(pairs.collect())));
    }
    sql
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| Error::user(format!("cannot read the SQL: {error}")))
}

fn syntax(error: &ParserError) -> Error {
    match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            Error::user(format!("syntax error: {text}"))
        }
        ParserError::RecursionLimitExceeded => Error::limit("the statement is nested too deep"),
    }
}

/// Turns the tokenizer's lines and columns, both counted from 1 and columns in characters, into
/// byte positions. Goes forward only, so that a script costs one pass.
struct Cursor<'a> {
    sql: &'a str,
    at: Location,
    byte: usize,
}

impl<'a> Cursor<'a> {
    fn new(sql: &'a str) -> Self {
        Self {
            sql,
            at: Location { line: 1, column: 1 },
            byte: 0,
        }
    }

    fn advance(&mut self, to: Location) -> usize {
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

    #[test]
    fn a_pipeline_keeps_its_body_as_written() {
        let sql =
            "create or replace pipeline Ingest with (max_latency = '1s', \"start\" = 'latest')
                   as INSERT INTO logs\nSELECT 'é', redact(m) FROM \"E\"";
        let Statement::CreatePipeline(pipeline) = parse(sql).unwrap() else {
            panic!()
        };
        assert_eq!(pipeline.name, "ingest");
        assert!(pipeline.or_replace && !pipeline.if_not_exists);
        assert_eq!(
            pipeline.body,
            "INSERT INTO logs\nSELECT 'é', redact(m) FROM \"E\""
        );
        assert_eq!(pipeline.options["max_latency"], "1s");
    }

    #[test]
    fn own_statements_name_what_was_expected() {
        let text = |sql: &str| parse(sql).unwrap_err().message().to_owned();
        assert!(text("ALTER PIPELINE p STOP").contains("PAUSE, RESUME or REWIND"));
        assert!(text("SHOW PIPELINES please").contains("end of the statement"));
        assert!(text("CREATE PIPELINE p AS").contains("INSERT INTO"));
        assert!(text("SELECT 1; SELECT 2").contains("several statements"));
        assert!(text("  ").contains("no statement"));
        assert!(matches!(parse("SHOW TABLES").unwrap(), Statement::Sql(_)));
        assert!(matches!(
            parse("DROP PIPELINE IF EXISTS p;").unwrap(),
            Statement::DropPipeline {
                if_exists: true,
                ..
            }
        ));
    }
}
