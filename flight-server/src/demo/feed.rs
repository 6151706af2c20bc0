//! The thread that sends simulated records to the broker at their pace, and some of them twice, as
//! a producer does that has not heard of the first time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use sluice_engine::error::{Error, Result};

use super::broker::TOPIC;
use super::simulator::{Record, Settings, Simulator};

/// How often the thread looks at the clock.
const TICK: Duration = Duration::from_millis(10);
/// How long the last records may take to reach the broker.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Every so many records one is sent twice.
const TWICE_EVERY: u64 = 499;

type Sending = ThreadedProducer<DefaultProducerContext>;

/// A running feed.
#[derive(Debug)]
pub(crate) struct Feed {
    sent: Arc<AtomicU64>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Feed {
    /// Starts sending to the broker at `address`.
    ///
    /// # Errors
    /// When the producer or its thread cannot be made.
    pub(crate) fn start(address: &str, settings: Settings) -> Result<Self> {
        let failed = |why: String| Error::internal(format!("cannot start the simulator: {why}"));
        let producer: Sending = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("linger.ms", "5")
            .set("enable.idempotence", "true")
            .create()
            .map_err(|error| failed(error.to_string()))?;
        let (stop, stopped) = channel();
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let thread = Builder::new()
            .name("demo-simulator".into())
            .spawn(move || send_all(&producer, settings, (&stopped, &count)))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { sent, stop, thread })
    }

    /// Stops sending, waits some seconds at most until the broker has everything, and says how many
    /// records were sent.
    pub(crate) async fn stop(self) -> u64 {
        let Self { sent, stop, thread } = self;
        drop(stop);
        // A panic there has been printed by then; what was sent counts all the same.
        let _outcome = tokio::task::spawn_blocking(move || thread.join()).await;
        sent.load(Ordering::Relaxed)
    }
}

fn send_all(producer: &Sending, settings: Settings, (stop, sent): (&Receiver<()>, &AtomicU64)) {
    let began = Instant::now();
    let mut simulator = Simulator::new(settings);
    let mut made: u64 = 0;
    'ticks: while waited(stop) {
        while simulator.due() <= began.elapsed() {
            let record = simulator.next();
            made += 1;
            let times = if made.is_multiple_of(TWICE_EVERY) {
                2
            } else {
                1
            };
            for _ in 0..times {
                if !send(producer, &record, stop) {
                    break 'ticks;
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    if let Err(error) = producer.flush(FLUSH_MAX) {
        tracing::warn!(%error, "the last simulated records did not reach the broker");
    }
}

/// Sends one record, waiting for room in the client's queue; false when it is not sent.
fn send(producer: &Sending, record: &Record, stop: &Receiver<()>) -> bool {
    let mut message = BaseRecord::to(TOPIC)
        .key(&record.key)
        .payload(&record.value);
    loop {
        match producer.send(message) {
            Ok(()) => return true,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                message = back;
                if !waited(stop) {
                    return false;
                }
            }
            Err((error, _)) => {
                tracing::warn!(%error, "a simulated record was refused");
                return false;
            }
        }
    }
}

/// Waits a tick; false when it is time to stop.
fn waited(stop: &Receiver<()>) -> bool {
    matches!(stop.recv_timeout(TICK), Err(RecvTimeoutError::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::broker::Broker;
    use crate::demo::incident::Incident;
    use chrono::Utc;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    #[tokio::test]
    async fn what_was_sent_is_on_the_embedded_broker() {
        let broker = Broker::open(None).await.unwrap();
        let settings = Settings {
            seed: 1,
            rate: 2000,
            start: Utc::now(),
            incident: Incident::within(None),
        };
        let feed = Feed::start(broker.address(), settings).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", broker.address())
            .create()
            .unwrap();
        let stored = || -> i64 {
            let high = |partition| {
                consumer
                    .fetch_watermarks(TOPIC, partition, Duration::from_secs(10))
                    .unwrap()
                    .1
            };
            (0..4).map(high).sum()
        };
        while stored() < 100 {}
        let sent = feed.stop().await;
        assert!(sent >= 100);
        assert_eq!(stored(), i64::try_from(sent).unwrap());
    }
}
