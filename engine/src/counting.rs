//! Counts what a pipeline's plan redacts in the rows that it gives, and in no others: what its
//! filters redact to look at a row is not counted, as a row may not pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

use arrow::datatypes::Schema;

use crate::error::Result;
use crate::redaction::{Ledger, Policies, Redacted};

/// What the names of columns begin with in which the optimizer keeps what an expression needs
/// twice.
const SHARED: &str = "__common_expr";

/// The ledger of one session.
#[derive(Debug, Clone)]
pub struct Counting {
    ledger: Arc<dyn Ledger>,
    /// The options of the session with a ledger that nobody reads.
    aside: Arc<ConfigOptions>,
    /// Names of policies by their hash.
    names: Arc<BTreeMap<String, String>>,
}

impl Counting {
    /// Puts a ledger into the options of a session.
    pub(crate) fn begin(policies: &dyn Policies, options: &mut ConfigOptions) -> Self {
        let mut aside = options.clone();
        policies.ledger(&mut aside);
        let rules = policies.rules().into_iter();
        Self {
            ledger: policies.ledger(options),
            aside: Arc::new(aside),
            names: Arc::new(rules.map(|rule| (rule.hash, rule.policy)).collect()),
        }
    }

    /// What was replaced since the last call, with the names of policies.
    #[must_use]
    pub fn take(&self) -> Vec<Redacted> {
        let mut lines = self.ledger.take();
        for line in &mut lines {
            line.policy = self.names.get(&line.hash).cloned();
        }
        lines.sort_unstable();
        lines
    }

    /// `plan` with filters that write to no ledger.
    ///
    /// # Errors
    /// When the plan cannot be rebuilt.
    pub fn of_stored(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let done = plan.transform_up(|node| {
            let Some(filter) = node.as_any().downcast_ref::<FilterExec>() else {
                return Ok(Transformed::no(node));
            };
            let input = filter.input();
            let predicate = self.silent(filter.predicate(), &input.schema())?;
            let input = match input.as_any().downcast_ref::<ProjectionExec>() {
                Some(shared) => self.without_shared(shared)?,
                None => Arc::clone(input),
            };
            let filter = FilterExecBuilder::from(filter).with_predicate(predicate);
            Ok(Transformed::yes(
                Arc::new(filter.with_input(input).build()?) as _,
            ))
        });
        Ok(done?.data)
    }

    /// What a filter needs twice is made below it.
    fn without_shared(
        &self,
        plan: &ProjectionExec,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let schema = plan.input().schema();
        let columns = plan.expr().iter().map(|column| {
            let expr = match column.alias.starts_with(SHARED) {
                true => self.silent(&column.expr, &schema)?,
                false => Arc::clone(&column.expr),
            };
            let alias = column.alias.clone();
            Ok(ProjectionExpr { expr, alias })
        });
        let columns: datafusion::error::Result<Vec<_>> = columns.collect();
        let plan = ProjectionExec::try_new(columns?, Arc::clone(plan.input()))?;
        Ok(Arc::new(plan))
    }

    fn silent(
        &self,
        expr: &Arc<dyn PhysicalExpr>,
        schema: &Schema,
    ) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
        let done = Arc::clone(expr).transform_up(|expr| {
            let Some(call) = expr.as_any().downcast_ref::<ScalarFunctionExpr>() else {
                return Ok(Transformed::no(expr));
            };
            let field = expr.return_field(schema)?;
            let call = ScalarFunctionExpr::new(
                call.name(),
                Arc::new(call.fun().clone()),
                call.args().to_vec(),
                field,
                Arc::clone(&self.aside),
            );
            Ok(Transformed::yes(Arc::new(call) as _))
        });
        Ok(done?.data)
    }
}
