//! What a file definition says: where, and whether somebody still writes.

use std::path::PathBuf;

use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Result};
use url::Url;

use crate::decode::OPTIONS;

/// Whether a last line without a newline is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// It is a line.
    Done,
    /// It waits for its newline.
    Going,
}

/// A definition, understood.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// A file or a folder.
    pub(super) path: PathBuf,
    /// For a query, which reads what there is, and for a pipeline, which continues where it was.
    pub(super) query: Writing,
    pub(super) pipeline: Writing,
}

impl Options {
    /// Reads location and options; the file need not be there.
    pub(super) fn of(definition: &TableDefinition) -> Result<Self> {
        let valid: Vec<&str> = ["follow"].into_iter().chain(OPTIONS).collect();
        definition.check_options(&valid)?;
        let (name, location) = (&definition.name, &definition.location);
        let (query, pipeline) = match definition.options.get("follow").map(String::as_str) {
            None => (Writing::Done, Writing::Going),
            Some("false") => (Writing::Done, Writing::Done),
            Some("true") => (Writing::Going, Writing::Going),
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
        Ok(Self {
            path,
            query,
            pipeline,
        })
    }
}
