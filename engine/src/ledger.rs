//! The ledger of redactions beyond the log. A table's log is cleaned after a while; what the
//! entries say of redactions is summed up before, in a property of the table, so that the sum over
//! the ledger stays what was stored since the table was made.

use std::time::{Duration, Instant};

use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::redaction::{self, Redacted};
use crate::table::{Commit, Maintained, Maintenance, Table};

/// Under which key the sums are kept.
const KEY: &str = "redactions";
/// What commits that stand for many say they are.
const OPERATION: &str = "LEDGER";
/// How long after the sums are kept the log may be cleaned: what is summed up is younger by it than
/// what is cleaned.
const SLACK: Duration = Duration::from_secs(60);

/// What was redacted up to a version.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sums {
    /// The last version summed up.
    through: u64,
    /// When it was made.
    timestamp_us: i64,
    pipelines: Vec<Sum>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sum {
    pipeline: String,
    redactions: Vec<Redacted>,
}

/// The commits that tell what was redacted in `table`, oldest first. The first ones may each stand
/// for all commits of a pipeline up to theirs.
///
/// # Errors
/// When the table cannot be read.
pub async fn told(table: &dyn Table) -> Result<Vec<Commit>> {
    let commits = table.commits().await?;
    // Read after the commits: what was cleaned in between is in the sums.
    let Some(sums) = kept(table.property(KEY).await?)? else {
        return Ok(commits);
    };
    let Sums {
        through,
        timestamp_us,
        pipelines,
    } = sums;
    let summed = pipelines.into_iter().map(|sum| Commit {
        version: through,
        timestamp_us,
        writer: sum.pipeline,
        rows: 0,
        ranges: Vec::new(),
        redactions: sum.redactions,
        operation: OPERATION.to_owned(),
    });
    let later = commits
        .into_iter()
        .filter(|commit| commit.version > through);
    Ok(summed.chain(later).collect())
}

/// Does one piece of maintenance; before the log is cleaned, what it says of redactions is kept.
///
/// # Errors
/// As [`Table::maintain`].
pub async fn maintain(table: &dyn Table, work: &Maintenance) -> Result<Maintained> {
    if let Maintenance::CleanLog { retention } = work {
        let began = Instant::now();
        sum_up(table, *retention).await?;
        if began.elapsed() >= SLACK / 2 {
            return Err(Error::unavailable(
                "the store was too slow to clean the log after what it says was kept",
            )
            .hint("it is tried again; by hand, repeat the statement"));
        }
    }
    table.maintain(work).await
}

/// Keeps what the commits older than `retention` say of redactions.
async fn sum_up(table: &dyn Table, retention: Duration) -> Result<()> {
    let found = table.property(KEY).await?;
    let before = kept(found.clone())?;
    let mut sums = before.unwrap_or_default();
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let bound = Utc::now().timestamp_micros().saturating_add(micros(SLACK));
    let bound = bound.saturating_sub(micros(retention));
    let first = found.is_none();
    let old = table.commits().await?.into_iter();
    let old = old.filter(|commit| first || commit.version > sums.through);
    let old: Vec<Commit> = old
        .take_while(|commit| commit.timestamp_us <= bound)
        .collect();
    if old.iter().all(|commit| commit.redactions.is_empty()) {
        return Ok(());
    }
    for commit in old {
        (sums.through, sums.timestamp_us) = (commit.version, commit.timestamp_us);
        if commit.redactions.is_empty() {
            continue;
        }
        let mut known = sums.pipelines.iter_mut();
        match known.find(|sum| sum.pipeline == commit.writer) {
            Some(sum) => redaction::add(&mut sum.redactions, commit.redactions),
            None => sums.pipelines.push(Sum {
                pipeline: commit.writer,
                redactions: commit.redactions,
            }),
        }
    }
    let value = serde_json::to_string(&sums)
        .map_err(|error| Error::internal(format!("the sums of a ledger: {error}")))?;
    table.set_property(KEY, found.as_deref(), &value).await
}

fn kept(found: Option<String>) -> Result<Option<Sums>> {
    let parse = |text: String| {
        serde_json::from_str(&text)
            .map_err(|error| Error::internal(format!("the sums of a ledger: {error}")))
    };
    found.map(parse).transpose()
}
