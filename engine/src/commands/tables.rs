//! Tables and streams: made, filled by a query, dropped.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion::sql::parser::{CreateExternalTable, Statement as DfStatement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{ColumnOption, ObjectName, Value};
use tracing::warn;

use super::Commands;
use crate::authority::Authority;
use crate::catalog::{Catalog, NewTable};
use crate::context::PUBLIC;
use crate::error::{Error, Result};
use crate::insert::{Target, align, storing, table_name, take_apart};
use crate::pipeline::dead_letters;
use crate::plan;
use crate::query::QueryStream;
use crate::references;
use crate::statement::{self, Statement, quote};
use crate::table::Append;

impl Commands {
    pub(super) async fn create_external(
        &self,
        create: CreateExternalTable,
        authority: Authority,
    ) -> Result<()> {
        if create.or_replace || create.temporary {
            return Err(Error::unsupported("tables take no OR REPLACE or TEMPORARY")
                .hint("DROP TABLE it first"));
        }
        check_columns(&create)?;
        if authority == Authority::Network {
            let options = create.options.iter();
            let options: Vec<(String, String)> = options
                .map(|(key, value)| (key.clone(), text(value)))
                .collect();
            for (key, value) in &options {
                self.references.check(key, value)?;
            }
            references::check_location(&create.location, &options)?;
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
    pub(super) async fn create_table(
        &self,
        context: &SessionContext,
        parsed: DfStatement,
    ) -> Result<()> {
        let state = context.state();
        let plan = self
            .cpu
            .run(async move { plan::plan(&state, parsed).await })
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
        if !create.constraints.is_empty() || !create.column_defaults.is_empty() {
            return Err(no_constraints());
        }
        let schema = create.name.schema();
        if schema.is_some_and(|schema| schema != PUBLIC) {
            return Err(
                Error::not_found(format!("there is no schema for \"{}\"", create.name))
                    .hint("tables live in the schema \"public\""),
            );
        }
        let name = create.name.table().to_owned();
        let sql = self.managed_table_sql(&name)?;
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
        let schema = table.schema().await?;
        let target = Target {
            table: name,
            columns: &[],
            named: None,
            schema: &schema,
        };
        let frame = DataFrame::new(storing(context), align(query, target)?);
        let rows = QueryStream::start(frame, &self.cpu, None)
            .await?
            .into_record_batch_stream();
        let append = Append {
            writer: String::new(),
            rows,
            ranges: Vec::new(),
            redactions: Vec::new(),
        };
        table.append(append).await.map(|_| ())
    }

    pub(super) async fn drop_table(&self, name: &ObjectName, if_exists: bool) -> Result<()> {
        let name = table_name(name)?;
        self.check_unused(&name)?;
        self.catalog.remove(&name, if_exists).await.map(|_| ())
    }

    /// Whether the data of `name` may go.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] naming the pipeline that reads or writes it.
    pub(crate) fn check_unused(&self, name: &str) -> Result<()> {
        for (pipeline, stored) in self.catalog.pipelines() {
            if uses(&stored.sql, name)? {
                return Err(
                    Error::conflict(format!("pipeline \"{pipeline}\" uses \"{name}\""))
                        .hint(format!("DROP PIPELINE {} first", quote(&pipeline))),
                );
            }
        }
        Ok(())
    }

    /// What defines a table `name` of the kind that `CREATE TABLE` makes.
    ///
    /// # Errors
    /// When there is no such kind.
    pub(crate) fn managed_table_sql(&self, name: &str) -> Result<String> {
        let format = self.default_table.ok_or_else(|| {
            Error::unsupported("this build has no kind of table for CREATE TABLE")
        })?;
        let quoted = quote(name);
        Ok(format!(
            "CREATE EXTERNAL TABLE {quoted} STORED AS {format} LOCATION '{name}'"
        ))
    }
}

/// The text of an option's value.
fn text(value: &Value) -> String {
    value
        .clone()
        .into_string()
        .unwrap_or_else(|| value.to_string())
}

/// Refuses what tables would not keep: they know types and NOT NULL.
fn check_columns(create: &CreateExternalTable) -> Result<()> {
    let kept = |option: &ColumnOption| matches!(option, ColumnOption::Null | ColumnOption::NotNull);
    let mut options = create.columns.iter().flat_map(|column| &column.options);
    if create.constraints.is_empty() && options.all(|option| kept(&option.option)) {
        return Ok(());
    }
    Err(no_constraints())
}

fn no_constraints() -> Error {
    Error::unsupported("columns take no DEFAULT, PRIMARY KEY, UNIQUE, CHECK or REFERENCES")
        .hint("leave it out: a column has a name, a type and perhaps NOT NULL")
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
