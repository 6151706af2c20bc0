//! A store over the local disk any of whose calls may fail, by seed: before it does anything, after
//! it has done it all, or late.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

/// What happens to one call.
enum Fate {
    /// It fails and does nothing.
    Before,
    /// It is done, and its answer is lost.
    After,
    /// It is done and tried again by the client, to whom the first attempt is somebody else's.
    Again,
    /// It is done.
    Done,
}

/// Faults by seed, and how often each kind of call was made.
#[derive(Debug)]
struct Dice {
    state: Mutex<u64>,
    fails: AtomicBool,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl Dice {
    /// The same numbers for the same seed; who gets which is for the order of calls to say.
    fn below(&self, bound: u64) -> u64 {
        let mut state = self.state.lock().unwrap();
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % bound
    }

    /// What happens to a call of which `percent` in a hundred fail.
    async fn throw(&self, call: &'static str, percent: u64) -> Fate {
        *self.calls.lock().unwrap().entry(call).or_default() += 1;
        if !self.fails.load(Ordering::SeqCst) {
            return Fate::Done;
        }
        if self.below(100) < 10 {
            tokio::time::sleep(Duration::from_millis(self.below(12))).await;
        }
        let fate = match self.below(300) {
            at if at < percent => Fate::Before,
            at if at < 2 * percent => Fate::After,
            at if at < 3 * percent => Fate::Again,
            _ => return Fate::Done,
        };
        *self.calls.lock().unwrap().entry("failed").or_default() += 1;
        fate
    }
}

/// The store. Its paths begin at the root of the file system.
#[derive(Debug)]
pub(crate) struct Flaky {
    disk: LocalFileSystem,
    dice: Arc<Dice>,
}

impl Flaky {
    /// One that does not fail yet.
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let dice = Dice {
            state: Mutex::new(seed),
            fails: AtomicBool::new(false),
            calls: Mutex::default(),
        };
        Arc::new(Self {
            disk: LocalFileSystem::new(),
            dice: Arc::new(dice),
        })
    }

    /// From here on calls fail, or do not.
    pub(crate) fn fail(&self, fails: bool) {
        self.dice.fails.store(fails, Ordering::SeqCst);
    }

    /// How many calls of each kind there were, and under `failed` how many of all failed.
    pub(crate) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.dice.calls.lock().unwrap().clone()
    }
}

fn lost(what: &str) -> Error {
    Error::Generic {
        store: "flaky",
        source: what.to_owned().into(),
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flaky")
    }
}

#[derive(Debug)]
struct Parts {
    parts: Box<dyn MultipartUpload>,
    dice: Arc<Dice>,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (put, dice) = (self.parts.put_part(data), Arc::clone(&self.dice));
        Box::pin(async move {
            match dice.throw("part", 12).await {
                Fate::Before => Err(lost("the part was refused")),
                Fate::Done => put.await,
                _ => put.await.and(Err(lost("the answer to a part was lost"))),
            }
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.dice.throw("complete", 12).await {
            Fate::Before => Err(lost("completing was refused")),
            Fate::Done => self.parts.complete().await,
            _ => {
                self.parts.complete().await?;
                Err(lost("the answer to completing was lost"))
            }
        }
    }

    async fn abort(&mut self) -> Result<()> {
        match self.dice.throw("abort", 12).await {
            Fate::Done => self.parts.abort().await,
            _ => Err(lost("giving up was refused")),
        }
    }
}

#[async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = matches!(options.mode, PutMode::Create);
        let call = if create { "create" } else { "put" };
        let fate = self.dice.throw(call, 12).await;
        if matches!(fate, Fate::Before) {
            return Err(lost("the write was refused"));
        }
        let put = self.disk.put_opts(location, payload, options).await?;
        match fate {
            Fate::After => Err(lost("the answer to a write was lost")),
            Fate::Again if create => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "it was there".into(),
            }),
            _ => Ok(put),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.dice.throw("multipart", 12).await {
            Fate::Done => Ok(Box::new(Parts {
                parts: self.disk.put_multipart_opts(location, options).await?,
                dice: Arc::clone(&self.dice),
            })),
            _ => Err(lost("a large write was refused")),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.dice.throw("get", 1).await {
            Fate::Done => self.disk.get_opts(location, options).await,
            _ => Err(lost("the read was refused")),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let dice = Arc::clone(&self.dice);
        let deleted = self.disk.delete_stream(locations);
        let told = deleted.then(move |deleted| {
            let dice = Arc::clone(&dice);
            async move {
                match dice.throw("delete", 5).await {
                    Fate::Done => deleted,
                    _ => Err(lost("the answer to a deletion was lost")),
                }
            }
        });
        told.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let dice = Arc::clone(&self.dice);
        // A listing may break off at any of its pages.
        let listed = self.disk.list(prefix).enumerate().then(move |(at, meta)| {
            let dice = Arc::clone(&dice);
            async move {
                let percent = if at % 20 == 0 { 3 } else { 0 };
                match dice.throw("list", percent).await {
                    Fate::Done => meta,
                    _ => Err(lost("the listing broke off")),
                }
            }
        });
        listed.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.dice.throw("list", 3).await {
            Fate::Done => self.disk.list_with_delimiter(prefix).await,
            _ => Err(lost("the listing was refused")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.dice.throw("copy", 12).await {
            Fate::Done => self.disk.copy_opts(from, to, options).await,
            _ => Err(lost("the copy was refused")),
        }
    }
}
