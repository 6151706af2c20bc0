//! What a statement may ask of the planner: counted over its tokens before anything is planned, and
//! over its plan before anything is optimised.
//!
//! Planning recurses once for every operator of a chain such as `a = 1 OR a = 2 OR ...`, and a
//! stack that overflows ends the process and every session in it. No memory limit or timeout stops
//! that, so the chain is bounded here. Lists (`IN (...)`, `VALUES`) do not recurse and are not
//! bounded.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};

/// Operators in one expression. Planning 3,000 takes seconds already and fits the stack of the
/// planning threads several times over.
const OPERATORS_MAX: usize = 4_000;

/// Queries joined by UNION, INTERSECT or EXCEPT, which nest like operators.
const SET_OPERATIONS_MAX: usize = 500;

/// Bytes of one statement.
const TEXT_BYTES_MAX: usize = 32 << 20;

/// Parentheses, calls, CASEs and queries inside each other.
pub const NESTING_MAX: usize = 200;

/// Tables joined in one statement, which nest like operators.
const JOINS_MAX: usize = 500;

/// Dimensions of a type, and EXPLAINs before a statement.
const REPEATS_MAX: usize = 32;

/// Steps of a plan. A query named in WITH counts as often as it is read, and two queries that each
/// read the one before twice are four times as many: a few lines may stand for millions.
const NODES_MAX: usize = 50_000;

/// Refuses texts that are too long to be read.
///
/// # Errors
/// [`crate::error::Kind::Limit`], saying what to do.
pub fn check_length(sql: &str) -> Result<()> {
    if sql.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let (given, most) = (sql.len() >> 20, TEXT_BYTES_MAX >> 20);
    let text = format!("the statement has {given} MiB, and the limit is {most} MiB");
    Err(Error::limit(text).hint("put values in a table and join with it, or bind parameters"))
}

/// What is said of a statement whose parts nest too deep.
#[must_use]
pub fn too_deep() -> Error {
    Error::limit(format!(
        "the statement is nested more than {NESTING_MAX} levels deep"
    ))
    .hint("name inner queries in WITH, and take long expressions apart")
}

/// Refuses plans with more steps than the optimiser has time for.
///
/// # Errors
/// [`crate::error::Kind::Limit`], saying what to write in their place.
pub fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0_usize;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(match nodes > NODES_MAX {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if nodes <= NODES_MAX {
        return Ok(());
    }
    let text = format!("the plan of the statement has more than {NODES_MAX} steps");
    Err(Error::limit(text).hint("store what a query in WITH gives in a table, and read that"))
}

/// Refuses statements that would overflow the planner's stack.
///
/// # Errors
/// [`crate::error::Kind::Limit`], saying what to write in their place.
pub fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    // One count for each open parenthesis: inner expressions nest in outer ones.
    let mut open = vec![0_usize];
    let (mut set_operations, mut joins, mut explains, mut dimensions) = (0, 0, 0, 0);
    let mut before = &Token::EOF;
    let mut run = 0_usize;
    for token in tokens {
        if !matches!(token.token, Token::LBracket | Token::RBracket) {
            run = 0;
        }
        match &token.token {
            Token::LParen | Token::LBracket => open.push(0),
            Token::RParen | Token::RBracket if open.len() > 1 => {
                // Those of one type follow each other; empty lists are apart.
                if *before == Token::LBracket {
                    run += 1;
                    dimensions = run.max(dimensions);
                }
                open.pop();
            }
            Token::Comma => reset(&mut open),
            Token::VerticalBarRightAngleBracket => set_operations += 1,
            Token::Word(word) => match word.keyword {
                Keyword::AND | Keyword::OR | Keyword::LIKE | Keyword::ILIKE | Keyword::NOT => {
                    count(&mut open)?;
                }
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => set_operations += 1,
                Keyword::JOIN => joins += 1,
                Keyword::EXPLAIN => explains += 1,
                Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::VALUES => {
                    reset(&mut open);
                }
                _ => {}
            },
            other if is_operator(other) => count(&mut open)?,
            _ => {}
        }
        if open.len() > NESTING_MAX {
            return Err(too_deep());
        }
        before = &token.token;
    }
    for (counted, most, what) in [
        (
            set_operations,
            SET_OPERATIONS_MAX,
            "queries joined by UNION",
        ),
        (joins, JOINS_MAX, "joins"),
        (explains, REPEATS_MAX, "EXPLAINs"),
        (dimensions, REPEATS_MAX, "dimensions of arrays"),
    ] {
        if counted > most {
            let error = Error::limit(format!("the statement has more than {most} {what}"));
            return Err(error.hint("store the parts in a table, or send them one by one"));
        }
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
