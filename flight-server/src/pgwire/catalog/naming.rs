//! Names of columns that a query leaves without one, as PostgreSQL gives them: the function's,
//! `case`, or `?column?`. Drivers look columns up by these.

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr};

/// What PostgreSQL calls an expression that has no name.
const NAMELESS: &str = "?column?";

/// The name of the column `expr`.
pub(super) fn name(expr: &Expr) -> String {
    let of_type = |kind: &str| {
        let kind = kind.to_lowercase();
        let end = kind.find(['(', '[', ' ']).unwrap_or(kind.len());
        kind.get(..end).unwrap_or_default().to_owned()
    };
    match expr {
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(idents) => idents
            .last()
            .map_or_else(String::new, |ident| ident.value.clone()),
        Expr::Function(call) => {
            let last = call.name.0.last().and_then(|part| part.as_ident());
            last.map_or_else(String::new, |ident| ident.value.to_lowercase())
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name(inner),
        Expr::Cast {
            expr, data_type, ..
        } => match name(expr) {
            inner if inner == NAMELESS => of_type(&data_type.to_string()),
            inner => inner,
        },
        Expr::Case { .. } => "case".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Substring { .. } => "substring".to_owned(),
        Expr::Position { .. } => "position".to_owned(),
        Expr::Trim { .. } => "btrim".to_owned(),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::UnnamedExpr(expr)) => name(expr),
                Some(SelectItem::ExprWithAlias { alias, .. }) => alias.value.clone(),
                _ => NAMELESS.to_owned(),
            },
            _ => NAMELESS.to_owned(),
        },
        _ => NAMELESS.to_owned(),
    }
}

/// Names the columns of `query` that have no name, where the name is free.
pub(super) fn give(query: &mut Query) {
    let mut body = query.body.as_mut();
    while let SetExpr::SetOperation { left, .. } = body {
        body = left.as_mut();
    }
    if let SetExpr::Select(select) = body {
        give_select(select);
    }
}

fn give_select(select: &mut Select) {
    let mut taken = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_))) => {
                taken.push(name(expr))
            }
            SelectItem::ExprWithAlias { alias, .. } => taken.push(alias.value.clone()),
            SelectItem::UnnamedExpr(_) => {}
            // What names a wildcard brings is not known here.
            _ => return,
        }
    }
    // There a name would stand for the column and not for what it is made of.
    let used = format!("{} {:?}", select.group_by, select.having).to_lowercase();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
            continue;
        }
        let wanted = name(expr);
        let mut free = (0..).map(|number: usize| match number {
            0 => wanted.clone(),
            number => format!("{wanted}_{number}"),
        });
        let given = match wanted == NAMELESS {
            true => free.find(|name| !taken.contains(name)),
            false => free.next().filter(|name| !taken.contains(name)),
        };
        let is_word = |name: &String| {
            let mut words = used.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            words.any(|word| word == name)
        };
        let Some(given) = given.filter(|name| !name.is_empty() && !is_word(name)) else {
            continue;
        };
        taken.push(given.clone());
        *item = SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: Ident::with_quote('"', given),
        };
    }
}
