//! Enrichment: what is known elsewhere of an address, a domain or a key in a row.
//!
//! Nothing here reads files. [`database`], [`feed`] and [`table`] turn the content of a file into
//! data; a [`snapshot`] of them is an option of a query's configuration, where the functions find
//! it. [`ranges`] finds the network that holds an address, [`threats`] combines the feeds.
//!
//! A function answers NULL in NULL out, has NULL fields for what is no address or not known, and
//! fails no query over a row. Each distinct address of a batch is looked up once, each distinct
//! record decoded once.

pub mod fault;

pub(crate) mod address;
pub(crate) mod ranges;

pub mod database;
pub mod feed;
pub mod table;
pub(crate) mod threats;

pub mod snapshot;

pub(crate) mod rows;

crate::registry::functions! { cidr_match, geoip, ip_info, ip_trunc, lookup, threat_lookup }
