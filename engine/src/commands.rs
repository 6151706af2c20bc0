//! Statements that change definitions: tables, streams, functions, pipelines; and `VERIFY TABLE`
//! and `CALL`.

pub(crate) mod call;
mod functions;
mod pipelines;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::authority::Authority;
use crate::catalog::Catalog;
use crate::config;
use crate::context::Contexts;
use crate::error::{Error, Result};
use crate::pipeline::Pipelines;
use crate::references::AllowedReferences;
use crate::runtime::Cpu;
use crate::statement::Statement;
use crate::verify::verify;

/// What statements act on, shared by all sessions.
#[derive(Debug)]
pub struct Commands {
    /// Tables and streams.
    pub catalog: Arc<Catalog>,
    /// Pipelines.
    pub pipelines: Arc<Pipelines>,
    /// Makes sessions.
    pub contexts: Arc<Contexts>,
    /// One change of functions at a time.
    pub functions: tokio::sync::Mutex<()>,
    /// What clients on the network may name in options.
    pub references: AllowedReferences,
    /// Where plans are made and run.
    pub cpu: Arc<Cpu>,
    /// What maintenance does unless a `CALL` says otherwise.
    pub maintenance: config::Maintenance,
    /// How long a query may run.
    pub query_timeout: Duration,
    /// The kind that `CREATE TABLE` makes.
    pub default_table: Option<&'static str>,
    /// Whether this process runs pipelines.
    pub runs_pipelines: std::sync::atomic::AtomicBool,
}

impl Commands {
    /// Runs `statement` to its end; gives rows where it has some.
    ///
    /// # Errors
    /// What is wrong with it, naming it; nothing is changed then.
    pub async fn run(
        &self,
        context: &SessionContext,
        statement: Statement,
        authority: Authority,
    ) -> Result<Option<RecordBatch>> {
        match statement {
            Statement::VerifyTable { name } => {
                let (catalog, context) = (Arc::clone(&self.catalog), context.clone());
                let proof = async move { verify(&catalog, &context, &name).await };
                return self.cpu.run(proof).await?.rows().map(Some);
            }
            Statement::Call(call) => return self.call(call).await.map(Some),
            Statement::CreateFunction(create) => self.create_function(create).await?,
            Statement::DropFunction { name, if_exists } => {
                self.drop_function(&name, if_exists).await?;
            }
            Statement::CreatePipeline(create) => self.create_pipeline(create).await?,
            Statement::AlterPipeline { name, action } => self.alter_pipeline(&name, action).await?,
            Statement::DropPipeline { name, if_exists } => {
                self.drop_pipeline(&name, if_exists).await?;
            }
            Statement::Sql(sql) => match *sql {
                DfStatement::CreateExternalTable(create) => {
                    self.create_external(create, authority).await?;
                }
                other => self.run_sql(context, other).await?,
            },
            Statement::ShowPipelines | Statement::ShowPolicies | Statement::Session(_) => {
                return Err(Error::internal("this is done by the session"));
            }
        }
        Ok(None)
    }

    async fn run_sql(&self, context: &SessionContext, parsed: DfStatement) -> Result<()> {
        if let DfStatement::Statement(statement) = &parsed
            && let SqlStatement::Drop {
                names, if_exists, ..
            } = statement.as_ref()
        {
            for name in names {
                self.drop_table(name, *if_exists).await?;
            }
            return Ok(());
        }
        self.create_table(context, parsed).await
    }
}
