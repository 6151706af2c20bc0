//! What a process leaves on a local disk that is killed while it writes: files under the name that
//! they would have got, `#` and digits. No listing of the store shows them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use sluice_engine::error::{Error, Result};
use sluice_engine::table::Maintained;

use crate::delta::location;
use crate::delta::store::Store;

/// The folder of a table's log.
pub(super) const LOG: &str = "_delta_log";
/// What the names end with that Sluice and the Delta library write to.
const ENDINGS: [&str; 3] = [".parquet", ".json", "_last_checkpoint"];

/// Removes those in the table's folder that were last written to before `cutoff`, or only counts
/// them. A store that is no local disk has none.
pub(super) async fn remove(
    store: &Store,
    cutoff: DateTime<Utc>,
    deletes: bool,
) -> Result<Maintained> {
    let Some(folder) = location::folder(&store.url) else {
        return Ok(Maintained::default());
    };
    let walk = move || {
        let mut done = Maintained::default();
        let before = SystemTime::from(cutoff);
        sweep(&folder, (before, deletes), &mut done).map(|()| done)
    };
    let swept = tokio::task::spawn_blocking(walk).await;
    let swept = swept.unwrap_or_else(|error| Err(io::Error::other(error)));
    swept.map_err(|error| {
        let name = &store.name;
        Error::unavailable(format!("cannot vacuum table \"{name}\": {error}")).source(error)
    })
}

fn sweep(folder: &Path, wanted: (SystemTime, bool), done: &mut Maintained) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() {
            // What lies in another table's folder is that table's.
            if !path.join(LOG).is_dir() {
                sweep(&path, wanted, done)?;
            }
            continue;
        }
        let staged = entry.file_name().to_str().is_some_and(is_staged);
        if !kind.is_file() || !staged {
            continue;
        }
        let bytes = match remove_old(&path, wanted) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            // Its writer was done with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        done.files_removed += 1;
        done.bytes_removed += bytes;
    }
    Ok(())
}

/// The length of a file that is old enough; `None` when it is not.
fn remove_old(path: &Path, (before, deletes): (SystemTime, bool)) -> io::Result<Option<u64>> {
    let there = fs::symlink_metadata(path)?;
    if there.modified()? >= before {
        return Ok(None);
    }
    if deletes {
        fs::remove_file(path)?;
    }
    Ok(Some(there.len()))
}

fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(name, digits)| {
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && ENDINGS.iter().any(|ending| name.ends_with(ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_being_written_are_known() {
        for staged in [
            "a.parquet#1",
            "00000000000000000001.json#340282366920938463463",
        ] {
            assert!(is_staged(staged), "{staged}");
        }
        for other in ["a.parquet", "a.parquet#", "a.parquet#x1", "notes#1", "#1"] {
            assert!(!is_staged(other), "{other}");
        }
    }
}
