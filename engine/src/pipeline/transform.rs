//! Step 3: a pipeline's SELECT, planned once and run for each slice of a cut.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use tokio::sync::Mutex;

use crate::authority::Authority;
use crate::context;
use crate::counting::Counting;
use crate::error::{Error, Result};
use crate::insert::{EXTRA, InsertInto, Target, align};
use crate::lineage;
use crate::pipeline::batch::bytes_of_rows;
use crate::pipeline::carry::{carry, stream_of};
use crate::pipeline::redact::{PII, Plan};
use crate::plan;
use crate::redaction::Redacted;
use crate::source::Wanted;
use crate::stream_table::{Inlet, StreamTable};

/// Bytes that one run may give; more than that is asked for in smaller runs.
pub const RUN_BYTES_MAX: usize = 128 << 20;

/// A planned SELECT whose stream is fed by hand.
pub struct Transform {
    context: SessionContext,
    counting: Option<Counting>,
    logical: LogicalPlan,
    /// `None` when the query asks for the time of day or for enrichment, which planning fixes.
    physical: Option<Arc<dyn ExecutionPlan>>,
    inlet: Inlet,
    /// One run at a time: a run that is being given up must not take the rows of the next.
    running: Mutex<()>,
    target: SchemaRef,
    wanted: Wanted,
    /// Names of the target's columns that the query gives values for.
    given: Vec<String>,
    passes_extra: bool,
}

/// What a run gives.
#[derive(Debug, Default)]
pub struct Made {
    /// Rows of the target.
    pub rows: Vec<RecordBatch>,
    /// What was redacted in them.
    pub redacted: Vec<Redacted>,
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
        (context, counting): (SessionContext, Option<Counting>),
        (insert, redact): (&InsertInto, &Plan<'_>),
        target: &SchemaRef,
    ) -> Result<(Arc<StreamTable>, Self)> {
        if let Some(enrichment) = context::enrichment(&context) {
            // Whoever defined the pipeline was asked whether he may name files.
            enrichment
                .admit_all(&insert.query, Authority::Owner)
                .await?;
        }
        context::refresh(&context)?;
        let query = SqlStatement::Query(insert.query.clone());
        let state = context.state();
        let plan = plan::plan(&state, DfStatement::Statement(Box::new(query))).await?;
        let stream = stream_of(&plan)?;
        let inlet = Inlet::default();
        let carried = carry(&plan, Some(&inlet))?;
        let columns = columns(
            &carried,
            stream.source().evolves(),
            (insert, redact),
            target,
        );
        let into = Target {
            columns: &columns,
            ..insert.target(target)
        };
        let aligned = align(carried, into)?;
        let (given, passes_extra) = outputs(&aligned);
        let logical = redact.apply(&state, aligned, (target, &given))?;
        let planned = physical(&state, &logical, counting.as_ref()).await?;
        let physical = if asks_the_time(&logical)? {
            None
        } else {
            Some(planned)
        };
        let wanted = wanted(&state.optimize(&logical)?)?;
        let target = Arc::clone(target);
        let transform = Self {
            context,
            counting,
            logical,
            physical,
            inlet,
            running: Mutex::default(),
            target,
            wanted,
            given,
            passes_extra,
        };
        Ok((stream, transform))
    }

    /// The plan for the runs over one cut, which all have the same time of day and enrichment.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub async fn begin(&self) -> Result<Arc<dyn ExecutionPlan>> {
        match &self.physical {
            Some(plan) => Ok(Arc::clone(plan)),
            None => {
                context::refresh(&self.context)?;
                let state = self.context.state();
                physical(&state, &self.logical, self.counting.as_ref()).await
            }
        }
    }

    /// Runs `plan` over `rows`; what it gives is in the target's schema, in the order of the rows.
    ///
    /// # Errors
    /// What an expression finds wrong with a value, or [`crate::error::Kind::Limit`] when the
    /// result is too large. Nothing is kept; the rows may be tried again.
    pub async fn run(&self, plan: &Arc<dyn ExecutionPlan>, rows: Vec<RecordBatch>) -> Result<Made> {
        // A run of its own: metrics of past runs would add up for ever.
        let plan = reset_plan_states(Arc::clone(plan))?;
        let records: usize = rows.iter().map(RecordBatch::num_rows).sum();
        let _alone = self.running.lock().await;
        // What planning folded, and what runs redacted that failed, is in no row.
        self.redacted();
        self.inlet.fill(rows);
        let mut stream = execute_stream(plan, self.context.task_ctx())?;
        let (mut result, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            bytes += bytes_of_rows(&batch);
            result.push(batch);
            let made: usize = result.iter().map(RecordBatch::num_rows).sum();
            if bytes > RUN_BYTES_MAX && made > 1 {
                return Err(too_much(records));
            }
        }
        let redacted = self.redacted();
        Ok(Made {
            rows: result,
            redacted,
        })
    }

    fn redacted(&self) -> Vec<Redacted> {
        self.counting.as_ref().map_or_else(Vec::new, Counting::take)
    }

    /// The query as planned, with its rows in the target's schema.
    #[must_use]
    pub fn logical(&self) -> &LogicalPlan {
        &self.logical
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

    /// What the query reads beside a record's declared columns.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// The target's columns that the query gives values for; the others are NULL.
    #[must_use]
    pub fn given(&self) -> &[String] {
        &self.given
    }

    /// Whether the target's column of undeclared keys gets them as the stream has them.
    #[must_use]
    pub fn passes_extra(&self) -> bool {
        self.passes_extra
    }
}

/// Too much of one record is the record's fault, too much of several is asked for in smaller runs.
fn too_much(records: usize) -> Error {
    let made = format!("the query makes more than {} MiB of", RUN_BYTES_MAX >> 20);
    match records {
        0 | 1 => Error::user(format!("{made} one record")),
        _ => Error::limit(format!("{made} {records} records")),
    }
}

async fn physical(
    state: &SessionState,
    plan: &LogicalPlan,
    counting: Option<&Counting>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = state.create_physical_plan(plan).await?;
    match counting {
        Some(counting) => counting.of_stored(plan),
        None => Ok(plan),
    }
}

/// Whether the plan calls a function such as `now()` or `geoip(ip)`, whose value is fixed by the
/// moment at which a query starts.
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

/// The columns of the target that the query gives values to; empty for all in order.
fn columns(
    query: &LogicalPlan,
    grows: bool,
    (insert, redact): (&InsertInto, &Plan<'_>),
    target: &Schema,
) -> Vec<String> {
    if !insert.columns.is_empty() {
        return insert.columns.clone();
    }
    if grows {
        return columns_before(query, insert, target);
    }
    let (all, given) = matched(query, insert, target);
    let named = query.schema().has_column_with_unqualified_name(PII);
    match redact.tells(target) && !named && given + 1 == all.len() {
        true => all.into_iter().filter(|name| name != PII).collect(),
        false => Vec::new(),
    }
}

/// The columns that a query gives to a table which grows columns at its end: the first ones.
fn columns_before(query: &LogicalPlan, insert: &InsertInto, target: &Schema) -> Vec<String> {
    let (all, given) = matched(query, insert, target);
    // Too few columns, or one that must have a value, are for the matching to refuse.
    let rest = all.get(given..).unwrap_or_default();
    let nullable = |name: &String| {
        target
            .field_with_name(name)
            .is_ok_and(|field| field.is_nullable())
    };
    if given == 0 || !rest.iter().all(nullable) {
        return Vec::new();
    }
    all.into_iter().take(given).collect()
}

/// The columns of the target that a query's are matched to in their order, and how many it gives.
fn matched(query: &LogicalPlan, insert: &InsertInto, target: &Schema) -> (Vec<String>, usize) {
    let beside = [EXTRA, lineage::KEY, lineage::HEADERS];
    let by_name = |name: &str| {
        lineage::is_lineage(name) || (beside.contains(&name) && !insert.named.contains(name))
    };
    let outputs: Vec<&str> = query
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let given = outputs.iter().filter(|name| !by_name(name)).count();
    let taken = |name: &&String| {
        let matched = by_name(name) && outputs.contains(&name.as_str());
        !matched && !lineage::is_lineage(name)
    };
    let names = target.fields().iter().map(|field| field.name());
    (names.filter(taken).cloned().collect(), given)
}

/// The columns of `plan`, the last projection onto a target, that are not always NULL, and whether
/// the column of undeclared keys is the stream's own.
fn outputs(plan: &LogicalPlan) -> (Vec<String>, bool) {
    let LogicalPlan::Projection(projection) = plan else {
        return (Vec::new(), false);
    };
    let (mut given, mut passes) = (Vec::new(), false);
    for (expr, field) in projection.expr.iter().zip(projection.schema.fields()) {
        let inner = match expr {
            Expr::Alias(alias) => alias.expr.as_ref(),
            other => other,
        };
        let inner = match inner {
            Expr::Cast(cast) => cast.expr.as_ref(),
            other => other,
        };
        match inner {
            Expr::Literal(value, _) if value.is_null() => continue,
            Expr::Column(column) if field.name() == EXTRA => {
                passes = comes_from_stream(&projection.input, column.name());
            }
            _ => {}
        }
        given.push(field.name().clone());
    }
    (given, passes)
}

/// Whether the output `name` of `plan` is the stream's column of undeclared keys as it is.
fn comes_from_stream(plan: &LogicalPlan, name: &str) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => name == EXTRA,
        LogicalPlan::Projection(projection) => {
            let fields = projection.schema.fields().iter();
            let mut outputs = projection.expr.iter().zip(fields);
            let output = outputs.find(|(_, field)| field.name() == name);
            let inner = match output.map(|(expr, _)| expr) {
                Some(Expr::Alias(alias)) => Some(alias.expr.as_ref()),
                other => other,
            };
            match inner {
                Some(Expr::Column(column)) => comes_from_stream(&projection.input, column.name()),
                _ => false,
            }
        }
        other => other
            .inputs()
            .first()
            .is_some_and(|input| comes_from_stream(input, name)),
    }
}

/// What `plan`, optimized, reads of the stream.
fn wanted(plan: &LogicalPlan) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let fields = scan.projected_schema.fields();
            let reads = |name: &str| fields.iter().any(|field| field.name() == name);
            wanted.key |= reads(lineage::KEY);
            wanted.headers |= reads(lineage::HEADERS);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(wanted)
}
