//! What a composition hands to the engine: functions, and the kinds of streams and tables it can
//! open. A [`Plugin`] is a plain value; several are merged by adding them up.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use crate::source::SourceFormat;
use crate::table::TableFormat;

/// Functions and formats, keyed by the word after `STORED AS` in upper case.
#[derive(Debug, Clone, Default)]
pub struct Plugin {
    /// Scalar functions.
    pub scalars: Vec<Arc<ScalarUDF>>,
    /// Aggregate functions.
    pub aggregates: Vec<Arc<AggregateUDF>>,
    /// Window functions.
    pub windows: Vec<Arc<WindowUDF>>,
    /// What plans operators that stand for functions.
    pub planners: Vec<Arc<dyn ExprPlanner>>,
    /// Kinds of streams.
    pub sources: BTreeMap<&'static str, Arc<dyn SourceFormat>>,
    /// Kinds of tables.
    pub tables: BTreeMap<&'static str, Arc<dyn TableFormat>>,
    /// The kind that `CREATE TABLE` without `STORED AS` makes.
    pub default_table: Option<&'static str>,
}

impl Plugin {
    /// This and `other` together; on the same word the other wins.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.scalars.extend(other.scalars);
        self.aggregates.extend(other.aggregates);
        self.windows.extend(other.windows);
        self.planners.extend(other.planners);
        self.sources.extend(other.sources);
        self.tables.extend(other.tables);
        self.default_table = other.default_table.or(self.default_table);
        self
    }
}
