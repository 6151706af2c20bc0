//! Kafka topics as streams, against librdkafka's in-process broker and a real Apache Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use sluice_connectors::kafka::KafkaFormat;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Kind};
use sluice_engine::lineage;
use sluice_engine::source::{
    Event, Member, Offered, Reader, Source, SourceBatch, SourceFormat, Wanted,
};
use tokio::time::timeout;

mod errors;
mod group;
mod broker;
mod topics;
mod undecodable;
mod batches;
mod keyed;
mod membership;
mod secrets;
mod sink;
mod security;

const PATIENCE: Duration = Duration::from_secs(60);

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn with_topic(topic: &str, partitions: i32) -> Self {
        let cluster = MockCluster::new(1).expect("a broker in the process");
        cluster.create_topic(topic, partitions, 1).expect("a topic");
        let producer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("message.max.bytes", "20000000")
            .create()
            .expect("a producer");
        Self { cluster, producer }
    }

    /// Produces `value` and waits until the broker has it.
    fn send(&self, topic: &str, partition: i32, value: Option<&[u8]>) {
        let mut record = BaseRecord::to(topic)
            .partition(partition)
            .key("k")
            .timestamp(1_770_286_830_123);
        record.payload = value;
        self.producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("a queue with room");
        self.producer
            .flush(PATIENCE)
            .expect("a broker that answers");
    }

    fn send_numbers(&self, topic: &str, partition: i32, numbers: std::ops::Range<i64>) {
        for n in numbers {
            let value = format!("{{\"n\":{n}}}");
            let record = BaseRecord::to(topic)
                .partition(partition)
                .key("k")
                .payload(&value);
            self.producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("a queue with room");
        }
        self.producer
            .flush(PATIENCE)
            .expect("a broker that answers");
    }

    #[expect(
        clippy::future_not_send,
        reason = "the in-process broker stays on its thread"
    )]
    async fn source(&self, topics: &str, options: &[(&str, &str)]) -> Arc<dyn Source> {
        let location = format!("kafka://{}/{topics}", self.cluster.bootstrap_servers());
        // This broker waits nearly as long before it settles a group.
        let mut options = options.to_vec();
        options.push(("kafka.session.timeout.ms", "4000"));
        options.push(("kafka.heartbeat.interval.ms", "500"));
        source(&location, &options)
            .await
            .expect("a definition that is right")
    }
}

async fn source(location: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Source>, Error> {
    let options = options
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    let definition = TableDefinition {
        name: "t".into(),
        format: "KAFKA".into(),
        location: location.into(),
        schema: Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)])),
        partition_columns: Vec::new(),
        options: options.collect::<BTreeMap<_, _>>(),
    };
    KafkaFormat.open(&definition).await
}

async fn event(reader: &mut dyn Reader) -> Option<Event> {
    let next = timeout(PATIENCE, reader.next());
    next.await
        .expect("an event within a minute")
        .expect("a stream that can be read")
}

/// Replies to an assignment with `next` for every partition, or with where the source would start.
/// A group that takes its time to settle has none at first.
async fn assign(reader: &mut dyn Reader, next: Option<i64>) -> Vec<Offered> {
    loop {
        match event(reader).await {
            Some(Event::Assigned(assigned)) => {
                let offered = assigned.offered.iter();
                let reply = offered.map(|offer| next.unwrap_or(offer.start)).collect();
                assigned.reply.send(Ok(reply)).expect("a reader that waits");
                if !assigned.offered.is_empty() {
                    return assigned.offered;
                }
            }
            other => panic!("an assignment, not {other:?}"),
        }
    }
}

/// Batches until they hold `count` records.
async fn batches(reader: &mut dyn Reader, count: u64) -> Vec<SourceBatch> {
    let (mut all, mut seen) = (Vec::new(), 0);
    while seen < count {
        match event(reader).await {
            Some(Event::Batch(batch)) => {
                seen += batch
                    .ranges
                    .iter()
                    .map(|of| of.decoded + of.rejected)
                    .sum::<u64>();
                all.push(batch);
            }
            other => panic!("a batch, not {other:?}"),
        }
    }
    all
}

/// Partition, offset and number of every row.
fn rows(batches: &[SourceBatch]) -> Vec<(i32, i64, i64)> {
    let mut rows = Vec::new();
    for SourceBatch { rows: batch, .. } in batches {
        let partitions = batch[lineage::PARTITION].as_primitive::<Int32Type>();
        let offsets = batch[lineage::OFFSET].as_primitive::<Int64Type>();
        let numbers = batch["n"].as_primitive::<Int64Type>();
        for at in 0..batch.num_rows() {
            rows.push((partitions.value(at), offsets.value(at), numbers.value(at)));
        }
    }
    rows
}

/// The extent of each partition; panics where its ranges do not join.
fn extents(batches: &[SourceBatch]) -> BTreeMap<i32, (i64, i64)> {
    let mut extents: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for range in batches.iter().flat_map(|batch| &batch.ranges) {
        let extent = extents
            .entry(range.partition.index)
            .or_insert((range.from, range.from));
        assert_eq!(extent.1, range.from, "ranges join");
        extent.1 = range.to;
    }
    extents
}

#[tokio::test]
async fn a_pipeline_starts_where_the_reply_says_and_continues() {
    let broker = Broker::with_topic("events", 1);
    broker.send_numbers("events", 0, 0..10);
    let source = broker.source("events", &[]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    let offered = assign(&mut *reader, Some(4)).await;
    let Offered {
        partition,
        low,
        high,
        start,
        formerly,
    } = &offered[0];
    assert_eq!((partition.topic.as_str(), partition.index), ("events", 0));
    assert!(partition.identity.starts_with("t-"), "{partition:?}");
    let formerly = formerly.as_deref().expect("what it was called before");
    assert!(
        formerly.starts_with("c-") && formerly.len() > 2,
        "{formerly}"
    );
    assert_eq!((*low, *high, *start), (0, 10, 0));
    // Offset 4 is in the middle of what the producer sent at once.
    let first = batches(&mut *reader, 6).await;
    assert_eq!(reader.high_watermarks(), [(partition.clone(), 10)]);
    assert_eq!(rows(&first), (4..10).map(|n| (0, n, n)).collect::<Vec<_>>());
    assert_eq!(extents(&first)[&0], (4, 10));
    assert_eq!(first[0].rows.schema(), source.schema());
    assert_eq!(
        first[0].rows[lineage::TOPIC].as_string::<i32>().value(0),
        "events"
    );
    broker.send_numbers("events", 0, 10..12);
    let more = batches(&mut *reader, 2).await;
    assert_eq!(rows(&more), [(0, 10, 10), (0, 11, 11)]);
    reader.acknowledge(&[(partition.clone(), 12)]);
    assert_eq!(reader.high_watermarks(), [(partition.clone(), 12)]);
    drop(reader);
    // Positions are the table's: what was acknowledged before means nothing.
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assign(&mut *reader, Some(11)).await;
    assert_eq!(rows(&batches(&mut *reader, 1).await), [(0, 11, 11)]);
}

#[tokio::test]
async fn latest_starts_at_the_end() {
    let broker = Broker::with_topic("events", 1);
    broker.send_numbers("events", 0, 0..3);
    let source = broker.source("events", &[("start", "latest")]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assert_eq!(assign(&mut *reader, None).await[0].start, 3);
    broker.send_numbers("events", 0, 3..4);
    assert_eq!(rows(&batches(&mut *reader, 1).await), [(0, 3, 3)]);
}

#[tokio::test]
async fn a_refused_assignment_ends_the_reader() {
    let broker = Broker::with_topic("events", 1);
    let source = broker.source("events", &[]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    let gap = || Error::user("offset 7 is above the end");
    match event(&mut *reader).await {
        Some(Event::Assigned(assigned)) => {
            let reply = assigned.reply.send(Err(gap()));
            reply.expect("a reader that waits");
        }
        other => panic!("an assignment, not {other:?}"),
    }
    let error = timeout(PATIENCE, reader.next())
        .await
        .expect("an end")
        .expect_err("an error");
    assert_eq!(error.message(), "offset 7 is above the end");
}

#[tokio::test]
async fn positions_that_are_gone_are_an_error() {
    let broker = Broker::with_topic("events", 1);
    broker.send_numbers("events", 0, 0..3);
    let source = broker.source("events", &[]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assign(&mut *reader, Some(50)).await;
    let error = timeout(PATIENCE, reader.next())
        .await
        .expect("an end")
        .expect_err("an error");
    // Another reader may find the position where the brokers are.
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(
        error.message().contains("\"events\"") && error.hint_text().is_some(),
        "{error}"
    );
}

#[tokio::test]
async fn bad_records_are_rejects_and_harm_no_neighbour() {
    let broker = Broker::with_topic("events", 1);
    let large = format!("{{\"n\":3,\"x\":\"{}\"}}", "x".repeat(900_000));
    let values = [
        Some(&b"{\"n\":0}"[..]),
        Some(b"{\"n\":"),
        None,
        Some(large.as_bytes()),
        Some(b"\xff"),
    ];
    for value in values
        .into_iter()
        .chain([Some(&b"{\"n\":\"five\"}"[..]), Some(b"{\"n\":6}")])
    {
        broker.send("events", 0, value);
    }
    let source = broker.source("events", &[]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assign(&mut *reader, None).await;
    let all = batches(&mut *reader, 7).await;
    assert_eq!(rows(&all), [(0, 0, 0), (0, 3, 3), (0, 6, 6)]);
    assert_eq!(extents(&all)[&0], (0, 7));
    let rejects: Vec<_> = all.iter().flat_map(|batch| &batch.rejects).collect();
    let codes: Vec<_> = rejects
        .iter()
        .map(|reject| (reject.offset, reject.code))
        .collect();
    assert_eq!(
        codes,
        [
            (1, "bad_json"),
            (2, "no_value"),
            (4, "bad_json"),
            (5, "wrong_type")
        ]
    );
    assert_eq!(
        (rejects[0].raw.as_deref(), rejects[1].raw.as_deref()),
        (Some(&b"{\"n\":"[..]), None)
    );
    assert_eq!(rejects[1].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(rejects[0].timestamp_us, Some(1_770_286_830_123_000));
    let produced = all[0].rows[lineage::TIMESTAMP].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(produced.value(0), 1_770_286_830_123_000);
    assert!(all.iter().map(|batch| batch.bytes).sum::<usize>() > 900_000);
}

#[tokio::test]
async fn a_query_reads_to_the_end_of_its_moment() {
    let broker = Broker::with_topic("events", 3);
    broker.cluster.create_topic("more", 2, 1).expect("a topic");
    broker.send_numbers("events", 0, 0..20_000);
    broker.send_numbers("events", 2, 0..5);
    broker.send_numbers("more", 1, 0..7);
    let source = broker.source("events,more", &[]).await;
    let mut reader = source.scan(Wanted::default()).await.expect("topics");
    // These come after the moment.
    broker.send_numbers("events", 2, 5..9);
    let (mut all, mut topics) = (Vec::new(), BTreeSet::new());
    while let Some(next) = event(&mut *reader).await {
        match next {
            Event::Batch(batch) => all.push(batch),
            other => panic!("only batches, not {other:?}"),
        }
    }
    for range in all.iter().flat_map(|batch| &batch.ranges) {
        topics.insert((
            range.partition.topic.clone(),
            range.partition.index,
            range.to,
        ));
    }
    assert_eq!(rows(&all).len(), 20_012);
    assert!(topics.contains(&("events".into(), 2, 5)), "{topics:?}");
    assert!(topics.contains(&("more".into(), 1, 7)), "{topics:?}");
    assert!(all.iter().all(|batch| batch.rows.num_rows() <= 8192));
    assert!(event(&mut *reader).await.is_none());
}

#[tokio::test]
async fn an_empty_topic_is_a_complete_query() {
    let broker = Broker::with_topic("events", 2);
    let mut reader = broker
        .source("events", &[])
        .await
        .scan(Wanted::default())
        .await
        .expect("a topic");
    assert!(event(&mut *reader).await.is_none());
}

#[tokio::test]
async fn a_reader_that_nobody_reads_ends_when_it_is_dropped() {
    let broker = Broker::with_topic("events", 1);
    broker.send_numbers("events", 0, 0..60_000);
    let source = broker.source("events", &[]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assign(&mut *reader, None).await;
    batches(&mut *reader, 1).await;
    drop(reader);
    // The group gives the partition to the next member once the first has left.
    let mut next = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a topic");
    assert_eq!(assign(&mut *next, Some(59_999)).await.len(), 1);
    assert_eq!(rows(&batches(&mut *next, 1).await), [(0, 59_999, 59_999)]);
}
