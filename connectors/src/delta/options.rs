//! `OPTIONS` of `STORED AS DELTA`: what a table is told about itself when it is made, kept among
//! its properties, so that every process that opens it knows.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};
use sluice_engine::config::{parse_duration, parse_size};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use sluice_engine::table::Table;

use super::amend::named;
use super::checkpoint;
#[cfg(feature = "s3")]
use super::location;
#[cfg(feature = "s3")]
use super::s3;
use super::schema::words;
use super::table::DeltaTable;

/// The column with the time of what a row tells of.
const EVENT_TIME: &str = "event_time";
/// The size that files are merged to.
const TARGET_FILE_SIZE: &str = "target_file_size";
/// For how long log entries are kept that a checkpoint covers.
const LOG_RETENTION: &str = "log_retention";
/// For how long files are kept that the newest version no longer names.
const FILE_RETENTION: &str = "file_retention";

/// Refuses options that a table at the definition's location does not have.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the valid ones.
pub(super) fn check(definition: &TableDefinition) -> Result<()> {
    let own = [EVENT_TIME, TARGET_FILE_SIZE, LOG_RETENTION, FILE_RETENTION];
    #[cfg(feature = "s3")]
    if location::is_s3(&location::parse(&definition.location)?) {
        return definition.check_options(&[&own[..], &s3::OPTIONS].concat());
    }
    definition.check_options(&own)
}

/// The properties of the table that `definition` makes with the columns `schema`.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the option whose value is wrong.
pub(super) fn configuration(
    definition: &TableDefinition,
    schema: &Schema,
) -> Result<BTreeMap<String, Option<String>>> {
    let mut properties = stated(definition, schema)?;
    // Expired log entries are left to maintenance: what commits say is proof of exactly-once.
    properties.insert(
        "delta.enableExpiredLogCleanup".to_owned(),
        "false".to_owned(),
    );
    properties.insert(
        "delta.checkpointInterval".to_owned(),
        checkpoint::INTERVAL.to_string(),
    );
    let properties = properties.into_iter();
    Ok(properties.map(|(key, value)| (key, Some(value))).collect())
}

/// Checks that what `definition` says of a table that is there already is what the table says.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] naming the option that differs.
pub(super) async fn check_stored(definition: &TableDefinition, table: &DeltaTable) -> Result<()> {
    if definition.options.is_empty() {
        return Ok(());
    }
    let schema = table.schema().await?;
    let stored = table.configuration().await;
    for (property, value) in stated(definition, &schema)? {
        let there = stored.get(&property);
        if there != Some(&value) {
            let name = &definition.name;
            let there = there.map_or_else(|| "nothing".to_owned(), |there| format!("\"{there}\""));
            return Err(Error::user(format!(
                "table \"{name}\" is there already, with {there} as its \"{property}\", not \
                 \"{value}\""
            ))
            .hint("leave the option out to take what the table has"));
        }
    }
    Ok(())
}

fn stated(definition: &TableDefinition, schema: &Schema) -> Result<BTreeMap<String, String>> {
    let mut properties = BTreeMap::new();
    for (option, value) in &definition.options {
        let (property, value) = match option.as_str() {
            EVENT_TIME => {
                let column = event_time(definition, schema, value)?;
                (named(EVENT_TIME), column)
            }
            TARGET_FILE_SIZE => {
                let bytes = parse_size(value).map_err(|error| wrong(definition, option, error))?;
                (
                    "delta.targetFileSize".to_owned(),
                    bytes.as_u64().to_string(),
                )
            }
            LOG_RETENTION => {
                let property = "delta.logRetentionDuration".to_owned();
                (property, interval(definition, option, value)?)
            }
            FILE_RETENTION => {
                let property = "delta.deletedFileRetentionDuration".to_owned();
                (property, interval(definition, option, value)?)
            }
            // Where the table is, not what.
            _ => continue,
        };
        properties.insert(property, value);
    }
    Ok(properties)
}

fn event_time(definition: &TableDefinition, schema: &Schema, column: &str) -> Result<String> {
    let name = &definition.name;
    let Ok(field) = schema.field_with_name(column) else {
        return Err(Error::user(format!(
            "option \"{EVENT_TIME}\" of table \"{name}\" names \"{column}\", which is not one of \
             its columns"
        )));
    };
    match field.data_type() {
        DataType::Timestamp(_, _) => Ok(column.to_owned()),
        other => {
            let kind = words(other);
            Err(Error::user(format!(
                "option \"{EVENT_TIME}\" of table \"{name}\" names \"{column}\", which is {kind}"
            ))
            .hint("name a column of type TIMESTAMP"))
        }
    }
}

fn interval(definition: &TableDefinition, option: &str, value: &str) -> Result<String> {
    let time = parse_duration(value).map_err(|error| wrong(definition, option, error))?;
    Ok(format!("interval {} seconds", time.as_secs()))
}

fn wrong(definition: &TableDefinition, option: &str, error: Error) -> Error {
    let name = &definition.name;
    error.context(format!("option \"{option}\" of table \"{name}\""))
}
