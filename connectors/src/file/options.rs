//! What a file definition says: where, and whether somebody still writes.

use std::path::PathBuf;

use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use url::Url;

/// Whether the last line of a file may be incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// A last line without a newline is a line.
    Done,
    /// A last line waits for its newline.
    Going,
}

/// A definition, understood.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// A file or a folder.
    pub(super) path: PathBuf,
    pub(super) writing: Writing,
}

impl Options {
    /// Reads location and options; the file need not be there.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        definition.check_options(&["format", "follow"])?;
        let (name, location) = (&definition.name, &definition.location);
        let writing = match definition.options.get("follow").map(String::as_str) {
            None | Some("false") => Writing::Done,
            Some("true") => Writing::Going,
            Some(other) => {
                let message = format!("table \"{name}\" has the option \"follow\" as \"{other}\"");
                return Err(Error::user(message).hint("it is \"true\" or \"false\""));
            }
        };
        let path = match Url::parse(location) {
            Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
            Ok(_) => None,
            Err(_) => Some(PathBuf::from(location)).filter(|path| path.is_absolute()),
        };
        let path = path.ok_or_else(|| {
            Error::user(format!(
                "table \"{name}\" has the location \"{location}\", which is no file"
            ))
            .hint("give an absolute path or a URL that begins with file:///")
        })?;
        Ok(Self { path, writing })
    }
}
