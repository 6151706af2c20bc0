//! Benchmarks of Sluice: the seeded generators that feed them, the broker and the engine under
//! measurement, and the clocks.

pub mod events;
pub mod lines;
pub mod chain;

pub mod cpu;
pub mod kafka;
pub mod ingest;
