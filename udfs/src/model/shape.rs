//! What `config.json` says of a model of the BERT family.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::files::{CONFIG, ModelFault};

/// The name of a model and its sizes; DistilBERT has other names for them.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Shape {
    pub(super) model_type: String,
    pub(super) vocab_size: usize,
    #[serde(alias = "dim")]
    pub(super) hidden_size: usize,
    #[serde(alias = "n_layers")]
    pub(super) num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    pub(super) num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    pub(super) intermediate_size: usize,
    #[serde(alias = "activation")]
    pub(super) hidden_act: String,
    pub(super) max_position_embeddings: usize,
    #[serde(default = "two")]
    pub(super) type_vocab_size: usize,
    #[serde(default = "tiny")]
    pub(super) layer_norm_eps: f64,
    #[serde(default)]
    id2label: BTreeMap<String, String>,
}

/// Segments that BERT tells apart.
const fn two() -> usize {
    2
}

/// What BERT and DistilBERT add to a variance.
const fn tiny() -> f64 {
    1e-12
}

impl Shape {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// What is missing or makes no sense.
    pub(crate) fn parse(config: &[u8]) -> Result<Self, ModelFault> {
        let shape: Self = serde_json::from_slice(config).map_err(|error| {
            let hint = "it must be the configuration of a BERT or DistilBERT model";
            ModelFault::new(CONFIG, error.to_string(), hint)
        })?;
        let even = shape.num_attention_heads > 0
            && shape.hidden_size.is_multiple_of(shape.num_attention_heads);
        if !even || shape.hidden_size == 0 || shape.type_vocab_size == 0 {
            return Err(ModelFault::new(
                CONFIG,
                "the sizes do not fit each other: heads must divide the hidden size, and none be 0",
                "use the file that was published with the model",
            ));
        }
        Ok(shape)
    }

    /// The labels, by number.
    ///
    /// # Errors
    /// When there are none, or their numbers leave gaps.
    pub(crate) fn labels(&self) -> Result<Vec<String>, ModelFault> {
        let mut numbered: Vec<(usize, &String)> = Vec::new();
        for (number, label) in &self.id2label {
            numbered.extend(number.parse().ok().map(|number| (number, label)));
        }
        numbered.sort_unstable();
        let counted = numbered.iter().map(|(number, _)| *number);
        if numbered.is_empty() || !counted.eq(0..self.id2label.len()) {
            return Err(ModelFault::new(
                CONFIG,
                "\"id2label\" does not number labels from 0",
                "use a model that was trained for token classification, such as one for NER",
            ));
        }
        let labels = numbered.into_iter().map(|(_, label)| label.clone());
        Ok(labels.collect())
    }
}
