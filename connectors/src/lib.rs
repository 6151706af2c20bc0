//! Kafka, files and Delta Lake behind the contracts of `sluice-engine`.
//!
//! | connector | stream | table | what it guarantees |
//! |---|---|---|---|
//! | [`kafka`] | yes | no | every record once, in order, from the position the table holds |
//! | [`file`] | yes | no | every line once, in order, from the position the table holds |
//! | [`delta`] | no | yes | rows and the positions they bring a pipeline to are one commit |
//!
//! Streams share [`decode`]: one bad record becomes a reject and never harms its neighbour.

use std::sync::Arc;

use sluice_engine::plugin::Plugin;

pub mod decode;
pub mod delta;
mod handoff;
pub mod file;
pub mod kafka;

/// Every connector of this crate, keyed by its word after `STORED AS`.
#[must_use]
pub fn plugin() -> Plugin {
    let mut plugin = Plugin::default();
    plugin.sources.insert("KAFKA", Arc::new(kafka::KafkaFormat));
    plugin.sources.insert("FILE", Arc::new(file::FileFormat));
    plugin
        .tables
        .insert("DELTA", Arc::new(delta::DeltaFormat::default()));
    plugin.default_table = Some("DELTA");
    plugin
}
