//! Commits that change what a table says of itself and store no rows: its columns and properties.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, SchemaRef};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Metadata, MetadataExt, StructField, StructType};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaResult, DeltaTableError};
use sluice_engine::error::{Error, Result};
use tracing::debug;

use super::fault;
use super::head::Head;
use super::history::{Entry, KEY, Stamp};
use super::schema::{canonical_field, kernel_field, same_type, words};
use super::store::Store;

/// How often a change is tried when others commit in between, or the store fails.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// What the names of Sluice's own properties begin with.
const PREFIX: &str = "sluice.";

/// What is kept in `state` under `key`.
pub(super) fn property(state: &DeltaTableState, key: &str) -> Option<String> {
    let kept = state.metadata().configuration().get(&named(key));
    kept.cloned()
}

/// The name of a property of Sluice's own.
pub(super) fn named(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// Adds the columns that the table lacks.
///
/// # Errors
/// [`sluice_engine::error::Kind::User`] when a column is there with another type.
pub(super) async fn add_columns(
    store: &Store,
    head: &mut Head,
    columns: &[FieldRef],
) -> Result<()> {
    let mut attempts = 0;
    loop {
        head.refresh(store).await?;
        let missing = missing(store, &head.schema(), columns)?;
        if missing.is_empty() {
            return Ok(());
        }
        head.check_writable(store)?;
        let state = head.state();
        let widened = with_columns(state, &missing);
        let operation = DeltaOperation::AddColumn { fields: missing };
        let done = attempt(
            store,
            state,
            widened,
            operation,
            &Stamp::new(String::new(), 0, Vec::new()),
        )
        .await;
        // Whoever was first, and whether this one landed, shows in the newest version.
        if let Err(error) = done {
            let what = format!("add columns to table \"{}\"", store.name);
            pause(what, &mut attempts, error).await?;
        }
    }
}

/// Keeps `value` under `key` if `expected` is there.
///
/// # Errors
/// [`sluice_engine::error::Kind::Conflict`] when something else is.
pub(super) async fn set_property(
    store: &Store,
    head: &mut Head,
    (key, expected, value): (&str, Option<&str>, &str),
) -> Result<()> {
    let what = || format!("keep property \"{key}\" of table \"{}\"", store.name);
    let stamp = Stamp::new(String::new(), 0, Vec::new());
    let (mut attempts, mut judged) = (0, None);
    loop {
        head.refresh(store).await?;
        if let Some(base) = judged
            && landed(store, base, head.version(), &stamp).await?
        {
            return Ok(());
        }
        let state = head.state();
        let there = property(state, key);
        if there.as_deref() != expected {
            let name = &store.name;
            return Err(Error::conflict(format!(
                "property \"{key}\" of table \"{name}\" was changed by somebody else"
            ))
            .hint("read it again and decide anew"));
        }
        if expected == Some(value) {
            return Ok(());
        }
        head.check_writable(store)?;
        judged = Some(state.version());
        let metadata = state.metadata().clone();
        let changed = metadata.add_config_key(named(key), value.to_owned());
        let changed = changed.map_err(DeltaTableError::from);
        let operation = DeltaOperation::SetTableProperties {
            properties: [(named(key), value.to_owned())].into(),
        };
        match attempt(store, state, changed, operation, &stamp).await {
            Ok(()) => return Ok(()),
            Err(error) => pause(what(), &mut attempts, error).await?,
        }
    }
}

/// Whether a version after `base` bears `stamp`. An entry that is gone cannot be ours: the log
/// keeps entries for longer than a change takes.
async fn landed(store: &Store, base: u64, newest: u64, stamp: &Stamp) -> Result<bool> {
    for version in base + 1..=newest {
        let entry = Entry::read(store, version).await?;
        let found = entry.and_then(|entry| entry.stamp);
        if found.is_some_and(|found| found.commit == stamp.commit) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits for the next attempt, or gives up.
async fn pause(what: String, attempts: &mut u32, error: DeltaTableError) -> Result<()> {
    *attempts += 1;
    if *attempts >= ATTEMPTS {
        return Err(fault::delta(what, error));
    }
    debug!(%what, %error, "trying again");
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// Proposes the version after `state`, and no other.
async fn attempt(
    store: &Store,
    state: &DeltaTableState,
    metadata: DeltaResult<Metadata>,
    operation: DeltaOperation,
    stamp: &Stamp,
) -> DeltaResult<()> {
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
        .with_metadata([(KEY.to_owned(), stamp.to_json()?)]);
    CommitBuilder::from(properties)
        .with_actions(vec![Action::Metadata(metadata?)])
        .build(
            Some(state as &dyn TableReference),
            Arc::clone(&store.log),
            operation,
        )
        .await?;
    Ok(())
}

fn with_columns(state: &DeltaTableState, fields: &[StructField]) -> DeltaResult<Metadata> {
    let schema = state.schema();
    let all = schema.fields().cloned().chain(fields.iter().cloned());
    let schema = StructType::try_new(all)?;
    Ok(state.metadata().clone().with_schema(&schema)?)
}

/// The columns that `schema` lacks, as the library has them.
fn missing(store: &Store, schema: &SchemaRef, columns: &[FieldRef]) -> Result<Vec<StructField>> {
    let mut missing = BTreeMap::new();
    for (place, column) in columns.iter().enumerate() {
        let wanted = canonical_field(column, column.name())?;
        let same = |field: &&FieldRef| field.name().eq_ignore_ascii_case(wanted.name());
        let Some(there) = schema.fields().iter().find(same) else {
            let nullable = wanted.as_ref().clone().with_nullable(true);
            missing.insert(place, kernel_field(&nullable)?);
            continue;
        };
        let stored = canonical_field(there, there.name())?;
        if !same_type(stored.data_type(), wanted.data_type()) {
            let (name, table) = (there.name(), &store.name);
            let (is, said) = (words(there.data_type()), words(wanted.data_type()));
            return Err(Error::user(format!(
                "column \"{name}\" of table \"{table}\" is {is}, and {said} was to be added"
            ))
            .hint("give one of them another name"));
        }
    }
    Ok(missing.into_values().collect())
}
