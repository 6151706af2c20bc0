//! What is put in place of a finding, and the rules that say so for each category.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::pii::detect::{Categories, Category};

/// What is put in place of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// A mask that keeps what support needs to recognise a value, and nothing of a secret.
    Mask,
    /// The category in brackets.
    Label,
    /// The category and a keyed hash in brackets: equal values stay equal.
    Hash,
    /// Nothing.
    Remove,
}

impl Mode {
    /// Every mode, in the order of the documentation.
    pub(crate) const ALL: [Self; 4] = [Self::Mask, Self::Label, Self::Hash, Self::Remove];

    /// The name in SQL.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Label => "label",
            Self::Hash => "hash",
            Self::Remove => "remove",
        }
    }

    /// The mode called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The names of all modes, for messages.
    pub(crate) fn valid_names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// Which categories are replaced, and by what: one set of categories for each mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules([Categories; Mode::ALL.len()]);

impl Rules {
    /// No category at all.
    pub(crate) const NONE: Self = Self([Categories::NONE; Mode::ALL.len()]);

    /// One mode for all of `categories`.
    pub(crate) fn of(categories: Categories, mode: Mode) -> Self {
        Self::NONE.with(categories, mode)
    }

    /// These rules, but `mode` for `categories`.
    pub(crate) fn with(mut self, categories: Categories, mode: Mode) -> Self {
        for (other, set) in Mode::ALL.into_iter().zip(&mut self.0) {
            *set = if other == mode {
                set.and(categories)
            } else {
                set.without(categories)
            };
        }
        self
    }

    /// Every category that has a mode.
    pub(crate) fn categories(&self) -> Categories {
        self.0
            .iter()
            .fold(Categories::NONE, |all, set| all.and(*set))
    }

    /// The mode of `category`; a mask for one that has none.
    pub(crate) fn mode(&self, category: Category) -> Mode {
        let mut modes = Mode::ALL.into_iter().zip(&self.0);
        modes
            .find(|(_, set)| set.has(category))
            .map_or(Mode::Mask, |(mode, _)| mode)
    }

    /// Whether some category is replaced by a keyed hash.
    pub(crate) fn hashes(&self) -> bool {
        self.categories()
            .iter()
            .any(|one| self.mode(one) == Mode::Hash)
    }

    /// The rules as text, one category a line in a fixed order: what [`Rules::digest`] covers.
    pub(crate) fn canonical(&self) -> String {
        let mut lines: Vec<_> = self
            .categories()
            .iter()
            .map(|category| format!("{}={}\n", category.name(), self.mode(category).name()))
            .collect();
        // For these a model may be run.
        let asked = self.categories().by_model();
        lines.extend(asked.iter().map(|one| format!("{}+model\n", one.name())));
        lines.sort_unstable();
        lines.concat()
    }

    /// The first 16 hexadecimal digits of the SHA-256 hash of [`Rules::canonical`].
    pub(crate) fn digest(&self) -> String {
        let hash = Sha256::digest(self.canonical());
        let mut digits = String::with_capacity(16);
        for byte in hash.iter().take(8) {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_one_mode_for_each_category() {
        let email = Categories::NONE.with(Category::Email);
        let rules = Rules::of(Categories::TIER1, Mode::Mask).with(email, Mode::Label);
        assert_eq!(rules.mode(Category::Email), Mode::Label);
        assert_eq!(rules.mode(Category::Phone), Mode::Mask);
        assert_eq!(rules.categories(), Categories::TIER1);
        assert!(!rules.hashes());
        assert!(rules.canonical().contains("\nemail=label\n"));
        assert_eq!(rules.digest().len(), 16);
        assert_ne!(
            rules.digest(),
            Rules::of(Categories::TIER1, Mode::Mask).digest()
        );
    }
}
