//! The ledger: how many findings of which category were replaced under which rules.
//!
//! Whoever wants the counts puts a [`Ledger`] into the session's configuration and empties it with
//! [`Ledger::take`], say with every commit. Clones share their counts. Without a ledger the
//! functions count nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::plan_err;
use datafusion::error::Result;

use crate::pii::detect::Category;

/// How many findings of one category were replaced under one set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Hash of the rules, as [`Policy::hash`](crate::pii::policy::Policy::hash) has it.
    pub policy_hash: String,
    /// Name of the category.
    pub category: &'static str,
    /// How many findings.
    pub count: u64,
}

/// Counts of replaced findings, shared by its clones.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    counts: Arc<Mutex<BTreeMap<(String, Category), u64>>>,
}

impl Ledger {
    /// Empties the ledger: what was counted since the last call, by policy and category.
    #[must_use]
    pub fn take(&self) -> Vec<Redaction> {
        let counts = std::mem::take(&mut *self.lock());
        let redaction = |((policy_hash, category), count): ((String, Category), u64)| Redaction {
            policy_hash,
            category: category.name(),
            count,
        };
        counts.into_iter().map(redaction).collect()
    }

    /// Adds what one call replaced.
    pub(crate) fn add(&self, policy_hash: &str, counts: &Counts) {
        let mut held = self.lock();
        for (category, count) in counts.iter() {
            *held.entry((policy_hash.to_owned(), category)).or_default() += count;
        }
    }

    /// Counts are whole after every addition, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Category), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many findings of each category one call replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts([u64; Category::ALL.len()]);

impl Counts {
    /// Nothing yet.
    pub(crate) const NONE: Self = Self([0; Category::ALL.len()]);

    /// Counts one finding.
    pub(crate) fn add(&mut self, category: Category) {
        if let Some(count) = self.0.get_mut(category as usize) {
            *count += 1;
        }
    }

    /// The categories that were found, with how often.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Category, u64)> {
        let all = Category::ALL.iter().copied().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }
}

impl ConfigExtension for Ledger {
    const PREFIX: &'static str = "sluice_pii_ledger";
}

impl ExtensionOptions for Ledger {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        plan_err!(
            "\"{}.{key}\" can't be set: the ledger has no options",
            Self::PREFIX
        )
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_counts_until_they_are_taken() {
        let ledger = Ledger::default();
        let mut counts = Counts::NONE;
        counts.add(Category::Email);
        counts.add(Category::Email);
        counts.add(Category::Phone);
        ledger.clone().add("h", &counts);
        ledger.add("h", &counts);
        let taken = ledger.take();
        let taken: Vec<_> = taken.iter().map(|one| (one.category, one.count)).collect();
        assert_eq!(taken, [("email", 4), ("phone", 2)]);
        assert!(ledger.take().is_empty());
    }
}
