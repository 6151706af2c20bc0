//! Which column of a target says when something happened.

use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};
use crate::pipeline::definition::PipelineDefinition;
use crate::table::Table;

/// The column that says so unless somebody names another.
const USUAL: &str = "timestamp";
/// Under which key a table names its own.
const PROPERTY: &str = "event_time";

/// The column that `definition` names, or else its table, or else the usual one where it is a
/// TIMESTAMP.
///
/// # Errors
/// [`crate::error::Kind::User`] when the definition names a column that cannot be.
pub async fn column(
    definition: &PipelineDefinition,
    table: &dyn Table,
    target: &Schema,
) -> Result<Option<String>> {
    if let Some(named) = &definition.event_time {
        return match is_time(target, named) {
            true => Ok(Some(named.clone())),
            false => Err(refusal(definition, named, target)),
        };
    }
    let own = table.property(PROPERTY).await?;
    let usual = Some(USUAL.to_owned());
    let mut candidates = [own, usual].into_iter().flatten();
    Ok(candidates.find(|name| is_time(target, name)))
}

fn is_time(target: &Schema, name: &str) -> bool {
    let field = target.field_with_name(name);
    field.is_ok_and(|field| matches!(field.data_type(), DataType::Timestamp(_, _)))
}

fn refusal(definition: &PipelineDefinition, named: &str, target: &Schema) -> Error {
    let table = &definition.insert.table;
    let error = Error::user(format!(
        "option \"event_time\" of \"{}\": table \"{table}\" has no TIMESTAMP column \"{named}\"",
        definition.name
    ));
    let names = target.fields().iter().map(|field| field.name());
    let times: Vec<String> = names
        .filter(|name| is_time(target, name))
        .map(|name| format!("\"{name}\""))
        .collect();
    match times.is_empty() {
        true => error.hint("add such a column to the table, or leave the option out"),
        false => error.hint(format!("there are {}", times.join(", "))),
    }
}
