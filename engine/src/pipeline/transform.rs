//! Step 3: a pipeline's SELECT, planned once and run for each cut.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use tokio::sync::Mutex;

use crate::error::Result;
use crate::insert::{InsertInto, align};
use crate::pipeline::carry::{carry, stream_of};
use crate::stream_table::{Inlet, StreamTable};

/// A planned SELECT whose stream is fed by hand.
pub struct Transform {
    context: SessionContext,
    logical: LogicalPlan,
    /// `None` when the query asks for the time of day, which planning makes a constant.
    physical: Option<Arc<dyn ExecutionPlan>>,
    inlet: Inlet,
    /// One run at a time: a run that is being given up must not take the rows of the next.
    running: Mutex<()>,
    target: SchemaRef,
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transform")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Transform {
    /// Plans `insert` against the schema of its target, and gives the stream it reads.
    ///
    /// # Errors
    /// What is wrong with the query, or that it cannot be run row by row.
    pub async fn plan(
        context: SessionContext,
        insert: &InsertInto,
        target: &SchemaRef,
    ) -> Result<(Arc<StreamTable>, Self)> {
        let query = SqlStatement::Query(insert.query.clone());
        let state = context.state();
        let plan = state
            .statement_to_plan(DfStatement::Statement(Box::new(query)))
            .await?;
        let stream = stream_of(&plan)?;
        let inlet = Inlet::default();
        let carried = carry(&plan, Some(&inlet))?;
        let logical = align(carried, &insert.table, &insert.columns, target)?;
        let planned = physical(&state, &logical).await?;
        let physical = if asks_the_time(&logical)? {
            None
        } else {
            Some(planned)
        };
        let target = Arc::clone(target);
        Ok((
            stream,
            Self {
                context,
                logical,
                physical,
                inlet,
                running: Mutex::default(),
                target,
            },
        ))
    }

    /// Runs the SELECT over `rows`; the result is in the target's schema, in the order of the rows.
    ///
    /// # Errors
    /// What an expression finds wrong with a value. Nothing is kept; the rows may be tried again.
    pub async fn run(&self, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let plan = match &self.physical {
            // A run of its own: metrics of past runs would add up for ever.
            Some(plan) => reset_plan_states(Arc::clone(plan))?,
            None => physical(&self.context.state(), &self.logical).await?,
        };
        let _alone = self.running.lock().await;
        self.inlet.fill(rows);
        Ok(collect(plan, self.context.task_ctx()).await?)
    }

    /// The session it is planned in.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The schema of the target, whose columns the result has in the same order.
    #[must_use]
    pub fn target(&self) -> &SchemaRef {
        &self.target
    }
}

async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(state.create_physical_plan(plan).await?)
}

/// Whether the plan calls a function such as `now()` whose value is fixed when a query starts.
fn asks_the_time(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        for expression in node.expressions() {
            expression.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr {
                    found |= call.func.signature().volatility == Volatility::Stable;
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
