//! The data directory: definitions that survive a restart, and the lock that keeps a second process
//! out. Definitions are SQL, in one small file that is replaced whole.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const DEFINITIONS_FILE: &str = "catalog.json";
const LOCK_FILE: &str = "lock";
const OWNER_FILE: &str = "owner";
const IDENTITY_FILE: &str = "id";
const TABLES_FOLDER: &str = "tables";

/// What a data directory defines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definitions {
    /// Tables and streams by name.
    pub tables: BTreeMap<String, StoredTable>,
    /// Pipelines by name.
    pub pipelines: BTreeMap<String, StoredPipeline>,
    /// The `CREATE FUNCTION` of each function of users, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, String>,
}

/// A table or stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredTable {
    /// The `CREATE EXTERNAL TABLE` that defines it.
    pub sql: String,
    /// Its data lives in the data directory and goes with `DROP TABLE`.
    pub managed: bool,
    /// Where it is, made absolute. Managed tables move with the data directory: theirs is the name
    /// of a folder in it, where that is not the table's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPipeline {
    /// The `CREATE PIPELINE` that defines it.
    pub sql: String,
    /// It was told to pause.
    pub paused: bool,
}

/// A directory that this process owns until the value is dropped.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: File,
    /// Removes the folder with the value, for engines without a data directory.
    _temporary: Option<tempfile::TempDir>,
}

impl Store {
    /// Opens the data directory, creating it where it is missing.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] when another process owns it, naming that process and its
    /// address; [`crate::error::Kind::Unavailable`] when it cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let failed = |error: std::io::Error| {
            Error::unavailable(format!(
                "cannot open the data directory \"{shown}\": {error}"
            ))
            .source(error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(LOCK_FILE))
            .map_err(failed)?;
        if let Err(refused) = lock.try_lock() {
            let owner = std::fs::read_to_string(folder.join(OWNER_FILE)).unwrap_or_default();
            return Err(match refused {
                std::fs::TryLockError::WouldBlock => {
                    Error::conflict(format!("data directory \"{shown}\" is in use by {owner}"))
                        .hint("stop that process, or connect to it with --url")
                }
                std::fs::TryLockError::Error(error) => failed(error),
            });
        }
        let store = Self {
            folder,
            _lock: lock,
            _temporary: None,
        };
        store.announce(None)?;
        Ok(store)
    }

    /// A directory of its own that is removed with the value.
    ///
    /// # Errors
    /// When the system's temporary directory cannot be written.
    pub fn temporary() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("sluice-")
            .tempdir()
            .map_err(|error| {
                Error::unavailable(format!("cannot make a temporary directory: {error}"))
                    .source(error)
            })?;
        let mut store = Self::open(folder.path())?;
        store._temporary = Some(folder);
        Ok(store)
    }

    /// Tells other processes who owns the directory and where it serves.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn announce(&self, address: Option<&str>) -> Result<()> {
        let pid = std::process::id();
        let owner = match address {
            Some(address) => format!("process {pid} at {address}"),
            None => format!("process {pid}"),
        };
        self.replace(OWNER_FILE, owner.as_bytes())
    }

    /// Where a managed table's data lives.
    #[must_use]
    pub fn table_folder(&self, name: &str) -> PathBuf {
        self.folder.join(TABLES_FOLDER).join(name)
    }

    /// What tells this data directory from every other; made when it is first asked for.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn identity(&self) -> Result<String> {
        let path = self.folder.join(IDENTITY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(identity) if !identity.is_empty() => Ok(identity),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let shown = path.display();
                Err(Error::unavailable(format!("cannot read \"{shown}\": {error}")).source(error))
            }
            _ => {
                let identity = uuid::Uuid::new_v4().to_string();
                self.replace(IDENTITY_FILE, identity.as_bytes())?;
                Ok(identity)
            }
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the definitions; none where nothing was defined yet.
    ///
    /// # Errors
    /// When the file cannot be read or was changed into something else.
    pub fn definitions(&self) -> Result<Definitions> {
        let path = self.folder.join(DEFINITIONS_FILE);
        let shown = path.display();
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::user(format!(
                    "the definitions in \"{shown}\" cannot be read: {error}"
                ))
                .hint("restore the file, or move it away to start without definitions")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Definitions::default()),
            Err(error) => {
                Err(Error::unavailable(format!("cannot read \"{shown}\": {error}")).source(error))
            }
        }
    }

    /// Replaces the definitions; on return they are on the disk.
    ///
    /// # Errors
    /// When the file cannot be written; the old one stays.
    pub fn save(&self, definitions: &Definitions) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(definitions)
            .map_err(|error| Error::internal(format!("definitions: {error}")))?;
        text.push(b'\n');
        self.replace(DEFINITIONS_FILE, &text)
    }

    /// Writes beside, syncs, renames, syncs the directory: a crash leaves the old or the new file.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let target = self.folder.join(name);
        let beside = self.folder.join(format!("{name}.new"));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&beside, &target)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| {
            Error::unavailable(format!("cannot write \"{}\": {error}", target.display()))
                .source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn definitions_survive_and_a_second_owner_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.definitions().unwrap(), Definitions::default());
        let mut definitions = Definitions::default();
        let sql = "CREATE EXTERNAL TABLE t STORED AS X LOCATION 'y'".to_owned();
        definitions.tables.insert(
            "t".into(),
            StoredTable {
                sql,
                managed: true,
                location: None,
            },
        );
        store.save(&definitions).unwrap();
        store.announce(Some("grpc://127.0.0.1:1")).unwrap();

        let refused = Store::open(folder.path()).unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
        assert!(
            refused.message().contains("grpc://127.0.0.1:1"),
            "{refused}"
        );

        drop(store);
        let again = Store::open(folder.path()).unwrap();
        assert_eq!(again.definitions().unwrap(), definitions);
    }

    #[test]
    fn a_temporary_directory_goes_with_its_store() {
        let store = Store::temporary().unwrap();
        let folder = store.folder().to_owned();
        assert!(folder.is_dir());
        drop(store);
        assert!(!folder.is_dir());
    }
}
