//! Records that say themselves where they stand, so that every stored row and every dead letter can
//! be checked for what it should be without a list of what was sent.
//!
//! Record `seq` of partition `part` has that very offset: the producer is idempotent and names the
//! partition, and every delivery report is checked. One record in [`Feeder::bad_every`] of a
//! partition is cut off in its middle and cannot be decoded.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

/// The columns of a record, as a table definition lists them.
pub(crate) const COLUMNS: &str = "id BIGINT, part INT, seq BIGINT, text VARCHAR";
/// `id` is this often `part`, and `seq` more.
pub(crate) const STRIDE: i64 = 1_000_000_000_000;
/// What follows `line <id>` in `text`; it has what JSON must escape.
pub(crate) const REST: &str = r#" "quoted" \ é"#;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends records to one topic, to its partitions in turn.
pub(crate) struct Feeder {
    producer: ThreadedProducer<Deliveries>,
    topic: String,
    bad_every: i64,
    /// Characters of noise that no codec makes smaller than half, in a field `noise`.
    noise: usize,
    random: StdRng,
    next: Vec<i64>,
    turn: usize,
}

impl Feeder {
    /// A feeder of a new topic.
    pub(crate) fn new(address: &str, topic: &str, partitions: usize, bad_every: i64) -> Self {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .create_with_context(Deliveries::default())
            .unwrap();
        Self {
            producer,
            topic: topic.to_owned(),
            bad_every,
            noise: 0,
            random: StdRng::seed_from_u64(1),
            next: vec![0; partitions],
            turn: 0,
        }
    }

    /// Adds this many characters to every record that can be decoded.
    pub(crate) fn with_noise(self, noise: usize) -> Self {
        Self { noise, ..self }
    }

    /// Sends `count` records.
    pub(crate) fn send(&mut self, count: usize) {
        for _ in 0..count {
            self.turn = (self.turn + 1) % self.next.len();
            let seq = self.next[self.turn];
            self.next[self.turn] += 1;
            let part = i32::try_from(self.turn).unwrap();
            let value = self.value(part, seq);
            let record = BaseRecord::with_opaque_to(&self.topic, Box::new(seq));
            let mut record: BaseRecord<'_, (), String, _> = record.partition(part).payload(&value);
            while let Err((error, back)) = self.producer.send(record) {
                let full = rdkafka::types::RDKafkaErrorCode::QueueFull;
                assert_eq!(error.rdkafka_error_code(), Some(full), "{error}");
                record = back;
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }

    /// Waits until the broker has everything, and gives the number of records of each partition.
    pub(crate) fn settle(&self) -> Vec<i64> {
        self.producer.flush(PATIENCE).unwrap();
        let faults = self.producer.context().faults();
        assert!(faults.is_empty(), "{faults:?}");
        self.next.clone()
    }

    fn value(&mut self, part: i32, seq: i64) -> String {
        let id = STRIDE * i64::from(part) + seq;
        let start = format!(r#"{{"id":{id},"part":{part},"seq":{seq}"#);
        if is_bad(part, seq, self.bad_every) {
            return start;
        }
        let text = serde_json::Value::from(format!("line {id}{REST}"));
        let mut value = format!(r#"{start},"text":{text}"#);
        if self.noise > 0 {
            value.push_str(r#","noise":""#);
            for _ in 0..self.noise.div_ceil(16) {
                write!(value, "{:016x}", self.random.random::<u64>()).unwrap();
            }
            value.push('"');
        }
        value.push('}');
        value
    }
}

/// Whether a record is one that cannot be decoded.
pub(crate) fn is_bad(part: i32, seq: i64, bad_every: i64) -> bool {
    (seq + i64::from(part)) % bad_every == 1
}

/// Checks that every record got the offset that it says.
#[derive(Default)]
struct Deliveries(Mutex<Vec<String>>);

impl Deliveries {
    fn faults(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, result: &DeliveryResult<'_>, seq: Box<i64>) {
        let fault = match result {
            Ok(message) if message.offset() == *seq => return,
            Ok(message) => format!("record {seq} has offset {}", message.offset()),
            Err((error, _)) => format!("record {seq}: {error}"),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }
}
