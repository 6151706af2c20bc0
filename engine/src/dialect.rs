//! What a front end with a dialect of its own adds to its sessions: schemas, functions, and a
//! reading of statements that the planner would not understand as they are. Sessions of other front
//! ends know nothing of it.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{SchemaProvider, TableFunctionImpl};
use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::sqlparser::ast::Statement;

/// Turns a statement of the dialect into one that the planner takes.
pub trait Rewrite: fmt::Debug + Send + Sync {
    /// `statement`, or what stands for it.
    fn rewrite(&self, statement: Statement) -> Statement;
}

/// What a front end adds to its sessions.
#[derive(Debug, Clone, Default)]
pub struct Dialect {
    /// Schemas beside those of the catalog, by name.
    pub schemas: Vec<(String, Arc<dyn SchemaProvider>)>,
    /// Functions; one of a known name takes its place.
    pub scalars: Vec<Arc<ScalarUDF>>,
    /// Functions that give tables, by name.
    pub tables: Vec<(String, Arc<dyn TableFunctionImpl>)>,
    /// How its statements are read.
    pub rewrite: Option<Arc<dyn Rewrite>>,
}
