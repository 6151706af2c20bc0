//! What VERIFY TABLE found out, and how it is shown.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};

use crate::error::{Error, Result};

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
    /// Records that were gone before they were read, as recorded.
    pub gap: u64,
    /// Dead letters that were stored later.
    pub replayed: u64,
    /// Rows that the table holds of the offsets covered.
    pub rows: u64,
    /// Distinct offsets among them.
    pub distinct: u64,
    /// What is wrong; empty when everything adds up.
    pub problems: Vec<String>,
    /// What is to be known beside: gaps, what lies before the proof, rows of other origin.
    pub notes: Vec<String>,
}

impl Verification {
    /// The proofs as rows, with a `verdict` that is `ok` or says what is wrong.
    ///
    /// # Errors
    /// [`crate::error::Kind::Internal`] when the columns do not fit, which would be a fault here.
    pub fn rows(&self) -> Result<RecordBatch> {
        let proofs = &self.partitions;
        let text = |get: &dyn Fn(&PartitionProof) -> String| -> ArrayRef {
            let texts = proofs.iter().map(|proof| Some(get(proof)));
            Arc::new(texts.collect::<StringArray>())
        };
        let number = |get: &dyn Fn(&PartitionProof) -> u64| -> ArrayRef {
            let values = proofs.iter().map(|proof| i64::try_from(get(proof)).ok());
            Arc::new(values.collect::<Int64Array>())
        };
        let offset = |get: &dyn Fn(&PartitionProof) -> i64| -> ArrayRef {
            Arc::new(proofs.iter().map(get).collect::<Int64Array>())
        };
        let partition: Int32Array = proofs.iter().map(|proof| proof.partition).collect();
        let duplicates = |proof: &PartitionProof| proof.rows.saturating_sub(proof.distinct);
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
            ("gap", number(&|proof| proof.gap)),
            ("replayed", number(&|proof| proof.replayed)),
            ("rows", number(&|proof| proof.rows)),
            ("duplicates", number(&duplicates)),
            ("verdict", text(&PartitionProof::verdict)),
            ("notes", text(&|proof| proof.notes.join("; "))),
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
