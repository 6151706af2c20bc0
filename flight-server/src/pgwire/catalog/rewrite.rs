//! How statements of PostgreSQL clients are read. Those about `pg_catalog` are rewritten into what
//! the planner takes; to all others nothing is done that could change what they mean.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArguments, ObjectName,
    Query, SelectItem, SetExpr, Statement, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion_postgres::datafusion_pg_catalog::pg_catalog::PG_CATALOG_TABLES;
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, SqlStatementRewriteRule,
};
use sluice_engine::dialect::Rewrite;

use super::empty::without_rows;
use super::naming;

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
        // The visitors that change something never break off.
        if statement.visit(&mut Mentions).is_continue() {
            let _done = VisitMut::visit(&mut statement, &mut Plain);
            return CurrentUserVariableToSessionUserFunctionCall.rewrite(statement);
        }
        if let Some(empty) = without_rows(&statement) {
            return empty;
        }
        let _done = VisitMut::visit(&mut statement, &mut Plain);
        let _done = VisitMut::visit(&mut statement, &mut Nested);
        self.catalog.rewrite(statement)
    }
}

/// Breaks off at the first mention of `pg_catalog`.
struct Mentions;

fn found(found: bool) -> ControlFlow<()> {
    match found {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let mut parts = relation.0.iter().filter_map(|part| part.as_ident());
        let known = |name: &str| {
            let name = name.to_lowercase();
            name == "pg_catalog" || PG_CATALOG_TABLES.contains(&name.as_str())
        };
        found(parts.any(|part| known(&part.value)))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        found(match expr {
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
        })
    }
}

/// What every statement may have that the planner has not: collations, arrays as parameters, and
/// columns without a name.
struct Plain;

impl VisitorMut for Plain {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        naming::give(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Collate { expr: inner, .. } => {
                let inner = inner.as_ref().clone();
                *expr = inner;
            }
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } if is_placeholder(right) => {
                **right = texts(right.as_ref().clone());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_placeholder(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
        Expr::Nested(inner) => is_placeholder(inner),
        _ => false,
    }
}

/// `expr` as a list of texts.
fn texts(expr: Expr) -> Expr {
    let item = Box::new(DataType::Text);
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(item, None)),
        array: false,
        format: None,
    }
}

/// Queries inside of expressions, about the catalog: one that gives a list gives an empty one, as
/// nothing here is in groups or shared; one that gives a value gives its first.
struct Nested;

impl VisitorMut for Nested {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) if is_list_of_query(call) => {
                let (elem, named) = (Vec::new(), true);
                *expr = texts(Expr::Array(Array { elem, named }));
            }
            Expr::Subquery(query) => first(query),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether this is `ARRAY(SELECT ..)`.
fn is_list_of_query(call: &Function) -> bool {
    let name = call.name.to_string();
    name.eq_ignore_ascii_case("array") && matches!(call.args, FunctionArguments::Subquery(_))
}

/// Makes `query` give one value at most, which PostgreSQL finds out when it runs.
fn first(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    let text = value.to_string().to_lowercase();
    let aggregated = ["count(", "max(", "min(", "_agg(", "sum("];
    if query.limit_clause.is_some() || aggregated.iter().any(|name| text.contains(name)) {
        return;
    }
    let call = Parser::new(&PostgreSqlDialect {}).try_with_sql(&format!("first_value({value})"));
    if let Ok(call) = call.and_then(|mut parser| parser.parse_expr()) {
        *value = call;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> String {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = parsed.into_iter().next().unwrap();
        Reading::new().rewrite(statement).to_string()
    }

    #[test]
    fn statements_of_users_keep_their_meaning() {
        for (sql, want) in [
            ("SELECT a FROM t", "SELECT a FROM t"),
            (
                "SELECT (SELECT max(b) FROM u WHERE u.a = t.a) AS m FROM t",
                "",
            ),
            (
                "SELECT count(*) FROM t",
                "SELECT count(*) AS \"count\" FROM t",
            ),
            (
                "SELECT a::DATE FROM t GROUP BY a",
                "SELECT a::DATE FROM t GROUP BY a",
            ),
            (
                "SELECT 1, 2",
                "SELECT 1 AS \"?column?\", 2 AS \"?column?_1\"",
            ),
            ("SELECT *, upper(a) FROM t", "SELECT *, upper(a) FROM t"),
            ("SELECT a COLLATE \"C\" FROM t", "SELECT a AS \"a\" FROM t"),
            (
                "SELECT a FROM t WHERE a = ANY($1)",
                "SELECT a FROM t WHERE a = ANY(CAST($1 AS TEXT[]))",
            ),
        ] {
            let want = if want.is_empty() { sql } else { want };
            if sql.contains("max(b)") {
                assert!(read(sql).contains("WHERE u.a = t.a"), "{}", read(sql));
            } else {
                assert_eq!(read(sql), want);
            }
        }
    }

    #[test]
    fn lists_of_queries_about_the_catalog_are_empty() {
        let sql = "SELECT ARRAY(SELECT rolname FROM pg_roles b) AS m FROM pg_catalog.pg_roles r";
        assert!(
            read(sql).contains("CAST(ARRAY[] AS TEXT[]) AS m"),
            "{}",
            read(sql)
        );
    }
}
