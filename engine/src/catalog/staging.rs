//! Tables that get their name only when their rows are in: nobody sees one that is half filled, and
//! one that is given up leaves nothing behind.
//!
//! The data of such a table lies in a folder of its own beside those of the other tables. Names of
//! tables hold no dot and names of these folders do, so they never meet.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tokio::sync::OnceCell;
use tracing::warn;

use super::{Catalog, Relation, check_name};
use crate::definition::TableDefinition;
use crate::error::{Error, Result};
use crate::store::{Definitions, Store, StoredTable};
use crate::table::Table;

/// A table without a name.
#[derive(Debug)]
pub struct Staged {
    stored: StoredTable,
    definition: TableDefinition,
    /// Where its rows go.
    pub table: Arc<dyn Table>,
}

/// What becomes of a table that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Former {
    /// It stays, and the name is refused.
    Stays,
    /// It goes, with its data.
    Goes,
}

impl Catalog {
    /// Makes a table of `schema` in the data directory, which `sql` defines and which is to be
    /// called `name`.
    ///
    /// # Errors
    /// When the name or the schema cannot be a table's, or the directory cannot be written.
    pub async fn stage(&self, name: &str, sql: String, schema: SchemaRef) -> Result<Staged> {
        check_name(name)?;
        let stored = StoredTable {
            sql,
            managed: true,
            location: Some(format!("{name}.{}", uuid::Uuid::new_v4().simple())),
        };
        let (mut definition, _) = self.define(name, &stored).await?;
        definition.schema = schema;
        let format = self.formats.tables.get(definition.format.as_str());
        let format = format.ok_or_else(|| Error::internal("no kind of table is kept here"))?;
        let table = format.create(&definition).await?;
        Ok(Staged {
            stored,
            definition,
            table,
        })
    }

    /// Gives `staged` its name.
    ///
    /// # Errors
    /// [`crate::error::Kind::Exists`] when another table has it and stays;
    /// [`crate::error::Kind::Unsupported`] when it cannot go, because its data is not in the data
    /// directory. `staged` is gone then.
    pub async fn publish(&self, staged: Staged, former: Former) -> Result<()> {
        let _one = self.change.lock().await;
        let name = staged.definition.name.clone();
        let there = self.read(|state| state.definitions.tables.get(&name).cloned());
        let refused = match (&there, former) {
            (Some(_), Former::Stays) => Some(
                Error::exists(format!("\"{name}\" exists already")).hint("DROP TABLE it first"),
            ),
            (Some(there), Former::Goes) if !there.managed => Some(
                Error::unsupported(format!(
                    "\"{name}\" is not kept in the data directory and cannot be replaced"
                ))
                .hint("append to it, or DROP TABLE it first"),
            ),
            _ => None,
        };
        if let Some(refused) = refused {
            self.discard(staged).await;
            return Err(refused);
        }
        let (stored, table) = (staged.stored.clone(), Arc::clone(&staged.table));
        let named = self.update(|state| {
            let cell = OnceCell::new_with(Some(Relation::Table(table)));
            state.definitions.tables.insert(name.clone(), stored);
            state.opened.insert(name.clone(), Arc::new(cell));
        });
        if let Err(error) = named {
            self.discard(staged).await;
            return Err(error);
        }
        if let Some(former) = there {
            // The name is given, so what cannot be removed now is removed at the next start.
            match self.define(&name, &former).await {
                Ok((definition, _)) => self.remove_data(&definition).await,
                Err(error) => warn!(table = name, %error, "replaced data is left over"),
            }
        }
        Ok(())
    }

    /// Gives `staged` up.
    pub async fn discard(&self, staged: Staged) {
        self.remove_data(&staged.definition).await;
    }

    async fn remove_data(&self, definition: &TableDefinition) {
        let name = &definition.name;
        let Some(format) = self.formats.tables.get(definition.format.as_str()) else {
            return;
        };
        if let Err(error) = format.remove(definition).await {
            warn!(table = name, %error, "data without a table is left over");
        }
    }
}

/// Removes what a process that was killed had staged, or had replaced.
pub(super) fn sweep(store: &Store, definitions: &Definitions) {
    let tables = definitions.tables.values();
    let used: BTreeSet<&str> = tables
        .filter_map(|table| table.location.as_deref())
        .collect();
    let Ok(folders) = std::fs::read_dir(store.table_folder("")) else {
        return;
    };
    for folder in folders.flatten() {
        let name = folder.file_name();
        let Some(name) = name.to_str().filter(|name| is_staged(name)) else {
            continue;
        };
        if !used.contains(name)
            && let Err(error) = std::fs::remove_dir_all(folder.path())
        {
            warn!(folder = name, %error, "data without a table is left over");
        }
    }
}

/// Whether a folder's name is one that [`Catalog::stage`] gives.
fn is_staged(folder: &str) -> bool {
    folder
        .rsplit_once('.')
        .is_some_and(|(_, id)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
