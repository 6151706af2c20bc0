//! The version of a table that a writer stands on, with the positions it knows to be stored there.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use deltalake::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use sluice_engine::error::{Error, Result};

use super::fault;
use super::offsets::Claim;
use super::store::{Store, without_files};

/// How many positions are looked up at once; each look-up reads the log.
const CONCURRENT_READS: usize = 4;

/// A version, and positions. Every entry of `known` was read from `state` itself or stored by the
/// commit that made it.
#[derive(Debug)]
pub(super) struct Head {
    state: DeltaTableState,
    known: HashMap<String, Option<i64>>,
}

impl Head {
    /// The newest version.
    pub(super) async fn load(store: &Store) -> Result<Self> {
        let state = DeltaTableState::try_new(&store.log, without_files(), None)
            .await
            .map_err(|error| fault::delta(format!("open table \"{}\"", store.name), error))?;
        Ok(Self {
            state,
            known: HashMap::new(),
        })
    }

    /// The version, as the Delta library has it.
    pub(super) fn state(&self) -> &DeltaTableState {
        &self.state
    }

    /// The number of the version.
    pub(super) fn version(&self) -> u64 {
        self.state.version()
    }

    /// The schema of the version.
    pub(super) fn schema(&self) -> SchemaRef {
        self.state.snapshot().arrow_schema()
    }

    /// The newest version, without moving there.
    pub(super) async fn newest(&self, store: &Store) -> Result<DeltaTableState> {
        let mut state = self.state.clone();
        let read = state.update(&store.log, None).await;
        read.map_err(|error| fault::delta(format!("read table \"{}\"", store.name), error))?;
        Ok(state)
    }

    /// Moves to the newest version.
    pub(super) async fn refresh(&mut self, store: &Store) -> Result<()> {
        let state = self.newest(store).await?;
        if state.version() != self.version() {
            self.known.clear();
        }
        self.state = state;
        Ok(())
    }

    /// Moves to `state`, of which only `known` is known.
    pub(super) fn adopt(&mut self, state: DeltaTableState, known: HashMap<String, Option<i64>>) {
        self.state = state;
        self.known = known;
    }

    /// Moves to `state`, which a commit of these claims has made out of the version stood on.
    pub(super) fn advance(&mut self, state: DeltaTableState, claims: &[Claim]) {
        self.state = state;
        for claim in claims {
            self.known.insert(claim.app_id.clone(), Some(claim.to));
        }
    }

    /// The positions stored under `app_ids`, in their order.
    pub(super) async fn positions(
        &mut self,
        store: &Store,
        app_ids: &[String],
    ) -> Result<Vec<Option<i64>>> {
        let unknown: Vec<&String> = app_ids
            .iter()
            .filter(|id| !self.known.contains_key(*id))
            .collect();
        let read = read_positions(store, &self.state, &unknown).await?;
        self.known.extend(unknown.into_iter().cloned().zip(read));
        let stored = |id| self.known.get(id).copied().flatten();
        Ok(app_ids.iter().map(stored).collect())
    }

    /// Checks that every claim continues from the position stored, looking at the newest version
    /// before it says no.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Conflict`] naming both offsets.
    pub(super) async fn expect(&mut self, store: &Store, claims: &[Claim]) -> Result<()> {
        if self.refused(store, claims).await?.is_none() {
            return Ok(());
        }
        self.refresh(store).await?;
        match self.refused(store, claims).await? {
            None => Ok(()),
            Some((claim, stored)) => Err(moved(store, claim, stored)),
        }
    }

    async fn refused<'a>(
        &mut self,
        store: &Store,
        claims: &'a [Claim],
    ) -> Result<Option<(&'a Claim, Option<i64>)>> {
        let ids: Vec<String> = claims.iter().map(|claim| claim.app_id.clone()).collect();
        let stored = self.positions(store, &ids).await?;
        Ok(claims
            .iter()
            .zip(stored)
            .find(|(claim, stored)| claim.from != *stored))
    }
}

/// The positions that `state` stores under `app_ids`, in their order.
pub(super) async fn read_positions(
    store: &Store,
    state: &DeltaTableState,
    app_ids: &[&String],
) -> Result<Vec<Option<i64>>> {
    let reads: Vec<_> = app_ids
        .iter()
        .map(|id| state.transaction_version(&store.log, id))
        .collect();
    futures::stream::iter(reads)
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await
        .map_err(|error| fault::delta(format!("read offsets of \"{}\"", store.name), error))
}

/// The refusal of a claim that finds `stored` instead of what it continues from.
pub(super) fn moved(store: &Store, claim: &Claim, stored: Option<i64>) -> Error {
    let say = |offset: Option<i64>| offset.map_or_else(|| "none".to_owned(), |at| at.to_string());
    let (name, partition) = (&store.name, &claim.partition);
    let (expected, stored) = (say(claim.from), say(stored));
    Error::conflict(format!(
        "partition {partition} continues from offset {expected}, and table \"{name}\" has stored \
         offset {stored}"
    ))
    .hint("another process writes the same pipeline: read the stored offset and go on from there")
}
