//! A place that runs full: nothing is lost or left over, and writing goes on when there is room.

use super::*;
use std::fmt;
use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use sluice_engine::error::Kind;

/// How a place says that it is full.
type Says = fn() -> Error;

#[derive(Debug)]
struct Room {
    disk: LocalFileSystem,
    /// Bytes that still fit.
    left: Arc<AtomicUsize>,
    /// Whether log entries fit whatever their size.
    entries_fit: Mutex<bool>,
    says: Says,
}

impl Room {
    fn new(left: usize, says: Says) -> Arc<Self> {
        Arc::new(Self {
            disk: LocalFileSystem::new(),
            left: Arc::new(AtomicUsize::new(left)),
            entries_fit: Mutex::new(true),
            says,
        })
    }
}

fn take(left: &AtomicUsize, bytes: usize, says: Says) -> Result<()> {
    let less = |left: usize| left.checked_sub(bytes);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .map(|_| ())
        .map_err(|_| says())
}

fn disk_full() -> Error {
    let source = Box::new(io::Error::from(io::ErrorKind::StorageFull));
    Error::Generic {
        store: "LocalFileSystem",
        source,
    }
}

fn quota_exceeded() -> Error {
    Error::Generic {
        store: "S3",
        source: "status 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>".into(),
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

#[derive(Debug)]
struct Parts {
    parts: Box<dyn MultipartUpload>,
    left: Arc<AtomicUsize>,
    says: Says,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match take(&self.left, data.content_length(), self.says) {
            Ok(()) => self.parts.put_part(data),
            Err(error) => Box::pin(async move { Err(error) }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.parts.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.abort().await
    }
}

#[async_trait]
impl ObjectStore for Room {
    async fn put_opts(
        &self,
        location: &StorePath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let entry = matches!(options.mode, PutMode::Create);
        if !entry || !*self.entries_fit.lock().unwrap() {
            take(&self.left, payload.content_length(), self.says)?;
        }
        self.disk.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Parts {
            parts: self.disk.put_multipart_opts(location, options).await?,
            left: Arc::clone(&self.left),
            says: self.says,
        }))
    }

    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        self.disk.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<StorePath>>,
    ) -> BoxStream<'static, Result<StorePath>> {
        self.disk.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
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

fn assert_full(error: &sluice_engine::error::Error) {
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.message().contains("no space left"), "{error}");
    assert!(error.message().contains("\"logs\""), "{error}");
    assert!(error.hint_text().unwrap().contains("room"), "{error}");
}

/// Rows that do not compress, about a megabyte for each thousand.
fn noise(rows: usize) -> Vec<RecordBatch> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let batches = (0..rows / 1000).map(|_| {
        let texts = (0..1000).map(|_| {
            let words = (0..64).map(|_| format!("{:016x}", next()));
            words.collect::<String>()
        });
        let message: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        RecordBatch::try_from_iter_with_nullable([("message", message, true)]).unwrap()
    });
    batches.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_place_says_so_and_keeps_nothing() {
    let cases: [(Says, usize); 2] = [(disk_full, 4), (quota_exceeded, 30)];
    for (says, thousands) in cases {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path()).await;
        let room = Room::new(1 << 20, says);
        let format = DeltaFormat::with_store(Arc::clone(&room) as _);
        let opened = format.open(&definition(folder.path())).await.unwrap();
        let table = opened.expect("the table is there");
        let rows = || insert(noise(thousands * 1000));
        assert_full(&table.append(rows()).await.unwrap_err());
        assert!(files(folder.path()).is_empty());
        assert_eq!(table.version().await.unwrap(), 0);

        room.left.store(usize::MAX, Ordering::SeqCst);
        let commit = table.append(rows()).await.unwrap();
        assert_eq!(commit.rows, thousands as u64 * 1000);
        assert_eq!(files(folder.path()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_too_full_for_the_commit_keeps_no_files() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await;
    let room = Room::new(8 << 10, disk_full);
    *room.entries_fit.lock().unwrap() = false;
    let format = DeltaFormat::with_store(Arc::clone(&room) as _);
    let opened = format.open(&definition(folder.path())).await.unwrap();
    let table = opened.expect("the table is there");
    // The rows fit, and then the entry does not.
    let mut wide = append(0, 3);
    wide.ranges = (0..200).map(|index| range(index, None, 3)).collect();
    assert_full(&table.append(wide).await.unwrap_err());
    assert!(files(folder.path()).is_empty());
    assert_eq!(next_offset(&table).await, None);

    room.left.store(usize::MAX, Ordering::SeqCst);
    table.append(append(0, 3)).await.unwrap();
    assert_eq!(stored(&table).await, [0, 1, 2]);
}

/// A disk of its own, as small as that; `None` where the tests may not mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "sluice"])
            .arg(folder.path())
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = Command::new("umount").arg(self.0.path()).output();
        assert!(unmount.is_ok_and(|output| output.status.success()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::mount("8m") else {
        // Past the capture of output: a test that did not run must not look as if it had.
        let said = "\nNOT TESTED: a full disk, as this user may not mount a file system\n";
        io::Write::write_all(&mut io::stderr(), said.as_bytes()).unwrap();
        return;
    };
    let folder = disk.0.path();
    let table = create(folder).await;
    table.append(append(0, 3)).await.unwrap();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 6 << 20]).unwrap();
    let large = |from: i64| {
        let mut large = append(from, from + 1);
        large.rows = rows(noise(6000));
        large
    };
    for _ in 0..3 {
        assert_full(&table.append(large(3)).await.unwrap_err());
        assert_eq!(files(folder).len(), 1, "what was begun is removed");
    }
    // Too full for a single byte.
    let mut filler = std::fs::File::create(folder.join("filler")).unwrap();
    while io::Write::write_all(&mut filler, &[0; 512]).is_ok() {}
    assert_full(&table.append(append(3, 5)).await.unwrap_err());
    assert_eq!(next_offset(&table).await, Some(3));

    drop(filler);
    std::fs::remove_file(folder.join("filler")).unwrap();
    std::fs::remove_file(&ballast).unwrap();
    table.append(append(3, 5)).await.unwrap();
    table.append(large(5)).await.unwrap();
    let sql = "SELECT _offset FROM logs WHERE _offset IS NOT NULL ORDER BY 1";
    let answer = query(&table, sql).await;
    let kept = answer[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(kept.values(), &[0, 1, 2, 3, 4]);
    assert_eq!(next_offset(&table).await, Some(6));
}
