//! `sluice verify`: whether a table holds every record of its topics once, as an exit status too.

use std::process::ExitCode;

use arrow::array::{AsArray, RecordBatch};
use clap::Args;
use futures::TryStreamExt;
use sluice_engine::error::{Error, Result};
use sluice_engine::statement::quote;

use super::format::{Encoder, Format};
use super::output::print;
use super::signals::Signals;
use super::target::Target;

const EXAMPLES: &str = "\
Examples:
  sluice verify logs
  sluice verify logs --url grpc://127.0.0.1:50051 --format json

Each line is a partition as one pipeline read it: the offsets from first up to next are its
records, stored, dead letters, filtered or missing from the topic. The verdict is ok, or says what
does not add up. The exit status is 0 when every verdict is ok, and 1 otherwise. The data directory
is ./sluice-data unless --data names another; while a server owns it, ask the server by --url.";

/// Arguments of `sluice verify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// The table
    table: String,

    #[command(flatten)]
    target: Target,

    /// How the proof is written: table, csv, json (an object a line) or arrow (an IPC stream)
    #[arg(long, value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    format: Format,
}

impl VerifyArgs {
    /// Verifies the table and prints the proof.
    ///
    /// # Errors
    /// When the table does not exist, cannot be read, or was never written by a pipeline.
    pub(crate) async fn run(mut self) -> Result<ExitCode> {
        self.target = self.target.existing()?;
        let mut signals = Signals::listen()?;
        tokio::select! {
            outcome = self.verify() => outcome,
            code = signals.next() => Ok(code),
        }
    }

    async fn verify(self) -> Result<ExitCode> {
        let mut place = self.target.open().await?;
        let reply = place
            .run(&format!("VERIFY TABLE {}", quote(&self.table)))
            .await?;
        let mut encoder = Encoder::new(self.format, &reply.schema)?;
        let proofs: Vec<RecordBatch> = reply.batches.try_collect().await?;
        let verdicts = proofs
            .iter()
            .map(verdicts)
            .collect::<Result<Vec<_>>>()?
            .concat();
        let wrong = verdicts.iter().filter(|verdict| *verdict != "ok").count();
        for proof in proofs {
            print(encoder.encode(proof)?).await?;
        }
        print(encoder.finish()?).await?;
        if self.format == Format::Table {
            let (table, all) = (&self.table, verdicts.len());
            let summary = match wrong {
                0 => format!("proven: no record of table \"{table}\" is missing or doubled\n"),
                _ => format!("not proven: {wrong} of {all} lines of table \"{table}\" say why\n"),
            };
            print(summary.into_bytes()).await?;
        }
        Ok(if wrong == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn verdicts(proofs: &RecordBatch) -> Result<Vec<String>> {
    let column = proofs
        .column_by_name("verdict")
        .and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| Error::internal("the proofs came without a verdict"))?;
    Ok(column
        .iter()
        .map(|verdict| verdict.unwrap_or_default().to_owned())
        .collect())
}
