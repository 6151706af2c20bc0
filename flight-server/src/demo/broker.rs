//! Where the records go: librdkafka's own broker in this process, or a topic on a real one.

use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::types::RDKafkaErrorCode;
use sluice_engine::error::{Error, Result};

/// The topic of the shipped pipeline.
pub(crate) const TOPIC: &str = "log-events";
const PARTITIONS: i32 = 4;

/// How long a real broker may take to answer; a wrong address is found out within it.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// A broker with the topic on it. The embedded one ends when this is dropped.
#[derive(Debug)]
pub(crate) enum Broker {
    /// Lives in a thread of this process.
    Embedded(Embedded),
    /// Somebody else's, at this `HOST:PORT`.
    Real(String),
}

/// The thread in which the embedded broker lives.
#[derive(Debug)]
pub(crate) struct Embedded {
    address: String,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts the embedded broker, or makes sure that the topic is on the one at `address`.
    ///
    /// # Errors
    /// When the broker does not answer or refuses the topic.
    pub(crate) async fn open(address: Option<&str>) -> Result<Self> {
        match address {
            None => Embedded::start().await.map(Self::Embedded),
            Some(address) => {
                create_topic(address).await?;
                Ok(Self::Real(address.to_owned()))
            }
        }
    }

    /// Its `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Embedded(embedded) => &embedded.address,
            Self::Real(address) => address,
        }
    }
}

impl Embedded {
    async fn start() -> Result<Self> {
        let (stop, stopped) = channel();
        let (started, address) = tokio::sync::oneshot::channel();
        // The handle of the cluster may not leave the thread that made it.
        let thread = Builder::new().name("demo-broker".into()).spawn(move || {
            let cluster = MockCluster::new(1)
                .and_then(|cluster| cluster.create_topic(TOPIC, PARTITIONS, 1).map(|()| cluster));
            match cluster {
                Ok(cluster) => {
                    if started.send(Ok(cluster.bootstrap_servers())).is_ok() {
                        // Ends with the other side of the channel.
                        let _closed = stopped.recv();
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        });
        let failed =
            |why: String| Error::internal(format!("cannot start the embedded broker: {why}"));
        let thread = thread.map_err(|error| failed(error.to_string()))?;
        let address = match address.await {
            Ok(Ok(address)) => address,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("its thread ended".to_owned())),
        };
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed by then; there is nobody left to tell.
            let _outcome = thread.join();
        }
    }
}

async fn create_topic(address: &str) -> Result<()> {
    let unreachable = |why: String| {
        Error::unavailable(format!(
            "cannot reach the Kafka broker at \"{address}\": {why}"
        ))
        .hint("check the address after --kafka, or leave it out to use the embedded broker")
    };
    let silent = || format!("it did not answer within {} s", ANSWER_MAX.as_secs());
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .map_err(|error| unreachable(error.to_string()))?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER_MAX));
    let topic = NewTopic::new(TOPIC, PARTITIONS, TopicReplication::Fixed(1));
    let outcome = admin
        .create_topics([&topic], &options)
        .await
        .map_err(|error| match error {
            KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut) => unreachable(silent()),
            error => unreachable(error.to_string()),
        })?;
    for result in outcome {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::RequestTimedOut)) => {
                return Err(unreachable(silent()));
            }
            Err((name, code)) => {
                return Err(Error::unavailable(format!(
                    "the Kafka broker at \"{address}\" did not create the topic \"{name}\": {code}"
                ))
                .hint(format!(
                    "create \"{TOPIC}\" by hand and start the demo again"
                )));
            }
        }
    }
    Ok(())
}
