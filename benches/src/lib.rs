//! Benchmarks of Sluice, and the seeded generators that feed them.

pub mod events;
pub mod lines;
