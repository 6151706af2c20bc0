//! Statements that change definitions: tables, streams, pipelines; and `VERIFY TABLE`.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{CreateExternalTable, Statement as DfStatement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{ObjectName, Statement as SqlStatement};
use tracing::warn;

use crate::authority::Authority;
use crate::catalog::{Catalog, NewTable};
use crate::context::PUBLIC;
use crate::error::{Error, Result};
use crate::insert::{align, table_name, take_apart};
use crate::pipeline::status::SharedProgress;
use crate::pipeline::{Pipelines, dead_letters};
use crate::query::QueryStream;
use crate::runtime::Cpu;
use crate::statement::{self, CreatePipeline, PipelineAction, Statement, quote};
use crate::store::StoredPipeline;
use crate::table::Append;
use crate::verify::verify;

/// What statements act on, shared by all sessions.
#[derive(Debug)]
pub struct Commands {
    /// Tables and streams.
    pub catalog: Arc<Catalog>,
    /// Pipelines.
    pub pipelines: Arc<Pipelines>,
    /// Where plans are made and run.
    pub cpu: Arc<Cpu>,
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
            Statement::ShowPipelines => {
                return Err(Error::internal("SHOW PIPELINES is a query"));
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

    async fn create_external(
        &self,
        create: CreateExternalTable,
        authority: Authority,
    ) -> Result<()> {
        if create.or_replace || create.temporary {
            return Err(Error::unsupported("tables take no OR REPLACE or TEMPORARY")
                .hint("DROP TABLE it first"));
        }
        if authority == Authority::Network && Catalog::is_local(&create.location) {
            let location = &create.location;
            return Err(
                Error::denied(format!("\"{location}\" is a place on the server's disk"))
                    .hint("the owner of the server defines such tables, by --init or sluice sql"),
            );
        }
        let (name, if_not_exists) = (table_name(&create.name)?, create.if_not_exists);
        let sql = statement::external_table_sql(&create);
        let new = NewTable {
            sql,
            managed: false,
            if_not_exists,
            schema: None,
        };
        self.catalog.create(&name, new).await.map(|_| ())
    }

    /// `CREATE TABLE [AS]`: a table in the data directory.
    async fn create_table(&self, context: &SessionContext, parsed: DfStatement) -> Result<()> {
        let state = context.state();
        let plan = self
            .cpu
            .run(async move { Ok(state.statement_to_plan(parsed).await?) })
            .await?;
        let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) = plan else {
            return Err(
                Error::unsupported("this form of CREATE TABLE is not supported").hint(
                    "write CREATE TABLE name (column TYPE, ...) or CREATE TABLE name AS SELECT ...",
                ),
            );
        };
        if create.or_replace || create.temporary {
            return Err(Error::unsupported("tables take no OR REPLACE or TEMPORARY")
                .hint("DROP TABLE it first"));
        }
        let format = self.default_table.ok_or_else(|| {
            Error::unsupported("this build has no kind of table for CREATE TABLE")
        })?;
        let schema = create.name.schema();
        if schema.is_some_and(|schema| schema != PUBLIC) {
            return Err(
                Error::not_found(format!("there is no schema for \"{}\"", create.name))
                    .hint("tables live in the schema \"public\""),
            );
        }
        let name = create.name.table().to_owned();
        let quoted = quote(&name);
        let sql = format!("CREATE EXTERNAL TABLE {quoted} STORED AS {format} LOCATION '{name}'");
        let schema = Some(Arc::new(columns(&create.input)));
        let if_not_exists = create.if_not_exists;
        let new = NewTable {
            sql,
            managed: true,
            if_not_exists,
            schema,
        };
        let is_new = self.catalog.create(&name, new).await?;
        if !is_new
            || matches!(create.input.as_ref(), LogicalPlan::EmptyRelation(e) if !e.produce_one_row)
        {
            return Ok(());
        }
        let filled = self
            .fill(context, &name, create.input.as_ref().clone())
            .await;
        if filled.is_err()
            && let Err(error) = self.catalog.remove(&name, true).await
        {
            warn!(table = name, error = %error, "an empty table is left over");
        }
        filled
    }

    async fn fill(&self, context: &SessionContext, name: &str, query: LogicalPlan) -> Result<()> {
        let table = self.catalog.table(name).await?;
        let plan = align(query, name, &[], table.schema().await?.as_ref())?;
        let frame = DataFrame::new(context.state(), plan);
        let rows = QueryStream::start(frame, &self.cpu, None)
            .await?
            .into_record_batch_stream();
        let append = Append {
            writer: String::new(),
            rows,
            ranges: Vec::new(),
        };
        table.append(append).await.map(|_| ())
    }

    async fn drop_table(&self, name: &ObjectName, if_exists: bool) -> Result<()> {
        let name = table_name(name)?;
        for (pipeline, stored) in self.catalog.pipelines() {
            if uses(&stored.sql, &name)? {
                return Err(
                    Error::conflict(format!("pipeline \"{pipeline}\" uses \"{name}\""))
                        .hint(format!("DROP PIPELINE {} first", quote(&pipeline))),
                );
            }
        }
        self.catalog.remove(&name, if_exists).await.map(|_| ())
    }

    async fn create_pipeline(&self, create: CreatePipeline) -> Result<()> {
        let name = create.name.clone();
        let before = self.catalog.pipelines().get(&name).cloned();
        let sql = statement::pipeline_sql(&create);
        if let Some(before) = &before
            && !create.or_replace
        {
            if !create.if_not_exists {
                return Err(Error::exists(format!("pipeline \"{name}\" exists already"))
                    .hint("say OR REPLACE to give it this body, or IF NOT EXISTS to leave it"));
            }
            if before.sql != sql {
                let there = &before.sql;
                warn!(
                    pipeline = name,
                    there,
                    given = sql,
                    "the pipeline exists with another body"
                );
            }
            return Ok(());
        }
        let runner = self
            .pipelines
            .open(&create, SharedProgress::new(&name))
            .await?;
        let paused = before.is_some_and(|before| before.paused);
        let stored = StoredPipeline {
            sql: sql.clone(),
            paused,
        };
        self.catalog.set_pipeline(&name, Some(stored)).await?;
        if !paused && self.runs_pipelines() {
            self.pipelines.stop(&name).await;
            self.pipelines.start(&name, &sql, Some(runner));
        }
        Ok(())
    }

    async fn alter_pipeline(&self, name: &str, action: PipelineAction) -> Result<()> {
        let stored = self.pipeline(name)?;
        let paused = match action {
            PipelineAction::Pause => true,
            PipelineAction::Resume => false,
            PipelineAction::Rewind(_) => stored.paused,
        };
        let stored = StoredPipeline { paused, ..stored };
        self.catalog
            .set_pipeline(name, Some(stored.clone()))
            .await?;
        self.pipelines.stop(name).await;
        let rewound = match action {
            PipelineAction::Rewind(to) => self.pipelines.rewind(&stored.sql, &to).await,
            PipelineAction::Pause | PipelineAction::Resume => Ok(()),
        };
        if !paused && self.runs_pipelines() {
            self.pipelines.start(name, &stored.sql, None);
        }
        rewound
    }

    async fn drop_pipeline(&self, name: &str, if_exists: bool) -> Result<()> {
        match self.pipeline(name) {
            Err(_) if if_exists => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                self.pipelines.stop(name).await;
                self.catalog.set_pipeline(name, None).await
            }
        }
    }

    fn pipeline(&self, name: &str) -> Result<StoredPipeline> {
        let all = self.catalog.pipelines();
        all.get(name).cloned().ok_or_else(|| {
            let names: Vec<String> = all.keys().map(|name| format!("\"{name}\"")).collect();
            let error = Error::not_found(format!("pipeline \"{name}\" does not exist"));
            match names.len() {
                0 => error.hint("no pipelines are defined yet"),
                _ => error.hint(format!("there are {}", names.join(", "))),
            }
        })
    }

    fn runs_pipelines(&self) -> bool {
        self.runs_pipelines
            .load(std::sync::atomic::Ordering::Acquire)
    }
}

/// The columns of a new table: as declared, or those of a query, which may all be NULL later.
fn columns(input: &LogicalPlan) -> Schema {
    let schema = input.schema().as_arrow();
    if matches!(input, LogicalPlan::EmptyRelation(_)) {
        return schema.clone();
    }
    let nullable = |field: &FieldRef| field.as_ref().clone().with_nullable(true);
    Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>())
}

/// Whether the pipeline defined by `sql` reads or writes `table`.
fn uses(sql: &str, table: &str) -> Result<bool> {
    let Statement::CreatePipeline(create) = statement::parse(sql)? else {
        return Ok(false);
    };
    let Statement::Sql(body) = statement::parse(&create.body)? else {
        return Ok(false);
    };
    let (tables, _) = resolve_table_references(&body, true)?;
    let target = take_apart(&body)?.map(|insert| insert.table);
    let dead = target.map(|target| format!("{target}{}", dead_letters::SUFFIX));
    Ok(dead.as_deref() == Some(table) || tables.iter().any(|used| used.table() == table))
}
