//! The files of a model, and what can be wrong with them.

use std::fmt;

/// The content of the files of a model, in the layout of Hugging Face.
#[derive(Clone, Copy)]
pub struct ModelFiles<'a> {
    /// `config.json`: sizes and labels.
    pub config: &'a [u8],
    /// `tokenizer.json`: how text becomes tokens.
    pub tokenizer: &'a [u8],
    /// `model.safetensors`: the weights, of 16 or 32 bits.
    pub weights: &'a [u8],
}

impl fmt::Debug for ModelFiles<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ModelFiles")
            .field("config", &self.config.len())
            .field("tokenizer", &self.tokenizer.len())
            .field("weights", &self.weights.len())
            .finish()
    }
}

/// Why a model can't be used, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFault {
    /// The file that is to blame.
    pub file: &'static str,
    /// What is wrong with it, lower case.
    pub message: String,
    /// What its owner can do.
    pub hint: String,
}

/// Names of the files.
pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";

impl ModelFault {
    pub(crate) fn new(
        file: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            file,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What candle says of the weights.
    pub(crate) fn weights(error: &candle_core::Error) -> Self {
        Self::new(
            WEIGHTS,
            first_line(&error.to_string()),
            "use the weights that were published with this config.json, as safetensors",
        )
    }
}

impl fmt::Display for ModelFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\nhint: {}", self.file, self.message, self.hint)
    }
}

impl std::error::Error for ModelFault {}

/// Messages of libraries may go on with a trace of their calls.
pub(crate) fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
