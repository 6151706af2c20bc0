//! A store that fails: before it does what it is asked, after, or not answering at all.

use super::*;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use sluice_engine::error::Kind;
use sluice_engine::table::{Compact, Maintenance};
use tokio::sync::Notify;

/// What happens to one write of a log entry.
#[derive(Debug, Clone)]
enum Fault {
    /// It fails and nothing is written.
    Before,
    /// It is written and fails.
    After,
    /// It is written, fails, and the store answers no reads for a while.
    AfterThenDown(u32),
    /// It waits for the signal, having given one.
    Held(Arc<Notify>, Arc<Notify>),
    /// It is written, gives a signal, waits for one, and fails.
    AfterHeld(Arc<Notify>, Arc<Notify>),
    /// It is written and said to have been there before; it is read once, and who reads it again
    /// gives a signal and waits for one.
    TakenThenHeld(Arc<Notify>, Arc<Notify>),
}

/// A log entry whose readers wait, the reads that pass before, and the signals.
type Watched = (StorePath, u32, Arc<Notify>, Arc<Notify>);

#[derive(Debug)]
struct Faulty {
    disk: LocalFileSystem,
    faults: Mutex<VecDeque<Fault>>,
    down: AtomicU32,
    watched: Mutex<Option<Watched>>,
}

impl Faulty {
    fn new(faults: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        Arc::new(Self {
            disk: LocalFileSystem::new(),
            faults: Mutex::new(faults.into_iter().collect()),
            down: AtomicU32::new(0),
            watched: Mutex::new(None),
        })
    }

    /// Waits where `location` is watched, after the reads that may pass.
    async fn watch(&self, location: &StorePath) {
        let held = {
            let mut watched = self.watched.lock().unwrap();
            match watched.as_mut() {
                Some((path, 0, ..)) if path == location => watched.take(),
                Some((path, passes, ..)) if path == location => {
                    *passes -= 1;
                    None
                }
                _ => None,
            }
        };
        if let Some((_, _, reached, go)) = held {
            reached.notify_one();
            go.notified().await;
        }
    }

    fn answer(&self) -> Result<()> {
        let less = |left: u32| left.checked_sub(1);
        match self
            .down
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        {
            Ok(_) => Err(lost("the store does not answer")),
            Err(_) => Ok(()),
        }
    }
}

fn lost(why: &str) -> Error {
    Error::Generic {
        store: "faulty",
        source: why.to_owned().into(),
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &StorePath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let entry = matches!(options.mode, PutMode::Create);
        let fault = entry
            .then(|| self.faults.lock().unwrap().pop_front())
            .flatten();
        match fault {
            Some(Fault::Before) => return Err(lost("refused")),
            Some(Fault::Held(reached, go)) => {
                reached.notify_one();
                go.notified().await;
            }
            Some(Fault::AfterHeld(reached, go)) => {
                self.disk.put_opts(location, payload, options).await?;
                reached.notify_one();
                go.notified().await;
                return Err(lost("the answer came too late"));
            }
            Some(Fault::TakenThenHeld(reached, go)) => {
                self.disk.put_opts(location, payload, options).await?;
                *self.watched.lock().unwrap() = Some((location.clone(), 1, reached, go));
                return Err(Error::AlreadyExists {
                    path: location.to_string(),
                    source: "an attempt before was answered too late".into(),
                });
            }
            Some(Fault::After) => {
                self.disk.put_opts(location, payload, options).await?;
                return Err(lost("the answer was lost"));
            }
            Some(Fault::AfterThenDown(reads)) => {
                self.disk.put_opts(location, payload, options).await?;
                self.down.store(reads, Ordering::SeqCst);
                return Err(lost("the connection was lost"));
            }
            None => {}
        }
        self.disk.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.disk.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        self.answer()?;
        self.watch(location).await;
        self.disk.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<StorePath>>,
    ) -> BoxStream<'static, Result<StorePath>> {
        self.disk.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.answer() {
            Ok(()) => self.disk.list(prefix),
            Err(error) => futures::stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> Result<ListResult> {
        self.disk.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &StorePath,
        to: &StorePath,
        options: CopyOptions,
    ) -> Result<()> {
        self.disk.copy_opts(from, to, options).await
    }
}

/// The table of `folder` through a store with these faults.
async fn faulty(folder: &Path, faults: impl IntoIterator<Item = Fault>) -> Arc<dyn Table> {
    let format = DeltaFormat::with_store(Faulty::new(faults));
    format
        .open(&definition(folder))
        .await
        .unwrap()
        .expect("the table is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_stored_once_whatever_the_answer() {
    for faults in [
        vec![Fault::After],
        vec![Fault::Before],
        vec![Fault::Before, Fault::Before, Fault::After],
        vec![Fault::AfterThenDown(3)],
        vec![Fault::Before, Fault::AfterThenDown(1)],
    ] {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path())
            .await
            .append(append(0, 3))
            .await
            .unwrap();
        let table = faulty(folder.path(), faults.clone()).await;
        let commit = table.append(append(3, 5)).await.unwrap();
        assert_eq!(commit.version, 2, "{faults:?}");
        assert_eq!(stored(&table).await, [0, 1, 2, 3, 4], "{faults:?}");
        assert_eq!(next_offset(&table).await, Some(5), "{faults:?}");
        table.append(append(5, 6)).await.unwrap();
        assert_eq!(
            stored(&open(folder.path()).await).await.len(),
            6,
            "{faults:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_stored_once_whatever_the_answer() {
    for fault in [Fault::After, Fault::Before, Fault::AfterThenDown(2)] {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path()).await;
        let table = faulty(folder.path(), [fault.clone()]).await;
        let commit = table.append(insert(vec![batch(0, 4)])).await.unwrap();
        assert_eq!((commit.version, commit.rows), (1, 4), "{fault:?}");
        assert_eq!(stored(&table).await, [0, 1, 2, 3], "{fault:?}");
        assert_eq!(table.commits().await.unwrap()[1], commit, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_refusing_gets_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await;
    let table = faulty(folder.path(), vec![Fault::Before; 40]).await;
    tokio::time::timeout(std::time::Duration::from_secs(120), async {
        let error = table.append(append(0, 3)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(error.message().contains("\"logs\""), "{error}");
    })
    .await
    .unwrap();
    assert_eq!(next_offset(&table).await, None);
    assert!(stored(&table).await.is_empty());
}

/// Appends `[3, 5)` and, between its decision and its write, does what `meanwhile` does.
async fn overtaken<F>(
    folder: &Path,
    meanwhile: F,
) -> (Arc<dyn Table>, sluice_engine::error::Result<u64>)
where
    F: AsyncFnOnce(Arc<dyn Table>),
{
    let other = create(folder).await;
    other.append(append(0, 3)).await.unwrap();
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Fault::Held(Arc::clone(&reached), Arc::clone(&go));
    let table = faulty(folder, [held]).await;
    let (landed, ()) = tokio::join!(table.append(append(3, 5)), async {
        reached.notified().await;
        meanwhile(other).await;
        go.notify_one();
    });
    (table, landed.map(|commit| commit.version))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_overtaken_on_its_partition_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (table, landed) = overtaken(folder.path(), async |other| {
        other.append(append(3, 4)).await.unwrap();
    })
    .await;
    let error = landed.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(
        error.message().contains("offset 3") && error.message().contains("offset 4"),
        "{error}"
    );
    assert_eq!(stored(&table).await, [0, 1, 2, 3]);
    assert_eq!(next_offset(&table).await, Some(4));
    table.append(append(4, 6)).await.unwrap();
    assert_eq!(stored(&table).await, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_overtaken_elsewhere_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let host: arrow::datatypes::FieldRef = Arc::new(Field::new("host", DataType::Utf8, true));
    let (table, landed) = overtaken(folder.path(), async |other| {
        other.append(insert(vec![batch(100, 102)])).await.unwrap();
        other.add_columns(&[host]).await.unwrap();
    })
    .await;
    assert_eq!(landed.unwrap(), 4);
    assert_eq!(stored(&table).await, [0, 1, 2, 3, 4, 100, 101]);
    assert_eq!(next_offset(&table).await, Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_created_whatever_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let definition = definition(folder.path());
    let format = DeltaFormat::with_store(Faulty::new([Fault::Before, Fault::After]));
    let error = format.create(&definition).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(format.open(&definition).await.unwrap().is_none());
    let table = format.create(&definition).await.unwrap();
    assert_eq!(open(folder.path()).await.identity(), table.identity());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_overtaken_by_a_property_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (table, landed) = overtaken(folder.path(), async |other| {
        other
            .set_property("pipeline.ingest", None, "x")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(landed.unwrap(), 3);
    assert_eq!(stored(&table).await, [0, 1, 2, 3, 4]);
    assert_eq!(next_offset(&table).await, Some(5));
    let there = table.property("pipeline.ingest").await.unwrap();
    assert_eq!(there.as_deref(), Some("x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_is_kept_once_whatever_the_answer() {
    for faults in [
        vec![Fault::After],
        vec![Fault::Before],
        vec![Fault::AfterThenDown(1)],
    ] {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path()).await;
        let table = faulty(folder.path(), faults.clone()).await;
        let mut set = table.set_property("leader", None, "me").await;
        if let Err(error) = &set {
            // The store did not answer the question either: whoever asks again is told.
            assert_eq!(error.kind(), Kind::Unavailable, "{faults:?}: {error}");
            set = table.set_property("leader", Some("me"), "me").await;
        }
        set.unwrap();
        let other = open(folder.path()).await;
        let there = other.property("leader").await.unwrap();
        assert_eq!(there.as_deref(), Some("me"), "{faults:?}");
        assert_eq!(other.version().await.unwrap(), 1, "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_anew_is_no_longer_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let format = DeltaFormat::default();
    format.remove(&definition(folder.path())).await.unwrap();
    create(folder.path()).await;
    let error = table.offsets("ingest", &[partition(0)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(error.message().contains("in its place"), "{error}");
    let error = table.append(append(3, 5)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(stored(&open(folder.path()).await).await.is_empty());
}

/// Removes every entry of the log that a checkpoint of the newest version stands in for.
async fn forget(table: &Arc<dyn Table>) {
    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    let retention = std::time::Duration::ZERO;
    let clean = Maintenance::CleanLog { retention };
    assert!(table.maintain(&clean).await.unwrap().files_removed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_landed_stay_when_the_log_forgot_them() {
    let folder = tempfile::tempdir().unwrap();
    let other = create(folder.path()).await;
    other.append(append(0, 3)).await.unwrap();
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Fault::AfterHeld(Arc::clone(&reached), Arc::clone(&go));
    let table = faulty(folder.path(), [held]).await;
    let (landed, ()) = tokio::join!(table.append(append(3, 5)), async {
        reached.notified().await;
        // Who took the partition over has gone on, long before the first one wakes.
        other.append(append(5, 6)).await.unwrap();
        other.append(append(6, 7)).await.unwrap();
        forget(&other).await;
        go.notify_one();
    });
    let error = landed.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    let all: Vec<i64> = (0..7).collect();
    assert_eq!(stored(&open(folder.path()).await).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_replaced_others_stay_when_the_log_forgot_it() {
    let folder = tempfile::tempdir().unwrap();
    let other = create(folder.path()).await;
    other.append(append(0, 3)).await.unwrap();
    other.append(append(3, 5)).await.unwrap();
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Fault::TakenThenHeld(Arc::clone(&reached), Arc::clone(&go));
    let table = faulty(folder.path(), [held]).await;
    let merge = Maintenance::Compact(Compact::default());
    let (merged, ()) = tokio::join!(table.maintain(&merge), async {
        reached.notified().await;
        other.append(append(5, 6)).await.unwrap();
        forget(&other).await;
        go.notify_one();
    });
    let error = merged.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    let all: Vec<i64> = (0..6).collect();
    assert_eq!(stored(&open(folder.path()).await).await, all);
}
