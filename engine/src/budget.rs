//! What a statement may ask of the planner, counted over its tokens before anything is planned.
//!
//! Planning recurses once for every operator of a chain such as `a = 1 OR a = 2 OR ...`, and a
//! stack that overflows ends the process and every session in it. No memory limit or timeout stops
//! that, so the chain is bounded here. Lists (`IN (...)`, `VALUES`) do not recurse and are not
//! bounded.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};

/// Operators in one expression. Planning 3,000 takes seconds already and fits the stack of the
/// planning threads several times over.
const OPERATORS_MAX: usize = 4_000;

/// Queries joined by UNION, INTERSECT or EXCEPT, which nest like operators.
const SET_OPERATIONS_MAX: usize = 500;

/// Refuses statements that would overflow the planner's stack.
///
/// # Errors
/// [`crate::error::Kind::Limit`], saying what to write in their place.
pub fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    // One count for each open parenthesis: inner expressions nest in outer ones.
    let mut open = vec![0_usize];
    let mut set_operations = 0;
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => open.push(0),
            Token::RParen | Token::RBracket if open.len() > 1 => {
                open.pop();
            }
            Token::Comma => reset(&mut open),
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR | Keyword::LIKE | Keyword::ILIKE | Keyword::NOT => {
                    count(&mut open)?;
                }
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => set_operations += 1,
                Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::VALUES => {
                    reset(&mut open);
                }
                _ => {}
            },
            other if is_operator(other) => count(&mut open)?,
            _ => {}
        }
    }
    if set_operations > SET_OPERATIONS_MAX {
        let message =
            format!("the statement joins more than {SET_OPERATIONS_MAX} queries by UNION");
        return Err(
            Error::limit(message).hint("store the parts in a table, or send them one by one")
        );
    }
    Ok(())
}

fn count(open: &mut [usize]) -> Result<()> {
    if let Some(last) = open.last_mut() {
        *last += 1;
    }
    if open.iter().sum::<usize>() <= OPERATORS_MAX {
        return Ok(());
    }
    Err(Error::limit(format!(
        "an expression has more than {OPERATORS_MAX} operators"
    ))
    .hint("write a long chain of OR as IN (...), or join with a table of the values"))
}

fn reset(open: &mut [usize]) {
    if let Some(last) = open.last_mut() {
        *last = 0;
    }
}

fn is_operator(token: &Token) -> bool {
    matches!(
        token,
        Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::StringConcat
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::DoubleColon
            | Token::Pipe
            | Token::Ampersand
            | Token::Caret
            | Token::Arrow
            | Token::LongArrow
    )
}
