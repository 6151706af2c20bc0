//! A Delta table behind the engine's contract.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{FieldRef, SchemaRef};
use async_trait::async_trait;
use chrono::Utc;
use datafusion::catalog::TableProvider;
use deltalake::DeltaTableConfig;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, PROTOCOL, TableReference};
use deltalake::kernel::{Action, MetadataExt, StructField, StructType};
use deltalake::protocol::DeltaOperation;
use deltalake::table::config::TablePropertiesExt;
use deltalake::table::state::DeltaTableState;
use sluice_engine::error::{Error, Kind, Result};
use sluice_engine::source::Partition;
use sluice_engine::table::{Append, Commit, CommitRange, Table};
use tokio::sync::Mutex;
use tracing::debug;

use super::commit::{Proposal, commit};
use super::head::Head;
use super::history::{self, Stamp};
use super::offsets::{Claim, app_id, claims};
use super::schema::{canonical_field, kernel_field, same_type, words};
use super::store::Store;
use super::write::{Files, Target, discard, write};
use super::{checkpoint, fault, scan};

/// How often adding columns is tried when others commit in between.
const COLUMN_ATTEMPTS: u32 = 20;
const COLUMN_PAUSE: Duration = Duration::from_millis(50);

/// A stored table. Clones of the handle are not needed: all methods may run at once.
#[derive(Debug)]
pub struct DeltaTable {
    store: Store,
    identity: String,
    /// Where writes start from; without files.
    head: Mutex<Head>,
    /// What queries read, with files; brought up to date by each.
    read: Mutex<Option<DeltaTableState>>,
}

impl DeltaTable {
    /// The table in `store`, which must be there.
    pub(super) async fn load(store: Store) -> Result<Self> {
        let head = Head::load(&store).await?;
        Ok(Self {
            identity: head.state().metadata().id().to_owned(),
            store,
            head: Mutex::new(head),
            read: Mutex::new(None),
        })
    }

    /// The columns whose values are in the paths of files.
    pub(super) async fn partition_columns(&self) -> Vec<String> {
        let head = self.head.lock().await;
        head.state().metadata().partition_columns().to_vec()
    }

    /// Checks all that can be wrong before a row is read, and says what rows are written for.
    async fn prepare(&self, claims: &[Claim], rows: &SchemaRef) -> Result<Target> {
        let mut head = self.head.lock().await;
        head.expect(&self.store, claims).await?;
        let schema = head.schema();
        let known = |field: &FieldRef| schema.field_with_name(field.name()).is_ok();
        if !rows.fields().iter().all(known) {
            head.refresh(&self.store).await?;
        }
        check_writable(&self.store, head.state())?;
        Ok(Target::new(head.state()))
    }

    async fn commit(&self, proposal: Proposal) -> Result<Commit> {
        let mut head = self.head.lock().await;
        if let Err(error) = head.expect(&self.store, &proposal.claims).await {
            discard(&self.store, &proposal.adds).await;
            return Err(error);
        }
        let base = head.version();
        let landed = commit(&self.store, &mut head, &proposal).await;
        drop(head);
        match &landed {
            Ok(commit) => checkpoint::after_commit(&self.store, base, commit.version),
            // Only a conflict proves that no slow store can still do what it was asked.
            Err(error) if error.kind() == Kind::Conflict => {
                discard(&self.store, &proposal.adds).await;
            }
            Err(_) => {}
        }
        landed
    }

    async fn nothing_appended(&self) -> Commit {
        let version = self.head.lock().await.version();
        stamp(String::new(), 0, Vec::new()).into_commit(version, "WRITE".to_owned())
    }

    async fn newest(&self) -> Result<DeltaTableState> {
        let mut read = self.read.lock().await;
        if let Some(state) = read.as_ref() {
            let mut next = state.clone();
            match next.update(&self.store.log, None).await {
                Ok(()) => {
                    *read = Some(next.clone());
                    return Ok(next);
                }
                Err(error) => debug!(table = %self.store.name, %error, "loading afresh"),
            }
        }
        let state = DeltaTableState::try_new(&self.store.log, DeltaTableConfig::default(), None)
            .await
            .map_err(|error| fault::delta(format!("read table \"{}\"", self.store.name), error))?;
        *read = Some(state.clone());
        Ok(state)
    }
}

#[async_trait]
impl Table for DeltaTable {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        let mut head = self.head.lock().await;
        head.refresh(&self.store).await?;
        Ok(head.schema())
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let state = self.newest().await?;
        let version = scan::Version::new(&self.store, &state)?;
        Ok(Arc::new(version))
    }

    async fn offsets(&self, writer: &str, partitions: &[Partition]) -> Result<Vec<Option<i64>>> {
        let ids: Vec<String> = partitions
            .iter()
            .map(|partition| app_id(writer, partition))
            .collect();
        let mut head = self.head.lock().await;
        head.refresh(&self.store).await?;
        head.positions(&self.store, &ids).await
    }

    async fn append(&self, append: Append) -> Result<Commit> {
        let claims = claims(&append.writer, &append.ranges)?;
        let target = self.prepare(&claims, &append.rows.schema()).await?;
        let Files { adds, rows } = write(&self.store, &target, append.rows).await?;
        if rows == 0 && claims.is_empty() {
            return Ok(self.nothing_appended().await);
        }
        self.commit(Proposal {
            adds,
            schema: target.schema,
            partition_columns: target.partition_columns,
            claims,
            stamp: stamp(append.writer, rows, append.ranges),
        })
        .await
    }

    async fn commits(&self) -> Result<Vec<Commit>> {
        history::commits(&self.store).await
    }

    async fn add_columns(&self, columns: &[FieldRef]) -> Result<()> {
        let mut head = self.head.lock().await;
        let mut attempts = 0;
        loop {
            head.refresh(&self.store).await?;
            let missing = missing(&self.store, &head.schema(), columns)?;
            if missing.is_empty() {
                return Ok(());
            }
            check_writable(&self.store, head.state())?;
            let Err(error) = add(&self.store, head.state(), missing).await else {
                continue;
            };
            // Whoever was first, and whether this one landed, shows in the newest version.
            attempts += 1;
            if attempts >= COLUMN_ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(COLUMN_PAUSE).await;
        }
    }
}

fn stamp(writer: String, rows: u64, ranges: Vec<CommitRange>) -> Stamp {
    Stamp {
        commit: uuid::Uuid::new_v4().to_string(),
        writer,
        rows,
        timestamp_us: Utc::now().timestamp_micros(),
        ranges,
    }
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

async fn add(store: &Store, state: &DeltaTableState, fields: Vec<StructField>) -> Result<()> {
    let wrong = |error| fault::delta(format!("add columns to table \"{}\"", store.name), error);
    let schema = state.schema();
    let all = schema.fields().cloned().chain(fields.iter().cloned());
    let schema = StructType::try_new(all).map_err(|error| wrong(error.into()))?;
    let metadata = state.metadata().clone().with_schema(&schema);
    let metadata = metadata.map_err(|error| wrong(error.into()))?;
    let properties = CommitProperties::default()
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false));
    CommitBuilder::from(properties)
        .with_actions(vec![Action::Metadata(metadata)])
        .build(
            Some(state as &dyn TableReference),
            Arc::clone(&store.log),
            DeltaOperation::AddColumn { fields },
        )
        .await
        .map_err(wrong)?;
    Ok(())
}

/// Refuses tables whose rules for new rows would go unchecked here.
fn check_writable(store: &Store, state: &DeltaTableState) -> Result<()> {
    let name = &store.name;
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
