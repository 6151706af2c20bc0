//! The real Kafka that benches read: topics filled before, and topics fed at a steady rate.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a bench stops at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::events::Events;

/// Partitions of every topic here.
pub const PARTITIONS: i32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);
const FEED_EVERY: Duration = Duration::from_millis(5);
const SEED: u64 = 7;

/// A topic of [`Events`], lz4-compressed.
#[derive(Debug, Clone)]
pub struct Topic {
    /// `host:port` of the broker.
    pub broker: String,
    /// The topic.
    pub name: String,
}

impl Topic {
    /// Makes the topic if it is not there.
    pub async fn make(broker: &str, name: &str) -> Self {
        let admin: AdminClient<DefaultClientContext> = config(broker).create().expect("a client");
        let new = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &AdminOptions::new()).await;
        for made in made.expect("a broker that answers") {
            let there = matches!(made, Err((_, RDKafkaErrorCode::TopicAlreadyExists)));
            assert!(there || made.is_ok(), "{made:?}");
        }
        Self {
            broker: broker.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Fills the topic with `events` events, unless it has them from an earlier bench.
    pub fn fill(&self, events: u64) {
        let held = self.events();
        if held != events {
            assert_eq!(held, 0, "topic {} has other events", self.name);
            let mut feeder = Feeder::new(self);
            feeder.send(events);
            feeder.settle();
        }
    }

    /// How many events it has.
    #[must_use]
    pub fn events(&self) -> u64 {
        let consumer: BaseConsumer = config(&self.broker).create().expect("a consumer");
        let high = |partition| {
            let marks = consumer.fetch_watermarks(&self.name, partition, PATIENCE);
            u64::try_from(marks.expect("a broker that answers").1).expect("no negative offset")
        };
        (0..PARTITIONS).map(high).sum()
    }

    /// Reads `events` records with librdkafka and does nothing with them.
    pub fn read_bare(&self, events: u64) {
        let consumer: BaseConsumer = config(&self.broker)
            .set("group.id", "bare")
            .set("enable.auto.commit", "false")
            .set("queued.min.messages", "1000000")
            .set("fetch.queue.backoff.ms", "10")
            .create()
            .expect("a consumer");
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(&self.name, partition, Offset::Beginning)
                .expect("a partition");
        }
        consumer.assign(&all).expect("an assignment");
        let mut left = events;
        while left > 0 {
            let message = consumer.poll(PATIENCE).expect("a record in time");
            left -= u64::from(message.expect("a record").payload().is_some());
        }
    }
}

fn config(broker: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    config
}

struct Feeder {
    producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    topic: Topic,
    events: Events,
    sent: u64,
}

impl Feeder {
    fn new(topic: &Topic) -> Self {
        let producer = config(&topic.broker)
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("queue.buffering.max.messages", "1000000")
            .create()
            .expect("a producer");
        Self {
            producer,
            topic: topic.clone(),
            events: Events::new(SEED),
            sent: 0,
        }
    }

    fn send(&mut self, count: u64) {
        for event in self
            .events
            .by_ref()
            .take(usize::try_from(count).expect("a count"))
        {
            let partition = i32::try_from(self.sent % PARTITIONS.unsigned_abs() as u64);
            let mut record = BaseRecord::<(), _>::to(&self.topic.name)
                .partition(partition.expect("a partition"))
                .payload(&event);
            while let Err((error, back)) = self.producer.send(record) {
                let full = Some(RDKafkaErrorCode::QueueFull);
                assert_eq!(error.rdkafka_error_code(), full, "{error}");
                record = back;
                park_timeout(Duration::from_millis(1));
            }
            self.sent += 1;
        }
    }

    fn settle(&self) {
        self.producer
            .flush(PATIENCE)
            .expect("a broker that keeps up");
    }
}

/// A thread that sends events at a steady rate until it is told to end.
#[derive(Debug)]
pub struct Feed {
    thread: JoinHandle<u64>,
    end: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Feed {
    /// Begins to send `rate` events a second.
    #[must_use]
    pub fn start(topic: &Topic, rate: u64) -> Self {
        let (end, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ended, counted) = (Arc::clone(&end), Arc::clone(&sent));
        let mut feeder = Feeder::new(topic);
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                let due = micros.saturating_mul(rate) / 1_000_000;
                feeder.send(due - feeder.sent);
                counted.store(feeder.sent, Ordering::Relaxed);
                park_timeout(FEED_EVERY);
            }
            feeder.settle();
            feeder.sent
        });
        Self { thread, end, sent }
    }

    /// How many events were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends, and gives how many events are in the topic.
    #[must_use]
    pub fn end(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().expect("a feed that keeps up")
    }
}
