//! What is added to a point in time is a length. The planner takes it for another point otherwise,
//! and refuses to add the two before anybody can tell it more.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::surroundings::{LENGTH, is_point};

/// Tells the planner so.
#[derive(Debug)]
pub struct Lengths;

impl ExprPlanner for Lengths {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(expr.op, BinaryOperator::Plus | BinaryOperator::Minus) {
            let RawBinaryExpr { left, right, .. } = &mut expr;
            measure(left, right, schema);
            measure(right, left, schema);
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// Makes `side` a length where it is a parameter and `other` is a point in time.
fn measure(side: &mut Expr, other: &Expr, schema: &DFSchema) {
    if let Expr::Placeholder(placeholder) = side
        && placeholder.field.is_none()
        && !matches!(other, Expr::Placeholder(_))
        && other
            .get_type(schema)
            .is_ok_and(|kind: DataType| is_point(&kind))
    {
        placeholder.field = Some(Arc::new(Field::new("", LENGTH, true)));
    }
}
