//! A real Apache Kafka for one test: started by the project's script, ended and wiped with the
//! value.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// The running broker.
pub(crate) struct Kafka {
    folder: PathBuf,
    pub(crate) address: String,
}

impl Kafka {
    /// Starts a broker with data of its own and waits until it answers.
    pub(crate) fn start(name: &str) -> Self {
        let cache = std::env::var_os("SLUICE_CACHE")
            .map(PathBuf::from)
            .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/sluice"));
        let folder = cache
            .join("kafka")
            .join(format!("{name}-{}", std::process::id()));
        let output = script(&folder, "start");
        let printed = String::from_utf8(output.stdout).unwrap();
        let address = printed.lines().find_map(|line| line.strip_prefix("kafka="));
        let Some(address) = address else {
            let errors = String::from_utf8_lossy(&output.stderr);
            panic!("no Kafka ({errors}); `make setup-test` installs what it needs");
        };
        Self {
            address: address.to_owned(),
            folder,
        }
    }

    /// Makes a topic.
    pub(crate) async fn create_topic(&self, topic: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .create()
            .unwrap();
        let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let made = admin
            .create_topics([&topic], &AdminOptions::new())
            .await
            .unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// One past the newest record of each partition, in their order.
    pub(crate) fn high_watermarks(&self, topic: &str, partitions: usize) -> Vec<i64> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .create()
            .unwrap();
        let high = |partition: usize| {
            let partition = i32::try_from(partition).unwrap();
            let marks = consumer.fetch_watermarks(topic, partition, Duration::from_secs(30));
            marks.unwrap().1
        };
        (0..partitions).map(high).collect()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        script(&self.folder, "wipe");
    }
}

fn script(folder: &Path, verb: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/kafka.sh");
    Command::new(script)
        .arg(verb)
        .env("KAFKA_DIR", folder)
        .output()
        .unwrap()
}
