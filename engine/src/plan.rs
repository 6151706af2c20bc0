//! From a parsed statement to its plan.
//!
//! DataFusion takes arguments by name only where none is left out between them: `redact(text, mode
//! => 'label')` would need `categories` too. An argument that is left out before a named one is
//! NULL here, which every function takes for "not given".

use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{LogicalPlan, Signature};
use datafusion::sql::parser::{CopyToSource, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, Value,
    VisitMut, VisitorMut,
};

use crate::error::Result;
use crate::statement::normalize;

/// Plans `statement` in the session `state`.
///
/// # Errors
/// What the planner finds wrong with it.
pub async fn plan(state: &SessionState, mut statement: DfStatement) -> Result<LogicalPlan> {
    fill(&mut statement, &|name| parameters(state, name));
    Ok(state.statement_to_plan(statement).await?)
}

/// Fills in the arguments that the calls in `expr` leave out before a named one.
pub fn complete(state: &SessionState, expr: &mut Expr) {
    // The visitor never breaks off.
    let _done = expr.visit(&mut Gaps(&|name| parameters(state, name)));
}

/// The names of a function's parameters, where it has such.
fn parameters(state: &SessionState, name: &str) -> Option<Vec<String>> {
    let scalar = state.scalar_functions().get(name).map(|of| of.signature());
    let aggregate = || {
        let of = state.aggregate_functions().get(name)?;
        Some(of.signature())
    };
    let window = || {
        let of = state.window_functions().get(name)?;
        Some(of.signature())
    };
    let signature: Option<&Signature> = scalar.or_else(aggregate).or_else(window);
    signature?.parameter_names.clone()
}

type Parameters<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

fn fill(statement: &mut DfStatement, parameters: Parameters<'_>) {
    let mut gaps = Gaps(parameters);
    // The visitor never breaks off.
    let _done = match statement {
        DfStatement::Statement(sql) => sql.visit(&mut gaps),
        DfStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut gaps),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        DfStatement::Explain(explain) => return fill(&mut explain.statement, parameters),
        DfStatement::CreateExternalTable(_) | DfStatement::Reset(_) => ControlFlow::Continue(()),
    };
}

struct Gaps<'a>(Parameters<'a>);

impl VisitorMut for Gaps<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr
            && let FunctionArguments::List(list) = &mut call.args
            && list.args.iter().any(|arg| name_of(arg).is_some())
            && let Some(parameters) = self.0(&call.name.to_string().to_lowercase())
        {
            close(list, &parameters);
        }
        ControlFlow::Continue(())
    }
}

/// Puts the named arguments in their places, with NULL in those before them that are empty. A call
/// without its subject, and what is wrong with the names, is for the planner to refuse.
fn close(list: &mut FunctionArgumentList, parameters: &[String]) {
    let (mut places, mut named): (Vec<Option<FunctionArgExpr>>, bool) = (Vec::new(), false);
    for arg in &list.args {
        let (place, value) = match (name_of(arg), arg) {
            (Some(name), FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) => {
                let name = normalize(name);
                match parameters.iter().position(|parameter| *parameter == name) {
                    Some(place) => (place, arg),
                    None => return,
                }
            }
            (None, FunctionArg::Unnamed(arg)) if !named => (places.len(), arg),
            _ => return,
        };
        named |= name_of(arg).is_some();
        if place >= places.len() {
            places.resize(place + 1, None);
        }
        match places.get_mut(place) {
            Some(slot @ None) => *slot = Some(value.clone()),
            _ => return,
        }
    }
    if matches!(places.first(), Some(None)) {
        return;
    }
    let null = || FunctionArgExpr::Expr(Expr::Value(Value::Null.into()));
    let filled = places.into_iter().map(|arg| arg.unwrap_or_else(null));
    list.args = filled.map(FunctionArg::Unnamed).collect();
}

fn name_of(arg: &FunctionArg) -> Option<&Ident> {
    match arg {
        FunctionArg::Named { name, .. }
        | FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            ..
        } => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{Statement, parse};

    fn filled(sql: &str) -> String {
        let Ok(Statement::Sql(mut statement)) = parse(sql) else {
            panic!("{sql} does not parse");
        };
        let parameters = |name: &str| {
            let names = ["text", "categories", "mode"].map(str::to_owned);
            (name == "redact").then(|| names.to_vec())
        };
        fill(&mut statement, &parameters);
        statement.to_string()
    }

    #[test]
    fn what_is_left_out_before_a_named_argument_is_null() {
        for (sql, wanted) in [
            (
                "SELECT redact(m, mode => 'label') FROM t",
                "SELECT redact(m, NULL, 'label') FROM t",
            ),
            (
                "SELECT Redact(mode => 'label', \"text\" => m) FROM t",
                "SELECT Redact(m, NULL, 'label') FROM t",
            ),
            (
                "EXPLAIN SELECT 1 WHERE redact(redact(m, mode => 'x')) = ''",
                "EXPLAIN SELECT 1 WHERE redact(redact(m, NULL, 'x')) = ''",
            ),
            (
                "COPY (SELECT redact(m, MODE => 'label') FROM t) TO 'x'",
                "COPY (SELECT redact(m, NULL, 'label') FROM t) TO x",
            ),
        ] {
            assert_eq!(filled(sql), wanted);
        }
    }

    #[test]
    fn what_is_wrong_is_left_to_the_planner() {
        for sql in [
            "SELECT redact(m, kind => 'x') FROM t",
            "SELECT redact(m, text => 'x') FROM t",
            "SELECT redact(mode => 'x', m) FROM t",
            "SELECT redact(mode => 'x') FROM t",
            "SELECT other(m, mode => 'x') FROM t",
        ] {
            assert_eq!(filled(sql), sql);
        }
    }
}
