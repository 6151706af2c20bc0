//! The front door of Sluice: a Flight SQL server, and the `sluice` command.
//!
//! A statement walks through this crate so: [`server`] accepts `connections`, over `tls` where it
//! is set; `users`, `auth` and `sessions` say whose call it is; `service` plans the statement and
//! gives a signed `ticket` for it, or runs it when it has an effect; redeeming the ticket starts
//! the query, which `queries` lists and whose rows leave through `schema` and `stream`. Failures
//! leave through `status`. Operators `observe` all that.
//!
//! Modules import each other left to right in the order of the list below.

mod status;

mod schema;

mod handles;
mod queries;

mod stream;

mod ticket;

mod users;

mod tls;

mod auth;
mod sessions;

mod service;

mod connections;
mod observe;

pub mod pgwire;

pub mod server;

mod redaction;

pub mod compose;

pub mod demo;

pub mod cli;
