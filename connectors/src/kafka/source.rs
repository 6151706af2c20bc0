//! Kafka behind the engine's contract of a stream.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use sluice_engine::source::{Member, Reader, Source, SourceFormat};

use super::contact::{Connection, Membership};
use super::options::Options;
use super::reader::follow;
use super::scan::scan;
use crate::decode::Layout;
use crate::handoff;

/// `STORED AS KAFKA`.
#[derive(Debug, Clone, Copy)]
pub struct KafkaFormat;

#[async_trait]
impl SourceFormat for KafkaFormat {
    async fn open(&self, definition: &TableDefinition) -> Result<Arc<dyn Source>> {
        let options = Options::of(definition)?;
        let layout = Layout::of(definition)?;
        Ok(Arc::new(KafkaSource { options, layout }))
    }
}

/// Topics of one cluster.
#[derive(Debug, Clone)]
struct KafkaSource {
    options: Options,
    layout: Layout,
}

#[async_trait]
impl Source for KafkaSource {
    fn schema(&self) -> SchemaRef {
        self.layout.schema()
    }

    async fn follow(&self, member: &Member) -> Result<Box<dyn Reader>> {
        let Self { options, layout } = self.clone();
        let membership = Membership::Of(member.clone());
        handoff::open("kafka-follow", move |outlet, opened| {
            follow(
                Connection::open(membership, &options, outlet)?,
                &layout,
                opened,
            )
        })
        .await
    }

    async fn scan(&self) -> Result<Box<dyn Reader>> {
        let Self { options, layout } = self.clone();
        handoff::open("kafka-scan", move |outlet, opened| {
            scan(
                &Connection::open(Membership::Alone, &options, outlet)?,
                &layout,
                opened,
            )
        })
        .await
    }
}
