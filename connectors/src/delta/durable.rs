//! The local disk as an object store that survives a power cut: what a write has acknowledged is on
//! the disk, contents before names. Without it a machine that loses power may come back with a log
//! entry of no bytes, which makes a table unreadable.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

/// [`LocalFileSystem`], with every write synchronised before it is acknowledged.
#[derive(Debug)]
pub(super) struct Durable(LocalFileSystem);

impl Durable {
    /// The whole file system; paths are absolute.
    pub(super) fn new() -> Self {
        Self(LocalFileSystem::new())
    }
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Durable({})", self.0)
    }
}

#[async_trait]
impl ObjectStore for Durable {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let path = self.0.path_to_filesystem(location)?;
        if matches!(options.mode, PutMode::Create) {
            return blocking(move || create(&path, &payload)).await;
        }
        let put = self.0.put_opts(location, payload, options).await?;
        blocking(move || sync(&path)).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.0.path_to_filesystem(location)?;
        let upload = self.0.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { upload, path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await?;
        let path = self.0.path_to_filesystem(to)?;
        blocking(move || sync(&path)).await
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.upload.complete().await?;
        let path = self.path.clone();
        blocking(move || sync(&path)).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic {
        store: "local disk",
        source: Box::new(source),
    }
}

/// Writes a file that must not exist yet: contents first, the name after them. The name in between
/// ends in `#` and digits, which listings pass over.
fn create(path: &FilePath, payload: &PutPayload) -> Result<PutResult> {
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{}", uuid::Uuid::new_v4().as_u128()));
    let staged = PathBuf::from(staged);
    let linked = stage(&staged, payload).and_then(|()| fs::hard_link(&staged, path));
    let cleared = fs::remove_file(&staged);
    match linked {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::AlreadyExists {
                path: path.display().to_string(),
                source: Box::new(source),
            });
        }
        Err(source) => return Err(failed(source)),
    }
    cleared.map_err(failed)?;
    sync_folders(path).map_err(failed)?;
    Ok(PutResult {
        e_tag: None,
        version: None,
    })
}

fn stage(staged: &FilePath, payload: &PutPayload) -> io::Result<()> {
    if let Some(folder) = staged.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(staged)?;
    for part in payload {
        file.write_all(part)?;
    }
    file.sync_all()
}

fn sync(path: &FilePath) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_folders(path))
        .map_err(failed)
}

/// The folder's entry for the file, and the entry for the folder, which may be new.
fn sync_folders(path: &FilePath) -> io::Result<()> {
    for folder in path.ancestors().skip(1).take(2) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    #[tokio::test]
    async fn a_name_is_given_once_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::from_filesystem_path(folder.path())
            .unwrap()
            .join("log")
            .join("0.json");
        let store = Durable::new();
        let put = |text: &'static str| {
            store.put_opts(
                &path,
                PutPayload::from_static(text.as_bytes()),
                PutMode::Create.into(),
            )
        };
        put("first").await.unwrap();
        let error = put("second").await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert_eq!(
            store.get(&path).await.unwrap().bytes().await.unwrap(),
            "first"
        );
        assert_eq!(fs::read_dir(folder.path().join("log")).unwrap().count(), 1);

        store
            .put(&path, PutPayload::from_static(b"third"))
            .await
            .unwrap();
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload
            .put_part(PutPayload::from_static(b"fourth"))
            .await
            .unwrap();
        upload.complete().await.unwrap();
        assert_eq!(
            store.get(&path).await.unwrap().bytes().await.unwrap(),
            "fourth"
        );

        let prefix = Path::from_filesystem_path(folder.path()).unwrap();
        let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1);
    }
}
