//! A row as the detectors see it: its bytes, what is wanted, and where they left off.

use super::category::Categories;
use super::finding::Finding;

/// How far the detectors have come in a row. What they leave behind they do not look at again,
/// which keeps the cost linear in the row.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// End of the last number.
    pub(super) number: usize,
    /// End of the last address.
    pub(super) address: usize,
    /// End of the last value of a key.
    pub(super) value: usize,
    /// Start of the last URL or word before an address that was read.
    pub(super) authority: usize,
}

/// A row that is being read.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// Its bytes.
    pub(super) text: &'a [u8],
    /// What is looked for.
    pub(super) wanted: Categories,
    /// How far the detectors have come.
    pub(super) progress: &'a mut Progress,
    /// What they found.
    pub(super) found: &'a mut Vec<Finding>,
}
