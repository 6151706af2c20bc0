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
        match options.mode {
            PutMode::Create => blocking(move || put(&Disk, &path, &payload, Naming::New)).await,
            PutMode::Overwrite => blocking(move || put(&Disk, &path, &payload, Naming::Any)).await,
            PutMode::Update(_) => Err(Error::NotImplemented {
                operation: "put with a condition on the version".to_owned(),
                implementer: self.to_string(),
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.0.path_to_filesystem(location)?;
        let above = path.clone();
        blocking(move || make_folders(&Disk, &above).map_err(failed)).await?;
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

/// What may stand under a name before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// Nothing.
    New,
    /// Anything.
    Any,
}

/// The steps of a write, each of which is on the disk when it returns, or not at all.
trait Steps {
    /// Writes a new file: its contents, and not yet its name.
    fn contents(&self, path: &FilePath, payload: &PutPayload) -> io::Result<()>;
    /// Gives a file a second name that is free.
    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()>;
    /// Gives a file another name, free or not.
    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()>;
    /// Takes a name away.
    fn unlink(&self, path: &FilePath) -> io::Result<()>;
    /// Makes a folder.
    fn folder(&self, path: &FilePath) -> io::Result<()>;
    /// Brings the names in a folder to the disk.
    fn names(&self, folder: &FilePath) -> io::Result<()>;
}

#[derive(Debug)]
struct Disk;

impl Steps for Disk {
    fn contents(&self, path: &FilePath, payload: &PutPayload) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        for part in payload {
            file.write_all(part)?;
        }
        file.sync_all()
    }

    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &FilePath) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn folder(&self, path: &FilePath) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn names(&self, folder: &FilePath) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Writes a file: its folders, its contents under a name that listings pass over as it ends in `#`
/// and digits, then its own name.
fn put(
    disk: &dyn Steps,
    path: &FilePath,
    payload: &PutPayload,
    naming: Naming,
) -> Result<PutResult> {
    make_folders(disk, path).map_err(failed)?;
    let mut staged = path.as_os_str().to_owned();
    staged.push(format!("#{}", uuid::Uuid::new_v4().as_u128()));
    let staged = PathBuf::from(staged);
    let named = disk.contents(&staged, payload).and_then(|()| match naming {
        Naming::New => disk.link(&staged, path),
        Naming::Any => disk.rename(&staged, path),
    });
    if (naming == Naming::New || named.is_err())
        && let Err(error) = disk.unlink(&staged)
        && named.is_ok()
    {
        tracing::debug!(path = %staged.display(), %error, "a staged file is left over");
    }
    match named {
        Ok(()) => {}
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Error::AlreadyExists {
                path: path.display().to_string(),
                source: Box::new(source),
            });
        }
        Err(source) => return Err(failed(source)),
    }
    sync_names(disk, path).map_err(failed)?;
    Ok(PutResult {
        e_tag: None,
        version: None,
    })
}

/// Makes the folders above `path` that are missing, and brings each one's name to the disk before
/// anything is put into it.
fn make_folders(disk: &dyn Steps, path: &FilePath) -> io::Result<()> {
    let missing: Vec<&FilePath> = path
        .ancestors()
        .skip(1)
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .collect();
    for folder in missing.into_iter().rev() {
        match disk.folder(folder) {
            // Somebody else may have made it and not brought it to the disk yet.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_names(disk, folder)?,
        }
    }
    Ok(())
}

fn sync(path: &FilePath) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| sync_names(&Disk, path))
        .map_err(failed)
}

/// Brings the name of `path` to the disk, and that of its folder, which somebody else may have made
/// a moment ago.
fn sync_names(disk: &dyn Steps, path: &FilePath) -> io::Result<()> {
    for folder in path.ancestors().skip(1).take(2) {
        if !folder.as_os_str().is_empty() {
            disk.names(folder)?;
        }
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

    /// The disk, with a note of each step.
    struct Noted(PathBuf, std::cell::RefCell<Vec<String>>);

    impl Noted {
        fn note(&self, step: &str, path: &FilePath) {
            let name = path.strip_prefix(&self.0).unwrap_or(path).display();
            let name = name.to_string();
            let name = name.split('#').next().unwrap_or_default().to_owned();
            let staged = if path.to_string_lossy().contains('#') {
                "#"
            } else {
                ""
            };
            self.1.borrow_mut().push(format!("{step} {name}{staged}"));
        }
    }

    impl Steps for Noted {
        fn contents(&self, path: &FilePath, payload: &PutPayload) -> io::Result<()> {
            self.note("contents", path);
            Disk.contents(path, payload)
        }
        fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
            self.note("link", to);
            Disk.link(from, to)
        }
        fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
            self.note("rename", to);
            Disk.rename(from, to)
        }
        fn unlink(&self, path: &FilePath) -> io::Result<()> {
            self.note("unlink", path);
            Disk.unlink(path)
        }
        fn folder(&self, path: &FilePath) -> io::Result<()> {
            self.note("folder", path);
            Disk.folder(path)
        }
        fn names(&self, folder: &FilePath) -> io::Result<()> {
            if folder.starts_with(&self.0) {
                self.note("names", folder);
            }
            Disk.names(folder)
        }
    }

    #[test]
    fn contents_are_on_the_disk_before_names_and_folders_before_files() {
        let root = tempfile::tempdir().unwrap();
        let disk = Noted(root.path().to_owned(), std::cell::RefCell::default());
        let path = root.path().join("a/b/f");
        let payload = PutPayload::from_static(b"x");
        put(&disk, &path, &payload, Naming::New).unwrap();
        assert_eq!(
            disk.1.take(),
            [
                "folder a",
                "names ",
                "folder a/b",
                "names a",
                "names ",
                "contents a/b/f#",
                "link a/b/f",
                "unlink a/b/f#",
                "names a/b",
                "names a",
            ]
        );
        put(&disk, &path, &payload, Naming::Any).unwrap();
        let replaced = ["contents a/b/f#", "rename a/b/f", "names a/b", "names a"];
        assert_eq!(disk.1.take(), replaced);
        let error = put(&disk, &path, &payload, Naming::New).unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert_eq!(fs::read_dir(root.path().join("a/b")).unwrap().count(), 1);
    }
}
