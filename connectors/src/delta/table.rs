//! A Delta table behind the engine's contract.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use sluice_engine::error::Result;
use sluice_engine::fail_point;
use sluice_engine::source::Partition;
use sluice_engine::table::{Append, Commit, Maintained, Maintenance, Table};
use tokio::sync::Mutex;

use super::commit::{Proposal, Refused, commit};
use super::head::Head;
use super::history::{self, Stamp};
use super::maintain::maintain;
use super::offsets::{Claim, app_id, claims, partition_of};
use super::partition_columns::PartitionColumns;
use super::reader::Reader;
use super::store::Store;
use super::write::{Files, Target, discard, write};
use super::{amend, checkpoint, scan};

/// A stored table. Clones of the handle are not needed: all methods may run at once.
#[derive(Debug)]
pub struct DeltaTable {
    store: Store,
    identity: String,
    /// Where writes start from.
    head: Mutex<Head>,
    reader: Reader,
    partitioned: PartitionColumns,
}

impl DeltaTable {
    /// The table in `store`, which must be there.
    pub(super) async fn load(store: Store) -> Result<Self> {
        let head = Head::load(&store).await?;
        Ok(Self {
            identity: head.state().metadata().id().to_owned(),
            partitioned: PartitionColumns::new(&store.name, head.state()),
            store,
            head: Mutex::new(head),
            reader: Reader::default(),
        })
    }

    /// The columns whose values are in the paths of files.
    pub(super) async fn partition_columns(&self) -> Vec<String> {
        let head = self.head.lock().await;
        head.state().metadata().partition_columns().to_vec()
    }

    /// Its properties, Delta's and Sluice's.
    pub(super) async fn configuration(&self) -> HashMap<String, String> {
        self.head
            .lock()
            .await
            .state()
            .metadata()
            .configuration()
            .clone()
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
        head.check_writable(&self.store)?;
        Ok(Target::new(head.state()))
    }

    async fn commit(&self, proposal: Proposal) -> Result<Commit> {
        let mut head = self.head.lock().await;
        if let Err(error) = head.expect(&self.store, &proposal.claims).await {
            discard(&self.store, &proposal.adds).await;
            return Err(error);
        }
        let base = head.version();
        let landed = match fail_point::pass("before_commit").await {
            Ok(()) => commit(&self.store, &mut head, &proposal).await,
            Err(error) => Err(Refused {
                error,
                certain: true,
            }),
        };
        drop(head);
        match landed {
            Ok(commit) => {
                checkpoint::after_commit(&self.store, base, commit.version);
                Ok(commit)
            }
            Err(refused) => {
                if refused.certain {
                    discard(&self.store, &proposal.adds).await;
                }
                Err(refused.error)
            }
        }
    }

    async fn nothing_appended(&self) -> Commit {
        let version = self.head.lock().await.version();
        Stamp::new(String::new(), 0, Vec::new()).into_commit(version, "WRITE".to_owned())
    }
}

#[async_trait]
impl Table for DeltaTable {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    async fn schema(&self) -> Result<SchemaRef> {
        let outline = self.reader.outline(&self.store).await?;
        Ok(outline.snapshot().arrow_schema())
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        self.reader.newest(&self.store).await
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

    fn check_rows(&self, rows: &RecordBatch) -> Result<()> {
        self.partitioned.check(rows)
    }

    fn partitions_of(&self, rows: &RecordBatch) -> Result<Vec<u64>> {
        self.partitioned.numbers(rows)
    }

    async fn positions(&self, writer: &str) -> Result<Vec<(Partition, i64)>> {
        let mut head = self.head.lock().await;
        head.refresh(&self.store).await?;
        let all = head.every_position(&self.store).await?.into_iter();
        Ok(all
            .filter_map(|(id, at)| Some((partition_of(writer, &id)?, at)))
            .collect())
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
            stamp: Stamp::new(append.writer, rows, append.ranges)
                .with_redactions(append.redactions),
        })
        .await
    }

    async fn commits(&self) -> Result<Vec<Commit>> {
        history::commits(&self.store, 0..=u64::MAX).await
    }

    async fn add_columns(&self, columns: &[FieldRef]) -> Result<()> {
        let mut head = self.head.lock().await;
        amend::add_columns(&self.store, &mut head, columns).await
    }

    async fn version(&self) -> Result<u64> {
        Ok(self.reader.outline(&self.store).await?.version())
    }

    fn version_of(&self, provider: &dyn TableProvider) -> Option<u64> {
        let version = provider.as_any().downcast_ref::<scan::Version>()?;
        Some(version.number())
    }

    async fn provider_at(&self, version: u64) -> Result<Arc<dyn TableProvider>> {
        self.reader.at(&self.store, version).await
    }

    async fn appended(&self, version: u64) -> Result<Arc<dyn TableProvider>> {
        self.reader.appended(&self.store, version).await
    }

    async fn property(&self, key: &str) -> Result<Option<String>> {
        let outline = self.reader.outline(&self.store).await?;
        Ok(amend::property(&outline, key))
    }

    async fn set_property(&self, key: &str, expected: Option<&str>, value: &str) -> Result<()> {
        let mut head = self.head.lock().await;
        amend::set_property(&self.store, &mut head, (key, expected, value)).await
    }

    async fn maintain(&self, work: &Maintenance) -> Result<Maintained> {
        maintain(&self.store, work).await
    }
}
