//! The arguments of `sluice`, and the way to the mode they name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sluice_engine::error::Result;

use super::dlq::DlqArgs;
use super::functions::FunctionsArgs;
use super::hash_password::HashPasswordArgs;
use super::logging;
use super::serve::ServeArgs;
use super::sql::SqlArgs;
use super::table::TableArgs;
use super::verify::VerifyArgs;
use crate::demo::{self, DemoArgs};

const EXAMPLES: &str = "\
Examples:
  sluice demo --for 2m                                   the main job on generated logs
  sluice sql -c \"SELECT redact('call 415-555-7890')\"     one statement, nothing running
  sluice serve --init init.sql                           a server over ./sluice-data
  sluice sql --url grpc://127.0.0.1:50051                a prompt on a server";

/// A SQL query engine for logs: Kafka to tables to Arrow Flight SQL.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to log on standard error, such as info or warn,sluice_engine=debug
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    log: Option<String>,

    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Run the server: pipelines, tables and Flight SQL
    Serve(Box<ServeArgs>),
    /// Run SQL, on a server or on an engine in this process
    Sql(Box<SqlArgs>),
    /// Run the main job on generated logs and answer questions about them
    Demo(Box<DemoArgs>),
    /// Prove that a table holds every record of its topics once
    Verify(Box<VerifyArgs>),
    /// List, show and replay dead letters: records that did not reach their table
    Dlq(Box<DlqArgs>),
    /// Maintain a table by hand
    Table(Box<TableArgs>),
    /// Show the SQL functions
    Functions(FunctionsArgs),
    /// Hash a password, or make an API key, for the configuration of a server
    HashPassword(HashPasswordArgs),
}

impl Cli {
    /// Runs the mode to its end; gives the exit status.
    ///
    /// # Errors
    /// What the mode failed at.
    pub async fn run(self) -> Result<ExitCode> {
        // A server reports what it does; elsewhere only trouble is worth a line.
        let usual = if matches!(self.mode, Mode::Serve(_)) {
            "info"
        } else {
            "warn"
        };
        logging::start(self.log.as_deref().unwrap_or(usual))?;
        match self.mode {
            Mode::Serve(args) => Box::pin(args.run()).await,
            Mode::Sql(args) => Box::pin(args.run()).await,
            Mode::Demo(args) => Box::pin(demo::run(*args)).await.map(|()| ExitCode::SUCCESS),
            Mode::Verify(args) => Box::pin(args.run()).await,
            Mode::Dlq(args) => Box::pin(args.run()).await,
            Mode::Table(args) => Box::pin(args.run()).await,
            Mode::Functions(args) => args.run().await,
            Mode::HashPassword(args) => args.run().await,
        }
    }
}
