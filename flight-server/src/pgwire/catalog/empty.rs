//! Statements about things that a server of PostgreSQL has and this one has not: keys, indexes,
//! triggers, comments. Whatever such a statement asks of them, it has the same columns and no rows.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, JoinOperator, Query, Select, SelectItem, SetExpr, SetOperator, Statement,
    TableFactor, TableWithJoins, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

use super::naming::name;

/// Tables of the catalog that are empty here.
pub(super) const EMPTY: [&str; 30] = [
    "pg_attrdef",
    "pg_constraint",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_inherits",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_matviews",
    "pg_partitioned_table",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_replication_slots",
    "pg_seclabel",
    "pg_sequence",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_trigger",
    "pg_user_mapping",
];

/// What stands for `statement` when no row can come of it: the same columns, and none.
pub(super) fn without_rows(statement: &Statement) -> Option<Statement> {
    let Statement::Query(query) = statement else {
        return None;
    };
    if statement.visit(&mut Placeholders).is_break() {
        return None;
    }
    let select = never(query)?;
    let mut names: Vec<String> = Vec::new();
    for item in &select.projection {
        let wanted = match item {
            SelectItem::UnnamedExpr(expr) => name(expr),
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            _ => return None,
        };
        let mut free = (0..).map(|number: usize| match number {
            0 => wanted.clone(),
            number => format!("{wanted}_{number}"),
        });
        names.extend(free.find(|name| !names.contains(name)));
    }
    let columns: Vec<String> = names
        .iter()
        .map(|name| format!("CAST(NULL AS VARCHAR) AS \"{}\"", name.replace('"', "\"\"")))
        .collect();
    let sql = format!("SELECT {} WHERE false", columns.join(", "));
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &sql).ok()?;
    parsed.into_iter().next()
}

/// Breaks off at the first parameter: its value has to go somewhere.
struct Placeholders;

impl Visitor for Placeholders {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The select that names the columns of `query`, when no row can come of it.
fn never(query: &Query) -> Option<&Select> {
    match query.with {
        Some(_) => None,
        None => never_of(&query.body),
    }
}

fn never_of(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => {
            let empty = !counts(select) && select.from.iter().any(from_nothing);
            empty.then_some(select)
        }
        SetExpr::Query(query) => never(query),
        SetExpr::SetOperation {
            op: SetOperator::Union,
            left,
            right,
            ..
        } => {
            never_of(right)?;
            never_of(left)
        }
        _ => None,
    }
}

/// Whether `select` gives a row where there are none to count.
fn counts(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
    };
    let aggregates = [
        "count(", "min(", "max(", "sum(", "avg(", "_agg(", "bool_", "every(",
    ];
    let mut items = select
        .projection
        .iter()
        .map(|item| item.to_string().to_lowercase());
    let counted = |item: String| {
        // What a query inside of the column counts is not this one's.
        let own = item.split("(select ").next().unwrap_or_default();
        aggregates.iter().any(|name| own.contains(name))
    };
    !grouped && items.any(counted)
}

fn from_nothing(from: &TableWithJoins) -> bool {
    let mut nothing = is_nothing(&from.relation);
    for join in &from.joins {
        match &join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                nothing |= is_nothing(&join.relation);
            }
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {}
            _ => return false,
        }
    }
    nothing
}

fn is_nothing(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, .. } => {
            let mut parts = name.0.iter().rev().filter_map(|part| part.as_ident());
            let table = parts.next().map(|ident| ident.value.to_lowercase());
            let schema = parts.next().map(|ident| ident.value.to_lowercase());
            table.is_some_and(|table| EMPTY.contains(&table.as_str()))
                && schema.is_none_or(|schema| schema == "pg_catalog")
        }
        TableFactor::Derived { subquery, .. } => never(subquery).is_some(),
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => from_nothing(table_with_joins),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<String> {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        without_rows(&parsed[0]).map(|statement| statement.to_string())
    }

    #[test]
    fn what_has_no_rows_keeps_its_columns() {
        for (sql, columns) in [
            ("SELECT indexrelid FROM pg_index", vec!["indexrelid"]),
            (
                "SELECT r.a, r.a, f(1) FROM (SELECT i.x AS a FROM pg_class c JOIN \
                 pg_catalog.pg_index i ON true) r WHERE r.a = 1",
                vec!["a", "a_1", "f"],
            ),
            ("SELECT 1 FROM pg_class c, pg_inherits i", vec!["?column?"]),
            (
                "SELECT a FROM pg_policy UNION SELECT b FROM pg_trigger",
                vec!["a"],
            ),
        ] {
            let read = read(sql).unwrap();
            for column in columns {
                assert!(read.contains(&format!("AS \"{column}\"")), "{read}");
            }
        }
    }

    #[test]
    fn what_may_have_rows_is_left_alone() {
        for sql in [
            "SELECT 1 FROM pg_class c LEFT JOIN pg_index i ON true",
            "SELECT count(*) FROM pg_index",
            "SELECT a FROM pg_index WHERE b = $1",
            "SELECT * FROM pg_index",
            "SELECT a FROM mine.pg_index",
            "SELECT a FROM pg_policy UNION SELECT b FROM pg_class",
            "WITH pg_index AS (SELECT 1 AS a) SELECT a FROM pg_index",
        ] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }
}
