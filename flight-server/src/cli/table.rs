//! `sluice table`: maintenance of a table by hand, as `CALL` does it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use sluice_engine::error::Result;

use super::format::Format;
use super::literal::{literal, table_argument};
use super::run::run;
use super::signals::Signals;
use super::target::Target;

const EXAMPLES: &str = "\
Examples:
  sluice table optimize logs --zorder source,severity
  sluice table vacuum logs --retention 7days --dry-run
  sluice table checkpoint logs --url grpc://127.0.0.1:50051

A running server does all of this by itself for the tables of its pipelines.";

/// Arguments of `sluice table`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TableArgs {
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Clone, Subcommand)]
enum Work {
    /// Merge small files into large ones
    Optimize {
        #[command(flatten)]
        on: On,

        /// Sort rows by these columns along a Z-order curve
        #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
        zorder: Vec<String>,

        /// Leave files of at least this size alone, such as 128MiB
        #[arg(long, value_name = "SIZE")]
        target_size: Option<String>,

        /// Only partitions of which this SQL predicate holds
        #[arg(long = "where", value_name = "SQL")]
        predicate: Option<String>,
    },
    /// Delete files that no version of the table names any longer
    Vacuum {
        #[command(flatten)]
        on: On,

        /// Keep the files of versions younger than this, such as 7days
        #[arg(long, value_name = "TIME")]
        retention: Option<String>,

        /// Only say what would be deleted
        #[arg(long)]
        dry_run: bool,

        /// Look for files that no commit ever named, too
        #[arg(long)]
        full: bool,

        /// Take a retention that may harm queries and writers
        #[arg(long)]
        force: bool,
    },
    /// Sum the table's log up, so that it opens faster
    Checkpoint {
        #[command(flatten)]
        on: On,
    },
}

/// Which table, where, and how the answer is written.
#[derive(Debug, Clone, Args)]
struct On {
    /// The table
    table: String,

    #[command(flatten)]
    target: Target,

    /// How rows are written: table, csv, json (an object a line) or arrow (an IPC stream)
    #[arg(long, value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    format: Format,
}

impl TableArgs {
    /// Does the work and prints what it did.
    ///
    /// # Errors
    /// When the table does not exist, or an argument is wrong.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let work = async {
            let (on, call) = self.work.call();
            let mut place = on.target.existing()?.open().await?;
            run(&mut place, &call, on.format).await
        };
        tokio::select! {
            outcome = work => outcome.map(|_| ExitCode::SUCCESS),
            code = signals.next() => Ok(code),
        }
    }
}

impl Work {
    /// The `CALL` that does it.
    fn call(self) -> (On, String) {
        let (name, on, arguments) = match self {
            Self::Optimize {
                on,
                zorder,
                target_size,
                predicate,
            } => {
                let columns: Vec<String> = zorder.iter().map(|name| literal(name)).collect();
                let zorder = (!columns.is_empty())
                    .then(|| format!("zorder => ARRAY[{}]", columns.join(", ")));
                let size = target_size.map(|size| format!("target_size => {}", literal(&size)));
                let only = predicate.map(|only| format!("where => {}", literal(&only)));
                ("optimize", on, [zorder, size, only, None])
            }
            Self::Vacuum {
                on,
                retention,
                dry_run,
                full,
                force,
            } => {
                let retention = retention.map(|time| format!("retention => {}", literal(&time)));
                let flag = |on: bool, name: &str| on.then(|| format!("{name} => true"));
                let flags = [
                    retention,
                    flag(dry_run, "dry_run"),
                    flag(full, "full"),
                    flag(force, "force"),
                ];
                ("vacuum", on, flags)
            }
            Self::Checkpoint { on } => ("checkpoint", on, [None, None, None, None]),
        };
        let table = Some(table_argument(&on.table));
        let all: Vec<String> = [table].into_iter().chain(arguments).flatten().collect();
        (on, format!("CALL {name}({})", all.join(", ")))
    }
}
