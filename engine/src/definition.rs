//! What a `CREATE TABLE` or `CREATE EXTERNAL TABLE` says, after parsing and before anything is
//! opened.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};

/// A table or stream as its statement defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// The name in the catalog.
    pub name: String,
    /// The word after `STORED AS`, in upper case.
    pub format: String,
    /// A URL or an absolute path. Relative ones are resolved against the data directory before.
    pub location: String,
    /// The declared columns; without fields when none were declared.
    pub schema: SchemaRef,
    /// The columns after `PARTITIONED BY`.
    pub partition_columns: Vec<String>,
    /// What is between the parentheses of `OPTIONS`; keys as written.
    pub options: BTreeMap<String, String>,
}

impl TableDefinition {
    /// Refuses every option that is not in `valid`, naming it and the valid ones. An entry of
    /// `valid` that ends in `.` allows every key that begins with it.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] on the first option that is not valid.
    pub fn check_options(&self, valid: &[&str]) -> Result<()> {
        let allowed = |key: &str| {
            valid
                .iter()
                .any(|name| key == *name || (name.ends_with('.') && key.starts_with(name)))
        };
        let Some(key) = self.options.keys().find(|key| !allowed(key)) else {
            return Ok(());
        };
        let list: Vec<String> = valid
            .iter()
            .map(|name| {
                if name.ends_with('.') {
                    format!("\"{name}*\"")
                } else {
                    format!("\"{name}\"")
                }
            })
            .collect();
        let (name, format) = (&self.name, &self.format);
        let hint = if list.is_empty() {
            format!("{format} tables take no options")
        } else {
            format!("valid options are {}", list.join(", "))
        };
        Err(Error::user(format!(
            "table \"{name}\" has an option \"{key}\" that {format} does not know"
        ))
        .hint(hint))
    }
}
