//! Token classification: which label each token of a text has, and how likely.

use candle_core::{D, Tensor};
use candle_nn::{Linear, Module, linear, ops};
use datafusion::error::{DataFusionError, Result};

use super::encoder::{self, Encoder};
use super::files::{ModelFault, ModelFiles, WEIGHTS};
use super::shape::Shape;
use super::tokens::{Place, Tokens, Window, pieces};

/// Tokens that are read together: products of matrices are then large enough, and what lies
/// between two layers still fits the cache.
const BATCH: usize = 1024;

/// An encoder with a label for each of its vectors.
#[derive(Debug)]
pub(crate) struct Classifier {
    tokens: Tokens,
    encoder: Encoder,
    head: Linear,
    labels: Vec<String>,
}

/// A token of a text.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    /// The number of the text.
    pub(crate) text: usize,
    /// Where it is.
    pub(crate) place: Place,
    /// How likely each label is; together 1.
    pub(crate) likely: &'a [f32],
}

impl Classifier {
    /// Makes a model of its files, and tries it.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn load(files: ModelFiles<'_>) -> std::result::Result<Self, ModelFault> {
        let shape = Shape::parse(files.config)?;
        let labels = shape.labels()?;
        let weights = encoder::weights(files.weights)?;
        let encoder = Encoder::load(&shape, &weights)?;
        let head = linear(encoder.width(), labels.len(), weights.pp("classifier"));
        let head = head.map_err(|error| ModelFault::weights(&error))?;
        let tokens = Tokens::parse(files.tokenizer, encoder.vocabulary(), encoder.longest())?;
        let this = Self {
            tokens,
            encoder,
            head,
            labels,
        };
        this.check()?;
        Ok(this)
    }

    /// The labels, by number.
    pub(crate) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Calls `each` with every token of every one of `texts`, in order.
    ///
    /// # Errors
    /// When the model cannot read a text, which no text should bring about.
    pub(crate) fn read<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a str>,
        each: &mut dyn FnMut(&Token<'_>),
    ) -> Result<()> {
        let mut batch = Batch::default();
        for (number, text) in texts.into_iter().enumerate() {
            for piece in pieces(text) {
                let windows = self.tokens.windows(text, &piece);
                let windows = windows.map_err(DataFusionError::External)?;
                for window in windows {
                    if batch.tokens + window.ids.len() > BATCH {
                        self.run(&mut batch, each)?;
                    }
                    batch.tokens += window.ids.len();
                    batch.windows.push((number, window));
                }
            }
        }
        self.run(&mut batch, each)
    }

    fn run(&self, batch: &mut Batch, each: &mut dyn FnMut(&Token<'_>)) -> Result<()> {
        let Batch { windows, .. } = std::mem::take(batch);
        if windows.is_empty() {
            return Ok(());
        }
        let lengths: Vec<u32> = windows
            .iter()
            .map(|(_, one)| one.ids.len() as u32)
            .collect();
        let ids: Vec<u32> = windows
            .iter()
            .flat_map(|(_, one)| &one.ids)
            .copied()
            .collect();
        let likely = self.likely(&ids, &lengths);
        let likely = likely.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let mut before = 0;
        for (text, Window { ids, kept, places }) in windows {
            for (at, place) in kept.zip(places) {
                let from = (before + at) * self.labels.len();
                let likely = likely.get(from..from + self.labels.len());
                let likely = likely.unwrap_or_default();
                each(&Token {
                    text,
                    place,
                    likely,
                });
            }
            before += ids.len();
        }
        Ok(())
    }

    /// How likely each label is for each token, token by token.
    fn likely(&self, ids: &[u32], lengths: &[u32]) -> candle_core::Result<Vec<f32>> {
        let states: Tensor = self.encoder.forward(ids, lengths)?;
        let scores = self.head.forward(&states)?;
        ops::softmax(&scores, D::Minus1)?.flatten_all()?.to_vec1()
    }

    /// Reads one text, so that weights of wrong sizes and broken numbers show at once.
    fn check(&self) -> std::result::Result<(), ModelFault> {
        let mut sane = true;
        let read = self.read(["a 1"], &mut |token| {
            sane &= token.likely.iter().all(|part| part.is_finite());
        });
        let hint = "copy the files again, and see that they are of one model";
        match read {
            Ok(()) if sane => Ok(()),
            Ok(()) => {
                let message = "the model computes what is no number";
                Err(ModelFault::new(WEIGHTS, message, hint))
            }
            Err(error) => {
                let message = super::files::first_line(&error.to_string());
                Err(ModelFault::new(WEIGHTS, message, hint))
            }
        }
    }
}

/// Windows that are read together, each with the number of its text.
#[derive(Default)]
struct Batch {
    windows: Vec<(usize, Window)>,
    tokens: usize,
}
