//! One statement from its text.

use datafusion::sql::parser::DFParserBuilder;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::call::call;
use super::escapes::unescaped;
use super::function::{create_function, drop_function};
use super::pipeline::{alter_pipeline, create_pipeline, drop_pipeline};
use super::rewrite::rewrite;
use super::script::{Cursor, tokens};
use super::session::{is_session, session};
use super::syntax::{end, name, word};
use super::{DIALECT, Statement};
use crate::budget;
use crate::error::{Error, Result};

/// Parses exactly one statement.
///
/// # Errors
/// [`crate::error::Kind::User`] for syntax errors, no statement, or several.
pub fn parse(sql: &str) -> Result<Statement> {
    budget::check_length(sql)?;
    let (tokens, text) = single(sql)?;
    let tokens = unescaped(tokens);
    budget::check(&tokens)?;
    let is_call = matches!(tokens.first().map(|first| &first.token),
        Some(Token::Word(word)) if word.keyword == Keyword::CALL);
    if let Some(parse) = own(&tokens) {
        let mut parser = Parser::new(&DIALECT).with_tokens_with_locations(tokens);
        return parse(&mut parser, text).map_err(|error| Error::from(&error));
    }
    if is_call {
        return call(&mut Parser::new(&DIALECT).with_tokens_with_locations(tokens));
    }
    let parsed = DFParserBuilder::new(tokens)
        .with_dialect(&DIALECT)
        .with_recursion_limit(budget::NESTING_MAX)
        .build()
        .and_then(|mut parser| parser.parse_statements())?;
    let mut parsed = parsed
        .into_iter()
        .next()
        .ok_or_else(|| Error::user("there is no statement to run"))?;
    rewrite(&mut parsed)?;
    Ok(Statement::Sql(Box::new(parsed)))
}

/// The tokens of the one statement in `sql`, without white space, and the text up to its end.
fn single(sql: &str) -> Result<(Vec<TokenWithSpan>, &str)> {
    let mut found = Vec::new();
    let mut ended = false;
    for token in tokens(sql)? {
        match token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => ended |= !found.is_empty(),
            _ if ended => {
                return Err(Error::user("several statements where one is expected")
                    .hint("send them one by one"));
            }
            _ => found.push(token),
        }
    }
    let Some(last) = found.last() else {
        return Err(Error::user("there is no statement to run"));
    };
    let end = Cursor::new(sql).advance(last.span.end);
    Ok((found, sql.get(..end).unwrap_or(sql)))
}

type OwnParser = fn(&mut Parser<'_>, &str) -> Result<Statement, ParserError>;

/// The parser for a statement of ours, told by its first words.
fn own(tokens: &[TokenWithSpan]) -> Option<OwnParser> {
    let mut words = tokens.iter().map_while(|token| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
        _ => None,
    });
    let first = words.next()?;
    let second = words.next().unwrap_or_default();
    match (first.as_str(), second.as_str()) {
        ("CREATE", "FUNCTION") => Some(create_function),
        ("CREATE", "PIPELINE") => Some(create_pipeline),
        ("CREATE", "OR") => match words.nth(1)?.as_str() {
            "FUNCTION" => Some(create_function),
            "PIPELINE" => Some(create_pipeline),
            _ => None,
        },
        ("DROP", "FUNCTION") => Some(drop_function),
        ("ALTER", "PIPELINE") => Some(alter_pipeline),
        ("DROP", "PIPELINE") => Some(drop_pipeline),
        ("SHOW", "PIPELINES") => Some(|parser, _| {
            word(parser, "SHOW")?;
            word(parser, "PIPELINES")?;
            end(parser)?;
            Ok(Statement::ShowPipelines)
        }),
        ("SHOW", "POLICIES") => Some(|parser, _| {
            word(parser, "SHOW")?;
            word(parser, "POLICIES")?;
            end(parser)?;
            Ok(Statement::ShowPolicies)
        }),
        ("VERIFY", _) => Some(|parser, _| {
            word(parser, "VERIFY")?;
            word(parser, "TABLE")?;
            let name = name(parser)?;
            end(parser)?;
            Ok(Statement::VerifyTable { name })
        }),
        (first, second) if is_session(first, second) => Some(session),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn other_statements_may_speak_of_pipelines() {
        for sql in [
            "CREATE OR REPLACE VIEW v AS SELECT pipeline FROM t",
            "SELECT pipeline FROM t",
        ] {
            assert!(matches!(parse(sql), Ok(Statement::Sql(_))), "{sql}");
        }
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
