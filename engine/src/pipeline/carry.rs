//! Carries the lineage columns through a pipeline's query, whether or not its SELECT names them,
//! and refuses queries that a row-at-a-time pipeline cannot run exactly.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableScan};

use crate::error::{Error, Result};
use crate::lineage;
use crate::stream_table::{Inlet, InletTable, StreamTable};

/// The stream that `plan` reads.
///
/// # Errors
/// When it reads no stream, several, or other tables beside it.
pub fn stream_of(plan: &LogicalPlan) -> Result<Arc<StreamTable>> {
    let mut streams = Vec::new();
    let mut others = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            match as_stream(scan) {
                Some(stream) => streams.push(stream),
                None => others.push(scan.table_name.table().to_owned()),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if let Some(other) = others.first() {
        return Err(Error::unsupported(format!(
            "a pipeline reads one stream, and this query also reads the table \"{other}\""
        ))
        .hint("join when querying, or store the column with the stream"));
    }
    match streams.len() {
        1 => streams.pop().ok_or_else(|| Error::internal("no stream")),
        0 => Err(Error::user("the query of a pipeline reads no stream")
            .hint("SELECT FROM a table that is STORED AS KAFKA or FILE")),
        _ => Err(Error::unsupported("a pipeline reads one stream once")
            .hint("make one pipeline for each stream; they may share the target")),
    }
}

fn as_stream(scan: &TableScan) -> Option<Arc<StreamTable>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let stream = provider.as_any().downcast_ref::<StreamTable>()?;
    Some(Arc::new(StreamTable::new(
        stream.name().to_owned(),
        Arc::clone(stream.source()),
    )))
}

/// Makes `plan` give the lineage columns with every row, and read `inlet`, where given, in the
/// stream's place.
///
/// # Errors
/// [`crate::error::Kind::Unsupported`] for what needs more than one row, such as an aggregate.
pub fn carry(plan: &LogicalPlan, inlet: Option<&Inlet>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let mut scan = scan.clone();
            let Some(inlet) = inlet else {
                return Ok(LogicalPlan::TableScan(scan));
            };
            let table = InletTable::new(inlet.clone(), scan.source.schema());
            scan.source = provider_as_source(Arc::new(table));
            Ok(LogicalPlan::TableScan(scan))
        }
        LogicalPlan::Projection(projection) => {
            let input = carry(&projection.input, inlet)?;
            let mut expressions = projection.expr.clone();
            for name in lineage::NAMES {
                let column = Expr::Column(lineage_column(input.schema(), name)?);
                let named = |expr: &&Expr| matches!(expr, Expr::Column(c) if c.name == name);
                match expressions.iter().find(named) {
                    Some(_) => {}
                    None if !has_output(&projection.schema, name) => expressions.push(column),
                    _ => {
                        return Err(Error::user(format!(
                            "the query makes a column \"{name}\" itself"
                        ))
                        .hint("that name says where a row came from; use another"));
                    }
                }
            }
            Ok(LogicalPlan::Projection(Projection::try_new(
                expressions,
                Arc::new(input),
            )?))
        }
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Unnest(_) => {
            let inputs: Result<Vec<_>> = plan
                .inputs()
                .into_iter()
                .map(|input| carry(input, inlet))
                .collect();
            // An unnest is rebuilt from its own columns and takes none.
            let unnest = matches!(plan, LogicalPlan::Unnest(_));
            let expressions = if unnest {
                Vec::new()
            } else {
                plan.expressions()
            };
            Ok(plan.with_new_exprs(expressions, inputs?)?)
        }
        other => {
            let what = other.display().to_string();
            let what = what
                .split([':', ' '])
                .next()
                .unwrap_or_default()
                .to_lowercase();
            Err(
                Error::unsupported(format!("a pipeline's query cannot have a step \"{what}\""))
                    .hint("a pipeline filters and projects row by row; aggregate when querying"),
            )
        }
    }
}

fn has_output(schema: &DFSchema, name: &str) -> bool {
    schema.fields().iter().any(|field| field.name() == name)
}

fn lineage_column(schema: &DFSchema, name: &str) -> Result<Column> {
    schema
        .qualified_field_with_unqualified_name(name)
        .map(|(qualifier, field)| Column::new(qualifier.cloned(), field.name()))
        .map_err(|_| Error::internal(format!("the stream has no column {name}")))
}
