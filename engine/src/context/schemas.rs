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

/// A catalog with schemas that a dialect adds.
#[derive(Debug)]
pub(super) struct Extended {
    pub(super) inner: Arc<dyn CatalogProvider>,
    pub(super) more: Vec<(String, Arc<dyn SchemaProvider>)>,
}

impl CatalogProvider for Extended {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        let more = self.more.iter().map(|(name, _)| name.clone());
        self.inner.schema_names().into_iter().chain(more).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let more = self.more.iter().find(|(known, _)| known == name);
        self.inner
            .schema(name)
            .or_else(|| more.map(|(_, schema)| Arc::clone(schema)))
    }
}
