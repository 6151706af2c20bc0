//! Statements about pipelines.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::Statement;
use super::name::{literal, quote};
use super::script::Cursor;
use super::syntax::{end, name, option, word};

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

/// `CREATE PIPELINE`, whose body is taken from `text`.
pub(super) fn create_pipeline(
    parser: &mut Parser<'_>,
    text: &str,
) -> Result<Statement, ParserError> {
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

/// `ALTER PIPELINE`.
pub(super) fn alter_pipeline(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
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

/// `DROP PIPELINE`.
pub(super) fn drop_pipeline(parser: &mut Parser<'_>, _: &str) -> Result<Statement, ParserError> {
    word(parser, "DROP")?;
    word(parser, "PIPELINE")?;
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = name(parser)?;
    end(parser)?;
    Ok(Statement::DropPipeline { name, if_exists })
}
