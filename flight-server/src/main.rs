//! The `sluice` command. [`sluice_flight_server::compose`] puts the engine together, and
//! [`sluice_flight_server::cli`] holds the modes.

use std::process::ExitCode;

use clap::Parser;
use sluice_engine::runtime;
use sluice_flight_server::cli::{Cli, exit};

fn main() -> ExitCode {
    // While this is the only thread.
    sluice_connectors::kafka::keep_memory();
    let cli = Cli::parse();
    exit::status(runtime::io().and_then(|runtime| {
        let outcome = runtime.block_on(cli.run());
        // A thread that still waits for input or for a reader may not hold up the end.
        runtime.shutdown_background();
        outcome
    }))
}
