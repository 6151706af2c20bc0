//! The connectors against real parts: files, and librdkafka with its in-process broker.
#![cfg(test)]

mod session;
mod flaky;

mod decode;
mod delta;
mod file;
mod ingest;
mod kafka;
mod replay;
