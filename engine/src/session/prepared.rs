//! A statement between planning and running.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;

use crate::error::{Error, Result};
use crate::parameters;
use crate::source::Source;
use crate::statement::Statement;
use crate::table::Table;

/// A statement that is parsed, checked and, where it has a plan, planned.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) sql: String,
    pub(super) schema: SchemaRef,
    pub(super) work: Work,
}

#[derive(Debug, Clone)]
pub(super) enum Work {
    Query(LogicalPlan),
    /// An effect that DataFusion runs itself, such as `SET`.
    Effect(LogicalPlan),
    Insert {
        into: Into,
        plan: LogicalPlan,
    },
    Command(Box<Statement>),
    /// A change of the session itself.
    Session(Change),
}

/// What a statement changes of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: it is accepted for the sake of drivers.
    Nothing,
    /// A setting that drivers have; without a value it goes back to its default.
    Variable { name: String, value: Option<String> },
    /// Everything goes back to what sessions begin with.
    All,
}

/// Where an INSERT puts its rows.
#[derive(Debug, Clone)]
pub(super) enum Into {
    Table(Arc<dyn Table>),
    Stream(Arc<dyn Source>),
}

impl Prepared {
    /// The columns of the answer; none for effects.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Whether running it changes something.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        match &self.work {
            Work::Query(_) => false,
            Work::Effect(_) | Work::Insert { .. } | Work::Session(_) => true,
            Work::Command(statement) => !matches!(
                **statement,
                Statement::ShowPipelines
                    | Statement::ShowPolicies
                    | Statement::VerifyTable { .. }
                    | Statement::Call(_)
            ),
        }
    }

    /// The statement's text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The statement's parameters in the order of their numbers, with the types that planning
    /// found.
    ///
    /// # Errors
    /// When one parameter would need two types.
    pub fn parameters(&self) -> Result<Vec<Field>> {
        match &self.work {
            Work::Query(plan) | Work::Effect(plan) | Work::Insert { plan, .. } => {
                parameters::fields(plan)
            }
            Work::Command(_) | Work::Session(_) => Ok(Vec::new()),
        }
    }

    /// The same statement with values in the place of its parameters.
    ///
    /// # Errors
    /// When there are too few or too many values, or one cannot be cast to its parameter's type.
    pub fn with_parameters(self, values: ParamValues) -> Result<Self> {
        let Self { sql, schema, work } = self;
        let work = match work {
            Work::Query(plan) => Work::Query(parameters::bind(plan, values)?),
            Work::Effect(plan) => Work::Effect(parameters::bind(plan, values)?),
            Work::Insert { into, plan } => Work::Insert {
                into,
                plan: parameters::bind(plan, values)?,
            },
            Work::Command(_) | Work::Session(_) => match &values {
                ParamValues::List(none) if none.is_empty() => work,
                _ => return Err(Error::user("this kind of statement takes no parameters")),
            },
        };
        let schema = match &work {
            Work::Query(plan) => Arc::new(plan.schema().as_arrow().clone()),
            _ => schema,
        };
        Ok(Self { sql, schema, work })
    }
}
