//! The front door of Sluice: a Flight SQL server, and the `sluice` command.
//!
//! A statement walks through this crate so: [`server`] accepts a connection; `auth` and `sessions`
//! say whose call it is; `service` plans the statement and gives a signed `ticket` for it, or runs
//! it when it has an effect; redeeming the ticket starts the query, whose rows leave through
//! `schema` and `stream`. Failures leave through `status`.
//!
//! Modules import each other left to right in the order of the list below.

mod status;

mod schema;

mod stream;

mod handles;
mod ticket;

mod auth;
mod sessions;

mod service;

pub mod server;

pub mod pgwire;

mod redaction;

pub mod compose;

pub mod demo;

pub mod cli;
