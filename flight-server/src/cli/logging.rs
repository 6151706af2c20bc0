//! The log: lines on standard error, as many as `--log` or `RUST_LOG` asks for.

use std::io::{IsTerminal, stderr};

use sluice_engine::error::{Error, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Libraries that tell every step of their work as if it were news; `filter` may ask them to.
const QUIET: &str = "buoyant_kernel=warn,deltalake_core=warn";
/// Warns with every commit of dead letters that their bytes have no statistics.
const SILENT: &str = "deltalake_core::writer::stats=error";

/// Starts the log with `filter`, such as `info` or `warn,sluice_engine=debug`.
///
/// # Errors
/// When `filter` is not one.
pub(crate) fn start(filter: &str) -> Result<()> {
    let parse = |text: &str| {
        EnvFilter::try_new(text).map_err(|error| {
            Error::user(format!("\"{filter}\" is not a log filter: {error}"))
                .hint("write it like 'info' or 'warn,sluice_engine=debug'")
                .source(error)
        })
    };
    let asked = parse(filter)?.max_level_hint();
    let parsed = if asked >= Some(LevelFilter::INFO) {
        parse(&format!("{QUIET},{SILENT},{filter}"))?
    } else if asked >= Some(LevelFilter::ERROR) {
        parse(&format!("{SILENT},{filter}"))?
    } else {
        parse(filter)?
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    log.try_init()
        .map_err(|error| Error::internal(format!("cannot start the log: {error}")))
}
