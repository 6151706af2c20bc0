//! What `INSERT INTO table [(columns)] query` means, for statements and pipelines alike: the
//! query's columns are matched to the table's, cast, and put in the table's order.
//!
//! The lineage columns need not be named on either side: where the query has them they are stored,
//! else they are NULL. What a stream has beside its declared columns, such as `_key`, comes with
//! `*` to everybody who asks for all columns: it is stored where the table has a column for it, and
//! left out where not.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias as SqlExprWithAlias, Insert, ObjectName, Query, SelectItem,
    SetExpr, Statement as SqlStatement, TableObject, Visit, Visitor,
};

use crate::error::{Error, Result};
use crate::lineage;
use crate::options::SessionOptions;
use crate::plan;
use crate::statement::normalize;
use crate::stream_table::Undecodable;

/// The column of keys that a record has and its stream does not declare, as JSON text.
pub const EXTRA: &str = "_extra";

/// What streams have beside their declared columns and those of lineage.
const BESIDE: [&str; 3] = [EXTRA, lineage::KEY, lineage::HEADERS];

/// The parts of an `INSERT` that Sluice runs itself.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertInto {
    /// The table.
    pub table: String,
    /// The columns in parentheses after it; empty for all in order.
    pub columns: Vec<String>,
    /// The rows.
    pub query: Box<Query>,
    /// What the query gives by name of the columns that otherwise only come with `*`.
    pub named: BTreeSet<String>,
}

/// The state that plans whose rows are stored are run with.
#[must_use]
pub fn storing(context: &SessionContext) -> SessionState {
    let mut state = context.state();
    let options = state.config_options().extensions.get::<SessionOptions>();
    let undecodable = match options.map(|options| options.on_error.as_str()) {
        Some("skip") => Undecodable::Skip,
        _ => Undecodable::Fail,
    };
    state.config_mut().set_extension(Arc::new(undecodable));
    state
}

/// What a query's columns are matched to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The table's name, for messages.
    pub table: &'a str,
    /// The columns in parentheses after it; empty for all in order.
    pub columns: &'a [String],
    /// [`InsertInto::named`], which are columns like others; `None` where what streams have beside
    /// their columns is matched by its names alone, and need not be given.
    pub named: Option<&'a BTreeSet<String>>,
    /// The columns that the table has.
    pub schema: &'a Schema,
}

impl InsertInto {
    /// The target of this `INSERT`, whose columns are `schema`.
    #[must_use]
    pub fn target<'a>(&'a self, schema: &'a Schema) -> Target<'a> {
        Target {
            table: &self.table,
            columns: &self.columns,
            named: Some(&self.named),
            schema,
        }
    }
}

/// Takes an `INSERT` apart; `None` when `statement` is something else.
///
/// # Errors
/// [`crate::error::Kind::Unsupported`] for the parts of the grammar that no table takes.
pub fn take_apart(statement: &DfStatement) -> Result<Option<InsertInto>> {
    let DfStatement::Statement(statement) = statement else {
        return Ok(None);
    };
    let SqlStatement::Insert(Insert {
        table,
        columns,
        source,
        on,
        returning,
        overwrite,
        ..
    }) = statement.as_ref()
    else {
        return Ok(None);
    };
    if on.is_some() || returning.is_some() || *overwrite {
        return Err(Error::unsupported(
            "INSERT takes no ON CONFLICT, RETURNING or OVERWRITE",
        ));
    }
    let (TableObject::TableName(name), Some(query)) = (table, source) else {
        return Err(Error::unsupported(
            "INSERT takes a table's name and a query or VALUES",
        ));
    };
    let columns = columns.iter().map(normalize).collect();
    Ok(Some(InsertInto {
        table: table_name(name)?,
        columns,
        named: named(query),
        query: query.clone(),
    }))
}

/// Which of [`BESIDE`] a SELECT of `query` gives by name.
fn named(query: &Query) -> BTreeSet<String> {
    struct Names(BTreeSet<String>);
    impl Names {
        fn take(&mut self, body: &SetExpr) {
            match body {
                SetExpr::Select(select) => {
                    let given = select.projection.iter().filter_map(output_name);
                    self.0
                        .extend(given.filter(|name| BESIDE.contains(&name.as_str())));
                }
                SetExpr::SetOperation { left, right, .. } => {
                    self.take(left);
                    self.take(right);
                }
                _ => {}
            }
        }
    }
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.take(&query.body);
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(BTreeSet::new());
    // It breaks nowhere, so there is nothing to look at.
    let _all = query.visit(&mut names);
    names.0
}

/// The name of the column that an item of a SELECT gives, where it is written there.
fn output_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(SqlExpr::Identifier(name)) => Some(normalize(name)),
        SelectItem::UnnamedExpr(SqlExpr::CompoundIdentifier(parts)) => parts.last().map(normalize),
        SelectItem::ExprWithAlias { alias, .. } => Some(normalize(alias)),
        _ => None,
    }
}

/// The name of a table in the default schema, with or without its catalog and schema.
///
/// # Errors
/// When the name has another catalog or schema.
pub fn table_name(name: &ObjectName) -> Result<String> {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|part| part.as_ident().map(normalize))
        .collect();
    match parts
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [table] | ["public", table] | ["sluice", "public", table] => Ok((*table).to_owned()),
        _ => Err(
            Error::not_found(format!("there is no schema for the table \"{name}\""))
                .hint("tables live in the schema \"public\""),
        ),
    }
}

/// Plans `VALUES` with the types of the columns they are for, so that rows may mix what has to be
/// cast; `None` for other queries, and for rows of another length, which [`align`] explains.
///
/// # Errors
/// When a value cannot be planned or cast.
pub fn plan_values(
    state: &SessionState,
    insert: &InsertInto,
    target: Target<'_>,
) -> Result<Option<LogicalPlan>> {
    let Query {
        body,
        with: None,
        order_by: None,
        limit_clause: None,
        ..
    } = insert.query.as_ref()
    else {
        return Ok(None);
    };
    let SetExpr::Values(values) = body.as_ref() else {
        return Ok(None);
    };
    let names = wanted(target, &[])?;
    if values.rows.iter().any(|row| row.len() != names.len()) {
        return Ok(None);
    }
    let fields = names
        .iter()
        .filter_map(|name| target.schema.field_with_name(name).ok());
    let fields: Vec<Field> = fields
        .map(|field| field.clone().with_nullable(true))
        .collect();
    let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
    let none = DFSchema::empty();
    let plan = |value: &SqlExpr| {
        let mut expr = value.clone();
        plan::complete(state, &mut expr);
        let value = SqlExprWithAlias { expr, alias: None };
        state.create_logical_expr_from_sql_expr(value, &none)
    };
    let rows = values.rows.iter().map(|row| row.iter().map(plan).collect());
    let rows: Vec<Vec<Expr>> = rows.collect::<Result<_, _>>()?;
    Ok(Some(
        LogicalPlanBuilder::values_with_schema(rows, &schema)?.build()?,
    ))
}

/// Projects `query` onto `target`: one column for each of the table's, in its order and type.
///
/// # Errors
/// [`crate::error::Kind::User`] when columns are missing, too many, unknown, or cannot be cast; the
/// message names them.
pub fn align(query: LogicalPlan, target: Target<'_>) -> Result<LogicalPlan> {
    let Target { table, columns, .. } = target;
    let schema = Arc::clone(query.schema());
    let mut given = Vec::new();
    let mut carried = Vec::new();
    for (qualifier, field) in schema.iter() {
        let name = field.name();
        let column = Column::new(qualifier.cloned(), name);
        let named = target.named.is_some_and(|named| named.contains(name));
        let beside = BESIDE.contains(&name.as_str()) && !named;
        if (lineage::is_lineage(name) || beside) && !columns.contains(name) {
            carried.push(column);
        } else {
            given.push(column);
        }
    }
    let wanted = wanted(target, &carried)?;
    if wanted.len() != given.len() {
        return Err(count_mismatch(table, &wanted, &given));
    }
    let mut expressions = Vec::new();
    for field in target.schema.fields() {
        let named = wanted
            .iter()
            .zip(&given)
            .find(|(name, _)| **name == field.name());
        let from = named.map(|(_, column)| column);
        let from = from.or_else(|| carried.iter().find(|column| column.name() == field.name()));
        let value = match from {
            Some(column) => fitted(column, field, &schema, table)?,
            None if field.is_nullable() => {
                Expr::Literal(ScalarValue::try_from(field.data_type())?, None)
            }
            None => {
                let name = field.name();
                return Err(Error::user(format!(
                    "column \"{name}\" of table \"{table}\" is NOT NULL and gets no value"
                )));
            }
        };
        expressions.push(value.alias(field.name()));
    }
    Ok(LogicalPlanBuilder::from(query)
        .project(expressions)?
        .build()?)
}

/// The names that the query's columns are matched to, in order; those in `carried` have found
/// their column by its name.
fn wanted<'a>(target: Target<'a>, carried: &[Column]) -> Result<Vec<&'a str>> {
    let Target {
        table,
        columns,
        schema,
        ..
    } = target;
    if columns.is_empty() {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let by_name = |name: &str| {
            lineage::is_lineage(name)
                || carried.iter().any(|column| column.name() == name)
                || (target.named.is_none() && BESIDE.contains(&name))
        };
        return Ok(names.filter(|name| !by_name(name)).collect());
    }
    for (at, name) in columns.iter().enumerate() {
        if schema.field_with_name(name).is_err() {
            let all: Vec<_> = schema
                .fields()
                .iter()
                .map(|f| format!("\"{}\"", f.name()))
                .collect();
            return Err(
                Error::user(format!("table \"{table}\" has no column \"{name}\""))
                    .hint(format!("it has {}", all.join(", "))),
            );
        }
        if columns[..at].contains(name) {
            return Err(Error::user(format!("column \"{name}\" is named twice")));
        }
    }
    Ok(columns.iter().map(String::as_str).collect())
}

fn count_mismatch(table: &str, wanted: &[&str], given: &[Column]) -> Error {
    let (takes, gives) = (wanted.len(), given.len());
    let message = format!("the query gives {gives} columns and table \"{table}\" takes {takes}");
    let list = |names: &mut dyn Iterator<Item = &str>| -> String {
        names
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", ")
    };
    Error::user(message).hint(if gives < takes {
        let has = |name: &&&str| !given.iter().any(|column| column.name() == **name);
        let missing = list(&mut wanted.iter().filter(has).copied());
        format!("no value for {missing}; add them, or name the columns after the table")
    } else {
        format!("the table takes {}", list(&mut wanted.iter().copied()))
    })
}

fn fitted(column: &Column, field: &Field, schema: &DFSchema, table: &str) -> Result<Expr> {
    let value = Expr::Column(column.clone());
    let from = value.get_type(schema)?;
    let to = field.data_type();
    if &from == to {
        return Ok(value);
    }
    if !arrow::compute::can_cast_types(&from, to) {
        let name = field.name();
        return Err(Error::user(format!(
            "column \"{name}\" of table \"{table}\" is {to} and the query gives {from}"
        ))
        .hint("cast it in the SELECT"));
    }
    Ok(cast(value, to.clone()))
}
