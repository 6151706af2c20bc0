//! Names of persons, places and organisations, as a model finds them: a token classifier whose
//! labels are written in the BIO scheme (Ramshaw & Marcus, 1995).
//!
//! The model is run for categories that are asked for by name, and only where the session has one.
//! The label of a word is that of its first token. How likely a category is is what its labels
//! have together; a finding's score is the mean over its words. No finding holds what redaction put
//! into the text, nor the quotes and brackets that give a line its structure.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::error::Result;

use crate::model::{Classifier, ModelFault, ModelFiles, Token};
use crate::pii::detect::{Categories, Category, Finding};
use crate::pii::names::{readable, remainder, taken};

/// What models call their labels, and the categories of ours that they are.
const LABELS: [(&str, Category); 9] = [
    ("PER", Category::Person),
    ("PERSON", Category::Person),
    ("LOC", Category::Address),
    ("LOCATION", Category::Address),
    ("GPE", Category::Address),
    ("FAC", Category::Address),
    ("ORG", Category::Organization),
    ("ORGANIZATION", Category::Organization),
    ("ORGANISATION", Category::Organization),
];
/// How findings of a model are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NerSettings {
    /// The lowest score of a finding, in percent.
    pub minimum_score: u8,
    /// Categories by label without `B-` and `I-`, beside the usual ones.
    pub labels: BTreeMap<String, String>,
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NerError {
    /// A file cannot be used.
    Model(ModelFault),
    /// A label is said to be a category that models do not find.
    Category {
        /// The label.
        label: String,
        /// What it is said to be.
        category: String,
    },
    /// A label that the model does not have.
    Label {
        /// The label.
        label: String,
        /// What the model has.
        known: String,
    },
    /// No label stands for a category.
    Nothing {
        /// What the model has.
        known: String,
    },
}

impl fmt::Display for NerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(fault) => fault.fmt(out),
            Self::Category { label, category } => {
                let valid = Categories::NER.iter().map(Category::name);
                let valid: Vec<_> = valid.collect();
                let valid = valid.join(", ");
                write!(
                    out,
                    "label \"{label}\" can't be \"{category}\"; valid are {valid}"
                )
            }
            Self::Label { label, known } => write!(
                out,
                "the model has no label \"{label}\"; its labels are {known}"
            ),
            Self::Nothing { known } => write!(
                out,
                "no label of the model stands for a category; its labels are {known}; say what \
                 they are under labels"
            ),
        }
    }
}

impl std::error::Error for NerError {}

/// A model that finds names. Clones share it.
#[derive(Clone)]
pub struct Ner(Arc<Inner>);

struct Inner {
    classifier: Classifier,
    /// By number of the label.
    meanings: Vec<Meaning>,
    minimum: f32,
}

/// What a label says of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning {
    /// What it is; `None` for nothing of ours.
    category: Option<Category>,
    /// Whether a name begins with it.
    begins: bool,
}

impl fmt::Debug for Ner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Ner")
            .field("meanings", &self.0.meanings)
            .finish_non_exhaustive()
    }
}

impl Ner {
    /// Makes a model of its files.
    ///
    /// # Errors
    /// What is wrong with the files, or with what `settings` say of labels.
    pub fn load(files: ModelFiles<'_>, settings: &NerSettings) -> Result<Self, NerError> {
        let classifier = Classifier::load(files).map_err(NerError::Model)?;
        let meanings = meanings(classifier.labels(), &settings.labels)?;
        Ok(Self(Arc::new(Inner {
            classifier,
            meanings,
            minimum: f32::from(settings.minimum_score) / 100.0,
        })))
    }

    /// What the model finds of `wanted` in each of `texts`. A text that occurs again is read once.
    ///
    /// # Errors
    /// When the model cannot read a text.
    pub(crate) fn find<'a>(
        &self,
        texts: impl Iterator<Item = &'a str>,
        wanted: Categories,
    ) -> Result<Named> {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut distinct: Vec<&str> = Vec::new();
        let mut named = Named::default();
        for text in texts {
            let number = text.contains(char::is_alphabetic).then(|| {
                *numbers.entry(text).or_insert_with(|| {
                    distinct.push(text);
                    distinct.len() - 1
                })
            });
            named.rows.push(number);
        }
        named.found.resize(distinct.len(), Vec::new());
        let mut reader = Reader {
            ner: &self.0,
            texts: &distinct,
            wanted: wanted.by_model(),
            found: &mut named.found,
            text: 0,
            open: None,
            inside: false,
        };
        let classifier = &self.0.classifier;
        let readable: Vec<_> = distinct.iter().map(|text| readable(text)).collect();
        classifier.read(readable.iter().map(AsRef::as_ref), &mut |token| {
            reader.token(token)
        })?;
        reader.close();
        Ok(named)
    }
}

/// Findings of a model in some rows.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// The text of each row, if it may hold a name.
    rows: Vec<Option<usize>>,
    /// By text, in order and without overlap.
    found: Vec<Vec<Finding>>,
}

impl Named {
    /// Those in `row`.
    pub(crate) fn of(&self, row: usize) -> &[Finding] {
        let text = self.rows.get(row).copied().flatten();
        let found = text.and_then(|text| self.found.get(text));
        found.map_or(&[], Vec::as_slice)
    }
}

/// What each of `labels` means, where `own` goes before what is usual.
fn meanings(labels: &[String], own: &BTreeMap<String, String>) -> Result<Vec<Meaning>, NerError> {
    let known = || labels.join(", ");
    let mut table: HashMap<String, Category> = HashMap::new();
    table.extend(LABELS.map(|(label, category)| (label.to_owned(), category)));
    for (label, category) in own {
        let mut valid = Categories::NER.iter();
        let Some(category) = valid.find(|one| one.name() == category) else {
            return Err(NerError::Category {
                label: label.clone(),
                category: category.clone(),
            });
        };
        if !labels.iter().any(|one| kind(one).0 == label.to_uppercase()) {
            return Err(NerError::Label {
                label: label.clone(),
                known: known(),
            });
        }
        table.insert(label.to_uppercase(), category);
    }
    let meaning = |label: &String| {
        let (kind, begins) = kind(label);
        Meaning {
            category: table.get(&kind).copied(),
            begins,
        }
    };
    let meanings: Vec<_> = labels.iter().map(meaning).collect();
    if meanings.iter().all(|one| one.category.is_none()) {
        return Err(NerError::Nothing { known: known() });
    }
    Ok(meanings)
}

/// A label without its place in a name, in capital letters, and whether names begin with it.
fn kind(label: &str) -> (String, bool) {
    let (place, kind) = match label.split_once(['-', '_']) {
        Some((place @ ("B" | "I" | "E" | "L" | "S" | "U"), kind)) => (place, kind),
        _ => ("I", label),
    };
    (kind.to_uppercase(), matches!(place, "B" | "S" | "U"))
}

/// Puts tokens together.
struct Reader<'a> {
    ner: &'a Inner,
    texts: &'a [&'a str],
    wanted: Categories,
    found: &'a mut Vec<Vec<Finding>>,
    /// The text of the token before.
    text: usize,
    open: Option<Open>,
    /// Whether the word before is part of what is open.
    inside: bool,
}

/// A name that may go on.
struct Open {
    category: Category,
    span: Range<usize>,
    /// How likely its words are, together.
    likely: f32,
    words: f32,
}

impl Reader<'_> {
    fn token(&mut self, token: &Token<'_>) {
        if token.text != self.text {
            self.close();
            self.text = token.text;
        }
        let place = token.place;
        if !place.first {
            if let Some(open) = self.open.as_mut().filter(|_| self.inside) {
                open.span.end = open.span.end.max(place.end);
            }
            return;
        }
        let (category, likely, begins) = self.ner.decide(token.likely);
        self.inside = category.is_some();
        match (category, &mut self.open) {
            (None, _) => self.close(),
            (Some(category), Some(open)) if open.category == category && !begins => {
                open.span.end = open.span.end.max(place.end);
                open.likely += likely;
                open.words += 1.0;
            }
            (Some(category), _) => {
                self.close();
                self.inside = true;
                self.open = Some(Open {
                    category,
                    span: place.start..place.end,
                    likely,
                    words: 1.0,
                });
            }
        }
    }

    /// Ends what is open, and reports it if it is likely enough.
    fn close(&mut self) {
        self.inside = false;
        let Some(open) = self.open.take() else { return };
        let score = open.likely / open.words;
        if score < self.ner.minimum || !self.wanted.has(open.category) {
            return;
        }
        let text = self.texts.get(self.text).copied().unwrap_or_default();
        let Some(found) = self.found.get_mut(self.text) else {
            return;
        };
        let percent = (score * 100.0).round().clamp(0.0, 100.0) as u8;
        let finding = Finding::new(open.category, open.span, (percent, "ner"));
        found.extend(remainder(text, &finding, &taken(text, &finding)));
    }
}

impl Inner {
    /// The likeliest category of a word, how likely it is, and whether a name begins there.
    fn decide(&self, likely: &[f32]) -> (Option<Category>, f32, bool) {
        let sum = |wanted: Option<Category>, begins: &[bool]| -> f32 {
            let labels = self.meanings.iter().zip(likely);
            let same = labels.filter(|(one, _)| one.category == wanted);
            let same = same.filter(|(one, _)| begins.contains(&one.begins));
            same.map(|(_, likely)| *likely).sum()
        };
        let both = [false, true];
        let mut best = (None, sum(None, &both));
        for category in Categories::NER.iter().map(Some) {
            let likely = sum(category, &both);
            if likely > best.1 {
                best = (category, likely);
            }
        }
        let begins = sum(best.0, &[true]) > sum(best.0, &[false]);
        (best.0, best.1, begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_a_place_and_a_kind() {
        for (label, want) in [
            ("B-PER", ("PER", true)),
            ("I-Loc", ("LOC", false)),
            ("U-org", ("ORG", true)),
            ("E-ORG", ("ORG", false)),
            ("PER", ("PER", false)),
            ("O", ("O", false)),
            ("ID_NUM", ("ID_NUM", false)),
        ] {
            assert_eq!(kind(label), (want.0.to_owned(), want.1), "{label}");
        }
    }
}
