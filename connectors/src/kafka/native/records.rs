//! Many records at once, from a queue of their own.
//!
//! `poll` of the `rdkafka` crate takes one event at a time: a lock, three looks at the clock and an
//! allocation for each record. [`Records`] gives a consumer a second queue. The partitions that
//! [`Records::divert`] names put their records, and errors about them, there, from where they are
//! taken a batch at a time; everything else (rebalances, statistics, lines of the log, errors of
//! brokers) still comes by `poll`.
//!
//! What librdkafka does when a batch is taken, and `poll` does not: the position from which it
//! would go on after a pause moves beyond the offset of every *error* in the batch. Whoever takes a
//! batch with an error about a partition must put that partition on the offset to read next.

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::str::Utf8Error;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::owned::Owned;

/// Records of a batch at most.
const MOST: usize = 256;

type Queue = Owned<sys::rd_kafka_queue_t>;

/// The queue of a consumer's records, beside that of its events.
pub(in crate::kafka) struct Records<C: ConsumerContext + 'static> {
    // Both end before the client, which is the last field.
    records: Queue,
    events: Queue,
    client: Arc<BaseConsumer<C>>,
}

/// Records, and errors among them, in the order in which they came.
pub(in crate::kafka) type Batch<'a> = Vec<Message<'a>>;

/// A record, or an error about a partition.
pub(in crate::kafka) struct Message<'a> {
    message: Owned<sys::rd_kafka_message_t>,
    /// What ends before the client does.
    of: PhantomData<&'a ()>,
}

impl<C: ConsumerContext + 'static> Records<C> {
    /// For a consumer that is a member of a group.
    ///
    /// # Errors
    /// When librdkafka has no such queue.
    pub(in crate::kafka) fn of(client: &Arc<BaseConsumer<C>>) -> KafkaResult<Self> {
        let native = client.client().native_ptr();
        // SAFETY: `native` is a live client. Both functions give a reference to the caller, who
        // gives it back by `rd_kafka_queue_destroy`; that happens before the client ends, because
        // the queues are dropped before the client that is kept beside them.
        let (records, events) = unsafe {
            let records = sys::rd_kafka_queue_new(native);
            let events = sys::rd_kafka_queue_get_consumer(native);
            (
                Owned::new(records, sys::rd_kafka_queue_destroy),
                Owned::new(events, sys::rd_kafka_queue_destroy),
            )
        };
        let missing =
            || KafkaError::ClientCreation("librdkafka has no queue for records".to_owned());
        Ok(Self {
            records: records.ok_or_else(missing)?,
            events: events.ok_or_else(missing)?,
            client: Arc::clone(client),
        })
    }

    /// Has the records of a partition come to this queue. To be called before the partition is
    /// assigned; librdkafka forgets it when the partition is given up. Doing it again changes
    /// nothing.
    ///
    /// # Errors
    /// When librdkafka does not know what a partition of that name may be.
    pub(in crate::kafka) fn divert(&self, topic: &str, partition: i32) -> KafkaResult<()> {
        let topic = CString::new(topic)?;
        let native = self.client.client().native_ptr();
        // SAFETY: `native` is a live client and `topic` a string that ends with NUL, which is
        // copied. The queue that is returned belongs to the caller and is dropped at the end of
        // this function. Forwarding counts the queue that it leads to; both are live.
        unsafe {
            let from = sys::rd_kafka_queue_get_partition(native, topic.as_ptr(), partition);
            let from = Owned::new(from, sys::rd_kafka_queue_destroy)
                .ok_or(KafkaError::Subscription("no such partition".to_owned()))?;
            sys::rd_kafka_queue_forward(from.as_ptr(), self.records.as_ptr());
        }
        Ok(())
    }

    /// How much waits that only `poll` takes.
    pub(in crate::kafka) fn events(&self) -> usize {
        // SAFETY: the queue is live.
        unsafe { sys::rd_kafka_queue_length(self.events.as_ptr()) }
    }

    /// Takes what there is, at most `most` and never more than a batch has; when there is nothing,
    /// waits for the first.
    pub(in crate::kafka) fn take(&self, most: usize, wait: Duration) -> Batch<'_> {
        let taken = self.take_now(most, 0);
        match millis(wait) {
            // It would wait until there are as many as it is asked for.
            wait if taken.is_empty() && wait > 0 => self.take_now(1, wait),
            _ => taken,
        }
    }

    fn take_now(&self, most: usize, wait_ms: i32) -> Batch<'_> {
        let mut found = [ptr::null_mut(); MOST];
        let most = most.clamp(1, MOST);
        // SAFETY: the queue is live and `found` has room for `most` pointers, which is at most its
        // length. Nothing but records and errors comes to this queue, as it is made by
        // `rd_kafka_queue_new` and only partitions are forwarded to it.
        let count = unsafe {
            let queue = self.records.as_ptr();
            sys::rd_kafka_consume_batch_queue(queue, wait_ms, found.as_mut_ptr(), most)
        };
        let count = usize::try_from(count).unwrap_or(0);
        let found = found.into_iter().take(count);
        let messages = found.filter_map(|message| {
            // SAFETY: the call above has given the messages to the caller, each to be given back by
            // `rd_kafka_message_destroy`. They end before the client does, as they borrow `self`.
            let message = unsafe { Owned::new(message, sys::rd_kafka_message_destroy) };
            message.map(|message| Message {
                message,
                of: PhantomData,
            })
        });
        messages.collect()
    }
}

impl Message<'_> {
    /// The error and librdkafka's words about it, where this is one.
    pub(in crate::kafka) fn error(&self) -> Option<(Code, String)> {
        // SAFETY: the message is live while `self` is, and nobody writes to its public fields. The
        // code is read as a number, because brokers may send one that the enumeration lacks.
        let code = unsafe {
            (&raw const (*self.message.as_ptr()).err)
                .cast::<i32>()
                .read()
        };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR as i32 {
            return None;
        }
        let code = sys::rd_kafka_resp_err_t::try_from(code).map_or(Code::Unknown, Code::from);
        // SAFETY: the message is live; the text is NULL or ends with NUL, lives as long as the
        // message, and is copied.
        let text = unsafe {
            let text = sys::rd_kafka_message_errstr(self.message.as_ptr());
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        Some((code, text.unwrap_or_default()))
    }

    /// A number that is its topic's own for as long as a partition of it is assigned, and the
    /// partition.
    pub(in crate::kafka) fn place(&self) -> (usize, i32) {
        // SAFETY: as in `error`.
        unsafe {
            let message = self.message.as_ptr();
            ((*message).rkt as usize, (*message).partition)
        }
    }

    /// The name of its topic; none when it is an error about no topic.
    pub(in crate::kafka) fn topic(&self) -> Option<&str> {
        // SAFETY: as in `error`.
        let topic = unsafe { (*self.message.as_ptr()).rkt };
        if topic.is_null() {
            return None;
        }
        // SAFETY: the message holds its topic; the name ends with NUL and lives as long as that.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) };
        name.to_str().ok()
    }

    /// Its offset.
    pub(in crate::kafka) fn offset(&self) -> i64 {
        // SAFETY: as in `error`.
        unsafe { (*self.message.as_ptr()).offset }
    }

    /// When it was written, milliseconds since the epoch, where the brokers tell.
    pub(in crate::kafka) fn millis(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is live and `kind` can be written.
        let millis =
            unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        let known = kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (known && millis != -1).then_some(millis)
    }

    /// Its key, where it has one.
    pub(in crate::kafka) fn key(&self) -> Option<&[u8]> {
        // SAFETY: as in `error`; NULL or as many bytes, which live as long as the message.
        unsafe {
            let message = self.message.as_ptr();
            bytes((*message).key, (*message).key_len)
        }
    }

    /// Its value, where it has one.
    pub(in crate::kafka) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as in `error`; NULL or as many bytes, which live as long as the message.
        unsafe {
            let message = self.message.as_ptr();
            bytes((*message).payload, (*message).len)
        }
    }

    /// Its headers, names and values in their order; none when it has no headers.
    ///
    /// # Errors
    /// When a name is not UTF-8.
    pub(in crate::kafka) fn headers(&self) -> Result<Option<Headers<'_>>, Utf8Error> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is live and `headers` can be written; what it is set to belongs to
        // the message.
        let code =
            unsafe { sys::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) };
        let Some(headers) = NonNull::new(headers).filter(|_| Code::from(code) == Code::NoError)
        else {
            return Ok(None);
        };
        let mut all = Vec::new();
        loop {
            let mut name: *const c_char = ptr::null();
            let (mut value, mut length) = (ptr::null(), 0);
            // SAFETY: the headers live as long as the message, and the three places can be written.
            // After success the name ends with NUL and the value is NULL or has as many bytes; both
            // live as long as the message.
            unsafe {
                let code = sys::rd_kafka_header_get_all(
                    headers.as_ptr(),
                    all.len(),
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                if Code::from(code) != Code::NoError || name.is_null() {
                    return Ok(Some(all));
                }
                all.push((CStr::from_ptr(name).to_str()?, bytes(value, length)));
            }
        }
    }
}

/// Names and values of headers.
pub(in crate::kafka) type Headers<'a> = Vec<(&'a str, Option<&'a [u8]>)>;

/// # Safety
/// `start` is NULL, or `length` bytes begin there that live for `'a` and are not written to.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by this function's contract.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast(), length) })
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::DefaultConsumerContext;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};
    use std::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(60);
    const STEP: Duration = Duration::from_millis(100);

    /// The offsets of what comes, until there are `count`.
    fn offsets(records: &Records<DefaultConsumerContext>, count: usize, most: usize) -> Vec<i64> {
        let (mut offsets, since) = (Vec::new(), Instant::now());
        while offsets.len() < count {
            assert!(since.elapsed() < PATIENCE, "only {offsets:?}");
            let batch = records.take(most, STEP);
            assert!(batch.len() <= most);
            if batch.is_empty() {
                // Giving up the last assignment may have taken longer than to take this one.
                records.divert("t", 0).unwrap();
            }
            for message in batch {
                assert_eq!(message.error(), None);
                assert_eq!((message.topic(), message.place().1), (Some("t"), 0));
                let text = format!("value {}", message.offset());
                assert_eq!(message.value(), Some(text.as_bytes()));
                assert_eq!(message.key(), None);
                assert_eq!(message.millis(), Some(1_770_286_830_123));
                assert_eq!(message.headers(), Ok(None));
                offsets.push(message.offset());
            }
            // What is no record waits elsewhere, and no record does.
            while records.events() > 0 {
                let event = records.client.poll(Duration::ZERO);
                assert!(!matches!(event, Some(Ok(_))), "a record elsewhere");
            }
        }
        offsets
    }

    #[test]
    fn records_of_a_partition_come_in_their_order_each_time_it_is_assigned() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers());
        let producer: BaseProducer = config.create().unwrap();
        for n in 0..600 {
            let value = format!("value {n}");
            let record = BaseRecord::<(), _>::to("t").partition(0).payload(&value);
            producer
                .send(record.timestamp(1_770_286_830_123))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        config
            .set("group.id", "g")
            .set("enable.auto.commit", "false");
        let client: Arc<BaseConsumer> = Arc::new(config.create().unwrap());
        let records = Records::of(&client).unwrap();
        for (from, most) in [(0, 256), (300, 7), (599, 1)] {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset("t", 0, Offset::Offset(from))
                .unwrap();
            records.divert("t", 0).unwrap();
            client.incremental_assign(&list).unwrap();
            let wanted: Vec<i64> = (from..600).collect();
            assert_eq!(offsets(&records, wanted.len(), most), wanted);
            assert!(records.take(most, Duration::ZERO).is_empty());
            client.incremental_unassign(&list).unwrap();
        }
    }
}
