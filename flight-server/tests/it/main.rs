//! The front door from outside: the `sluice` command, the demo, the Flight SQL service.
#![cfg(test)]

mod broker;
mod cli;
mod process;
mod feeder;
mod proof;
mod cli_serve;
mod cli_dlq;
mod redaction;
mod ner;
mod secrets;
mod credentials;
mod crash;
mod chaos;
mod fail_points;
mod disk;
mod enrichment;
mod enrichment_tables;
mod demo;
mod flight;
mod postgres;
