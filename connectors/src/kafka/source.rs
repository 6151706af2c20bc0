//! Kafka behind the engine's contract of a stream.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use sluice_engine::source::{Member, Reader, Redecoded, Source, SourceFormat, Wanted};

use super::contact::{Connection, Membership};
use super::options::Options;
use super::reader::follow;
use super::scan::scan;
use super::sink::Sink;
use crate::decode::Layout;
use crate::handoff;

/// `STORED AS KAFKA`.
#[derive(Debug, Clone, Copy)]
pub struct KafkaFormat;

#[async_trait]
impl SourceFormat for KafkaFormat {
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(KafkaSource {
            options: Options::of(definition)?,
            layout: Layout::of(definition)?.keyed(),
            definition: definition.clone(),
        }))
    }
}

/// Topics of one cluster.
#[derive(Debug, Clone)]
struct KafkaSource {
    options: Options,
    layout: Layout,
    definition: TableDefinition,
}

impl KafkaSource {
    fn sink(&self) -> Result<Sink> {
        Sink::of(&self.definition, &self.options, &self.layout)
    }
}

#[async_trait]
impl Source for KafkaSource {
    fn schema(&self) -> SchemaRef {
        self.layout.schema()
    }

    fn evolves(&self) -> bool {
        self.layout.evolves()
    }

    async fn follow(&self, member: &Member, wanted: Wanted) -> Result<Box<dyn Reader>> {
        let (options, layout) = (self.options.clone(), self.layout.clone());
        let membership = Membership::Of(member.clone());
        handoff::open("kafka-follow", move |outlet, opened| {
            let link = Connection::open(membership, &options, outlet)?;
            follow(link, (&layout, wanted), opened)
        })
        .await
    }

    async fn scan(&self, wanted: Wanted) -> Result<Box<dyn Reader>> {
        let (options, layout) = (self.options.clone(), self.layout.clone());
        handoff::open("kafka-scan", move |outlet, opened| {
            let link = Connection::open(Membership::Alone, &options, outlet)?;
            scan(&link, (&layout, wanted), opened)
        })
        .await
    }

    fn decode(&self, records: &[&[u8]]) -> Result<Redecoded> {
        self.layout.redecode(records)
    }

    fn sink_schema(&self) -> Result<SchemaRef> {
        Ok(self.sink()?.schema())
    }

    async fn write(&self, rows: SendableRecordBatchStream) -> Result<u64> {
        self.sink()?.write(rows).await
    }
}
