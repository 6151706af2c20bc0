//! Policies: named rules for redaction, chosen by `policy => 'name'`.
//!
//! [`Policies`] is an extension of the session's configuration, so that whoever composes a
//! process fills it from a file and the functions find it at planning and execution. It can't be
//! changed with `SET`: a policy is the decision of the one who runs the process.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::plan_err;
use datafusion::error::Result;

use crate::pii::detect::Categories;
use crate::pii::mode::{Mode, Rules};
use crate::pii::ner::Ner;

/// A policy as a configuration file writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyText {
    /// Categories, or names of sets of them: `tier1`, `tier2`, `all`. Empty stands for `tier1`.
    pub categories: Vec<String>,
    /// What is put in place of a finding: `mask` unless stated.
    pub mode: Option<String>,
    /// The mode of single categories or sets, which are then looked for too.
    pub modes: BTreeMap<String, String>,
}

/// Why a policy can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// A category that does not exist.
    Category {
        /// The policy.
        policy: String,
        /// What it named.
        category: String,
    },
    /// A mode that does not exist.
    Mode {
        /// The policy.
        policy: String,
        /// What it named.
        mode: String,
    },
    /// A name that belongs to a built-in policy.
    Taken {
        /// The policy.
        policy: String,
    },
    /// A name that is not a word of small letters, digits, `_` and `-`.
    Name {
        /// The policy.
        policy: String,
    },
    /// A policy that hashes where there is no key.
    Key {
        /// The policy.
        policy: String,
    },
    /// A policy with categories that only a model finds, where there is none.
    Model {
        /// The policy.
        policy: String,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Category { policy, category } => write!(
                out,
                "policy \"{policy}\" names the category \"{category}\", which does not exist; \
                 valid are {}",
                Categories::valid_names()
            ),
            Self::Mode { policy, mode } => write!(
                out,
                "policy \"{policy}\" names the mode \"{mode}\", which does not exist; valid are {}",
                Mode::valid_names()
            ),
            Self::Taken { policy } => write!(
                out,
                "policy \"{policy}\" is built in and can't be replaced; choose another name"
            ),
            Self::Name { policy } => write!(
                out,
                "policy \"{policy}\" needs a name of small letters, digits, _ and -"
            ),
            Self::Key { policy } => write!(
                out,
                "policy \"{policy}\" hashes and there is no key; set the hash key beside the \
                 policies in the configuration"
            ),
            Self::Model { policy } => write!(
                out,
                "policy \"{policy}\" names organization, which only a model finds, and there is \
                 none; set the directory of one beside the policies in the configuration"
            ),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Named rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    name: String,
    rules: Rules,
    hash: String,
}

impl Policy {
    fn new(name: &str, rules: Rules) -> Self {
        Self {
            name: name.to_owned(),
            rules,
            hash: rules.digest(),
        }
    }

    fn parse(name: &str, text: &PolicyText) -> Result<Self, PolicyError> {
        let categories = |word: &str| {
            Categories::named(word).ok_or_else(|| PolicyError::Category {
                policy: name.to_owned(),
                category: word.to_owned(),
            })
        };
        let mode = |word: &str| {
            Mode::named(word).ok_or_else(|| PolicyError::Mode {
                policy: name.to_owned(),
                mode: word.to_owned(),
            })
        };
        let default = text.mode.as_deref().map_or(Ok(Mode::Mask), mode)?;
        let mut rules = Rules::NONE;
        if text.categories.is_empty() {
            rules = rules.with(Categories::TIER1, default);
        }
        for word in &text.categories {
            rules = rules.with(categories(word)?, default);
        }
        // What is said of a category goes before what is said of a set that it is in.
        let is_set = |word: &str| Categories::SETS.iter().any(|(name, _)| *name == word);
        let (sets, single): (Vec<_>, Vec<_>) =
            text.modes.iter().partition(|(word, _)| is_set(word));
        for (word, own) in sets.into_iter().chain(single) {
            rules = rules.with(categories(word)?, mode(own)?);
        }
        Ok(Self::new(name, rules))
    }

    /// The name by which SQL chooses it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first 16 hexadecimal digits of the SHA-256 hash of its rules, which is what the ledger
    /// names: a policy that changes has another hash.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Its categories with the mode of each, by name.
    pub fn modes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let modes = |one| self.rules.mode(one).name();
        self.rules
            .categories()
            .iter()
            .map(move |one| (one.name(), modes(one)))
    }

    /// Its rules.
    pub(crate) const fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// The key of hashes. It is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HashKey(Arc<[u8]>);

impl HashKey {
    /// Takes the bytes of a key.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the key.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HashKey(..)")
    }
}

/// Every policy of a session, by name, with the key of hashes and the model that finds names. The
/// built-in policies are always
/// there: `default`, `pci`, `secrets`, `strict`.
#[derive(Clone, Debug)]
pub struct Policies {
    named: Arc<BTreeMap<String, Policy>>,
    key: Option<HashKey>,
    model: Option<Ner>,
}

impl Policies {
    /// The built-in policies and those of `texts`.
    ///
    /// # Errors
    /// Fails on an unknown category or mode, a name that is taken or no name, and on a policy that
    /// hashes without `key` or needs a model.
    pub fn parse(
        texts: &BTreeMap<String, PolicyText>,
        key: Option<HashKey>,
    ) -> Result<Self, PolicyError> {
        Self::with_model(texts, key, None)
    }

    /// As [`Policies::parse`], with a model that finds names.
    ///
    /// # Errors
    /// As [`Policies::parse`], but for policies that need a model.
    pub fn with_model(
        texts: &BTreeMap<String, PolicyText>,
        key: Option<HashKey>,
        model: Option<Ner>,
    ) -> Result<Self, PolicyError> {
        let mut named = built_in();
        for (name, text) in texts {
            let policy = name.to_owned();
            let letter = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
            };
            if name.is_empty() || !name.bytes().all(letter) {
                return Err(PolicyError::Name { policy });
            }
            let parsed = Policy::parse(name, text)?;
            if parsed.rules.hashes() && key.is_none() {
                return Err(PolicyError::Key { policy });
            }
            if parsed.rules.categories().needs_model() && model.is_none() {
                return Err(PolicyError::Model { policy });
            }
            if named
                .insert(policy.clone(), parsed)
                .is_some_and(|old| is_built_in(&old.name))
            {
                return Err(PolicyError::Taken { policy });
            }
        }
        Ok(Self {
            named: Arc::new(named),
            key,
            model,
        })
    }

    /// The policies in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.named.values()
    }

    /// The policy called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.named.get(name)
    }

    /// The key of hashes, where there is one.
    pub(crate) const fn key(&self) -> Option<&HashKey> {
        self.key.as_ref()
    }

    /// The model that finds names, where there is one.
    pub(crate) const fn model(&self) -> Option<&Ner> {
        self.model.as_ref()
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            named: Arc::new(built_in()),
            key: None,
            model: None,
        }
    }
}

/// Names of the built-in policies.
const BUILT_IN: [&str; 4] = ["default", "pci", "secrets", "strict"];

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

fn built_in() -> BTreeMap<String, Policy> {
    let set = |names: &[&str]| {
        let sets = names.iter().filter_map(|name| Categories::named(name));
        sets.fold(Categories::NONE, Categories::and)
    };
    let both = Categories::TIER1.and(Categories::TIER2);
    let secrets = [
        "password",
        "auth_header",
        "jwt",
        "private_key",
        "cloud_token",
    ];
    let rules = [
        Rules::of(Categories::TIER1, Mode::Mask),
        Rules::of(set(&["credit_card", "card_track", "cvv"]), Mode::Mask),
        Rules::of(set(&secrets), Mode::Mask),
        Rules::of(both, Mode::Label),
    ];
    let policies = BUILT_IN.into_iter().zip(rules);
    policies
        .map(|(name, rules)| (name.to_owned(), Policy::new(name, rules)))
        .collect()
}

impl ConfigExtension for Policies {
    const PREFIX: &'static str = "sluice_pii";
}

impl ExtensionOptions for Policies {
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
            "\"{}.{key}\" can't be set: policies stand in the configuration of the process",
            Self::PREFIX
        )
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |policy: &Policy| ConfigEntry {
            key: format!("{}.{}", Self::PREFIX, policy.name),
            value: Some(policy.hash.clone()),
            description: "hash of the rules of this policy",
        };
        self.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(categories: &[&str], modes: &[(&str, &str)]) -> PolicyText {
        PolicyText {
            categories: categories.iter().map(|&one| one.to_owned()).collect(),
            mode: None,
            modes: modes
                .iter()
                .map(|&(one, mode)| (one.to_owned(), mode.to_owned()))
                .collect(),
        }
    }

    fn parse(name: &str, text: PolicyText, key: Option<HashKey>) -> Result<Policies, PolicyError> {
        Policies::parse(&BTreeMap::from([(name.to_owned(), text)]), key)
    }

    #[test]
    fn a_policy_is_its_rules() {
        let bank = text(
            &["credit_card", "email"],
            &[("email", "hash"), ("vin", "remove")],
        );
        let key = HashKey::new(b"k");
        let sets = text(&[], &[("email", "label"), ("tier1", "remove")]);
        let sets = parse("sets", sets, None).unwrap();
        let modes: BTreeMap<_, _> = sets.get("sets").unwrap().modes().collect();
        assert_eq!((modes["email"], modes["phone"]), ("label", "remove"));
        let policies = parse("bank", bank, Some(key)).unwrap();
        let bank = policies.get("bank").unwrap();
        let want = [
            ("credit_card", "mask"),
            ("email", "hash"),
            ("vin", "remove"),
        ];
        assert_eq!(bank.modes().collect::<Vec<_>>(), want);
        assert_eq!(bank.hash().len(), 16);
        let names: Vec<_> = policies.iter().map(Policy::name).collect();
        assert_eq!(names, ["bank", "default", "pci", "secrets", "strict"]);
        assert_eq!(format!("{:?}", policies.key()), "Some(HashKey(..))");
    }

    #[test]
    fn an_error_names_the_way_out() {
        let cases = [
            (
                "a",
                text(&["emial"], &[]),
                "\"emial\", which does not exist; valid are credit_card",
            ),
            (
                "a",
                text(&[], &[("email", "blur")]),
                "valid are mask, label, hash, remove",
            ),
            ("a", text(&[], &[("email", "hash")]), "set the hash key"),
            (
                "a",
                text(&["ner"], &[]),
                "set the directory of one beside the policies",
            ),
            ("pci", text(&[], &[]), "choose another name"),
            ("A b", text(&[], &[]), "small letters"),
        ];
        for (name, text, want) in cases {
            let error = parse(name, text, None).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
        let error = Policies::default()
            .set("bank", "x")
            .unwrap_err()
            .to_string();
        assert!(error.contains("configuration of the process"), "{error}");
    }
}
