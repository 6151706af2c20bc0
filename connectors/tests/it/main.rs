//! The connectors against real parts: files, and librdkafka with its in-process broker.
#![cfg(test)]

mod decode;
mod delta;
mod file;
mod kafka;
mod replay;
