//! `VERIFY TABLE`: proves from a table's commits and its own columns that no record is missing or
//! doubled.
//!
//! For every partition that a pipeline reads: the commits' ranges join without gap from the first
//! one on; in each range, records stored, dead, filtered and missing add up to its length; the rows
//! hold as many distinct offsets as the commits say, and no offset twice unless rows are unnested;
//! and the dead-letter table holds the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::prelude::SessionContext;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::dead_letters;
use crate::statement::quote;
use crate::table::{Commit, CommitRange};

/// What was proven of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The table.
    pub table: String,
    /// One proof for each pipeline and partition.
    pub partitions: Vec<PartitionProof>,
}

/// What was proven of one partition as one pipeline read it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionProof {
    /// The pipeline.
    pub pipeline: String,
    /// The topic or file.
    pub topic: String,
    /// The partition within it.
    pub partition: i32,
    /// The first offset covered.
    pub from: i64,
    /// One past the last offset covered.
    pub to: i64,
    /// Commits that cover it.
    pub commits: u64,
    /// Records that the commits say are stored.
    pub stored: u64,
    /// Records in the dead letters, as the commits say.
    pub rejected: u64,
    /// Records that the pipeline's query left out.
    pub filtered: u64,
    /// Offsets without a record.
    pub missing: u64,
    /// Rows that the table holds.
    pub rows: u64,
    /// Distinct offsets among them.
    pub distinct: u64,
    /// What is wrong; empty when everything adds up.
    pub problems: Vec<String>,
}

impl Verification {
    /// The proofs as rows, with a `verdict` that is `ok` or says what is wrong.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when the columns do not fit, which would be a fault here.
    pub fn rows(&self) -> Result<RecordBatch> {
        let proofs = &self.partitions;
        let text = |get: &dyn Fn(&PartitionProof) -> String| -> ArrayRef {
            Arc::new(
                proofs
                    .iter()
                    .map(|proof| Some(get(proof)))
                    .collect::<StringArray>(),
            )
        };
        let number = |get: &dyn Fn(&PartitionProof) -> u64| -> ArrayRef {
            let values = proofs.iter().map(|proof| i64::try_from(get(proof)).ok());
            Arc::new(values.collect::<Int64Array>())
        };
        let offset = |get: &dyn Fn(&PartitionProof) -> i64| -> ArrayRef {
            Arc::new(proofs.iter().map(get).collect::<Int64Array>())
        };
        let partition: Int32Array = proofs.iter().map(|proof| proof.partition).collect();
        let columns = [
            ("pipeline", text(&|proof| proof.pipeline.clone())),
            ("topic", text(&|proof| proof.topic.clone())),
            ("partition", Arc::new(partition) as ArrayRef),
            ("first", offset(&|proof| proof.from)),
            ("next", offset(&|proof| proof.to)),
            ("commits", number(&|proof| proof.commits)),
            ("stored", number(&|proof| proof.stored)),
            ("dead_letters", number(&|proof| proof.rejected)),
            ("filtered", number(&|proof| proof.filtered)),
            ("missing", number(&|proof| proof.missing)),
            ("rows", number(&|proof| proof.rows)),
            (
                "duplicates",
                number(&|proof| proof.rows.saturating_sub(proof.distinct)),
            ),
            ("verdict", text(&PartitionProof::verdict)),
        ];
        let columns = columns.map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns)
            .map_err(|error| Error::internal(format!("proofs: {error}")))
    }

    /// Whether every partition adds up.
    #[must_use]
    pub fn proven(&self) -> bool {
        self.partitions
            .iter()
            .all(|partition| partition.problems.is_empty())
    }
}

impl PartitionProof {
    /// `ok`, or what is wrong.
    #[must_use]
    pub fn verdict(&self) -> String {
        if self.problems.is_empty() {
            "ok".to_owned()
        } else {
            self.problems.join("; ")
        }
    }
}

/// Verifies `name`; `context` must see the tables of `catalog`. Pipelines may write meanwhile.
///
/// # Errors
/// When the table does not exist, cannot be read, or was never written by a pipeline.
pub async fn verify(
    catalog: &Catalog,
    context: &SessionContext,
    name: &str,
) -> Result<Verification> {
    let table = catalog.table(name).await?;
    let before = table.commits().await?;
    let mut proofs = chain(&before);
    if proofs.is_empty() {
        return Err(
            Error::user(format!("no pipeline has written to table \"{name}\""))
                .hint("only rows that a pipeline stored carry the offsets that prove anything"),
        );
    }
    let rows = count(context, name, "").await?;
    let dead = format!("{name}{}", dead_letters::SUFFIX);
    let rejected = if catalog.contains(&dead) {
        count(context, &dead, ", pipeline").await?
    } else {
        Counts::new()
    };
    // Pipelines go on meanwhile: the rows counted are those of some version in between.
    let after = table.commits().await?;
    let pipelines = after.iter().filter(|commit| !commit.ranges.is_empty());
    let appended: u64 = pipelines.map(|commit| commit.rows).sum();
    let held_rows: u64 = rows.values().map(|(rows, _)| rows).sum();
    let after = chain(&after);
    let changed = before.iter().find(|commit| removes_rows(commit));
    let (least, most) = (stored_by_partition(&proofs), stored_by_partition(&after));
    for proof in &mut proofs {
        let key = (proof.topic.clone(), proof.partition, String::new());
        let (rows, distinct) = rows.get(&key).copied().unwrap_or_default();
        (proof.rows, proof.distinct) = (rows, distinct);
        let (writers, least) = least.get(&key).copied().unwrap_or_default();
        let (_, most) = most.get(&key).copied().unwrap_or_default();
        // Where several writers, or topics of one name, share the offsets, only rows can be
        // compared.
        let held = if writers > 1 { rows } else { distinct };
        if proof
            .problems
            .iter()
            .any(|problem| problem.starts_with("rewound"))
        {
            continue;
        }
        if let Some(Commit {
            version, operation, ..
        }) = changed
        {
            proof.problems.push(format!(
                "not provable: {operation} at version {version} took rows out"
            ));
        } else if held < least || held > most {
            proof.problems.push(format!(
                "the commits store {least} records, the table holds {held}"
            ));
        }
        // An unnesting query gives several rows of one record, and its commits say so.
        if writers == 1 && rows > distinct && held_rows > appended {
            proof.problems.push(format!(
                "{} rows share an offset with another",
                rows - distinct
            ));
        }
        let key = (proof.topic.clone(), proof.partition, proof.pipeline.clone());
        let (_, dead) = rejected.get(&key).copied().unwrap_or_default();
        if dead < proof.rejected {
            let lost = proof.rejected - dead;
            proof
                .problems
                .push(format!("{lost} dead letters are not in their table"));
        }
    }
    Ok(Verification {
        table: name.to_owned(),
        partitions: proofs,
    })
}

/// For each topic and partition: how many chains share it, and the records they store.
fn stored_by_partition(proofs: &[PartitionProof]) -> Counts {
    let mut sums = Counts::new();
    for proof in proofs {
        let key = (proof.topic.clone(), proof.partition, String::new());
        let (chains, stored) = sums.entry(key).or_default();
        (*chains, *stored) = (*chains + 1, *stored + proof.stored);
    }
    sums
}

fn removes_rows(commit: &Commit) -> bool {
    ["DELETE", "UPDATE", "MERGE", "RESTORE"]
        .iter()
        .any(|word| commit.operation.starts_with(word))
}

/// Follows the ranges of each pipeline and partition through the commits.
fn chain(commits: &[Commit]) -> Vec<PartitionProof> {
    let mut proofs: BTreeMap<(String, String, i32, String), PartitionProof> = BTreeMap::new();
    for commit in commits {
        for range in &commit.ranges {
            let CommitRange { partition, .. } = range;
            let key = (
                commit.writer.clone(),
                partition.topic.clone(),
                partition.index,
                partition.identity.clone(),
            );
            let proof = proofs.entry(key).or_insert_with(|| PartitionProof {
                pipeline: commit.writer.clone(),
                topic: partition.topic.clone(),
                partition: partition.index,
                from: range.from.unwrap_or(range.to),
                to: range.from.unwrap_or(range.to),
                ..PartitionProof::default()
            });
            follow(proof, range, commit.version);
        }
    }
    proofs.into_values().collect()
}

fn follow(proof: &mut PartitionProof, range: &CommitRange, version: u64) {
    let first = proof.commits == 0;
    let from = range.from.unwrap_or(range.to);
    if first && range.from.is_some() {
        proof.problems.push(format!(
            "not provable below offset {from}: the commits before version {version} are cleaned up"
        ));
    }
    if !first && range.to < from {
        let to = range.to;
        proof
            .problems
            .push(format!("rewound to offset {to} at version {version}"));
        proof.to = to;
        return;
    }
    if !first && range.from != Some(proof.to) {
        let to = proof.to;
        proof.problems.push(format!(
            "version {version} goes on at {from} where {to} comes next"
        ));
    }
    let CommitRange {
        stored,
        rejected,
        filtered,
        missing,
        ..
    } = range;
    let length = u64::try_from(range.to - from).unwrap_or(0);
    if stored + rejected + filtered + missing != length {
        proof.problems.push(format!(
            "version {version} accounts for less or more than {length} records"
        ));
    }
    proof.to = range.to;
    proof.commits += 1;
    proof.stored += stored;
    proof.rejected += rejected;
    proof.filtered += filtered;
    proof.missing += missing;
}

type Counts = BTreeMap<(String, i32, String), (u64, u64)>;

/// Rows and distinct offsets by topic and partition, and by the column in `extra`.
async fn count(context: &SessionContext, table: &str, extra: &str) -> Result<Counts> {
    let [topic, partition, offset, _] = lineage::NAMES;
    let sql = format!(
        "SELECT arrow_cast({topic}, 'Utf8') t, {partition} p, count(*) n, \
         count(DISTINCT {offset}) d{} \
         FROM {} WHERE {offset} IS NOT NULL GROUP BY {topic}, {partition}{extra}",
        if extra.is_empty() {
            ""
        } else {
            ", arrow_cast(pipeline, 'Utf8') w"
        },
        quote(table),
    );
    let mut counts = Counts::new();
    for batch in context.sql(&sql).await?.collect().await? {
        read_counts(&batch, &mut counts)
            .ok_or_else(|| Error::internal("counts came with other columns"))?;
    }
    Ok(counts)
}

fn read_counts(batch: &RecordBatch, counts: &mut Counts) -> Option<()> {
    let topics = batch.column_by_name("t")?.as_string_opt::<i32>()?;
    let partitions = batch.column_by_name("p")?.as_primitive_opt::<Int32Type>()?;
    let rows = batch.column_by_name("n")?.as_primitive_opt::<Int64Type>()?;
    let distinct = batch.column_by_name("d")?.as_primitive_opt::<Int64Type>()?;
    let writers = batch
        .column_by_name("w")
        .and_then(|w| w.as_string_opt::<i32>());
    for row in 0..batch.num_rows() {
        let writer = writers.map(|w| w.value(row).to_owned()).unwrap_or_default();
        let key = (topics.value(row).to_owned(), partitions.value(row), writer);
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        counts.insert(key, (number(rows.value(row)), number(distinct.value(row))));
    }
    Some(())
}
