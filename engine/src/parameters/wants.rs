//! The types that the uses of parameters in a plan are expected to have.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::surroundings::{Part, parts};
use super::use_of;
use crate::error::Result;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Types {
    uses: HashMap<usize, DataType>,
    names: HashMap<String, DataType>,
}

impl Types {
    /// What is expected at the use of this number.
    pub(super) fn of_use(&self, at: usize) -> Option<&DataType> {
        self.uses.get(&at)
    }

    /// The type of the parameter of this name, where a use says something.
    pub(super) fn of_name(&self, name: &str) -> Option<&DataType> {
        self.names.get(name)
    }
}

/// What is expected of the columns of a plan, by position.
type Columns = Vec<Option<DataType>>;

/// A query inside an expression, and what is expected of its columns.
type Query = (Arc<LogicalPlan>, Columns);

/// The types that the uses of parameters in `plan` are expected to have.
pub(super) fn of(plan: &LogicalPlan) -> Result<Types> {
    let mut types = Types::default();
    let mut queries = Vec::new();
    collect(plan, Columns::new(), &mut types, &mut queries)?;
    while let Some((query, columns)) = queries.pop() {
        collect(&query, columns, &mut types, &mut queries)?;
    }
    Ok(types)
}

fn collect(
    plan: &LogicalPlan,
    columns: Columns,
    types: &mut Types,
    queries: &mut Vec<Query>,
) -> Result<()> {
    // A list and not recursion: a plan may be deep.
    let mut open = vec![(plan, columns)];
    while let Some((node, columns)) = open.pop() {
        let schema = merge_schema(&node.inputs());
        let expected = expectations(node, &columns);
        let mut at = 0;
        node.apply_expressions(|expr| {
            let want = expected.get(at).cloned().flatten();
            at += 1;
            queries.extend(walk(expr, want, &schema, types));
            Ok(TreeNodeRecursion::Continue)
        })?;
        let below = below(node, columns);
        let inputs = node.inputs().into_iter().rev();
        open.extend(inputs.map(|input| (input, below.clone())));
    }
    Ok(())
}

/// Notes the uses of parameters in `expr`; gives the queries in it.
fn walk(expr: &Expr, want: Option<DataType>, schema: &DFSchema, types: &mut Types) -> Vec<Query> {
    let mut queries: Vec<Query> = Vec::new();
    let mut open: Vec<Part<'_>> = vec![(expr, want)];
    while let Some((expr, want)) = open.pop() {
        let query = match expr {
            Expr::Placeholder(placeholder) => {
                if let (Some(at), Some(want)) = (use_of(placeholder), want.map(plain)) {
                    let name = placeholder.id.clone();
                    types.names.entry(name).or_insert_with(|| want.clone());
                    types.uses.insert(at, want);
                }
                continue;
            }
            Expr::ScalarSubquery(subquery) => Some((subquery, vec![want.clone()])),
            Expr::Exists(exists) => Some((&exists.subquery, Columns::new())),
            Expr::InSubquery(within) => Some((&within.subquery, Columns::new())),
            Expr::SetComparison(set) => Some((&set.subquery, Columns::new())),
            _ => None,
        };
        queries.extend(query.map(|(query, want)| (Arc::clone(&query.subquery), want)));
        open.extend(parts(expr, want, schema).into_iter().rev());
    }
    queries
}

/// What is expected of the expressions of `node`, in the order in which it shows them.
fn expectations(node: &LogicalPlan, columns: &Columns) -> Columns {
    match node {
        LogicalPlan::Projection(_) => columns.clone(),
        LogicalPlan::Filter(_) => vec![Some(DataType::Boolean)],
        LogicalPlan::Limit(_) => vec![Some(DataType::Int64); 2],
        LogicalPlan::Join(join) => {
            let keys = join.on.iter().map(|(left, right)| {
                let wanted = right.get_type(join.right.schema());
                [wanted.ok(), left.get_type(join.left.schema()).ok()]
            });
            let keys = keys
                .flatten()
                .map(|kind| kind.filter(|kind| !kind.is_null()));
            keys.chain([Some(DataType::Boolean)]).collect()
        }
        LogicalPlan::Values(values) => {
            let fields = values.schema.fields().iter().enumerate();
            let kinds: Columns = fields
                .map(|(at, field)| match field.data_type() {
                    DataType::Null => columns.get(at).cloned().flatten(),
                    kind => Some(kind.clone()),
                })
                .collect();
            kinds
                .iter()
                .cycle()
                .take(kinds.len() * values.values.len())
                .cloned()
                .collect()
        }
        _ => Columns::new(),
    }
}

/// What is expected of the columns of the inputs of `node`, whose own are expected to be `columns`.
fn below(node: &LogicalPlan, columns: Columns) -> Columns {
    match node {
        LogicalPlan::Projection(projection) => {
            let schema = projection.input.schema();
            let mut below = vec![None; schema.fields().len()];
            for (at, expr) in projection.expr.iter().enumerate() {
                let (expr, want) = match expr.clone().unalias() {
                    Expr::Cast(cast) => (*cast.expr, Some(cast.data_type)),
                    expr => (expr, columns.get(at).cloned().flatten()),
                };
                if let (Expr::Column(column), Some(want)) = (expr, want)
                    && let Some(slot) = schema
                        .maybe_index_of_column(&column)
                        .and_then(|index| below.get_mut(index))
                {
                    slot.get_or_insert(want);
                }
            }
            below
        }
        LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Union(_) => columns,
        _ => Columns::new(),
    }
}

/// A type as values are bound in: no views and no dictionaries.
fn plain(kind: DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain(*values),
        other => other,
    }
}
