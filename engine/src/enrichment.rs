//! What functions read beside their arguments: loaded from the files and stored tables that the
//! configuration names, watched, and given to each query as a snapshot that never changes.
//!
//! A file that was replaced, or a table with a new version, is read and checked beside the data in
//! use, which it then takes the place of at once, for queries and commits that begin later. One
//! that is missing or damaged leaves the data in use where it is; `system.enrichment` says what is
//! wrong.

mod arguments;

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use chrono::Utc;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::plugin::{
    Content, Enricher, Enriching, EnrichmentFile, EnrichmentPart, Place, Snapshot,
};
use crate::runtime::{self, AbortOnDrop, Cpu};
use crate::table::Table;

/// The files are not looked at more often than this.
const REFRESH_MIN: Duration = Duration::from_millis(5);
/// How long the start of the process waits for stored tables.
const START_MAX: Duration = Duration::from_secs(10);

/// Reads the tables of the catalog.
#[async_trait]
pub trait StoredTables: fmt::Debug + Send + Sync {
    /// The table `name`.
    ///
    /// # Errors
    /// When there is none.
    async fn table(&self, name: &str) -> Result<Arc<dyn Table>>;

    /// All rows of `version` of `table`, without their lineage.
    ///
    /// # Errors
    /// When they cannot be read, or take more than `most` bytes of memory.
    async fn rows(&self, table: &dyn Table, version: u64, most: u64) -> Result<RecordBatch>;
}

/// The enrichment of one process.
pub struct Enrichment {
    enricher: Option<Arc<dyn Enricher>>,
    cpu: Arc<Cpu>,
    refresh: Duration,
    /// Bytes of one stored table in memory.
    table_max: u64,
    /// The catalog, once it is open; its sessions hold the enrichment in turn.
    stored: OnceLock<Weak<dyn StoredTables>>,
    /// Locked while files are looked at: one look at a time.
    items: Mutex<Vec<Item>>,
    present: RwLock<Arc<Present>>,
}

/// What there is at one moment.
#[derive(Debug, Default)]
pub struct Present {
    /// Counts the snapshots from 1.
    pub number: u64,
    /// What queries read; `None` without any file.
    pub snapshot: Option<Arc<dyn Snapshot>>,
    /// The files, in the order of their names within their kind.
    pub files: Vec<Status>,
}

/// What is known of one file.
#[derive(Debug, Clone)]
pub struct Status {
    /// The file and its data.
    pub part: EnrichmentPart,
    /// When the data was loaded, in microseconds since 1970.
    pub loaded_us: Option<i64>,
    /// What is wrong with the file as it is now, whether or not there is data from before.
    pub error: Option<String>,
}

struct Item {
    status: Status,
    /// What was last read, whatever came of it.
    tried: Option<Stamp>,
}

/// Tells one content from another without reading it.
#[derive(Debug, Clone)]
enum Stamp {
    /// Of a file.
    File {
        modified: Option<SystemTime>,
        bytes: u64,
        inode: u64,
    },
    /// Of a table, which may be another one under the same name.
    Version { table: Arc<dyn Table>, version: u64 },
}

impl PartialEq for Stamp {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Version { table, version },
                Self::Version {
                    table: other,
                    version: newer,
                },
            ) => Arc::ptr_eq(table, other) && version == newer,
            (
                Self::File {
                    modified,
                    bytes,
                    inode,
                },
                Self::File {
                    modified: later,
                    bytes: length,
                    inode: node,
                },
            ) => (modified, bytes, inode) == (later, length, node),
            _ => false,
        }
    }
}

impl fmt::Debug for Enrichment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrichment")
            .field("present", &self.present())
            .finish_non_exhaustive()
    }
}

impl Enrichment {
    /// Loads the files that `settings` name. One that cannot be loaded is logged and listed, and
    /// what it would give is NULL until it can.
    ///
    /// # Errors
    /// When a name cannot be one.
    pub async fn open(
        settings: &config::Enrichment,
        enricher: Option<Arc<dyn Enricher>>,
        cpu: Arc<Cpu>,
    ) -> Result<Arc<Self>> {
        let config::Enrichment {
            databases,
            feeds,
            tables,
            ..
        } = settings;
        let databases = databases
            .iter()
            .map(|(name, file)| (name, EnrichmentFile::Database(file.clone())));
        let feeds = feeds
            .iter()
            .map(|(name, file)| (name, EnrichmentFile::Feed(file.clone())));
        let tables = tables
            .iter()
            .map(|(name, file)| (name, EnrichmentFile::Table(file.clone())));
        let files: Vec<_> = databases.chain(feeds).chain(tables).collect();
        if let Some((name, file)) = files.iter().find(|(name, _)| is_path(name)) {
            let kind = file.kind();
            return Err(Error::user(format!(
                "\"{name}\" cannot be the name of an enrichment {kind}"
            ))
            .hint("choose one without a slash: paths are told from names by it"));
        }
        let items = files.into_iter().map(|(name, file)| Item::new(name, file));
        let this = Arc::new(Self {
            enricher,
            cpu,
            refresh: settings.refresh,
            table_max: settings.max_table_size.as_u64(),
            stored: OnceLock::new(),
            items: Mutex::new(items.collect()),
            present: RwLock::default(),
        });
        this.look().await;
        Ok(this)
    }

    /// Loads the tables of the catalog too, from here on. A store that does not answer delays the
    /// start no longer than [`START_MAX`]. The tables are there for as long as the caller keeps
    /// them.
    pub async fn attach(self: &Arc<Self>, stored: &Arc<dyn StoredTables>) {
        let items = self.items.lock().await;
        let stored_item = |item: &Item| matches!(item.status.part.file.place(), Place::Stored(_));
        let any = items.iter().any(stored_item);
        drop(items);
        // There is one catalog in a process.
        if self.stored.set(Arc::downgrade(stored)).is_err() || !any {
            return;
        }
        let this = Arc::clone(self);
        let looked = runtime::spawn(async move { this.look().await });
        if tokio::time::timeout(START_MAX, looked).await.is_err() {
            warn!("reference tables are still being loaded");
        }
    }

    fn stored(&self) -> Option<Arc<dyn StoredTables>> {
        self.stored.get()?.upgrade()
    }

    /// What there is now.
    #[must_use]
    pub fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files again and again, in a task that ends with the value returned.
    #[must_use]
    pub fn watch(self: &Arc<Self>) -> AbortOnDrop<()> {
        let this = Arc::clone(self);
        AbortOnDrop(runtime::spawn(async move {
            loop {
                tokio::time::sleep(this.refresh.max(REFRESH_MIN)).await;
                this.look().await;
            }
        }))
    }

    /// Loads what is new or was replaced.
    pub async fn look(&self) {
        let Some(enricher) = &self.enricher else {
            return;
        };
        let mut items = self.items.lock().await;
        let mut changed = false;
        for item in items.iter_mut() {
            changed |= self.look_at(enricher, item).await;
        }
        if changed {
            self.publish(enricher, &items).await;
        }
    }

    /// Loads the file at `path`, which a statement names in the place of a configured one.
    ///
    /// # Errors
    /// When it cannot be loaded, naming it.
    pub async fn admit(&self, path: &str, file: EnrichmentFile) -> Result<()> {
        let Some(enricher) = &self.enricher else {
            return Ok(());
        };
        let mut items = self.items.lock().await;
        let same = |item: &Item| {
            let part = &item.status.part;
            part.name == path && part.file.kind() == file.kind()
        };
        let known = items.iter().position(same);
        let mut item = match known {
            Some(at) => items.remove(at),
            None => Item::new(path, file),
        };
        let changed = self.look_at(enricher, &mut item).await;
        let lacks = match (&item.status.part.data, &item.status.error) {
            (Ok(_), _) => None,
            (Err(reason), _) => Some(Error::user(format!("cannot load \"{path}\": {reason}"))),
        };
        if lacks.is_none() {
            items.push(item);
        }
        if changed && lacks.is_none() {
            self.publish(enricher, &items).await;
        }
        lacks.map_or(Ok(()), Err)
    }

    /// Whether anything is different now.
    async fn look_at(&self, enricher: &Arc<dyn Enricher>, item: &mut Item) -> bool {
        let file = item.status.part.file.clone();
        let stamp = match file.place() {
            Place::File(path) => stamp(path).await,
            Place::Stored(name) => match self.stored() {
                Some(stored) => version(stored.as_ref(), name).await,
                None => return false,
            },
        };
        let stamp = match stamp {
            Ok(stamp) if item.tried.as_ref() == Some(&stamp) && !item.is_due() => return false,
            Ok(stamp) => stamp,
            Err(error) => {
                item.tried = None;
                return item.failed(&error);
            }
        };
        let content = match (file.place(), stamp) {
            (Place::File(path), _) => read(path).await,
            (_, stamp) => {
                let rows = self.rows(stamp.clone()).await;
                let kind = rows.as_ref().err().map(Error::kind);
                // The same version would be refused again.
                if matches!(kind, Some(Kind::User | Kind::Limit)) {
                    item.tried = Some(stamp);
                }
                rows
            }
        };
        let (stamp, content) = match content {
            Ok(read) => read,
            Err(error) => return item.failed(&error),
        };
        let version = match &stamp {
            Stamp::Version { version, .. } => Some(version.to_string()),
            Stamp::File { .. } => None,
        };
        item.tried = Some(stamp);
        let (enricher, status) = (Arc::clone(enricher), item.status.clone());
        let loading = self.cpu.run(async move {
            let EnrichmentPart { name, file, data } = &status.part;
            enricher.load(name, file, content, data.as_ref().ok())
        });
        match loading.await {
            Ok(mut data) => {
                data.version = version.or(data.version);
                item.loaded(data);
                true
            }
            Err(error) => item.failed(&error),
        }
    }

    /// The rows of the version of a table.
    async fn rows(&self, stamp: Stamp) -> Result<(Stamp, Content)> {
        let (Some(stored), Stamp::Version { table, version }) = (self.stored(), &stamp) else {
            return Err(Error::internal("a file is no table"));
        };
        let rows = stored
            .rows(table.as_ref(), *version, self.table_max)
            .await?;
        Ok((stamp, Content::Rows(rows)))
    }

    async fn publish(&self, enricher: &Arc<dyn Enricher>, items: &[Item]) {
        let files: Vec<Status> = items.iter().map(|item| item.status.clone()).collect();
        let parts: Vec<EnrichmentPart> = files.iter().map(|status| status.part.clone()).collect();
        let making = Arc::clone(enricher);
        let made = self.cpu.run(async move { making.snapshot(&parts) }).await;
        let before = self.present();
        let snapshot = match made {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                warn!(%error, "enrichment stays as it was");
                before.snapshot.clone()
            }
        };
        let present = Arc::new(Present {
            number: before.number + 1,
            snapshot,
            files,
        });
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = present;
    }
}

impl Item {
    fn new(name: &str, file: EnrichmentFile) -> Self {
        let part = EnrichmentPart {
            name: name.to_owned(),
            file,
            data: Err("it has not been read yet".to_owned()),
        };
        Self {
            status: Status {
                part,
                loaded_us: None,
                error: None,
            },
            tried: None,
        }
    }

    fn loaded(&mut self, data: Enriching) {
        let EnrichmentPart { name, file, .. } = &self.status.part;
        let (kind, rows, version) = (file.kind(), data.rows, data.version.as_deref());
        info!(name, kind, rows, version, "enrichment loaded");
        self.status.part.data = Ok(data);
        self.status.loaded_us = Some(Utc::now().timestamp_micros());
        self.status.error = None;
    }

    /// Whether some of the data has begun or ended to hold since it was loaded.
    fn is_due(&self) -> bool {
        let changes = self
            .status
            .part
            .data
            .as_ref()
            .ok()
            .and_then(|data| data.changes_us);
        changes.is_some_and(|changes| changes <= Utc::now().timestamp_micros())
    }

    /// Whether this error is news.
    fn failed(&mut self, error: &Error) -> bool {
        let text = error.to_string().replace("\nhint: ", "; ");
        if self.status.error.as_ref() == Some(&text) {
            return false;
        }
        let Status { part, .. } = &mut self.status;
        let (name, kind, path) = (&part.name, part.file.kind(), part.file.place());
        let kept = part.data.is_ok();
        warn!(name, kind, %path, kept, error = text, "enrichment cannot be loaded");
        if part.data.is_err() {
            part.data = Err(text.clone());
        }
        self.status.error = Some(text);
        true
    }
}

/// Whether the text of an argument is a path and not a name.
#[must_use]
pub fn is_path(text: &str) -> bool {
    text.contains('/')
}

async fn version(stored: &dyn StoredTables, name: &str) -> Result<Stamp> {
    let table = stored.table(name).await?;
    let version = table.version().await?;
    Ok(Stamp::Version { table, version })
}

async fn stamp(path: &Path) -> Result<Stamp> {
    let metadata = tokio::fs::metadata(path).await;
    metadata
        .map(|metadata| Stamp::of(&metadata))
        .map_err(|error| unreadable(path, error))
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self::File {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// The content of a file, whole.
async fn read(path: &Path) -> Result<(Stamp, Content)> {
    let open = async {
        let mut file = File::open(path).await?;
        let before = Stamp::of(&file.metadata().await?);
        let mut content = Vec::new();
        file.read_to_end(&mut content).await?;
        let metadata = file.metadata().await?;
        let whole = metadata.len() == content.len() as u64;
        std::io::Result::Ok((before, Stamp::of(&metadata), whole, content))
    };
    let (before, after, whole, content) = open.await.map_err(|error| unreadable(path, error))?;
    if before != after || !whole {
        let shown = path.display();
        return Err(
            Error::unavailable(format!("\"{shown}\" was written to while it was read"))
                .hint("write a new file beside it and rename it to its place"),
        );
    }
    Ok((after, Content::Bytes(content)))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let shown = path.display();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "put the file there, or correct `path`",
        std::io::ErrorKind::IsADirectory => {
            "name a file; a table that Sluice stores is named by `table`"
        }
        _ => "let the user that Sluice runs as read the file",
    };
    Error::unavailable(format!("cannot read \"{shown}\": {error}"))
        .hint(hint)
        .source(error)
}
