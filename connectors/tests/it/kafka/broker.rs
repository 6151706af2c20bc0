//! A real Apache Kafka for tests, started by the project's script, and a reader that does with it
//! what a pipeline does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sluice_engine::error::Error;
use sluice_engine::source::{
    Event, Member, Offered, Partition, Reader, Source, SourceBatch, Wanted,
};
use tokio::time::timeout;

use super::{PATIENCE, rows, source};

/// The running broker. Tests that harm it start their own; the others share one, which ends with
/// the last of them.
pub(super) struct Kafka {
    folder: PathBuf,
    pub(super) address: String,
}

impl Kafka {
    /// The broker that tests share.
    pub(super) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Kafka>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start("connectors"));
        *shared = Arc::downgrade(&started);
        started
    }

    /// Starts a broker with data of its own and waits until it answers.
    pub(super) fn start(name: &str) -> Self {
        let cache = std::env::var_os("SLUICE_CACHE")
            .map(PathBuf::from)
            .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/sluice"));
        let name = format!("{name}-{}", std::process::id());
        let folder = cache.join("kafka").join(name);
        let address = started(&script(&folder, "start"));
        Self { folder, address }
    }

    /// Ends the broker in good order; its data stays.
    pub(super) fn stop(&self) {
        script(&self.folder, "stop");
    }

    /// Ends the broker at once; its data stays.
    pub(super) fn kill(&self) {
        script(&self.folder, "kill");
    }

    /// Starts it again at the same address.
    pub(super) fn resume(&self) {
        // The system may be slow to close the socket of a process that it has ended.
        while TcpStream::connect(&self.address).is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(started(&script(&self.folder, "resume")), self.address);
    }

    /// The file that holds the first records of a partition.
    pub(super) fn log(&self, topic: &str, partition: i32) -> PathBuf {
        let folder = self
            .folder
            .join("data")
            .join(format!("{topic}-{partition}"));
        folder.join("00000000000000000000.log")
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().expect("a client")
    }

    /// Makes a topic.
    pub(super) async fn create(&self, topic: &str, partitions: i32) {
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let admin = self.admin();
        let made = admin.create_topics([&topic], &AdminOptions::new());
        let made = made.await.expect("an answer");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Removes a topic.
    pub(super) async fn delete(&self, topic: &str) {
        let gone = self
            .admin()
            .delete_topics(&[topic], &AdminOptions::new())
            .await;
        let gone = gone.expect("an answer");
        assert!(gone.iter().all(Result::is_ok), "{gone:?}");
    }

    /// Gives a topic more partitions.
    pub(super) async fn grow(&self, topic: &str, partitions: usize) {
        let more = NewPartitions::new(topic, partitions);
        let grown = self
            .admin()
            .create_partitions([&more], &AdminOptions::new())
            .await;
        let grown = grown.expect("an answer");
        assert!(grown.iter().all(Result::is_ok), "{grown:?}");
    }

    /// Lets go of the records before an offset, as retention does.
    pub(super) async fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        let listed = list.add_partition_offset(topic, partition, Offset::Offset(before));
        listed.expect("an offset");
        let admin = self.admin();
        let gone = admin.delete_records(&list, &AdminOptions::new()).await;
        let gone = gone.expect("an answer");
        assert!(
            gone.elements().iter().all(|of| of.error().is_ok()),
            "{gone:?}"
        );
    }

    /// A producer whose batches are compressed so, and whose records may be large.
    pub(super) fn producer(&self, compression: &str) -> BaseProducer {
        let mut config = self.config();
        config
            .set("compression.type", compression)
            .set("message.max.bytes", "300000000")
            .set("queue.buffering.max.kbytes", "1000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("batch.size", "300000000")
            .set("linger.ms", "2000");
        config.create().expect("a producer")
    }

    /// Produces `{"n": .}` records, as one batch.
    pub(super) fn send_numbers(&self, topic: &str, partition: i32, numbers: std::ops::Range<i64>) {
        let values: Vec<String> = numbers.map(|n| format!("{{\"n\":{n}}}")).collect();
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        send(&self.producer("none"), (topic, partition), &values, None);
    }

    /// A source of this broker's topics, which looks for new partitions twice a second.
    pub(super) async fn source(&self, topics: &str, options: &[(&str, &str)]) -> Arc<dyn Source> {
        let mut options = options.to_vec();
        options.push(("kafka.topic.metadata.refresh.interval.ms", "500"));
        let location = format!("kafka://{}/{topics}", self.address);
        source(&location, &options)
            .await
            .expect("a right definition")
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        script(&self.folder, "wipe");
    }
}

/// Produces values as one batch.
pub(super) fn send(
    producer: &BaseProducer,
    (topic, partition): (&str, i32),
    values: &[&[u8]],
    headers: Option<&OwnedHeaders>,
) {
    for value in values {
        let mut record = BaseRecord::to(topic)
            .partition(partition)
            .key("k")
            .payload(*value);
        record.headers = headers.cloned();
        let queued = producer.send(record).map_err(|(error, _)| error);
        queued.expect("a queue with room");
    }
    producer.flush(PATIENCE).expect("a broker that answers");
}

fn script(folder: &Path, verb: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/kafka.sh");
    let mut command = Command::new(script);
    command.arg(verb).env("KAFKA_DIR", folder);
    command.output().expect("the script that runs Kafka")
}

fn started(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    let address = printed.lines().find_map(|line| line.strip_prefix("kafka="));
    let errors = String::from_utf8_lossy(&output.stderr);
    let address = address
        .unwrap_or_else(|| panic!("no Kafka ({errors}); `make setup-test` installs what it needs"));
    address.to_owned()
}

/// A reader, and the answers of a pipeline: positions are kept, and nothing is committed twice.
pub(super) struct Pipeline {
    pub(super) reader: Box<dyn Reader>,
    pub(super) next: BTreeMap<Partition, i64>,
    pub(super) held: BTreeSet<Partition>,
    pub(super) offered: Vec<Offered>,
    /// Where to begin, whatever the stream says.
    pub(super) at: Option<i64>,
    pub(super) batches: Vec<SourceBatch>,
    /// How often the group had no partition for it.
    pub(super) idle: usize,
    /// How often partitions went to somebody else without a word.
    pub(super) lost: usize,
}

impl Pipeline {
    pub(super) async fn of(source: &Arc<dyn Source>, member: Member) -> Self {
        Self::wanting(source, member, Wanted::default()).await
    }

    pub(super) async fn wanting(source: &Arc<dyn Source>, member: Member, wanted: Wanted) -> Self {
        let reader = source
            .follow(&member, wanted)
            .await
            .expect("an open stream");
        Self {
            reader,
            next: BTreeMap::new(),
            held: BTreeSet::new(),
            offered: Vec::new(),
            at: None,
            batches: Vec::new(),
            idle: 0,
            lost: 0,
        }
    }

    async fn step(&mut self) -> Result<(), Error> {
        let Ok(event) = timeout(Duration::from_millis(50), self.reader.next()).await else {
            return Ok(());
        };
        match event?.expect("a stream without end") {
            Event::Assigned(assigned) => {
                let at = |of: &Offered| {
                    self.next
                        .get(&of.partition)
                        .copied()
                        .or(self.at)
                        .unwrap_or(of.start)
                };
                let next: Vec<i64> = assigned.offered.iter().map(at).collect();
                self.idle += usize::from(next.is_empty());
                for (offer, next) in assigned.offered.iter().zip(&next) {
                    self.held.insert(offer.partition.clone());
                    self.next.insert(offer.partition.clone(), *next);
                }
                self.offered.extend(assigned.offered);
                // A reader that has failed since takes no answer.
                let _taken = assigned.reply.send(Ok(next));
            }
            Event::Revoked(revoked) => {
                self.lost += usize::from(revoked.lost);
                self.held.retain(|of| !revoked.partitions.contains(of));
                let _taken = revoked.reply.send(());
            }
            Event::Batch(batch) => {
                for range in &batch.ranges {
                    assert!(
                        self.held.contains(&range.partition),
                        "read without being held"
                    );
                    let next = self.next.insert(range.partition.clone(), range.to);
                    assert_eq!(next, Some(range.from), "ranges join: {range:?}");
                }
                self.batches.push(batch);
            }
        }
        Ok(())
    }

    /// Goes on until `done`.
    pub(super) async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool + Send + Sync) {
        let steps = async {
            while !done(self) {
                self.step().await.expect("a stream that can be read");
            }
        };
        if timeout(PATIENCE, steps).await.is_err() {
            panic!("not within a minute: {what}; {:?}", self.next);
        }
    }

    /// Goes on until the reader fails.
    pub(super) async fn fails(&mut self) -> Error {
        let steps = async {
            loop {
                if let Err(error) = self.step().await {
                    return error;
                }
            }
        };
        timeout(PATIENCE, steps)
            .await
            .expect("an error within a minute")
    }

    /// How many records were read, in rows and rejects.
    pub(super) fn count(&self) -> usize {
        let ranges = self.batches.iter().flat_map(|batch| &batch.ranges);
        let records = ranges.map(|of| of.decoded + of.rejected);
        usize::try_from(records.sum::<u64>()).unwrap()
    }

    /// Partition, offset and number of every row.
    pub(super) fn rows(&self) -> Vec<(i32, i64, i64)> {
        rows(&self.batches)
    }
}
