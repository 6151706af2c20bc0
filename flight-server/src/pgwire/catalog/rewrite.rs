//! How statements of PostgreSQL clients are read. Those about `pg_catalog` are rewritten into what
//! the planner takes; to all others nothing is done that could change what they mean.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Statement, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PG_CATALOG_TABLES;
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, FixVersionColumnName, SqlStatementRewriteRule,
};
use sluice_engine::dialect::Rewrite;

/// Reads statements of PostgreSQL clients.
#[derive(Debug)]
pub(super) struct Reading {
    catalog: PostgresCompatibilityParser,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self {
            catalog: PostgresCompatibilityParser::new(),
        }
    }
}

impl Rewrite for Reading {
    fn rewrite(&self, mut statement: Statement) -> Statement {
        if statement.visit(&mut Mentions).is_break() {
            return self.catalog.rewrite(statement);
        }
        // The visitor never breaks off.
        let _done = VisitMut::visit(&mut statement, &mut Plain);
        let statement = CurrentUserVariableToSessionUserFunctionCall.rewrite(statement);
        FixVersionColumnName.rewrite(statement)
    }
}

/// Breaks off at the first mention of `pg_catalog`.
struct Mentions;

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let mut parts = relation.0.iter().filter_map(|part| part.as_ident());
        let known = |name: &str| {
            let name = name.to_lowercase();
            name == "pg_catalog" || PG_CATALOG_TABLES.contains(&name.as_str())
        };
        match parts.any(|part| known(&part.value)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let mentioned = match expr {
            Expr::Function(call) => {
                let name = call.name.to_string().to_lowercase();
                name.starts_with("pg_")
            }
            Expr::Cast { data_type, .. } => {
                let name = data_type.to_string().to_lowercase();
                let name = name.trim_start_matches("pg_catalog.");
                name.starts_with("reg") || name == "oid" || name == "name"
            }
            _ => false,
        };
        match mentioned {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Takes away what means nothing here: collations.
struct Plain;

impl VisitorMut for Plain {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Collate { expr: inner, .. } = expr {
            let inner = inner.as_ref().clone();
            *expr = inner;
        }
        ControlFlow::Continue(())
    }
}
