//! The operators of JSON: `json -> 'key'` is `json_get`, `json ->> 'key'` is `json_as_text`, and
//! `json ? 'key'` is `json_contains`. Several in a row are one path, so the text is read once.
//!
//! A session takes them with `register_expr_planner`.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::{json_as_text, json_contains, json_get};

/// Plans the operators of JSON.
#[derive(Debug)]
pub struct JsonOperators {
    get: Arc<ScalarUDF>,
    as_text: Arc<ScalarUDF>,
    contains: Arc<ScalarUDF>,
}

impl Default for JsonOperators {
    fn default() -> Self {
        Self {
            get: Arc::new(json_get::udf()),
            as_text: Arc::new(json_as_text::udf()),
            contains: Arc::new(json_contains::udf()),
        }
    }
}

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expr.op {
            BinaryOperator::Arrow => &self.get,
            BinaryOperator::LongArrow => &self.as_text,
            BinaryOperator::Question => &self.contains,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let mut args = match expr.left {
            Expr::ScalarFunction(ScalarFunction { func, args }) if func == self.get => args,
            left => vec![left],
        };
        args.push(expr.right);
        let call = ScalarFunction::new_udf(Arc::clone(function), args);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}
