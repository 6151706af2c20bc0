//! The options `'redact.column' = 'policy'`: columns of the target that are redacted whatever the
//! SELECT says, in a projection over all of it. Where the target has a column [`PII`] and the
//! SELECT gives it no value, it says which categories these columns held.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, ident};

use crate::error::{Error, Result};
use crate::lineage;
use crate::plan;
use crate::redaction::Policies;
use crate::statement::quote;

/// The column of the categories that a row held.
pub const PII: &str = "pii";

/// Which columns are redacted how.
#[derive(Debug)]
pub struct Plan<'a> {
    columns: &'a BTreeMap<String, String>,
    policies: Option<&'a dyn Policies>,
}

impl<'a> Plan<'a> {
    /// `columns` with their policies, which are among `policies`.
    #[must_use]
    pub fn new(columns: &'a BTreeMap<String, String>, policies: Option<&'a dyn Policies>) -> Self {
        Self { columns, policies }
    }

    /// Whether the column [`PII`] of `target` gets its values here, unless the SELECT gives them.
    #[must_use]
    pub fn tells(&self, target: &Schema) -> bool {
        let field = target.field_with_name(PII);
        !self.columns.is_empty() && field.is_ok_and(|field| is_list(field.data_type()))
    }

    /// `query`, which gives the columns of `target` and values of its own to those in `given`,
    /// with its columns redacted.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] for a column or policy that is not there, and for columns that
    /// are no text.
    pub fn apply(
        &self,
        state: &SessionState,
        query: LogicalPlan,
        (target, given): (&Schema, &[String]),
    ) -> Result<LogicalPlan> {
        if self.columns.is_empty() {
            return Ok(query);
        }
        let mut policies: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, policy) in self.columns {
            let field = self.check(name, policy, target)?;
            policies.insert(field.name(), policy);
        }
        if self.tells(target) && !given.iter().any(|name| name == PII) {
            return audited(state, query, target, &policies);
        }
        let schema = query.schema().as_ref();
        let expression = |field: &Field| -> Result<Expr> {
            let name = field.name();
            let Some(policy) = policies.get(name.as_str()) else {
                return Ok(ident(name));
            };
            Ok(call(state, schema, &redacted(name, policy))?.alias(name))
        };
        let fields = target.fields().iter();
        let expressions: Result<Vec<Expr>> = fields.map(|field| expression(field)).collect();
        Ok(LogicalPlanBuilder::from(query)
            .project(expressions?)?
            .build()?)
    }

    /// The field of `target` that the option of `column` means.
    fn check<'t>(&self, column: &str, policy: &str, target: &'t Schema) -> Result<&'t Field> {
        let option = || format!("option \"redact.{column}\"");
        let rules = self.policies.map(Policies::rules).unwrap_or_default();
        if !rules.iter().any(|rule| rule.policy == policy) {
            let mut names: Vec<&str> = rules.iter().map(|rule| rule.policy.as_str()).collect();
            names.dedup();
            let error = Error::user(format!("{}: there is no policy \"{policy}\"", option()));
            return Err(error.hint(format!(
                "there are {}; the configuration defines more under [redaction.policies]",
                list(&names)
            )));
        }
        let fields = target.fields().iter();
        let mut fields = fields.filter(|field| !lineage::is_lineage(field.name()));
        let same = |field: &&_| -> bool {
            let field: &Field = field;
            field.name().eq_ignore_ascii_case(column)
        };
        match fields.clone().map(AsRef::as_ref).find(same) {
            Some(field) if is_text(field.data_type()) => Ok(field),
            found => {
                let error = match found {
                    Some(_) => format!("{}: the column is no text", option()),
                    None => format!("{}: the table has no such column", option()),
                };
                let texts = fields.by_ref().filter(|field| is_text(field.data_type()));
                let texts: Vec<&str> = texts.map(|field| field.name().as_str()).collect();
                Err(Error::user(error).hint(format!("columns of text are {}", list(&texts))))
            }
        }
    }
}

/// `query` with its columns redacted and [`PII`] filled in. Each text is looked at once: one
/// projection makes the text and its categories together, and the next takes them apart. They are
/// not merged into one, because the next one needs each of these columns twice.
fn audited(
    state: &SessionState,
    query: LogicalPlan,
    target: &Schema,
    policies: &BTreeMap<&str, &str>,
) -> Result<LogicalPlan> {
    let schema = query.schema().as_ref();
    let fields = || target.fields().iter().filter(|field| field.name() != PII);
    let whole = |field: &Field| -> Result<Expr> {
        let name = field.name();
        let Some(policy) = policies.get(name.as_str()) else {
            return Ok(ident(name));
        };
        let audit = format!("redact_audit({}, policy => {})", quote(name), text(policy));
        Ok(call(state, schema, &audit)?.alias(audit_of(name)))
    };
    let wholes: Result<Vec<Expr>> = fields().map(|field| whole(field)).collect();
    let query = LogicalPlanBuilder::from(query).project(wholes?)?.build()?;
    let schema = query.schema().as_ref();
    let part = |name: &str, part: &str| format!("get_field({}, '{part}')", quote(&audit_of(name)));
    let expression = |field: &Field| -> Result<Expr> {
        let name = field.name();
        let sql = match name.as_str() {
            PII => {
                let names = policies.keys();
                let held: Vec<String> = names.map(|name| part(name, "categories")).collect();
                match held.as_slice() {
                    [one] => one.clone(),
                    several => format!("pii_union({})", several.join(", ")),
                }
            }
            column if policies.contains_key(column) => part(column, "text"),
            _ => return Ok(ident(name)),
        };
        let value = call(state, schema, &sql)?;
        Ok(cast(value, field.data_type().clone()).alias(name))
    };
    let fields = target.fields().iter();
    let expressions: Result<Vec<Expr>> = fields.map(|field| expression(field)).collect();
    Ok(LogicalPlanBuilder::from(query)
        .project(expressions?)?
        .build()?)
}

/// The column that holds the text of `column` and its categories together.
fn audit_of(column: &str) -> String {
    format!("__audit_{column}")
}

/// The functions of a composition are known by what they are called.
fn redacted(column: &str, policy: &str) -> String {
    format!("redact({}, policy => {})", quote(column), text(policy))
}

fn call(state: &SessionState, schema: &DFSchema, sql: &str) -> Result<Expr> {
    let dialect = &state.config_options().sql_parser.dialect;
    let mut parsed = state.sql_to_expr_with_alias(sql, dialect)?;
    plan::complete(state, &mut parsed.expr);
    Ok(state.create_logical_expr_from_sql_expr(parsed, schema)?)
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_list(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
        _ => false,
    }
}
