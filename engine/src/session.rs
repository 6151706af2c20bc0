//! A session: statements in, answers out. Each client has its own, with its own settings, over the
//! same tables.
//!
//! [`Session::prepare`] plans and runs nothing; [`Session::execute`] runs effects to their end and
//! starts queries.

use std::fmt;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Field, Schema, SchemaRef, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{ObjectType, Statement as SqlStatement};
use futures::StreamExt;

use crate::authority::Authority;
use crate::commands::Commands;
use crate::context::{CATALOG, PUBLIC, SYSTEM};
use crate::error::{Error, Result};
use crate::insert::{self, align};
use crate::pipeline::carry::{carry, stream_of};
use crate::query::QueryStream;
use crate::statement::{self, Statement};
use crate::table::{Append, Table};

/// One client's session. Clones share it.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    commands: Arc<Commands>,
    authority: Authority,
}

/// A statement that is parsed, checked and, where it has a plan, planned.
#[derive(Debug, Clone)]
pub struct Prepared {
    sql: String,
    schema: SchemaRef,
    work: Work,
}

#[derive(Debug, Clone)]
enum Work {
    Query(LogicalPlan),
    /// An effect that DataFusion runs itself, such as `SET`.
    Effect(LogicalPlan),
    Insert {
        table: Arc<dyn Table>,
        plan: LogicalPlan,
    },
    Command(Box<Statement>),
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
                Statement::ShowPipelines | Statement::VerifyTable { .. }
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
            Work::Insert { table, plan } => Work::Insert {
                table,
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
        }
    }

    /// DataFusion's side of the session.
    #[must_use]
    pub fn context(&self) -> &SessionContext {
        &self.context
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
            .map_err(|error| self.commands.catalog.explain(error))
    }

    async fn plan(&self, sql: String) -> Result<Prepared> {
        let none = || Arc::new(Schema::empty());
        let (schema, work) = match statement::parse(&sql)? {
            Statement::ShowPipelines => {
                let all = statement::parse("SELECT * FROM system.pipelines ORDER BY name")?;
                self.plan_sql(all).await?
            }
            Statement::VerifyTable { name } => {
                let schema = crate::verify::Verification {
                    table: name.clone(),
                    partitions: vec![],
                };
                let work = Work::Command(Box::new(Statement::VerifyTable { name }));
                (schema.rows()?.schema(), work)
            }
            parsed @ Statement::Sql(_) => self.plan_sql(parsed).await?,
            own => (none(), Work::Command(Box::new(own))),
        };
        Ok(Prepared { sql, schema, work })
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
        let plan = self
            .context
            .state()
            .statement_to_plan(df.as_ref().clone())
            .await?;
        self.check(&plan)?;
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

    /// An INSERT into a stored table; `None` for other statements and other tables.
    async fn plan_insert(&self, parsed: &DfStatement) -> Result<Option<Work>> {
        let Some(insert) = insert::take_apart(parsed)? else {
            return Ok(None);
        };
        let table = match self.commands.catalog.relation(&insert.table).await? {
            crate::catalog::Relation::Table(table) => table,
            crate::catalog::Relation::Foreign(_) => return Ok(None),
            crate::catalog::Relation::Stream(_) => {
                return Err(Error::unsupported(format!(
                    "\"{}\" is a stream, which is only read",
                    insert.table
                )));
            }
        };
        let target = table.schema().await?;
        let state = self.context.state();
        let plan = match insert::plan_values(&state, &insert, &target)? {
            Some(plan) => plan,
            None => {
                let query = SqlStatement::Query(insert.query.clone());
                state
                    .statement_to_plan(DfStatement::Statement(Box::new(query)))
                    .await?
            }
        };
        let plan = with_lineage(plan);
        let plan = align(plan, &insert.table, &insert.columns, &target)?;
        Ok(Some(Work::Insert { table, plan }))
    }

    /// A client on the network has no business with this machine's files and memory limits.
    fn check(&self, plan: &LogicalPlan) -> Result<()> {
        if let LogicalPlan::Statement(PlanStatement::Prepare(_) | PlanStatement::Execute(_)) = plan
        {
            return Err(
                Error::unsupported("PREPARE and EXECUTE are not supported in SQL")
                    .hint("drivers prepare statements by the protocol; send the query itself"),
            );
        }
        if self.authority == Authority::Owner {
            return Ok(());
        }
        let mut copies = false;
        plan.apply_with_subqueries(|node| {
            copies |= matches!(node, LogicalPlan::Copy(_));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if copies {
            return Err(Error::denied("COPY writes files of the server")
                .hint("fetch the rows and write them where you are"));
        }
        let variable = match plan {
            LogicalPlan::Statement(PlanStatement::SetVariable(set)) => &set.variable,
            LogicalPlan::Statement(PlanStatement::ResetVariable(reset)) => &reset.variable,
            _ => return Ok(()),
        };
        if variable.to_lowercase().starts_with("datafusion.runtime") {
            return Err(
                Error::denied(format!("\"{variable}\" belongs to the server"))
                    .hint("the owner of the server sets it in the configuration"),
            );
        }
        Ok(())
    }

    /// Runs `prepared`: effects to their end, queries up to their first rows.
    ///
    /// # Errors
    /// What goes wrong before the first row; later errors are in the stream.
    pub async fn execute(&self, prepared: &Prepared) -> Result<Answer> {
        match prepared.work.clone() {
            Work::Query(plan) => {
                let timeout = Some(self.commands.query_timeout);
                Ok(Answer {
                    affected: None,
                    rows: self.start(plan, timeout).await?,
                })
            }
            Work::Insert { table, plan } => {
                let rows = self.start(plan, None).await?.into_record_batch_stream();
                let append = Append {
                    writer: String::new(),
                    rows,
                    ranges: Vec::new(),
                };
                Ok(effect(table.append(append).await?.rows))
            }
            Work::Effect(plan) => self.effect(plan).await,
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
        plan: LogicalPlan,
        timeout: Option<std::time::Duration>,
    ) -> Result<QueryStream> {
        let frame = DataFrame::new(self.context.state(), plan);
        QueryStream::start(frame, &self.commands.cpu, timeout).await
    }

    async fn effect(&self, plan: LogicalPlan) -> Result<Answer> {
        if matches!(plan, LogicalPlan::Statement(_)) {
            self.context.execute_logical_plan(plan).await?;
            return Ok(effect(0));
        }
        let mut rows = self.start(plan, None).await?;
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
