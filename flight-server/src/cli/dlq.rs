//! `sluice dlq`: the dead letters of tables, and sending them through their pipelines again.

use std::process::ExitCode;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::{Args, Subcommand};
use futures::TryStreamExt;
use sluice_engine::error::{Error, Result};

use super::format::{Encoder, Format};
use super::literal::{literal, table_argument};
use super::output::print;
use super::run::run;
use super::signals::Signals;
use super::target::{Place, Target};

const EXAMPLES: &str = "\
Examples:
  sluice dlq list
  sluice dlq show logs --where \"error_code = 'wrong_type'\" --limit 5
  sluice dlq replay logs --dry-run
  sluice dlq replay logs --where \"ingested_at > '2026-02-05'\"

A dead letter is a record that could not be decoded, or that the pipeline's query or the table
refused. It is kept in <table>__dlq with its bytes, its position and the reason. --where is a
predicate over the columns of system.dead_letters: pipeline, topic, partition, offset, kafka_ts,
key, raw, error_code, error, ingested_at.

Replaying decodes the bytes as the stream is defined now and runs the pipeline's SELECT over them.
What gives rows is stored, once however often it is replayed; what fails again stays a dead
letter.";

/// Rows shown unless told otherwise.
const SHOWN: u64 = 100;

/// Arguments of `sluice dlq`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Count dead letters by table, pipeline and reason
    List {
        /// The table; without it all tables
        table: Option<String>,

        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show dead letters, the oldest offsets first
    Show {
        /// The table
        table: String,

        #[command(flatten)]
        choice: Choice,

        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Store the dead letters that can be decoded now
    Replay {
        /// The table
        table: String,

        #[command(flatten)]
        choice: Choice,

        /// Only say what would be stored
        #[arg(long)]
        dry_run: bool,

        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
struct Choice {
    /// Only those of which this SQL predicate holds
    #[arg(long = "where", value_name = "SQL")]
    predicate: Option<String>,

    /// So many at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Where to ask, and how to write the answer.
#[derive(Debug, Clone, Args)]
struct PlaceArgs {
    #[command(flatten)]
    target: Target,

    /// How rows are written: table, csv, json (an object a line) or arrow (an IPC stream)
    #[arg(long, value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    format: Format,
}

impl PlaceArgs {
    async fn open(self) -> Result<(Place, Format)> {
        Ok((self.target.existing()?.open().await?, self.format))
    }
}

impl DlqArgs {
    /// Lists, shows or replays.
    ///
    /// # Errors
    /// When the table does not exist, or the predicate is wrong.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut signals = Signals::listen()?;
        tokio::select! {
            outcome = self.what.run() => outcome.map(|()| ExitCode::SUCCESS),
            code = signals.next() => Ok(code),
        }
    }
}

impl What {
    async fn run(self) -> Result<()> {
        match self {
            Self::List { table, place } => {
                let (mut place, format) = place.open().await?;
                run(&mut place, &list(table.as_deref()), format).await?;
            }
            Self::Show {
                table,
                choice,
                place,
            } => {
                let (mut place, format) = place.open().await?;
                run(&mut place, &show(&table, &choice), format).await?;
            }
            Self::Replay {
                table,
                choice,
                dry_run,
                place,
            } => {
                let call = replay(&table, &choice, dry_run);
                let (mut place, format) = place.open().await?;
                let done = match dry_run {
                    true => "would be stored",
                    false => "stored",
                };
                replayed(&mut place, &call, format, done).await?;
            }
        }
        Ok(())
    }
}

fn list(table: Option<&str>) -> String {
    let only = table.map(|table| format!(" WHERE \"table\" = {}", literal(table)));
    format!(
        "SELECT \"table\", pipeline, error_code, count(*) AS records, \
         min(ingested_at) AS first, max(ingested_at) AS last, min(error) AS example \
         FROM system.dead_letters{} \
         GROUP BY \"table\", pipeline, error_code ORDER BY \"table\", pipeline, records DESC",
        only.unwrap_or_default()
    )
}

fn show(table: &str, choice: &Choice) -> String {
    let and = choice.predicate.as_ref();
    let and = and.map(|predicate| format!(" AND ({predicate})"));
    let text = |name: &str| {
        format!("coalesce(try_cast({name} AS VARCHAR), encode({name}, 'hex')) AS {name}")
    };
    format!(
        "SELECT pipeline, topic, \"partition\", \"offset\", kafka_ts, {}, {}, error_code, error, \
         ingested_at FROM (SELECT * FROM system.dead_letters WHERE \"table\" = {}{}) \
         ORDER BY topic, \"partition\", \"offset\", pipeline LIMIT {}",
        text("key"),
        text("raw"),
        literal(table),
        and.unwrap_or_default(),
        choice.limit.unwrap_or(SHOWN),
    )
}

fn replay(table: &str, choice: &Choice, dry_run: bool) -> String {
    let mut arguments = vec![table_argument(table)];
    if let Some(predicate) = &choice.predicate {
        arguments.push(format!("where => {}", literal(predicate)));
    }
    if let Some(limit) = choice.limit {
        arguments.push(format!("limit => {limit}"));
    }
    if dry_run {
        arguments.push("dry_run => true".to_owned());
    }
    format!("CALL replay({})", arguments.join(", "))
}

/// Replays, prints what became of each pipeline's dead letters, and for people the sum.
async fn replayed(place: &mut Place, call: &str, format: Format, done: &str) -> Result<()> {
    let reply = place.run(call).await?;
    let mut encoder = Encoder::new(format, &reply.schema)?;
    let outcomes: Vec<RecordBatch> = reply.batches.try_collect().await?;
    let (mut stored, mut all) = (0, 0);
    for outcome in outcomes {
        stored += sum(&outcome, "stored")?;
        all += sum(&outcome, "dead_letters")?;
        print(encoder.encode(outcome)?).await?;
    }
    print(encoder.finish()?).await?;
    if format == Format::Table {
        let summary = format!("{stored} of {all} dead letters {done}\n");
        print(summary.into_bytes()).await?;
    }
    Ok(())
}

fn sum(batch: &RecordBatch, name: &str) -> Result<u64> {
    let column = batch.column_by_name(name);
    let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| Error::internal("the answer came with other columns"))?;
    let sum = arrow::compute::sum(column).unwrap_or_default();
    Ok(u64::try_from(sum).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_one_call() {
        let choice = Choice {
            predicate: Some("error_code = 'x'".to_owned()),
            limit: Some(3),
        };
        let want = "CALL replay('\"logs\"', where => 'error_code = ''x''', limit => 3, \
                    dry_run => true)";
        assert_eq!(replay("logs", &choice, true), want);
        let all = Choice {
            predicate: None,
            limit: None,
        };
        assert_eq!(replay("logs", &all, false), "CALL replay('\"logs\"')");
    }
}
