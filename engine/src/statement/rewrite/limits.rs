//! `FETCH FIRST n ROWS ONLY` and `SELECT TOP n` as LIMIT.

use std::mem;

use datafusion::sql::sqlparser::ast::{
    Expr, Fetch, LimitClause, Query, SetExpr, Top, TopQuantity, Value, Values,
};

use crate::error::{Error, Result};

/// Puts the limits of `query`, and of the parts of its UNION, where LIMIT is.
pub(super) fn rewrite(query: &mut Query) -> Result<()> {
    if let Some(Fetch {
        with_ties,
        percent,
        quantity,
    }) = query.fetch.take()
    {
        refuse("FETCH", with_ties, percent)?;
        let one = || Expr::Value(Value::Number("1".to_owned(), false).into());
        limit(query, quantity.unwrap_or_else(one), "FETCH")?;
    }
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(top) = select.top.take()
    {
        let most = most(top)?;
        limit(query, most, "TOP")?;
    }
    parts(&mut query.body)
}

/// A SELECT inside a UNION becomes a query of its own, which has the limit.
fn parts(body: &mut SetExpr) -> Result<()> {
    let mut open = match body {
        SetExpr::SetOperation { left, right, .. } => vec![left, right],
        _ => return Ok(()),
    };
    while let Some(part) = open.pop() {
        let top = match part.as_mut() {
            SetExpr::Select(select) => select.top.take(),
            _ => None,
        };
        if let Some(top) = top {
            let empty = SetExpr::Values(Values {
                explicit_row: false,
                value_keyword: false,
                rows: Vec::new(),
            });
            let body = mem::replace(part.as_mut(), empty);
            **part = SetExpr::Query(Box::new(limited(body, most(top)?)));
        } else if let SetExpr::SetOperation { left, right, .. } = part.as_mut() {
            open.extend([left, right]);
        }
    }
    Ok(())
}

fn limited(body: SetExpr, limit: Expr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: Some(LimitClause::LimitOffset {
            limit: Some(limit),
            offset: None,
            limit_by: Vec::new(),
        }),
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn most(
    Top {
        with_ties,
        percent,
        quantity,
    }: Top,
) -> Result<Expr> {
    refuse("TOP", with_ties, percent)?;
    match quantity {
        Some(TopQuantity::Expr(most)) => Ok(most),
        Some(TopQuantity::Constant(most)) => {
            Ok(Expr::Value(Value::Number(most.to_string(), false).into()))
        }
        None => Err(Error::user("TOP takes a number of rows").hint("write LIMIT n at the end")),
    }
}

fn refuse(clause: &str, with_ties: bool, percent: bool) -> Result<()> {
    if with_ties {
        let hint = "use RANK() OVER (ORDER BY ...) and QUALIFY for rows with equal values";
        return Err(Error::unsupported(format!("{clause} takes no WITH TIES")).hint(hint));
    }
    if percent {
        let hint = "use PERCENT_RANK() OVER (ORDER BY ...) and QUALIFY, or LIMIT n";
        return Err(Error::unsupported(format!("{clause} takes no PERCENT")).hint(hint));
    }
    Ok(())
}

fn limit(query: &mut Query, most: Expr, clause: &str) -> Result<()> {
    let twice = || {
        let text = format!("a query has both {clause} and another limit");
        Error::user(text).hint("keep one of them")
    };
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset {
            limit: limit @ None,
            ..
        }) => *limit = Some(most),
        Some(_) => return Err(twice()),
        none @ None => {
            *none = Some(LimitClause::LimitOffset {
                limit: Some(most),
                offset: None,
                limit_by: Vec::new(),
            });
        }
    }
    Ok(())
}
