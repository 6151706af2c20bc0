//! Kafka topics as streams: `STORED AS KAFKA LOCATION 'kafka://host:port/topic'`.
//!
//! One thread per reader polls librdkafka, decodes and sends batches. Positions come from the
//! table: when the group hands the reader a partition, it asks the engine for the offset to read
//! next and assigns exactly that; Kafka's own group offsets are written for other people's
//! monitoring and never read. Opening a definition contacts no broker.
//!
//! A topic's identity is `t-` and the id that its broker gives it, which a topic of the same name
//! made later does not have; where the broker has no ids (before Kafka 2.8) it is `c-` and the
//! cluster's id. It is asked for with every assignment. A topic that is made anew under a reader
//! ends the reader, before any of the new topic's records is handed over; on brokers that do not
//! fetch by id (before Kafka 3.1) records that arrive within one refresh of the metadata may be.
//!
//! What bounds the memory of a reader: librdkafka's queue (`queued.max.messages.kbytes`) and one
//! more fetch, decompressed; the chunk being filled; a few batches on their way. How large a batch
//! becomes is bounded before only for zstd (`receive.message.max.bytes`): batches of other codecs
//! are held whole until their records are polled, and what bounds them is `message.max.bytes` of
//! the topic.

mod location;
mod settings;
mod options;
mod client;
#[expect(
    unsafe_code,
    reason = "only C interfaces tell topics' ids, give many records at once, and keep memory"
)]
mod native;
mod trouble;
mod contact;
mod undecodable;
mod held;
mod record;
mod reader;
mod scan;
mod sink;
mod source;

pub use native::keep_memory;
pub use source::KafkaFormat;
