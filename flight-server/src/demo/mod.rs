//! `sluice demo`: the main job in one command, on logs that are made up as it runs.
//!
//! The files in the order in which a record passes them:
//!
//! | file | holds |
//! |---|---|
//! | `incident` | when the payment database's connection pool runs dry, and how dry it is |
//! | `people` | made-up personal data: cards that pass the Luhn check, numbers, addresses |
//! | `network` | where clients connect from, and who of them is on a threat feed |
//! | `services` | seven micro-services and what they write, healthy and failing |
//! | `countries` | a database of countries in MaxMind's format |
//! | `reference` | the files that the pipeline looks things up in |
//! | `simulator` | records, one after the other, from a seed |
//! | `broker` | the embedded broker, or the topic on a real one |
//! | `feed` | the thread that sends the records at their pace |
//! | `table` | answers as columns of text |
//! | `report` | everything that is printed |
//! | `course` | the live line, the questions at their moments, the end |
//! | `run` | the command: its arguments, and everything it opens and closes |

mod incident;
mod people;
mod network;
mod services;
mod countries;
mod reference;
mod simulator;
mod broker;
mod feed;
mod table;
mod report;
mod course;
mod run;

pub use run::{DemoArgs, run};
