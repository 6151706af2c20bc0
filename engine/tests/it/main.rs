//! Tests of the engine over streams and tables in memory, and of the house rules.
#![cfg(test)]

mod config_page;
mod memory;
mod pipeline;
mod statements;
mod functions;
mod parameters;
mod settings;
mod mistakes;
mod metrics_page;
mod tidy;
