//! One proposal becomes one commit, or certainly none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use deltalake::kernel::transaction::{
    CommitBuilder, CommitProperties, FinalizedCommit, TableReference,
};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, OutputMode, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaResult, DeltaTableError};
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::table::Commit;
use tracing::{debug, warn};

use super::head::{Head, moved, read_positions};
use super::history::{Entry, KEY, Stamp};
use super::offsets::Claim;
use super::schema::check_superset;
use super::store::Store;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a store that answers may refuse the commit itself, about five seconds in all.
const REFUSALS: u32 = 8;

/// Files and positions that are to become one version.
#[derive(Debug)]
pub(super) struct Proposal {
    /// The files; none for a claim.
    pub(super) adds: Vec<Add>,
    /// The schema they were written with.
    pub(super) schema: SchemaRef,
    /// The columns they are partitioned by.
    pub(super) partition_columns: Vec<String>,
    /// The positions.
    pub(super) claims: Vec<Claim>,
    /// What is said of it in the log.
    pub(super) stamp: Stamp,
}

impl Proposal {
    fn operation(&self, base: u64) -> DeltaOperation {
        if self.claims.is_empty() {
            let columns = &self.partition_columns;
            return DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: (!columns.is_empty()).then(|| columns.clone()),
                predicate: None,
            };
        }
        DeltaOperation::StreamingUpdate {
            output_mode: OutputMode::Append,
            query_id: self.stamp.writer.clone(),
            epoch_id: i64::try_from(base).map_or(i64::MAX, |base| base.saturating_add(1)),
        }
    }
}

/// Commits `proposal`, whose claims hold at `head`. Cancel-safe: `head` moves only to what is
/// known.
///
/// # Errors
/// [`Kind::Conflict`] when somebody else moved a position or changed a column,
/// [`Kind::Unavailable`] when the store keeps refusing; either way nothing is committed.
pub(super) async fn commit(store: &Store, head: &mut Head, proposal: &Proposal) -> Result<Commit> {
    let operation = proposal.operation(head.version());
    let version = land(store, head, proposal).await?;
    let name = operation.name().to_owned();
    Ok(proposal.stamp.clone().into_commit(version, name))
}

async fn land(store: &Store, head: &mut Head, proposal: &Proposal) -> Result<u64> {
    let mut refusals = 0;
    loop {
        let error = match attempt(store, head.state(), proposal).await {
            Ok(done) => {
                head.advance(done.snapshot(), &proposal.claims);
                return Ok(done.version());
            }
            Err(error) => error,
        };
        debug!(table = %store.name, base = head.version(), %error, "a commit's outcome is open");
        let newest = probe_newest(store, head).await;
        let verdict = judge(store, head, &newest, proposal).await?;
        let stood = newest.version() == head.version();
        if let Verdict::Landed(version) = verdict {
            head.adopt(newest, HashMap::new());
            return Ok(version);
        }
        let from = proposal.claims.iter();
        head.adopt(
            newest,
            from.map(|claim| (claim.app_id.clone(), claim.from))
                .collect(),
        );
        check_layout(store, head, proposal)?;
        if stood {
            refusals += 1;
            give_up(store, refusals, error)?;
            tokio::time::sleep(pause(refusals)).await;
        }
    }
}

/// Proposes the version after `state`, and no other: with no retries of its own the library writes
/// that one log entry if it is free, and nothing if it is not.
async fn attempt(
    store: &Store,
    state: &DeltaTableState,
    proposal: &Proposal,
) -> DeltaResult<FinalizedCommit> {
    let stamp = serde_json::to_value(&proposal.stamp)
        .map_err(|json_err| DeltaTableError::SerializeLogJson { json_err })?;
    let positions = proposal.claims.iter();
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false))
        .with_metadata([
            (KEY.to_owned(), stamp),
            ("isBlindAppend".to_owned(), true.into()),
        ])
        .with_application_transactions(
            positions
                .map(|claim| Transaction::new(&claim.app_id, claim.to))
                .collect(),
        );
    CommitBuilder::from(properties)
        .with_actions(proposal.adds.iter().cloned().map(Action::Add).collect())
        .build(
            Some(state as &dyn TableReference),
            Arc::clone(&store.log),
            proposal.operation(state.version()),
        )
        .await
}

/// The newest version, asked for until the store answers: giving up would be a guess.
async fn probe_newest(store: &Store, head: &Head) -> DeltaTableState {
    let mut failures = 0;
    loop {
        match head.newest(store).await {
            Ok(state) => return state,
            Err(error) => {
                failures += 1;
                warn!(table = %store.name, %error, "a commit's outcome is open: asking again");
                tokio::time::sleep(pause(failures)).await;
            }
        }
    }
}

enum Verdict {
    /// It is this version.
    Landed(u64),
    /// It is in none, and its positions are untouched.
    Free,
}

/// Reads what was committed between `head` and `newest`.
async fn judge(
    store: &Store,
    head: &Head,
    newest: &DeltaTableState,
    proposal: &Proposal,
) -> Result<Verdict> {
    let claims = &proposal.claims;
    let mut stored: Vec<Option<i64>> = claims.iter().map(|claim| claim.from).collect();
    let mut last = head.version();
    for version in head.version() + 1..=newest.version() {
        let Some(entry) = read_entry(store, version).await else {
            let ids: Vec<&String> = claims.iter().map(|claim| &claim.app_id).collect();
            stored = settle(store, newest, &ids).await?;
            last = newest.version();
            break;
        };
        if entry
            .stamp
            .is_some_and(|stamp| stamp.commit == proposal.stamp.commit)
        {
            return Ok(Verdict::Landed(version));
        }
        for (claim, stored) in claims.iter().zip(&mut stored) {
            for (_, at) in entry.positions.iter().filter(|(id, _)| *id == claim.app_id) {
                (*stored, last) = (Some(*at), version);
            }
        }
    }
    let moves = |claim: &Claim| claim.from != Some(claim.to);
    let landed = claims
        .iter()
        .zip(&stored)
        .all(|(claim, at)| *at == Some(claim.to));
    if landed && claims.iter().any(moves) {
        warn!(table = %store.name, version = last, "another writer stored the very same ranges");
        return Ok(Verdict::Landed(last));
    }
    match claims
        .iter()
        .zip(stored)
        .find(|(claim, at)| claim.from != *at)
    {
        Some((claim, at)) => Err(moved(store, claim, at)),
        None => Ok(Verdict::Free),
    }
}

async fn read_entry(store: &Store, version: u64) -> Option<Entry> {
    let mut failures = 0;
    loop {
        match Entry::read(store, version).await {
            Ok(entry) => return entry,
            Err(error) if error.kind() == Kind::Internal => return None,
            Err(error) => {
                failures += 1;
                warn!(table = %store.name, %error, "a commit's outcome is open: asking again");
                tokio::time::sleep(pause(failures)).await;
            }
        }
    }
}

/// The positions at `newest`, for when the log in between is gone.
async fn settle(
    store: &Store,
    newest: &DeltaTableState,
    app_ids: &[&String],
) -> Result<Vec<Option<i64>>> {
    if app_ids.is_empty() {
        let name = &store.name;
        return Err(Error::internal(format!(
            "the log of table \"{name}\" no longer tells whether rows were stored"
        ))
        .hint("look for the rows before running the statement again"));
    }
    let mut failures = 0;
    loop {
        match read_positions(store, newest, app_ids).await {
            Ok(stored) => return Ok(stored),
            Err(error) => {
                failures += 1;
                warn!(table = %store.name, %error, "a commit's outcome is open: asking again");
                tokio::time::sleep(pause(failures)).await;
            }
        }
    }
}

fn check_layout(store: &Store, head: &Head, proposal: &Proposal) -> Result<()> {
    let name = &store.name;
    if head.state().metadata().partition_columns() != proposal.partition_columns.as_slice() {
        return Err(Error::conflict(format!(
            "the partitioning of table \"{name}\" was changed by somebody else"
        )));
    }
    check_superset(name, &proposal.schema, &head.schema())
}

fn give_up(store: &Store, refusals: u32, error: DeltaTableError) -> Result<()> {
    if refusals < REFUSALS {
        return Ok(());
    }
    Err(super::fault::delta(
        format!("commit to table \"{}\"", store.name),
        error,
    ))
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST_PAUSE)
}
