//! Kafka topics as streams: `STORED AS KAFKA LOCATION 'kafka://host:port/topic'`.
//!
//! One thread per reader polls librdkafka, decodes and sends batches. Positions come from the
//! table: when the group hands the reader a partition, it asks the engine for the offset to read
//! next and assigns exactly that; it never seeks, and Kafka's own group offsets are written for
//! other people's monitoring and never read. Opening a definition contacts no broker.

mod options;
mod client;
mod contact;
mod reader;
mod scan;
mod source;

pub use source::KafkaFormat;
