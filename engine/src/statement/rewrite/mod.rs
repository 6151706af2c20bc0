//! What other databases write otherwise, as DataFusion reads it, in the parsed statement.

mod limits;
mod words;

use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{Expr, Query, SetExpr, VisitMut, VisitorMut};

use crate::error::{Error, Result};

/// Queries that one FROM lists; each nests in the next when it is planned.
const FROM_MAX: usize = 500;

/// Rewrites `statement`.
///
/// # Errors
/// What cannot be written otherwise, with the way out.
pub(super) fn rewrite(statement: &mut DfStatement) -> Result<()> {
    let mut rewriter = Rewriter::default();
    let done = match statement {
        DfStatement::Statement(sql) => sql.visit(&mut rewriter),
        DfStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut rewriter),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        DfStatement::Explain(explain) => return rewrite(&mut explain.statement),
        DfStatement::CreateExternalTable(_) | DfStatement::Reset(_) => ControlFlow::Continue(()),
    };
    match done {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// How many tables the largest FROM of `body` lists.
fn tables(body: &SetExpr) -> usize {
    let (mut open, mut most) = (vec![body], 0);
    while let Some(part) = open.pop() {
        match part {
            SetExpr::Select(select) => most = most.max(select.from.len()),
            SetExpr::SetOperation { left, right, .. } => open.extend([left.as_ref(), right]),
            _ => {}
        }
    }
    most
}

/// What a query reads, which decides what its bare words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Tables,
    Nothing,
}

#[derive(Default)]
struct Rewriter {
    /// The queries that are being read, the innermost last.
    queries: Vec<Reads>,
}

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if let Err(error) = limits::rewrite(query) {
            return ControlFlow::Break(error);
        }
        let from = tables(&query.body);
        self.queries.push(match from {
            0 => Reads::Nothing,
            _ => Reads::Tables,
        });
        if from > FROM_MAX {
            let error = Error::limit(format!("a FROM lists more than {FROM_MAX} tables"));
            return ControlFlow::Break(error.hint("store parts of the result in a table"));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.queries.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let reads = self.queries.last().copied();
        words::rewrite(expr, reads.unwrap_or(Reads::Nothing));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use crate::statement::{Statement, parse};

    #[test]
    fn what_others_write_is_read() {
        for (sql, wanted) in [
            (
                "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
                "SELECT a FROM t LIMIT 3",
            ),
            (
                "SELECT a FROM t ORDER BY a OFFSET 2 ROWS FETCH NEXT ROW ONLY",
                "SELECT a FROM t ORDER BY a LIMIT 1 OFFSET 2 ROWS",
            ),
            (
                "SELECT * FROM (SELECT TOP 5 a FROM t ORDER BY a) AS x",
                "SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 5) AS x",
            ),
            (
                "SELECT TOP 5 a FROM t UNION ALL SELECT TOP (2) a FROM u",
                "(SELECT a FROM t LIMIT 5) UNION ALL (SELECT a FROM u LIMIT 2)",
            ),
            (
                "SELECT timestampdiff(SQL_TSI_DAY, a, b), dateadd(month, 1, a) FROM t",
                "SELECT timestampdiff('day', a, b), dateadd('month', 1, a) FROM t",
            ),
            ("SELECT user FROM t", "SELECT user FROM t"),
            ("SELECT current_schema", "SELECT current_schema()"),
            (
                "SELECT \"current_schema\" FROM t",
                "SELECT \"current_schema\" FROM t",
            ),
            (
                "SELECT convert(a, SQL_VARCHAR), convert(b, SQL_INTEGER) FROM t",
                "SELECT CAST(a AS VARCHAR), CAST(b AS INTEGER) FROM t",
            ),
            (
                "SELECT {fn UCASE({d '2026-01-02'})}",
                "SELECT UCASE(DATE '2026-01-02')",
            ),
        ] {
            let Statement::Sql(read) = parse(sql).unwrap() else {
                panic!("{sql}");
            };
            assert_eq!(read.to_string(), wanted);
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for sql in [
            "SELECT a FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES",
            "SELECT a FROM t FETCH FIRST 10 PERCENT ROWS ONLY",
            "SELECT TOP 3 WITH TIES a FROM t ORDER BY a",
            "SELECT TOP 3 a FROM t LIMIT 2",
        ] {
            let error = parse(sql).unwrap_err();
            assert!(error.hint_text().is_some(), "{sql}: {error}");
        }
    }
}
