//! `VERIFY TABLE`: proves from a table's commits and its own columns that no record is missing or
//! doubled.
//!
//! For every partition that a pipeline reads: the commits' ranges join without gap from the first
//! one on; in each range, records stored, dead, filtered, missing and recorded as gone add up to
//! its length; the rows hold as many distinct offsets as the commits say, and no offset twice
//! unless rows are unnested; and the dead-letter table holds the rest. What pipelines did not do
//! is told beside: rows that statements appended, and what lies before the commits that the table
//! still remembers.

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;

use crate::catalog::Catalog;
use crate::error::{Error, Kind, Result};
use crate::pipeline::dead_letters;
use crate::table::Table;

mod proof;

mod chain;
mod count;

use chain::{Chain, Told};
use count::Count;
pub use proof::{PartitionProof, Verification};

/// A topic and a partition.
type Place = (String, i32);

/// What the table holds, beside what its commits say.
#[derive(Debug, Default)]
struct Held {
    /// Rows of pipelines.
    rows: BTreeMap<Place, Count>,
    /// Rows of statements.
    statements: BTreeMap<Place, u64>,
    /// A statement's rows that cannot be told from those of pipelines.
    unclear: Option<String>,
    older: BTreeMap<Place, Older>,
    dead_letters: BTreeMap<(Place, String), u64>,
}

/// Dead letters that were replayed after the commits were cleaned up that read them first.
#[derive(Debug, Clone, Copy, Default)]
struct Older {
    /// Their rows lie below where the commits begin.
    below: u64,
    /// Their rows lie there or not: which ones they are can no longer be told.
    perhaps: u64,
}

/// Verifies `name`. Pipelines may write meanwhile: what is proven is one version.
///
/// # Errors
/// When the table does not exist, cannot be read, or was never written by a pipeline.
pub async fn verify(
    catalog: &Catalog,
    context: &SessionContext,
    name: &str,
) -> Result<Verification> {
    let table = catalog.table(name).await?;
    let mut told = chain::follow(table.commits().await?);
    if told.chains.is_empty() {
        return Err(
            Error::user(format!("no pipeline has written to table \"{name}\""))
                .hint("only rows that a pipeline stored carry the offsets that prove anything"),
        );
    }
    let mut held = count_rows(context, table.as_ref(), &told).await?;
    let dead = format!("{name}{}", dead_letters::SUFFIX);
    if catalog.contains(&dead) {
        let provider = catalog.table(&dead).await?.provider().await?;
        held.dead_letters = count::dead_letters(context, provider).await?;
    }
    compare(&mut told, &held);
    let partitions = told.chains.into_iter().map(|chain| chain.proof);
    Ok(Verification {
        table: name.to_owned(),
        partitions: partitions.collect(),
    })
}

async fn count_rows(context: &SessionContext, table: &dyn Table, told: &Told) -> Result<Held> {
    let mut held = Held::default();
    let mut statements = Vec::new();
    for version in &told.statements {
        let rows = match table.appended(*version).await {
            Ok(rows) => rows,
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Unsupported) => {
                held.unclear = Some(format!(
                    "the rows that a statement appended at version {version} can no longer be told \
                     from those of pipelines"
                ));
                continue;
            }
            Err(error) => return Err(error),
        };
        let counts = count::rows_of(context, std::sync::Arc::clone(&rows)).await?;
        if counts.is_empty() {
            continue;
        }
        for (place, count) in counts {
            *held.statements.entry(place).or_default() += count.rows;
        }
        statements.push(rows);
    }
    let mut from: BTreeMap<Place, i64> = BTreeMap::new();
    for Chain { proof, .. } in &told.chains {
        let start = from.entry(place(proof)).or_insert(proof.from);
        *start = proof.from.min(*start);
    }
    if told.chains.iter().any(|chain| chain.cut_off) {
        held.older = count_older(context, table, told, &from).await?;
    }
    let version = table.provider_at(told.version).await?;
    held.rows = count::pipeline_rows(context, version, &statements, &from).await?;
    Ok(held)
}

/// The rows of replays that lie below `from`.
async fn count_older(
    context: &SessionContext,
    table: &dyn Table,
    told: &Told,
    from: &BTreeMap<Place, i64>,
) -> Result<BTreeMap<Place, Older>> {
    let mut older: BTreeMap<Place, Older> = BTreeMap::new();
    for (version, stored) in &told.replays {
        let counts = match table.appended(*version).await {
            Ok(rows) => Some(count::pipeline_rows(context, rows, &[], from).await?),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Unsupported) => None,
            Err(error) => return Err(error),
        };
        for (place, stored) in stored {
            let older = older.entry(place.clone()).or_default();
            match &counts {
                None => older.perhaps += stored,
                Some(counts) => {
                    let count = counts.get(place).copied().unwrap_or_default();
                    older.below += stored.saturating_sub(count.distinct);
                }
            }
        }
    }
    Ok(older)
}

/// The chains that share a topic and a partition.
#[derive(Debug, Clone, Copy, Default)]
struct Sharing {
    chains: u64,
    records: u64,
    older: Older,
    cut_off: bool,
    rewound: bool,
}

fn compare(told: &mut Told, held: &Held) {
    let mut shared: BTreeMap<Place, Sharing> = BTreeMap::new();
    for chain in &told.chains {
        let sharing = shared.entry(place(&chain.proof)).or_default();
        sharing.chains += 1;
        sharing.records += chain.proof.stored + chain.proof.replayed;
        sharing.cut_off |= chain.cut_off;
        sharing.rewound |= chain.rewound;
    }
    for (place, sharing) in &mut shared {
        sharing.older = held.older.get(place).copied().unwrap_or_default();
    }
    let all: u64 = held.rows.values().map(|count| count.rows).sum();
    // An unnesting query gives several rows of one record, and its commits say so.
    let surplus = all > told.appended;
    for Chain { proof, .. } in &mut told.chains {
        let place = place(proof);
        let count = held.rows.get(&place).copied().unwrap_or_default();
        let sharing = shared.get(&place).copied().unwrap_or_default();
        (proof.rows, proof.distinct) = (count.rows, count.distinct);
        if let Some(rows) = held.statements.get(&place) {
            let note = format!("{rows} rows beside these came from statements");
            proof.notes.push(note);
        }
        if count.doubled > 0 {
            let doubled = count.doubled;
            proof.problems.push(format!(
                "{doubled} rows of statements store records that the pipeline stores too"
            ));
        }
        proof.notes.extend(held.unclear.clone());
        if sharing.rewound {
            continue;
        }
        match &told.removal {
            Some(removal) => proof.problems.push(removal.clone()),
            None => compare_rows(proof, sharing, surplus, held.unclear.is_some()),
        }
        let key = (place, proof.pipeline.clone());
        let dead = held.dead_letters.get(&key).copied().unwrap_or(0);
        if dead < proof.rejected {
            let lost = proof.rejected - dead;
            proof
                .problems
                .push(format!("{lost} dead letters are not in their table"));
        }
    }
}

fn compare_rows(proof: &mut PartitionProof, sharing: Sharing, surplus: bool, unclear: bool) {
    let Sharing {
        chains,
        records,
        older,
        cut_off,
        ..
    } = sharing;
    let PartitionProof { rows, distinct, .. } = *proof;
    if chains > 1 && cut_off {
        proof.notes.push(
            "not provable: others store the same offsets, and commits of one are cleaned up"
                .to_owned(),
        );
        return;
    }
    let records = records.saturating_sub(older.below);
    let perhaps = records.saturating_sub(distinct).min(older.perhaps);
    if older.below + perhaps > 0 {
        let (count, from) = (older.below + perhaps, proof.from);
        proof.notes.push(format!(
            "{count} replayed dead letters lie below offset {from}"
        ));
    }
    let records = records - perhaps;
    // Where several pipelines, or topics of one name, share the offsets, only rows can be compared.
    let wrong = if chains > 1 {
        rows < records || (rows > records && surplus && !unclear)
    } else {
        distinct < records || (distinct > records && !unclear)
    };
    if wrong {
        let found = if chains > 1 { rows } else { distinct };
        proof.problems.push(format!(
            "the commits store {records} records, the table holds {found}"
        ));
    }
    if chains == 1 && rows > distinct && surplus && !unclear {
        proof.problems.push(format!(
            "{} rows share an offset with another",
            rows - distinct
        ));
    }
}

fn place(proof: &PartitionProof) -> Place {
    (proof.topic.clone(), proof.partition)
}
