//! The definitions of users' functions.

use std::collections::BTreeMap;

use super::Catalog;
use crate::error::Result;

impl Catalog {
    /// The `CREATE FUNCTION` of each function, by name.
    #[must_use]
    pub fn functions(&self) -> BTreeMap<String, String> {
        self.read(|state| state.definitions.functions.clone())
    }

    /// Replaces the definitions of all functions.
    ///
    /// # Errors
    /// When the definitions cannot be written.
    pub async fn set_functions(&self, functions: BTreeMap<String, String>) -> Result<()> {
        let _one = self.change.lock().await;
        self.update(|state| state.definitions.functions = functions)
    }
}
