//! Functions of users: made, changed, dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::sql::parser::Statement as DfStatement;
use tracing::warn;

use super::Commands;
use crate::error::{Error, Result};
use crate::function::{called, calls};
use crate::statement::{self, CreateFunction, Statement, function_sql, quote};

impl Commands {
    pub(super) async fn create_function(&self, create: CreateFunction) -> Result<()> {
        let _one = self.functions.lock().await;
        let name = create.name.clone();
        if self.contexts.has_builtin(&name) {
            return Err(Error::exists(format!("\"{name}\" is a built-in function"))
                .hint("choose another name"));
        }
        let sql = function_sql(&create);
        let mut definitions = self.catalog.functions();
        if let Some(there) = definitions.get(&name) {
            if !create.or_replace && !create.if_not_exists {
                return Err(Error::exists(format!("function \"{name}\" exists already"))
                    .hint("say OR REPLACE to give it this body, or IF NOT EXISTS to leave it"));
            }
            if *there == sql {
                return Ok(());
            }
            if create.if_not_exists {
                warn!(
                    function = name,
                    there,
                    given = sql,
                    "the function exists with another body"
                );
                return Ok(());
            }
            if let Some(pipeline) = self.pipeline_calling(&name, &definitions)? {
                return Err(uses(&pipeline, &name)
                    .hint("make a function of another name, and CREATE OR REPLACE the pipeline"));
            }
        }
        definitions.insert(name.clone(), sql);
        check_circle(&name, &definitions)?;
        let (contexts, all) = (Arc::clone(&self.contexts), definitions.clone());
        let planned = self.cpu.run(async move { contexts.plan_functions(&all) });
        let functions = planned.await?;
        self.catalog.set_functions(definitions).await?;
        self.contexts.set_functions(functions);
        Ok(())
    }

    pub(super) async fn drop_function(&self, name: &str, if_exists: bool) -> Result<()> {
        let _one = self.functions.lock().await;
        let mut definitions = self.catalog.functions();
        if !definitions.contains_key(name) {
            return match (self.contexts.has_builtin(name), if_exists) {
                (true, _) => Err(Error::denied(format!("\"{name}\" is a built-in function"))
                    .hint("only functions made by CREATE FUNCTION are dropped")),
                (false, true) => Ok(()),
                (false, false) => Err(unknown(name, &definitions)),
            };
        }
        if let Some(pipeline) = self.pipeline_calling(name, &definitions)? {
            let hint = format!("DROP PIPELINE {} first", quote(&pipeline));
            return Err(uses(&pipeline, name).hint(hint));
        }
        for other in definitions.keys().filter(|other| *other != name) {
            if calls_of(other, &definitions)?
                .iter()
                .any(|called| called == name)
            {
                let text = format!("function \"{other}\" calls \"{name}\"");
                return Err(
                    Error::conflict(text).hint(format!("DROP FUNCTION {} first", quote(other)))
                );
            }
        }
        definitions.remove(name);
        let (contexts, all) = (Arc::clone(&self.contexts), definitions.clone());
        let planned = self.cpu.run(async move { contexts.plan_functions(&all) });
        let functions = planned.await?;
        self.catalog.set_functions(definitions).await?;
        self.contexts.set_functions(functions);
        Ok(())
    }

    /// A pipeline that calls the function `name`, itself or by another function.
    fn pipeline_calling(
        &self,
        name: &str,
        definitions: &BTreeMap<String, String>,
    ) -> Result<Option<String>> {
        for (pipeline, stored) in self.catalog.pipelines() {
            let Statement::CreatePipeline(create) = statement::parse(&stored.sql)? else {
                continue;
            };
            let Statement::Sql(body) = statement::parse(&create.body)? else {
                continue;
            };
            let DfStatement::Statement(body) = *body else {
                continue;
            };
            let mut open: Vec<String> = called(body.as_ref()).into_iter().collect();
            let mut seen = Vec::new();
            while let Some(next) = open.pop() {
                if next == name {
                    return Ok(Some(pipeline));
                }
                if !seen.contains(&next) {
                    open.extend(calls_of(&next, definitions)?);
                    seen.push(next);
                }
            }
        }
        Ok(None)
    }
}

fn uses(pipeline: &str, function: &str) -> Error {
    Error::conflict(format!(
        "pipeline \"{pipeline}\" uses function \"{function}\""
    ))
}

fn unknown(name: &str, definitions: &BTreeMap<String, String>) -> Error {
    let names: Vec<_> = definitions
        .keys()
        .map(|name| format!("\"{name}\""))
        .collect();
    let error = Error::not_found(format!("function \"{name}\" does not exist"));
    match names.is_empty() {
        true => error.hint("no functions are defined yet; CREATE FUNCTION makes one"),
        false => error.hint(format!("there are {}", names.join(", "))),
    }
}

/// What the function `name` calls; nothing where it is not a user's.
fn calls_of(name: &str, definitions: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let Some(sql) = definitions.get(name) else {
        return Ok(Vec::new());
    };
    match statement::parse(sql)? {
        Statement::CreateFunction(create) => Ok(calls(&create)?.into_iter().collect()),
        _ => Ok(Vec::new()),
    }
}

/// Refuses a function that comes to call itself.
fn check_circle(name: &str, definitions: &BTreeMap<String, String>) -> Result<()> {
    let (mut open, mut seen) = (calls_of(name, definitions)?, Vec::new());
    while let Some(next) = open.pop() {
        if next == name {
            return Err(Error::user(format!("function \"{name}\" calls itself"))
                .hint("an expression has no end then; write the steps out"));
        }
        if !seen.contains(&next) {
            open.extend(calls_of(&next, definitions)?);
            seen.push(next);
        }
    }
    Ok(())
}
