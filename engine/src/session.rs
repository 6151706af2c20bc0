//! A session: statements in, answers out. Each client has its own, with its own settings, over the
//! same tables.
//!
//! [`Session::prepare`] plans and runs nothing; [`Session::execute`] runs effects to their end and
//! starts queries.

mod permission;
mod prepared;
mod variables;

mod settings;

mod ingest;
mod pins;

use std::fmt;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{ObjectType, Statement as SqlStatement};
use futures::StreamExt;

use crate::authority::Authority;
use crate::budget;
use crate::catalog::Relation;
use crate::commands::Commands;
use crate::commands::call::answer_schema;
use crate::context::{self, CATALOG, PUBLIC, SYSTEM};
use crate::dialect::Rewrite;
use crate::error::{Error, Result};
use crate::insert::{self, align};
use crate::parameters;
use crate::pipeline::carry::{carry, stream_of};
use crate::plan;
use crate::query::QueryStream;
use crate::runtime::Cpu;
use crate::statement::{self, Statement};
use crate::table::Append;

pub use ingest::{IfExists, IfMissing, Ingest};
pub use pins::Pins;
pub use prepared::Prepared;
use prepared::{Into, Work};
use settings::Planned;
use variables::Variables;

/// One client's session. Clones share it.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    commands: Arc<Commands>,
    authority: Authority,
    variables: Arc<Variables>,
    rewrite: Option<Arc<dyn Rewrite>>,
}

/// What a statement gives.
#[derive(Debug)]
pub struct Answer {
    /// Rows inserted, 0 for other effects, `None` for queries.
    pub affected: Option<u64>,
    /// The rows; none for most effects.
    pub rows: QueryStream,
}

/// A table as metadata requests list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its catalog.
    pub catalog: String,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `TABLE` or `VIEW`.
    pub kind: &'static str,
    /// Its columns; none when the table cannot be opened.
    pub columns: SchemaRef,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session over `context`.
    #[must_use]
    pub fn new(context: SessionContext, commands: Arc<Commands>, authority: Authority) -> Self {
        Self {
            context,
            commands,
            authority,
            variables: Arc::default(),
            rewrite: None,
        }
    }

    /// The same session for clients whose statements are read as `rewrite` says.
    #[must_use]
    pub fn reading(mut self, rewrite: Option<Arc<dyn Rewrite>>) -> Self {
        self.rewrite = rewrite;
        self
    }

    /// DataFusion's side of the session.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Where its queries run, and where what is done to their rows should.
    #[must_use]
    pub fn cpu(&self) -> &Arc<Cpu> {
        &self.commands.cpu
    }

    /// Parses and plans exactly one statement; runs nothing.
    ///
    /// # Errors
    /// What is wrong with the statement, naming it.
    pub async fn prepare(&self, sql: &str) -> Result<Prepared> {
        let (this, sql) = (self.clone(), sql.to_owned());
        let planned = self.commands.cpu.run(async move { this.plan(sql).await });
        planned
            .await
            .map_err(|error| self.commands.catalog.explain(error).placed())
    }

    async fn plan(&self, sql: String) -> Result<Prepared> {
        self.commands.contexts.refresh(&self.context);
        let none = || Arc::new(Schema::empty());
        let parsed = self.read(statement::parse(&sql)?);
        self.admit(&parsed).await?;
        context::refresh(&self.context)?;
        let (schema, work) = match parsed {
            Statement::ShowPipelines => {
                let all = statement::parse("SELECT * FROM system.pipelines ORDER BY name")?;
                self.plan_sql(all).await?
            }
            Statement::ShowPolicies => {
                let all = "SELECT * FROM system.policies ORDER BY name, category";
                self.plan_sql(statement::parse(all)?).await?
            }
            Statement::VerifyTable { name } => {
                let schema = crate::verify::Verification {
                    table: name.clone(),
                    partitions: vec![],
                };
                let work = Work::Command(Box::new(Statement::VerifyTable { name }));
                (schema.rows()?.schema(), work)
            }
            Statement::Call(call) => {
                let schema = answer_schema(&call.procedure)?;
                (schema, Work::Command(Box::new(Statement::Call(call))))
            }
            Statement::Session(about) => match self.plan_session(about)? {
                Planned::Work(work) => (none(), work),
                Planned::Query(sql) => self.plan_sql(statement::parse(&sql)?).await?,
            },
            parsed @ Statement::Sql(_) => self.plan_sql(parsed).await?,
            own => (none(), Work::Command(Box::new(own))),
        };
        Ok(Prepared { sql, schema, work })
    }

    /// A statement of a client's dialect as the planner takes it.
    fn read(&self, parsed: Statement) -> Statement {
        match (&self.rewrite, parsed) {
            (Some(rewrite), Statement::Sql(sql)) => Statement::Sql(Box::new(match *sql {
                DfStatement::Statement(sql) => {
                    DfStatement::Statement(Box::new(rewrite.rewrite(*sql)))
                }
                other => other,
            })),
            (_, parsed) => parsed,
        }
    }

    /// Loads the files that calls name by their paths, which only the owner's may.
    async fn admit(&self, parsed: &Statement) -> Result<()> {
        let Some(enrichment) = context::enrichment(&self.context) else {
            return Ok(());
        };
        match parsed {
            Statement::Sql(sql) => enrichment.admit_statement(sql, self.authority).await,
            Statement::CreatePipeline(create) => match statement::parse(&create.body) {
                Ok(Statement::Sql(sql)) => enrichment.admit_statement(&sql, self.authority).await,
                // What is wrong with the body is said where it is planned.
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    async fn plan_sql(&self, parsed: Statement) -> Result<(SchemaRef, Work)> {
        let none = || Arc::new(Schema::empty());
        let Statement::Sql(df) = &parsed else {
            return Ok((none(), Work::Command(Box::new(parsed))));
        };
        if is_command(df) {
            return Ok((none(), Work::Command(Box::new(parsed))));
        }
        if let Some(work) = self.plan_insert(df).await? {
            return Ok((none(), work));
        }
        let plan = plan::plan(&self.context.state(), df.as_ref().clone()).await?;
        budget::check_plan(&plan)?;
        permission::check(&plan, self.authority)?;
        let plan = parameters::infer(plan)?;
        Ok(match plan {
            LogicalPlan::Ddl(ddl) => {
                let name = ddl.name();
                return Err(Error::unsupported(format!("{name} is not supported")));
            }
            LogicalPlan::Dml(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_) => {
                (none(), Work::Effect(plan))
            }
            query => (
                Arc::new(query.schema().as_arrow().clone()),
                Work::Query(query),
            ),
        })
    }

    /// An INSERT into a stored table or a stream; `None` for other statements and other tables.
    async fn plan_insert(&self, parsed: &DfStatement) -> Result<Option<Work>> {
        let Some(insert) = insert::take_apart(parsed)? else {
            return Ok(None);
        };
        let (into, schema) = match self.commands.catalog.relation(&insert.table).await? {
            Relation::Foreign(_) => return Ok(None),
            Relation::Table(table) => {
                let schema = table.schema().await?;
                (Into::Table(table), schema)
            }
            Relation::Stream(stream) => {
                let source = Arc::clone(stream.source());
                let schema = source
                    .sink_schema()
                    .map_err(|error| only_read(error, &insert.table))?;
                (Into::Stream(source), schema)
            }
        };
        let mut target = insert.target(&schema);
        if let Into::Stream(_) = into {
            // A record's key and headers are no columns of its own.
            target.named = None;
        }
        let state = self.context.state();
        let plan = match insert::plan_values(&state, &insert, target)? {
            Some(plan) => plan,
            None => {
                let query = SqlStatement::Query(insert.query.clone());
                plan::plan(&state, DfStatement::Statement(Box::new(query))).await?
            }
        };
        let plan = match &into {
            Into::Table(_) => with_lineage(plan),
            Into::Stream(_) => plan,
        };
        budget::check_plan(&plan)?;
        let plan = parameters::infer(align(plan, target)?)?;
        Ok(Some(Work::Insert { into, plan }))
    }

    /// Runs `prepared`: effects to their end, queries up to their first rows.
    ///
    /// # Errors
    /// What goes wrong before the first row; later errors are in the stream.
    pub async fn execute(&self, prepared: &Prepared) -> Result<Answer> {
        // A prepared statement reads what is loaded when it runs.
        context::refresh(&self.context)?;
        match prepared.work.clone() {
            Work::Query(plan) => {
                let most = self.commands.query_timeout;
                let timeout = Some(self.variables.timeout().map_or(most, |own| own.min(most)));
                Ok(Answer {
                    affected: None,
                    rows: self.start(self.context.state(), plan, timeout).await?,
                })
            }
            Work::Insert { into, plan } => {
                let rows = self
                    .start(insert::storing(&self.context), plan, None)
                    .await?;
                let rows = rows.into_record_batch_stream();
                let affected = match into {
                    Into::Stream(source) => source.write(rows).await?,
                    Into::Table(table) => {
                        let append = Append {
                            writer: String::new(),
                            rows,
                            ranges: Vec::new(),
                            redactions: Vec::new(),
                        };
                        table.append(append).await?.rows
                    }
                };
                Ok(effect(affected))
            }
            Work::Effect(plan) => self.effect(plan).await,
            Work::Session(change) => {
                self.change(change)?;
                Ok(effect(0))
            }
            Work::Command(statement) => {
                let rows = self
                    .commands
                    .run(&self.context, *statement, self.authority)
                    .await?;
                Ok(match rows {
                    Some(rows) => Answer {
                        affected: None,
                        rows: QueryStream::ready(rows),
                    },
                    None => effect(0),
                })
            }
        }
    }

    async fn start(
        &self,
        state: SessionState,
        plan: LogicalPlan,
        timeout: Option<std::time::Duration>,
    ) -> Result<QueryStream> {
        let frame = DataFrame::new(state, plan);
        QueryStream::start(frame, &self.commands.cpu, timeout).await
    }

    async fn effect(&self, plan: LogicalPlan) -> Result<Answer> {
        if matches!(plan, LogicalPlan::Statement(_)) {
            self.context.execute_logical_plan(plan).await?;
            return Ok(effect(0));
        }
        let mut rows = self.start(self.context.state(), plan, None).await?;
        let mut affected = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let counts = batch
                .columns()
                .first()
                .and_then(|c| c.as_primitive_opt::<UInt64Type>());
            affected += counts.and_then(arrow::compute::sum).unwrap_or(0);
        }
        Ok(effect(affected))
    }

    /// Every table and stream this session sees, with its columns.
    ///
    /// # Errors
    /// When a schema cannot be listed.
    pub async fn tables(&self) -> Result<Vec<TableInfo>> {
        let mut all = Vec::new();
        let catalog = self.context.catalog(CATALOG);
        for (schema, kind) in [(PUBLIC, "TABLE"), (SYSTEM, "VIEW")] {
            let Some(provider) = catalog.as_ref().and_then(|c| c.schema(schema)) else {
                continue;
            };
            for name in provider.table_names() {
                let table = provider.table(&name).await.ok().flatten();
                let columns = table.map_or_else(|| Arc::new(Schema::empty()), |t| t.schema());
                let (catalog, schema) = (CATALOG.to_owned(), schema.to_owned());
                all.push(TableInfo {
                    catalog,
                    schema,
                    name,
                    kind,
                    columns,
                });
            }
        }
        Ok(all)
    }
}

/// An INSERT from a stream stores where its rows came from, as a pipeline of the same body would;
/// queries that have no such place, such as aggregates, stay as they are.
fn with_lineage(plan: LogicalPlan) -> LogicalPlan {
    match stream_of(&plan).and_then(|_| carry(&plan, None)) {
        Ok(carried) => carried,
        Err(_) => plan,
    }
}

/// Why a stream cannot be written, with its name.
fn only_read(error: Error, stream: &str) -> Error {
    let hint = error.hint_text().map(str::to_owned);
    let error = error.context(format!("stream \"{stream}\""));
    error.hint(hint.unwrap_or_else(|| {
        "INSERT writes tables, and topics of Kafka in format json or raw".to_owned()
    }))
}

/// Statements that change definitions, which the catalog runs and not DataFusion.
fn is_command(parsed: &DfStatement) -> bool {
    match parsed {
        DfStatement::CreateExternalTable(_) => true,
        DfStatement::Statement(statement) => match statement.as_ref() {
            SqlStatement::CreateTable(_) => true,
            SqlStatement::Drop { object_type, .. } => *object_type == ObjectType::Table,
            _ => false,
        },
        _ => false,
    }
}

fn effect(affected: u64) -> Answer {
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    Answer {
        affected: Some(affected),
        rows: QueryStream::ready(nothing),
    }
}
