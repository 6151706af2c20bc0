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

/// Calls inside each other that the parser reads in two ways: what is wrong in the innermost is
/// read twice as often with each.
const TRIED_MAX: usize = 12;

/// Queries and windows named in one statement: each is planned with those before it in hand.
const NAMED_MAX: usize = 500;

/// Tables joined in one statement, which nest like operators.
const JOINS_MAX: usize = 500;

/// Dimensions of a type, and EXPLAINs before a statement.
const REPEATS_MAX: usize = 32;

/// Steps of a plan. A query named in WITH counts as often as it is read, and two queries that each
/// read the one before twice are four times as many: a few lines may stand for millions.
const NODES_MAX: usize = 50_000;

/// Steps of a plan that follow each other.
const DEPTH_MAX: usize = 1_500;

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
    // A list and not recursion: this is what looks for plans that recursion has no stack for.
    let mut open = vec![(plan, 1)];
    let mut seen = 0;
    while let Some((node, depth)) = open.pop() {
        seen += 1;
        if depth > DEPTH_MAX {
            let text = format!("the plan of the statement is more than {DEPTH_MAX} steps deep");
            return Err(Error::limit(text).hint("store what inner queries give in a table"));
        }
        if seen <= NODES_MAX {
            open.extend(node.inputs().into_iter().map(|input| (input, depth + 1)));
        }
    }
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
    let mut counts = Counts::default();
    let mut before = &Token::EOF;
    for token in tokens {
        counts.add(&token.token, before)?;
        before = &token.token;
    }
    let Counts {
        set_operations,
        joins,
        named,
        explains,
        dimensions,
        intervals,
        ..
    } = counts;
    for (counted, most, what) in [
        (
            set_operations,
            SET_OPERATIONS_MAX,
            "queries joined by UNION",
        ),
        (joins, JOINS_MAX, "joins"),
        (named, NAMED_MAX, "queries with a name"),
        (explains, REPEATS_MAX, "EXPLAINs"),
        (dimensions, REPEATS_MAX, "types inside each other"),
        (intervals, REPEATS_MAX, "INTERVALs in a row"),
    ] {
        if counted > most {
            let error = Error::limit(format!("the statement has more than {most} {what}"));
            return Err(error.hint("store the parts in a table, or send them one by one"));
        }
    }
    Ok(())
}

/// What is between two parentheses: operators nest in each other, and with those around them.
#[derive(Debug, Default)]
struct Level {
    /// Operators since the last comma.
    current: usize,
    /// The most between two commas before.
    most: usize,
    /// The parser reads what is here in two ways.
    tried: bool,
}

#[derive(Debug, Default)]
struct Counts {
    outermost: Level,
    open: Vec<Level>,
    operators: usize,
    tried: usize,
    set_operations: usize,
    joins: usize,
    named: usize,
    explains: usize,
    intervals: usize,
    dimensions: usize,
    run: usize,
    generics: usize,
}

impl Counts {
    fn level(&mut self) -> &mut Level {
        self.open.last_mut().unwrap_or(&mut self.outermost)
    }

    fn add(&mut self, token: &Token, before: &Token) -> Result<()> {
        if !matches!(token, Token::LBracket | Token::RBracket) {
            self.run = 0;
        }
        match token {
            Token::LParen => {
                self.named += usize::from(is_named(before));
                self.open(is_tried(before));
            }
            Token::LBracket => {
                // A subscript nests what it is applied to.
                self.count()?;
                self.open(false);
            }
            Token::Lt if is_generic(before) => {
                self.generics += 1;
                self.dimensions = self.generics.max(self.dimensions);
            }
            Token::Gt | Token::ShiftRight if self.generics > 0 => self.generics -= 1,
            Token::RParen | Token::RBracket => {
                // The brackets of one type follow each other; empty lists are apart.
                if *before == Token::LBracket {
                    self.run += 1;
                    self.dimensions = self.run.max(self.dimensions);
                }
                self.close();
            }
            Token::Comma => self.reset(),
            Token::VerticalBarRightAngleBracket => self.set_operations += 1,
            Token::Word(word) => match word.keyword {
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT => self.set_operations += 1,
                Keyword::JOIN => self.joins += 1,
                Keyword::EXPLAIN => self.explains += 1,
                Keyword::INTERVAL if is_interval(before) => self.intervals += 1,
                Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::VALUES => self.reset(),
                keyword if OPERATORS.contains(&keyword) => self.count()?,
                _ => {}
            },
            other if is_operator(other) => self.count()?,
            _ => {}
        }
        match self.open.len() > NESTING_MAX || self.tried > TRIED_MAX {
            true => Err(too_deep()),
            false => Ok(()),
        }
    }

    fn open(&mut self, tried: bool) {
        self.tried += usize::from(tried);
        self.open.push(Level {
            tried,
            ..Level::default()
        });
    }

    fn close(&mut self) {
        if let Some(level) = self.open.pop() {
            self.tried -= usize::from(level.tried);
            let most = level.most.max(level.current);
            self.operators = self.operators - level.current + most;
            self.level().current += most;
        }
    }

    fn count(&mut self) -> Result<()> {
        self.level().current += 1;
        self.operators += 1;
        if self.operators <= OPERATORS_MAX {
            return Ok(());
        }
        Err(Error::limit(format!(
            "an expression has more than {OPERATORS_MAX} operators"
        ))
        .hint("write a long chain of OR as IN (...), or join with a table of the values"))
    }

    fn reset(&mut self) {
        let level = self.level();
        let current = std::mem::take(&mut level.current);
        level.most = level.most.max(current);
        self.operators -= current;
    }
}

/// Words that are operators.
const OPERATORS: [Keyword; 16] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::XOR,
    Keyword::NOT,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::SIMILAR,
    Keyword::RLIKE,
    Keyword::REGEXP,
    Keyword::IS,
    Keyword::IN,
    Keyword::BETWEEN,
    Keyword::AT,
    Keyword::COLLATE,
    Keyword::OVERLAPS,
    Keyword::DIV,
];

fn is_interval(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::INTERVAL)
}

/// Whether a parenthesis after this one begins what has a name, as after WITH.
fn is_named(before: &Token) -> bool {
    matches!(before, Token::Word(word) if word.keyword == Keyword::AS)
}

/// Whether the parser reads what follows this word in two ways.
fn is_tried(token: &Token) -> bool {
    matches!(token, Token::Word(word) if matches!(
        word.keyword,
        Keyword::CAST
            | Keyword::TRY_CAST
            | Keyword::SAFE_CAST
            | Keyword::CEIL
            | Keyword::FLOOR
            | Keyword::SUBSTR
            | Keyword::SUBSTRING
            | Keyword::POSITION
            | Keyword::EXTRACT
            | Keyword::OVERLAY
            | Keyword::TRIM
            | Keyword::CONVERT
    ))
}

/// Whether a type with parameters in angle brackets may begin with this word.
fn is_generic(token: &Token) -> bool {
    matches!(token, Token::Word(word)
        if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP))
}

/// Whether a token joins expressions; what is not known to be something else does.
fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
            | Token::Whitespace(_)
            | Token::Comma
            | Token::Period
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::LBrace
            | Token::RBrace
            | Token::RArrow
            | Token::SemiColon
            | Token::EOF
    )
}
