//! The search for findings in the texts of a column: by rules, and where it is asked for and the
//! session has one, by a model.

use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;

use crate::pii::detect::{Categories, Finder, Finding};
use crate::pii::names::remainder;
use crate::pii::ner::{Named, Ner};
use crate::pii::policy::Policies;

/// Finds in text after text, keeping its buffers.
#[derive(Debug)]
pub(crate) struct Search {
    wanted: Categories,
    finder: Finder,
    model: Option<Ner>,
    found: Vec<Finding>,
}

impl Search {
    /// A search for `wanted` with what the session has.
    pub(crate) fn new(wanted: Categories, config: &ConfigOptions) -> Self {
        Self::with_model(wanted, model(wanted, config))
    }

    /// A search for `wanted`, with a model if there is one.
    pub(crate) fn with_model(wanted: Categories, model: Option<Ner>) -> Self {
        Self {
            wanted,
            finder: Finder::new(wanted),
            model,
            found: Vec::new(),
        }
    }

    /// What the model finds in `texts`: nothing without one.
    ///
    /// # Errors
    /// When the model fails.
    pub(crate) fn names<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Named> {
        match &self.model {
            Some(model) => model.find(texts, self.wanted),
            None => Ok(Named::default()),
        }
    }

    /// The findings in `text`, in order and without overlap: those of rules, and of `names` what
    /// is outside of them.
    pub(crate) fn text(&mut self, text: &str, names: &[Finding]) -> &[Finding] {
        let ruled = self.finder.text(text);
        if names.is_empty() {
            return ruled;
        }
        self.found.clear();
        self.found.extend_from_slice(ruled);
        let taken: Vec<_> = ruled.iter().map(|one| one.start..one.end).collect();
        for name in names {
            self.found.extend(remainder(text, name, &taken));
        }
        self.found.sort_unstable_by_key(|finding| finding.start);
        &self.found
    }
}

/// The model of the session, if `wanted` asks for one.
pub(crate) fn model(wanted: Categories, config: &ConfigOptions) -> Option<Ner> {
    if wanted.by_model() == Categories::NONE {
        return None;
    }
    config.extensions.get::<Policies>()?.model().cloned()
}

/// Refuses what only a model finds where there is none.
///
/// # Errors
/// At planning, naming `function`.
pub(crate) fn check(function: &str, wanted: Categories, config: &ConfigOptions) -> Result<()> {
    if wanted.needs_model() && model(wanted, config).is_none() {
        return plan_err!(
            "{function} was asked for organization, which only a model finds, and the \
             configuration has none; name one under [redaction.ner], or leave out \"ner\" and \
             \"organization\""
        );
    }
    Ok(())
}
