//! The small pieces that statements of ours are read with.

use datafusion::sql::sqlparser::ast::Value;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::name::normalize;

/// `key = 'value'`; the key may be quoted or dotted, the value a string or a number.
pub(super) fn option(parser: &mut Parser<'_>) -> Result<(String, String), ParserError> {
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

/// The word `expected`, in any case.
pub(super) fn word(parser: &mut Parser<'_>, expected: &str) -> Result<(), ParserError> {
    let token = parser.next_token();
    match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case(expected) => Ok(()),
        _ => parser.expected(expected, token),
    }
}

/// A name.
pub(super) fn name(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    parser.parse_identifier().map(|ident| normalize(&ident))
}

/// Nothing more.
pub(super) fn end(parser: &mut Parser<'_>) -> Result<(), ParserError> {
    let token = parser.next_token();
    match token.token {
        Token::EOF => Ok(()),
        _ => parser.expected("the end of the statement", token),
    }
}
