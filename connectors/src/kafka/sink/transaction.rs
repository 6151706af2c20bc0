//! One statement's transaction, from the first contact to its end. Runs on a thread of its own.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, Producer as _};
use sluice_engine::error::{Error, Result};
use tokio::sync::mpsc;

use super::client::{Context, Producer, fault};
use super::encode::Record;
use super::{Job, Sink};
use crate::kafka::settings::Property;

/// Properties of a writer that hold unless the definition says otherwise.
const DEFAULTS: [Property; 8] = [
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    // The records of a key go where other producers put them.
    ("partitioner", "murmur2_random"),
    ("queue.buffering.max.kbytes", "65536"),
    ("queue.buffering.max.messages", "100000"),
    ("transaction.timeout.ms", TRANSACTION_TIMEOUT),
    ("client.id", "sluice"),
    ("client.software.name", "sluice"),
];
const TRANSACTION_TIMEOUT: &str = "60000";

/// Properties of a writer that carry the guarantee.
const FIXED: [Property; 3] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("statistics.interval.ms", "0"),
];

/// How long the first contact may take.
const CONTACT: Duration = Duration::from_secs(10);
/// How long it may take when librdkafka says that no broker answers.
const REFUSED: Duration = Duration::from_secs(3);
/// How long one question waits for its answer.
const QUESTION: Duration = Duration::from_secs(1);
/// How long the brokers may take to begin or to end a transaction.
const COORDINATION: Duration = Duration::from_secs(60);
/// How long to wait for room in a full queue before looking around.
const ROOM: Duration = Duration::from_millis(10);

/// Writes what comes as `jobs`; gives the number of rows once they are committed.
pub(super) fn run(sink: &Sink, mut jobs: mpsc::Receiver<Job>) -> Result<u64> {
    let mut transaction = Transaction::begin(sink)?;
    let filled = transaction.fill(&mut jobs);
    match filled.and_then(|()| transaction.commit()) {
        Ok(()) => Ok(transaction.rows),
        Err(error) => {
            transaction.abort();
            Err(error)
        }
    }
}

struct Transaction<'a> {
    sink: &'a Sink,
    producer: Producer,
    timeout: Duration,
    /// When the first record was produced; from then on the brokers count.
    began: Option<Instant>,
    rows: u64,
}

impl<'a> Transaction<'a> {
    fn begin(sink: &'a Sink) -> Result<Self> {
        let settings = &sink.options.settings;
        let mut config = settings.config(&DEFAULTS, &FIXED)?;
        let id = format!("sluice-{}", uuid::Uuid::new_v4());
        config
            .set("bootstrap.servers", &sink.options.location.brokers)
            .set("transactional.id", id);
        let producer: Producer = config
            .create_with_context(Context::default())
            .map_err(|error| settings.refusal(&error))?;
        let timeout = settings
            .get("transaction.timeout.ms")
            .unwrap_or(TRANSACTION_TIMEOUT);
        let transaction = Self {
            sink,
            producer,
            timeout: Duration::from_millis(timeout.parse().unwrap_or(u64::MAX)),
            began: None,
            rows: 0,
        };
        transaction.find_topic()?;
        transaction.initialize()?;
        transaction
            .producer
            .begin_transaction()
            .map_err(|error| transaction.failed("begin a transaction", &error))?;
        Ok(transaction)
    }

    /// Waits until a broker answers and knows the topic.
    fn find_topic(&self) -> Result<()> {
        let topic = self.sink.topic.as_str();
        let since = Instant::now();
        loop {
            let answer = self.producer.client().fetch_metadata(Some(topic), QUESTION);
            let code = match answer {
                Ok(answer) => {
                    let found = answer.topics().iter().find(|found| found.name() == topic);
                    match found.map(|found| (found.error(), found.partitions().is_empty())) {
                        Some((None, false)) => return Ok(()),
                        Some((Some(code), _)) => Some(Code::from(code)),
                        _ => None,
                    }
                }
                Err(error) => error.rdkafka_error_code(),
            };
            // A topic made a moment ago may not be known everywhere.
            let young = since.elapsed() < QUESTION
                && matches!(
                    code,
                    Some(Code::UnknownTopicOrPartition | Code::UnknownTopic)
                );
            if let Some(error) = code.and_then(|code| fault(code, topic, ""))
                && !young
            {
                return Err(error);
            }
            self.check_contact(since)?;
            std::thread::sleep(ROOM);
        }
    }

    /// Gets the id under which the brokers know the transaction.
    fn initialize(&self) -> Result<()> {
        let since = Instant::now();
        loop {
            let error = match self.producer.init_transactions(QUESTION) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let again = matches!(&error, KafkaError::Transaction(of) if of.is_retriable());
            if !again || since.elapsed() > COORDINATION {
                return Err(self.failed("begin a transaction", &error));
            }
            self.check_credentials()?;
        }
    }

    fn fill(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Result<()> {
        loop {
            match jobs.blocking_recv() {
                Some(Job::Rows(rows)) => {
                    let sink = self.sink;
                    sink.form.each(&rows, |record| self.send(record, jobs))?;
                    self.rows += rows.num_rows() as u64;
                    self.check()?;
                }
                Some(Job::Commit) => return Ok(()),
                None => return Err(Error::cancelled("the statement was given up")),
            }
        }
    }

    /// Hands one record to the producer, waiting for room.
    fn send(&mut self, record: &Record<'_>, jobs: &mpsc::Receiver<Job>) -> Result<()> {
        self.began.get_or_insert_with(Instant::now);
        let mut message = BaseRecord::<[u8], [u8]>::to(&self.sink.topic);
        message.key = record.key;
        message.payload = record.value;
        message.headers.clone_from(&record.headers);
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => message = back,
                Err((KafkaError::MessageProduction(Code::MessageSizeTooLarge), _)) => {
                    let size = record.value.map_or(0, <[u8]>::len);
                    return Err(
                        Error::limit(format!("a row makes a record of {size} bytes")).hint(
                            "raise 'kafka.message.max.bytes', and max.message.bytes of the topic",
                        ),
                    );
                }
                Err((error, _)) => {
                    self.check()?;
                    return Err(self.failed("produce a record", &error));
                }
            }
            if jobs.is_closed() {
                return Err(Error::cancelled("the statement was given up"));
            }
            self.check()?;
            std::thread::sleep(ROOM);
        }
    }

    /// Whether what was produced can still be committed.
    fn check(&self) -> Result<()> {
        if self
            .began
            .is_some_and(|began| began.elapsed() > self.timeout)
        {
            return Err(self.late());
        }
        match self.producer.context().refused() {
            Some(code) => Err(self.refused(code)),
            None => Ok(()),
        }
    }

    fn commit(&self) -> Result<()> {
        self.check()?;
        let since = Instant::now();
        loop {
            let error = match self.producer.commit_transaction(QUESTION) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let patient = since.elapsed() < COORDINATION.max(self.timeout);
            match &error {
                // Records are still on their way, and the commit has not been asked for.
                KafkaError::Flush(_) => {
                    self.check()?;
                    if !patient {
                        return Err(self.failed("produce all records", &error));
                    }
                }
                KafkaError::Transaction(of) if of.txn_requires_abort() || of.is_fatal() => {
                    if let Some(code) = self.producer.context().refused() {
                        return Err(self.refused(code));
                    }
                    return Err(self.failed("commit the transaction", &error));
                }
                // It goes on where it was.
                KafkaError::Transaction(of) if of.is_retriable() && patient => {}
                _ => return Err(self.unknown(&error)),
            }
        }
    }

    fn abort(&self) {
        if let Err(error) = self.producer.abort_transaction(COORDINATION) {
            // The brokers abort what nobody ends.
            tracing::debug!(%error, "a transaction ends by its timeout");
        }
    }

    fn check_contact(&self, since: Instant) -> Result<()> {
        self.check_credentials()?;
        let patience = match self.producer.context().all_down() {
            true => REFUSED,
            false => CONTACT,
        };
        if since.elapsed() < patience {
            return Ok(());
        }
        let brokers = &self.sink.options.location.brokers;
        let reason = self.producer.context().trouble();
        let reason = reason
            .map(|(_, reason)| format!(": {reason}"))
            .unwrap_or_default();
        Err(Error::unavailable(format!(
            "cannot reach the Kafka broker at \"{brokers}\"{reason}"
        ))
        .hint(
            "check the address in the table's location, that the broker runs, and the option \
             'kafka.security.protocol' if it wants TLS or a password",
        ))
    }

    fn check_credentials(&self) -> Result<()> {
        let known = self.producer.context().trouble();
        let fault = known.and_then(|(code, reason)| match code {
            Code::Authentication | Code::SaslAuthenticationFailed => {
                fault(code, &self.sink.topic, &reason)
            }
            _ => None,
        });
        fault.map_or(Ok(()), Err)
    }

    fn refused(&self, code: Code) -> Error {
        match code {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => self.late(),
            _ => fault(code, &self.sink.topic, "").unwrap_or_else(|| {
                let topic = &self.sink.topic;
                Error::unavailable(format!("topic \"{topic}\" did not take a record: {code}"))
            }),
        }
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        let code = error.rdkafka_error_code();
        let code = code.or_else(|| match error {
            KafkaError::Transaction(of) => Some(of.code()),
            _ => None,
        });
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => self.late(),
            _ => code
                .and_then(|code| fault(code, &self.sink.topic, ""))
                .unwrap_or_else(|| {
                    let brokers = &self.sink.options.location.brokers;
                    Error::unavailable(format!("cannot {what} at \"{brokers}\": {error}"))
                }),
        }
    }

    /// Nobody else uses the transaction's id, so that only its timeout ends it from outside.
    fn late(&self) -> Error {
        let seconds = self.timeout.as_secs_f64();
        Error::limit(format!(
            "the transaction was open for longer than {seconds} s"
        ))
        .hint("write fewer rows at once, or raise the option 'kafka.transaction.timeout.ms'")
    }

    fn unknown(&self, error: &KafkaError) -> Error {
        let topic = &self.sink.topic;
        Error::unavailable(format!(
            "it is not known whether the rows are in topic \"{topic}\": {error}"
        ))
        .hint("look into the topic before you run the statement again")
    }
}
