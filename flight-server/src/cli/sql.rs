//! `sluice sql`: statements from the command line, a file, standard input or a prompt.

use std::io::{IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use sluice_engine::error::{Error, Result};
use tokio::task::spawn_blocking;

use super::format::Format;
use super::prompt::prompt;
use super::run::run;
use super::script::{self, Statement, statements};
use super::signals::Signals;
use super::target::Target;

const EXAMPLES: &str = "\
Examples:
  sluice sql -c \"SELECT redact('call 415-555-7890')\"
  sluice sql --data ./sluice-data
  sluice sql --url grpc://127.0.0.1:50051 -c \"SHOW PIPELINES\" --format json
  sluice sql -f report.sql --format csv > report.csv

Without --url and --data the engine is in memory and leaves nothing behind. Without -c and -f
statements come from a prompt, or from standard input when that is not a terminal. A failed
statement ends the run with exit status 1; those before it stay done.";

/// Arguments of `sluice sql`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    target: Target,

    /// Statements to run, with semicolons between them; may be repeated
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        conflicts_with = "file"
    )]
    command: Vec<String>,

    /// A file of statements to run; - is standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// How rows are written: table, csv, json (an object a line) or arrow (an IPC stream)
    #[arg(long, value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    format: Format,
}

impl SqlArgs {
    /// Runs the statements.
    ///
    /// # Errors
    /// Those of the first statement that fails.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let terminal = self.command.is_empty() && self.file.is_none() && stdin().is_terminal();
        if terminal {
            let place = self.target.open().await?;
            return Box::pin(prompt(place, self.format)).await;
        }
        let mut signals = Signals::listen()?;
        tokio::select! {
            outcome = self.run_all() => outcome,
            code = signals.next() => Ok(code),
        }
    }

    async fn run_all(self) -> Result<ExitCode> {
        let statements = match self.file.as_deref() {
            Some(path) if path != Path::new("-") => script::read(path)?,
            None if !self.command.is_empty() => {
                let texts = self.command.iter().map(|text| statements(text, None));
                texts.collect::<Result<Vec<_>>>()?.concat()
            }
            _ => standard_input().await?,
        };
        let mut place = self.target.open().await?;
        for statement in statements {
            run(&mut place, &statement.sql, self.format)
                .await
                .map_err(|error| statement.locate(error))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn standard_input() -> Result<Vec<Statement>> {
    let reading = spawn_blocking(|| {
        let mut text = String::new();
        stdin().read_to_string(&mut text).map(|_| text)
    });
    let text = reading
        .await
        .map_err(|error| Error::internal("reading met a fault").source(error))?;
    let text = text.map_err(|error| {
        Error::user(format!("cannot read standard input: {error}")).source(error)
    })?;
    statements(&text, Some("standard input"))
}
