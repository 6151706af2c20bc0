//! Files in the place of others: one commit that says that no row is new, or none.

use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{
    CommitBuilder, CommitProperties, TableReference, TransactionError,
};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use sluice_engine::error::{Error, Kind, Result};
use tracing::debug;

use super::select::File;
use crate::delta::fault;
use crate::delta::history::{Entry, KEY, Log, Stamp};
use crate::delta::store::Store;
use crate::delta::write::discard;

/// How often a version is proposed while others take the numbers.
const ATTEMPTS: usize = 100;

/// Files for others.
#[derive(Debug)]
pub(super) struct Replacement {
    /// What goes.
    pub(super) files: Vec<File>,
    /// What comes.
    pub(super) adds: Vec<Add>,
    /// Where it was done, for the log.
    pub(super) predicate: Option<String>,
    /// What size files should have, for the log.
    pub(super) target: u64,
}

/// Commits `replacement`, whose files were all part of `base`, and says as which version.
///
/// # Errors
/// [`Kind::Conflict`] when somebody else replaced one of the files or changed the table's schema.
/// The new files are removed where it is certain that they will not be part of the table.
pub(super) async fn replace(
    store: &Store,
    base: &DeltaTableState,
    replacement: Replacement,
) -> Result<u64> {
    let Replacement {
        files,
        adds,
        predicate,
        target,
    } = replacement;
    let stamp = Stamp::new(String::new(), 0, Vec::new());
    let what = || format!("replace files of table \"{}\"", store.name);
    let json = stamp.to_json();
    let json = json.map_err(|error| fault::delta(what(), error))?;
    let properties = CommitProperties::default()
        .with_max_retries(ATTEMPTS)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
        .with_metadata([(KEY.to_owned(), json)]);
    let removes = files.iter().map(|file| Action::Remove(file.remove.clone()));
    let actions = removes.chain(adds.iter().cloned().map(Action::Add));
    let operation = DeltaOperation::Optimize {
        predicate,
        target_size: i64::try_from(target).unwrap_or(i64::MAX),
    };
    let done = CommitBuilder::from(properties)
        .with_actions(actions.collect())
        .build(
            Some(base as &dyn TableReference),
            Arc::clone(&store.log),
            operation,
        )
        .await;
    let error = match done {
        Ok(done) => return Ok(done.version()),
        Err(error) => error,
    };
    // A reply may be lost, or what failed came after the commit: the log knows.
    let fate = find(store, base, &stamp).await?;
    if let Fate::Landed(version) = fate {
        debug!(table = %store.name, version, %error, "a replacement landed all the same");
        return Ok(version);
    }
    if !is_conflict(&error) {
        return Err(fault::delta(what(), error));
    }
    if fate == Fate::Absent {
        discard(store, &adds).await;
    }
    let name = &store.name;
    let message = format!("files of table \"{name}\" were replaced by somebody else: {error}");
    Err(Error::new(Kind::Conflict, message).source(error))
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is this version.
    Landed(u64),
    /// It is none of those since.
    Absent,
    /// An entry that may have been it is gone.
    Unknown,
}

async fn find(store: &Store, base: &DeltaTableState, stamp: &Stamp) -> Result<Fate> {
    let newest = Log::list(store).await?.newest().unwrap_or(0);
    let mut fate = Fate::Absent;
    for version in base.version() + 1..=newest {
        match Entry::read(store, version).await? {
            Some(Entry {
                stamp: Some(found), ..
            }) if found.commit == stamp.commit => return Ok(Fate::Landed(version)),
            Some(_) => {}
            None => fate = Fate::Unknown,
        }
    }
    Ok(fate)
}

fn is_conflict(error: &DeltaTableError) -> bool {
    matches!(
        error,
        DeltaTableError::Transaction {
            source: TransactionError::CommitConflict(_) | TransactionError::MaxCommitAttempts(_)
        }
    )
}
