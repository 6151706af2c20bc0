//! The catalog of a session: its three schemas.

use std::any::Any;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, SchemaProvider};

use super::{INFORMATION, PUBLIC, SYSTEM};

#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) public: Arc<dyn SchemaProvider>,
    pub(super) system: Arc<dyn SchemaProvider>,
    pub(super) information: Arc<dyn SchemaProvider>,
}

impl CatalogProvider for Schemas {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        vec![PUBLIC.to_owned(), SYSTEM.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            PUBLIC => Some(Arc::clone(&self.public)),
            SYSTEM => Some(Arc::clone(&self.system)),
            INFORMATION => Some(Arc::clone(&self.information)),
            _ => None,
        }
    }
}
