//! A statement between planning and running.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;

use crate::error::{Error, Result};
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
            Work::Effect(_) | Work::Insert { .. } => true,
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
        let plan = match &self.work {
            Work::Query(plan) | Work::Effect(plan) | Work::Insert { plan, .. } => plan,
            Work::Command(_) => return Ok(Vec::new()),
        };
        let mut found: Vec<_> = plan.get_parameter_fields()?.into_iter().collect();
        let number = |name: &str| {
            name.trim_start_matches('$')
                .parse::<u32>()
                .unwrap_or(u32::MAX)
        };
        found.sort_unstable_by_key(|(name, _)| number(name));
        let field = |(name, field): (String, Option<Arc<Field>>)| {
            let kind = field.map_or(arrow::datatypes::DataType::Utf8, |f| f.data_type().clone());
            Field::new(name, kind, true)
        };
        Ok(found.into_iter().map(field).collect())
    }

    /// The same statement with values in the place of its parameters.
    ///
    /// # Errors
    /// When values are missing or of a type that cannot stand there.
    pub fn with_parameters(self, values: ParamValues) -> Result<Self> {
        let Self { sql, schema, work } = self;
        let work = match work {
            Work::Query(plan) => Work::Query(plan.with_param_values(values)?),
            Work::Effect(plan) => Work::Effect(plan.with_param_values(values)?),
            Work::Insert { into, plan } => Work::Insert {
                into,
                plan: plan.with_param_values(values)?,
            },
            Work::Command(_) => {
                return Err(Error::user("this kind of statement takes no parameters"));
            }
        };
        let schema = match &work {
            Work::Query(plan) => Arc::new(plan.schema().as_arrow().clone()),
            _ => schema,
        };
        Ok(Self { sql, schema, work })
    }
}
