//! Kafka behind the engine's contract of a stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use sluice_engine::source::{Member, Reader, Redecoded, Source, SourceFormat, Wanted};

use super::contact::{Connection, Membership};
use super::location::Topic;
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

    fn settings(&self) -> BTreeMap<String, String> {
        let mut topics: Vec<&str> = self
            .options
            .location
            .topics
            .iter()
            .map(Topic::text)
            .collect();
        topics.sort_unstable();
        let mut settings = self.layout.settings();
        settings.insert("topics".to_owned(), topics.join(","));
        settings
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    async fn settings(location: &str, options: &[(&str, &str)]) -> BTreeMap<String, String> {
        let column = Field::new("at", DataType::Utf8, true);
        let definition = TableDefinition {
            name: "events".into(),
            format: "KAFKA".into(),
            location: location.into(),
            schema: Arc::new(Schema::new(vec![column])),
            partition_columns: Vec::new(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        KafkaFormat.open(&definition).await.unwrap().settings()
    }

    #[tokio::test]
    async fn settings_are_what_changes_rows_and_not_how_brokers_are_reached() {
        let plain = settings("kafka://a:9092/x,y", &[]).await;
        let spelled = [
            ("format", "json"),
            ("schema", "extra"),
            ("kafka.client.id", "other"),
            ("start", "latest"),
        ];
        assert_eq!(plain, settings("kafka://b:1,c:2/y,x", &spelled).await);
        assert_eq!(plain["topics"], "x,y");
        for (location, option) in [
            ("kafka://a:9092/x", ("format", "json")),
            ("kafka://a:9092/x,y", ("format", "logfmt")),
            ("kafka://a:9092/x,y", ("schema", "strict")),
            ("kafka://a:9092/x,y", ("max_record_bytes", "1 MiB")),
            ("kafka://a:9092/x,y", ("column.at", "event.at")),
        ] {
            assert_ne!(plain, settings(location, &[option]).await, "{option:?}");
        }
        let dotted = settings("kafka://a:9092/x", &[("column.at", "event.at")]).await;
        assert_eq!(dotted["column.at"], "/event/at");
        assert_eq!(
            dotted,
            settings("kafka://a:9092/x", &[("column.at", "/event/at")]).await
        );
    }
}
