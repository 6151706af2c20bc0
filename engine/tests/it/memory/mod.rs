//! The two contracts in memory: a stream whose group is scripted, and a table whose commits can be
//! made to fail at any step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Schema};
use async_trait::async_trait;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use sluice_engine::lineage;
use sluice_engine::plugin::Plugin;
use sluice_engine::source::{Source, SourceFormat};
use sluice_engine::table::{Table, TableFormat};

mod reader;
pub(crate) mod redaction;
mod table;
mod topic;

pub(crate) use table::{Fault, MemoryTable};
pub(crate) use topic::{Change, Topic};

/// Topics and tables of one test by name; they outlive the engines that open them.
#[derive(Debug, Default)]
pub(crate) struct World {
    topics: Mutex<BTreeMap<String, Arc<Topic>>>,
    tables: Mutex<BTreeMap<String, Arc<MemoryTable>>>,
    faults: Mutex<BTreeMap<String, Faults>>,
}

/// Which appends fail, by their number from 0.
pub(crate) type Faults = Arc<Mutex<Vec<(u64, Fault)>>>;

impl World {
    pub(crate) fn topic(&self, name: &str) -> Arc<Topic> {
        let mut topics = self.topics.lock().unwrap();
        Arc::clone(topics.entry(name.to_owned()).or_default())
    }

    pub(crate) fn faults(&self, table: &str) -> Faults {
        let mut faults = self.faults.lock().unwrap();
        Arc::clone(faults.entry(table.to_owned()).or_default())
    }

    /// The table, once it is created.
    pub(crate) fn table(&self, name: &str) -> Arc<MemoryTable> {
        Arc::clone(&self.tables.lock().unwrap()[name])
    }

    pub(crate) fn plugin(self: &Arc<Self>) -> Plugin {
        let mut plugin = Plugin {
            default_table: Some("MEMORY"),
            ..Plugin::default()
        };
        plugin
            .sources
            .insert("TOPIC", Arc::new(Format(Arc::clone(self))));
        plugin
            .tables
            .insert("MEMORY", Arc::new(Format(Arc::clone(self))));
        plugin
    }
}

#[derive(Debug)]
struct Format(Arc<World>);

#[async_trait]
impl SourceFormat for Format {
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>> {
        definition.check_options(&["format", "schema"])?;
        let name = definition.location.rsplit('/').next().unwrap().to_owned();
        let topic = self.0.topic(&name);
        let evolves = definition
            .options
            .get("schema")
            .is_some_and(|s| s == "evolve");
        Ok(Arc::new(reader::MemorySource {
            name,
            topic,
            evolves,
        }))
    }
}

#[async_trait]
impl TableFormat for Format {
    async fn open(&self, definition: &TableDefinition) -> Result<Option<Arc<dyn Table>>> {
        let tables = self.0.tables.lock().unwrap();
        Ok(tables
            .get(&definition.name)
            .map(|table| Arc::clone(table) as Arc<dyn Table>))
    }

    async fn create(&self, definition: &TableDefinition) -> Result<Arc<dyn Table>> {
        let faults = self.0.faults(&definition.name);
        let mut fields = Vec::new();
        for field in definition.schema.fields() {
            let kind = match field.data_type() {
                DataType::Timestamp(_, _) => lineage::timestamp_type(),
                other => other.clone(),
            };
            fields.push(field.as_ref().clone().with_data_type(kind));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut tables = self.0.tables.lock().unwrap();
        // Another process may have been first.
        let table = tables
            .entry(definition.name.clone())
            .or_insert_with(|| Arc::new(MemoryTable::new(definition, schema, faults)));
        Ok(Arc::clone(table) as Arc<dyn Table>)
    }

    async fn remove(&self, definition: &TableDefinition) -> Result<()> {
        self.0.tables.lock().unwrap().remove(&definition.name);
        Ok(())
    }
}
