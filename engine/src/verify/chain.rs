//! The ranges of each pipeline and partition, followed through the commits.

use std::collections::BTreeMap;

use super::Place;
use super::proof::PartitionProof;
use crate::pipeline::dead_letters::REPLAY_SUFFIX;
use crate::pipeline::positions::MOVED;
use crate::source::Partition;
use crate::table::{Commit, CommitRange};

/// What the commits say of one partition as one pipeline read it.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) proof: PartitionProof,
    /// It went back once, so that records may be there several times.
    pub(super) rewound: bool,
    /// Its first commits are cleaned up.
    pub(super) cut_off: bool,
}

/// What commits say in all.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) chains: Vec<Chain>,
    /// Rows that pipelines appended.
    pub(super) appended: u64,
    /// Versions that statements appended rows in.
    pub(super) statements: Vec<u64>,
    /// Versions in which dead letters were replayed, with how many of each place.
    pub(super) replays: Vec<(u64, BTreeMap<Place, u64>)>,
    /// What took rows out.
    pub(super) removal: Option<String>,
    /// The newest version.
    pub(super) version: u64,
}

/// Reads `commits`, oldest first.
pub(super) fn follow(commits: Vec<Commit>) -> Told {
    let mut told = Told::default();
    let mut chains: BTreeMap<(String, Partition), Chain> = BTreeMap::new();
    let mut replayed: BTreeMap<(String, String, i32), u64> = BTreeMap::new();
    for commit in commits {
        told.version = told.version.max(commit.version);
        if removes_rows(&commit) {
            let Commit {
                version, operation, ..
            } = &commit;
            told.removal = Some(format!(
                "not provable: {operation} at version {version} took rows out"
            ));
        }
        if commit.ranges.is_empty() {
            if commit.rows > 0 {
                told.statements.push(commit.version);
            }
            continue;
        }
        told.appended += commit.rows;
        if let Some(pipeline) = commit.writer.strip_suffix(REPLAY_SUFFIX) {
            let mut places: BTreeMap<Place, u64> = BTreeMap::new();
            for range in &commit.ranges {
                let Partition { topic, index, .. } = &range.partition;
                let key = (pipeline.to_owned(), topic.clone(), *index);
                *replayed.entry(key).or_default() += range.stored;
                *places.entry((topic.clone(), *index)).or_default() += range.stored;
            }
            told.replays.push((commit.version, places));
            continue;
        }
        // Where a position ended, the claim beside it goes on.
        for range in commit.ranges.iter().filter(|range| range.to != MOVED) {
            step(&mut chains, &commit, range);
        }
    }
    told.chains = chains.into_values().collect();
    // The newest chain of a name has what was replayed of it.
    for chain in told.chains.iter_mut().rev() {
        let proof = &mut chain.proof;
        let key = (proof.pipeline.clone(), proof.topic.clone(), proof.partition);
        proof.replayed = replayed.remove(&key).unwrap_or(0);
    }
    told
}

fn step(chains: &mut BTreeMap<(String, Partition), Chain>, commit: &Commit, range: &CommitRange) {
    let key = (commit.writer.clone(), range.partition.clone());
    if range.from.is_none()
        && !chains.contains_key(&key)
        && let Some(former) = former(chains, &key, range.to)
        && let Some(chain) = chains.remove(&former)
    {
        // The same partition under a better name goes on where it was.
        chains.insert(key.clone(), chain);
        return;
    }
    let chain = chains.entry(key).or_insert_with(|| {
        let start = range.from.unwrap_or(range.to);
        let proof = PartitionProof {
            pipeline: commit.writer.clone(),
            topic: range.partition.topic.clone(),
            partition: range.partition.index,
            from: start,
            to: start,
            ..PartitionProof::default()
        };
        Chain {
            proof,
            ..Chain::default()
        }
    });
    chain.add(range, commit.version);
}

/// The chain that a claim of `to` under another identity continues.
fn former(
    chains: &BTreeMap<(String, Partition), Chain>,
    claim: &(String, Partition),
    to: i64,
) -> Option<(String, Partition)> {
    let (writer, Partition { topic, index, .. }) = claim;
    let same = |(other, partition): &(String, Partition)| {
        other == writer && &partition.topic == topic && partition.index == *index
    };
    let mut all = chains.iter();
    let found = all.find(|(key, chain)| same(key) && chain.proof.to == to && !chain.rewound);
    found.map(|(key, _)| key.clone())
}

impl Chain {
    fn add(&mut self, range: &CommitRange, version: u64) {
        let Self {
            proof,
            rewound,
            cut_off,
        } = self;
        let first = proof.commits == 0;
        let from = range.from.unwrap_or(range.to);
        if first && range.from.is_some() {
            *cut_off = true;
            proof.notes.push(format!(
                "not provable below offset {from}: the commits before version {version} are \
                 cleaned up"
            ));
        }
        if !first && range.from == Some(proof.to) && range.to < from {
            let to = range.to;
            proof
                .problems
                .push(format!("rewound to offset {to} at version {version}"));
            (proof.to, *rewound) = (to, true);
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
            gap,
            ..
        } = range;
        let length = u64::try_from(range.to - from).unwrap_or(0);
        if stored + rejected + filtered + missing + gap != length {
            proof.problems.push(format!(
                "version {version} accounts for less or more than {length} records"
            ));
        }
        if *gap > 0 {
            let to = range.to;
            proof.notes.push(format!(
                "recorded gap: {gap} records before offset {to} were gone at version {version}"
            ));
        }
        proof.to = range.to;
        proof.commits += 1;
        proof.stored += stored;
        proof.rejected += rejected;
        proof.filtered += filtered;
        proof.missing += missing;
        proof.gap += gap;
    }
}

fn removes_rows(commit: &Commit) -> bool {
    ["DELETE", "UPDATE", "MERGE", "RESTORE"]
        .iter()
        .any(|word| commit.operation.starts_with(word))
}
