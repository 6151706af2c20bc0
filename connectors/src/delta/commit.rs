//! One proposal becomes one commit, or certainly none.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use deltalake::DeltaResult;
use deltalake::kernel::transaction::{
    CommitBuilder, CommitProperties, FinalizedCommit, TableReference,
};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::protocol::{DeltaOperation, OutputMode, SaveMode};
use deltalake::table::state::DeltaTableState;
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::fail_point;
use sluice_engine::table::Commit;
use tracing::{debug, warn};

use super::fault;
use super::head::{Head, moved, read_positions};
use super::history::{Entry, KEY, Stamp};
use super::offsets::Claim;
use super::positions::read_entries;
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

/// A proposal that did not become a commit.
#[derive(Debug)]
pub(super) struct Refused {
    /// Why.
    pub(super) error: Error,
    /// Whether no store, however slow, can still do what it was asked.
    pub(super) certain: bool,
}

/// Commits `proposal`, whose claims hold at `head`. Cancel-safe: `head` moves only to what is
/// known.
///
/// # Errors
/// [`Kind::Conflict`] when somebody else moved a position or changed a column,
/// [`Kind::Unavailable`] when the store keeps refusing; either way nothing is committed.
pub(super) async fn commit(
    store: &Store,
    head: &mut Head,
    proposal: &Proposal,
) -> Result<Commit, Refused> {
    let operation = proposal.operation(head.version());
    let version = land(store, head, proposal).await?;
    let name = operation.name().to_owned();
    Ok(proposal.stamp.clone().into_commit(version, name))
}

/// What is known of the proposals made so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// There were none.
    None,
    /// The entry that has the number of each was read, and is another.
    Answered,
    /// One of them may have become an entry that is gone or damaged since.
    Open,
}

/// A conflict proves that the number is taken which an open proposal was for, if what took it was
/// read.
fn refused(error: Error, made: Made) -> Refused {
    let certain = match made {
        Made::None => true,
        Made::Answered => error.kind() == Kind::Conflict,
        Made::Open => false,
    };
    Refused { error, certain }
}

async fn land(store: &Store, head: &mut Head, proposal: &Proposal) -> Result<u64, Refused> {
    let (mut made, mut refusals, mut certain) = (Made::None, 0, true);
    loop {
        // Somebody may have changed the table since the files were written.
        check_layout(store, head, proposal).map_err(|error| refused(error, made))?;
        let error = match attempt(store, head.state(), proposal).await {
            Ok(done) => match fail_point::pass("after_commit").await {
                Ok(()) => {
                    head.advance(done.snapshot(), &proposal.claims);
                    return Ok(done.version());
                }
                Err(error) => error,
            },
            Err(error) => {
                certain &= fault::is_full(&error);
                fault::delta(format!("commit to table \"{}\"", store.name), error)
            }
        };
        debug!(table = %store.name, base = head.version(), %error, "a commit's outcome is open");
        let newest = probe_newest(store, head).await;
        let newest = newest.map_err(|error| refused(error, Made::Open))?;
        let entries = read_between(store, head.version(), newest.version()).await;
        let verdict = judge(store, head.version(), &newest, entries.as_deref(), proposal);
        made = match (made, &entries) {
            (Made::Open, _) | (_, None) => Made::Open,
            _ => Made::Answered,
        };
        let verdict = verdict.await.map_err(|error| refused(error, made))?;
        let stood = newest.version() == head.version();
        head.adopt(newest, entries.as_deref());
        if let Verdict::Landed(version) = verdict {
            return Ok(version);
        }
        if stood {
            refusals += 1;
            if refusals >= REFUSALS {
                return Err(Refused { error, certain });
            }
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
    let stamp = proposal.stamp.to_json()?;
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
///
/// # Errors
/// When another table has taken the place of this one.
async fn probe_newest(store: &Store, head: &Head) -> Result<DeltaTableState> {
    let mut failures = 0;
    loop {
        match head.newest(store).await {
            Err(error) if error.kind() != Kind::Conflict => {
                ask_again(store, &mut failures, &error).await;
            }
            read => return read,
        }
    }
}

/// The log entries after `base`, asked for until the store answers; `None` when one is gone or
/// damaged.
async fn read_between(store: &Store, base: u64, newest: u64) -> Option<Vec<Entry>> {
    let mut failures = 0;
    loop {
        match read_entries(store, base + 1..newest + 1).await {
            Ok(entries) => return entries,
            Err(error) if error.kind() == Kind::Internal => return None,
            Err(error) => ask_again(store, &mut failures, &error).await,
        }
    }
}

async fn ask_again(store: &Store, failures: &mut u32, error: &Error) {
    *failures += 1;
    warn!(table = %store.name, %error, "a commit's outcome is open: asking again");
    tokio::time::sleep(pause(*failures)).await;
}

enum Verdict {
    /// It is this version.
    Landed(u64),
    /// It is in none, and its positions are untouched.
    Free,
}

/// Says from what was committed after `base` what became of `proposal`.
async fn judge(
    store: &Store,
    base: u64,
    newest: &DeltaTableState,
    entries: Option<&[Entry]>,
    proposal: &Proposal,
) -> Result<Verdict> {
    let claims = &proposal.claims;
    let (stored, last) = match entries {
        Some(entries) => {
            let stamped = |entry: &&Entry| {
                let stamp = entry.stamp.as_ref();
                stamp.is_some_and(|stamp| stamp.commit == proposal.stamp.commit)
            };
            if let Some(ours) = entries.iter().find(stamped) {
                return Ok(Verdict::Landed(ours.version));
            }
            after(entries, base, claims)
        }
        None => {
            let ids: Vec<&String> = claims.iter().map(|claim| &claim.app_id).collect();
            if !claims.iter().any(moves) {
                return Err(forgotten(store));
            }
            (settle(store, newest, &ids).await, newest.version())
        }
    };
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
        Some((claim, at)) => Err(moved(store, newest.version(), claim, at).await),
        None => Ok(Verdict::Free),
    }
}

fn moves(claim: &Claim) -> bool {
    claim.from != Some(claim.to)
}

/// Where `entries` have left the positions of `claims`, and the last version that moved one.
fn after(entries: &[Entry], base: u64, claims: &[Claim]) -> (Vec<Option<i64>>, u64) {
    let mut stored: Vec<Option<i64>> = claims.iter().map(|claim| claim.from).collect();
    let mut last = base;
    for entry in entries {
        for (claim, stored) in claims.iter().zip(&mut stored) {
            for (_, at) in entry.positions.iter().filter(|(id, _)| *id == claim.app_id) {
                (*stored, last) = (Some(*at), entry.version);
            }
        }
    }
    (stored, last)
}

fn forgotten(store: &Store) -> Error {
    let name = &store.name;
    Error::internal(format!(
        "the log of table \"{name}\" no longer tells whether rows were stored"
    ))
    .hint("look for the rows before running the statement again")
}

/// The positions at `newest`, for when the log in between is gone.
async fn settle(store: &Store, newest: &DeltaTableState, app_ids: &[&String]) -> Vec<Option<i64>> {
    let mut failures = 0;
    loop {
        match read_positions(store, newest, app_ids).await {
            Ok(stored) => return stored,
            Err(error) => ask_again(store, &mut failures, &error).await,
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
    head.check_writable(store)?;
    check_superset(name, &proposal.schema, &head.schema())
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST_PAUSE)
}
