//! What functions read beside their arguments: loaded from the files that the configuration names,
//! watched, and given to each query as a snapshot that never changes.
//!
//! A file that was replaced is read and checked beside the data in use, which it then takes the
//! place of at once, for queries and commits that begin later. One that is missing or damaged
//! leaves the data in use where it is; `system.enrichment` says what is wrong.

mod arguments;

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use chrono::Utc;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::config;
use crate::error::{Error, Result};
use crate::plugin::{Enricher, Enriching, EnrichmentFile, EnrichmentPart, Snapshot};
use crate::runtime::{self, AbortOnDrop, Cpu};

/// The files are not looked at more often than this.
const REFRESH_MIN: Duration = Duration::from_millis(5);

/// The enrichment of one process.
pub struct Enrichment {
    enricher: Option<Arc<dyn Enricher>>,
    cpu: Arc<Cpu>,
    refresh: Duration,
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
    /// The file that was last read, whatever came of it.
    tried: Option<Stamp>,
}

/// Tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
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
            items: Mutex::new(items.collect()),
            present: RwLock::default(),
        });
        this.look().await;
        Ok(this)
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

    /// Loads the files that are new or were replaced.
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
        let path = item.status.part.file.path().to_owned();
        match stamp(&path).await {
            Ok(stamp) if item.tried == Some(stamp) => return false,
            Ok(_) => {}
            Err(error) => {
                item.tried = None;
                return item.failed(&error);
            }
        }
        let (stamp, content) = match read(&path).await {
            Ok(read) => read,
            Err(error) => return item.failed(&error),
        };
        item.tried = Some(stamp);
        let (enricher, status) = (Arc::clone(enricher), item.status.clone());
        let loading = self.cpu.run(async move {
            let EnrichmentPart { name, file, data } = &status.part;
            enricher.load(name, file, content, data.as_ref().ok())
        });
        match loading.await {
            Ok(data) => {
                item.loaded(data);
                true
            }
            Err(error) => item.failed(&error),
        }
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

    /// Whether this error is news.
    fn failed(&mut self, error: &Error) -> bool {
        let text = error.to_string().replace("\nhint: ", "; ");
        if self.status.error.as_ref() == Some(&text) {
            return false;
        }
        let Status { part, .. } = &mut self.status;
        let (name, kind, path) = (&part.name, part.file.kind(), part.file.path().display());
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

async fn stamp(path: &Path) -> Result<Stamp> {
    let metadata = tokio::fs::metadata(path).await;
    metadata
        .map(|metadata| Stamp::of(&metadata))
        .map_err(|error| unreadable(path, error))
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            inode: metadata.ino(),
        }
    }
}

/// The content of a file, whole.
async fn read(path: &Path) -> Result<(Stamp, Vec<u8>)> {
    let open = async {
        let mut file = File::open(path).await?;
        let before = Stamp::of(&file.metadata().await?);
        let mut content = Vec::new();
        file.read_to_end(&mut content).await?;
        let after = Stamp::of(&file.metadata().await?);
        std::io::Result::Ok((before, after, content))
    };
    let (before, after, content) = open.await.map_err(|error| unreadable(path, error))?;
    if before != after || content.len() as u64 != after.bytes {
        let shown = path.display();
        return Err(
            Error::unavailable(format!("\"{shown}\" was written to while it was read"))
                .hint("write a new file beside it and rename it to its place"),
        );
    }
    Ok((after, content))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let shown = path.display();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "put the file there, or correct `path`",
        std::io::ErrorKind::IsADirectory => "name a file; tables of other kinds are joined",
        _ => "let the user that Sluice runs as read the file",
    };
    Error::unavailable(format!("cannot read \"{shown}\": {error}"))
        .hint(hint)
        .source(error)
}
