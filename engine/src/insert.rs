//! What `INSERT INTO table [(columns)] query` means, for statements and pipelines alike: the
//! query's columns are matched to the table's, cast, and put in the table's order.
//!
//! The lineage columns need not be named on either side: where the query has them they are stored,
//! else they are NULL.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias as SqlExprWithAlias, Insert, ObjectName, Query, SetExpr,
    Statement as SqlStatement, TableObject,
};

use crate::error::{Error, Result};
use crate::lineage;
use crate::statement::normalize;

/// The parts of an `INSERT` that Sluice runs itself.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertInto {
    /// The table.
    pub table: String,
    /// The columns in parentheses after it; empty for all in order.
    pub columns: Vec<String>,
    /// The rows.
    pub query: Box<Query>,
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
        query: query.clone(),
    }))
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
    target: &Schema,
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
    let names = wanted(&insert.table, &insert.columns, target)?;
    if values.rows.iter().any(|row| row.len() != names.len()) {
        return Ok(None);
    }
    let fields = names
        .iter()
        .filter_map(|name| target.field_with_name(name).ok());
    let fields: Vec<Field> = fields
        .map(|field| field.clone().with_nullable(true))
        .collect();
    let schema = Arc::new(DFSchema::try_from(Schema::new(fields))?);
    let none = DFSchema::empty();
    let plan = |value: &SqlExpr| {
        let value = SqlExprWithAlias {
            expr: value.clone(),
            alias: None,
        };
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
pub fn align(
    query: LogicalPlan,
    table: &str,
    columns: &[String],
    target: &Schema,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(query.schema());
    let mut given = Vec::new();
    let mut carried = Vec::new();
    for (qualifier, field) in schema.iter() {
        let column = Column::new(qualifier.cloned(), field.name());
        let explicit = columns.iter().any(|name| name == field.name());
        if lineage::is_lineage(field.name()) && !explicit {
            carried.push(column);
        } else {
            given.push(column);
        }
    }
    let wanted = wanted(table, columns, target)?;
    if wanted.len() != given.len() {
        return Err(count_mismatch(table, &wanted, &given));
    }
    let mut expressions = Vec::new();
    for field in target.fields() {
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

/// The names that the query's columns are matched to, in order.
fn wanted<'a>(table: &str, columns: &'a [String], target: &'a Schema) -> Result<Vec<&'a str>> {
    if columns.is_empty() {
        let names = target.fields().iter().map(|field| field.name().as_str());
        return Ok(names.filter(|name| !lineage::is_lineage(name)).collect());
    }
    for (at, name) in columns.iter().enumerate() {
        if target.field_with_name(name).is_err() {
            let all: Vec<_> = target
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
