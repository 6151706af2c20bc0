//! The second door: PostgreSQL's protocol, for tools that speak nothing else.
//!
//! A connection walks through these files so: [`server`] accepts it, `hello` reads its first words
//! and `account` finds out who it is; `connection` reads its messages. Statements come as text
//! (`query`) or in parts (`extended`, `statement`); those about the connection itself are told by
//! `command` and done by `local`. All others are the engine's, through the same session that Flight
//! SQL has; `catalog` is what they find in `pg_catalog`. Rows leave through `column` and `rows`;
//! failures leave through `fault`.
//!
//! Modules import each other left to right in the order of the list below.

mod fault;

mod frame;
mod wire;

mod types;
mod moment;
mod number;
mod column;
mod value;

mod account;
mod cancel;

mod words;
mod command;
mod setting;

mod rows;
mod statement;

mod catalog;
mod shared;

mod connection;
mod query;
mod extended;
mod local;

mod hello;

pub mod server;
