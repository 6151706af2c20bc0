//! What is said of a table that does not exist.

use super::Catalog;
use crate::error::Error;
use crate::near::{listed, near};

impl Catalog {
    /// Says which tables there are when `error` is DataFusion's word for one that does not exist.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        let missing = error.message().strip_prefix("table '").and_then(|rest| {
            let name = rest.strip_suffix("' not found")?;
            Some(
                name.strip_prefix("sluice.public.")
                    .unwrap_or(name)
                    .to_owned(),
            )
        });
        match missing {
            Some(name) => match error.place() {
                Some((line, column)) => self.unknown(&name).at(line, column),
                None => self.unknown(&name),
            },
            None => error,
        }
    }

    /// That there is no table `name`, and which there are.
    pub(super) fn unknown(&self, name: &str) -> Error {
        let names = self.names();
        let names = || names.iter().map(String::as_str);
        let error = Error::not_found(format!("table \"{name}\" does not exist"));
        let near = near(name, names());
        match names().count() {
            0 => error.hint("no tables are defined yet; CREATE TABLE makes one"),
            _ if !near.is_empty() => error.hint(format!("did you mean {}?", listed(near))),
            _ => error.hint(format!("there are {}", listed(names()))),
        }
    }
}
