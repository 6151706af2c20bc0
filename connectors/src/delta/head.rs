//! The version of a table that a writer stands on, with the positions it knows to be stored there.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use deltalake::kernel::transaction::PROTOCOL;
use deltalake::table::config::TablePropertiesExt;
use deltalake::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use sluice_engine::error::{Error, Result};
use tracing::debug;

use super::fault;
use super::history::{self, Entry, Since};
use super::offsets::Claim;
use super::positions::{Positions, mover, read_all, read_entries};
use super::store::{Store, without_files};

/// How many positions are looked up at once where each look-up reads the log.
const CONCURRENT_READS: usize = 4;
/// Versions missed after which positions are read afresh instead of followed entry by entry.
const MISSED: u64 = 256;

/// A version, and positions. Every entry of `known` was read from `state` itself, or was stored by
/// a commit that led there and by none after it.
#[derive(Debug)]
pub(super) struct Head {
    state: DeltaTableState,
    known: HashMap<String, Option<i64>>,
    /// Nothing is stored under the ids that `known` lacks.
    complete: bool,
}

impl Head {
    /// The newest version.
    pub(super) async fn load(store: &Store) -> Result<Self> {
        Ok(Self {
            state: open(store).await?,
            known: HashMap::new(),
            complete: false,
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
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Conflict`] when another table has taken the place of this one;
    /// any other kind when the store is at fault.
    pub(super) async fn newest(&self, store: &Store) -> Result<DeltaTableState> {
        let state = match history::since(store, self.version()).await? {
            Since::Nothing => return Ok(self.state.clone()),
            Since::Newer => {
                let mut state = self.state.clone();
                match state.update(&store.log, None).await {
                    Ok(()) => state,
                    Err(error) => {
                        debug!(table = %store.name, %error, "loading afresh");
                        open(store).await?
                    }
                }
            }
            Since::Gone => open(store).await?,
        };
        if state.metadata().id() != self.state.metadata().id() {
            let name = &store.name;
            return Err(Error::conflict(format!(
                "table \"{name}\" was removed, and another was made in its place"
            ))
            .hint("start again what writes to it"));
        }
        Ok(state)
    }

    /// Moves to the newest version.
    pub(super) async fn refresh(&mut self, store: &Store) -> Result<()> {
        let state = self.newest(store).await?;
        let missed = self.version() + 1..state.version() + 1;
        let nothing_known = self.known.is_empty() && !self.complete;
        let entries = if nothing_known || missed.end.saturating_sub(missed.start) > MISSED {
            None
        } else {
            read_entries(store, missed).await?
        };
        self.adopt(state, entries.as_deref());
        Ok(())
    }

    /// Moves to `state`, to which `entries` lead; without them no position is known there.
    pub(super) fn adopt(&mut self, state: DeltaTableState, entries: Option<&[Entry]>) {
        match entries {
            Some(entries) if state.version() >= self.version() => {
                let positions = entries.iter().flat_map(|entry| &entry.positions);
                let moved = positions.map(|(id, at)| (id.clone(), Some(*at)));
                self.known.extend(moved);
            }
            _ => {
                self.known.clear();
                self.complete = false;
            }
        }
        self.state = state;
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
        let unknown = |id: &&String| !self.complete && !self.known.contains_key(*id);
        let unknown: Vec<&String> = app_ids.iter().filter(unknown).collect();
        if !unknown.is_empty() && !self.read_whole(store).await? {
            let read = read_positions(store, &self.state, &unknown).await?;
            let read: Vec<_> = unknown.into_iter().cloned().zip(read).collect();
            self.known.extend(read);
        }
        let stored = |id| self.known.get(id).copied().flatten();
        Ok(app_ids.iter().map(stored).collect())
    }

    /// Every position stored, by application id.
    ///
    /// # Errors
    /// [`sluice_engine::error::Kind::Unsupported`] when only the Delta library reads the log, which
    /// looks positions up and lists none.
    pub(super) async fn every_position(&mut self, store: &Store) -> Result<Positions> {
        if !self.complete && !self.read_whole(store).await? {
            let name = &store.name;
            return Err(Error::unsupported(format!(
                "the log of table \"{name}\" does not list which offsets are stored"
            ))
            .hint("CALL checkpoint writes one that does"));
        }
        let known = self.known.iter();
        Ok(known
            .filter_map(|(id, at)| Some((id.clone(), (*at)?)))
            .collect())
    }

    /// Learns all positions at once, where the log lets it.
    async fn read_whole(&mut self, store: &Store) -> Result<bool> {
        let Some(all) = read_all(store, self.version()).await? else {
            return Ok(false);
        };
        self.known = all.into_iter().map(|(id, at)| (id, Some(at))).collect();
        self.complete = true;
        Ok(true)
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
            Some((claim, stored)) => Err(moved(store, self.version(), claim, stored).await),
        }
    }

    /// Refuses tables whose rules for new rows would go unchecked here.
    pub(super) fn check_writable(&self, store: &Store) -> Result<()> {
        let (name, state) = (&store.name, &self.state);
        PROTOCOL
            .can_write_to(state)
            .map_err(|error| fault::delta(format!("write to table \"{name}\""), error.into()))?;
        let refuse = |what: &str| {
            Err(Error::unsupported(format!(
                "table \"{name}\" has {what}, which only the engine that made it can check"
            ))
            .hint("write to it with that engine, or to a table of Sluice's own"))
        };
        if !state.table_config().get_constraints().is_empty() {
            return refuse("CHECK constraints");
        }
        let rules = [
            "delta.generationExpression",
            "delta.invariants",
            "delta.identity.start",
        ];
        let schema = state.schema();
        for field in schema.fields() {
            if rules
                .iter()
                .any(|rule| field.metadata().contains_key(*rule))
            {
                return refuse("computed or constrained columns");
            }
        }
        if state
            .metadata()
            .configuration()
            .get("delta.columnMapping.mode")
            .is_some_and(|m| m != "none")
        {
            return refuse("renamed columns");
        }
        Ok(())
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

async fn open(store: &Store) -> Result<DeltaTableState> {
    DeltaTableState::try_new(&store.log, without_files(), None)
        .await
        .map_err(|error| fault::delta(format!("open table \"{}\"", store.name), error))
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

/// The refusal of a claim that finds `stored` at `version` instead of what it continues from.
pub(super) async fn moved(
    store: &Store,
    version: u64,
    claim: &Claim,
    stored: Option<i64>,
) -> Error {
    let say = |offset: Option<i64>| offset.map_or_else(|| "none".to_owned(), |at| at.to_string());
    let (name, partition) = (&store.name, &claim.partition);
    let (expected, stored) = (say(claim.from), say(stored));
    let by = match mover(store, version, &claim.app_id).await {
        Some(process) => format!(", by {process}"),
        None => String::new(),
    };
    Error::conflict(format!(
        "partition {partition} continues from offset {expected}, and table \"{name}\" has stored \
         offset {stored}{by}"
    ))
    .hint("another process writes the same pipeline: read the stored offset and go on from there")
}
