//! Encoders of the BERT family: BERT (Devlin et al., 2018, arXiv 1810.04805) and DistilBERT (Sanh
//! et al., 2019, arXiv 1910.01108), which differ in names only once segments are left out.
//!
//! Sequences are packed: tokens of all of them are the rows of one matrix, and only attention
//! looks at where one ends. Queries, keys and values come of one product.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::attention::flash_attn_varlen_cpu;
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, layer_norm, linear};

use super::files::{CONFIG, ModelFault, WEIGHTS};
use super::gelu::Gelu;
use super::shape::Shape;

/// Turns tokens into vectors.
#[derive(Debug)]
pub(crate) struct Encoder {
    words: Tensor,
    /// Positions, with the first segment added: a text is one segment.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    heads: usize,
    width: usize,
    longest: usize,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values of all heads.
    input: Linear,
    output: Linear,
    output_norm: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
    down_norm: LayerNorm,
}

#[derive(Clone, Copy, Debug)]
enum Activation {
    /// With the error function.
    Gelu,
    /// With a hyperbolic tangent in its place.
    GeluTanh,
    Relu,
}

/// Names of the parts of a model.
struct Names {
    layer: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    output: &'static str,
    output_norm: &'static str,
    up: &'static str,
    down: &'static str,
    down_norm: &'static str,
    /// Whether there are embeddings of segments.
    segments: bool,
}

const BERT: Names = Names {
    layer: "encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    output_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    down_norm: "output.LayerNorm",
    segments: true,
};

const DISTILBERT: Names = Names {
    layer: "transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    output: "attention.out_lin",
    output_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    down_norm: "output_layer_norm",
    segments: false,
};

impl Encoder {
    /// An encoder of this shape with the weights of `all`, whose names may begin with the type of
    /// the model.
    ///
    /// # Errors
    /// When the model is of another family, or a weight is missing or of another size.
    pub(crate) fn load(
        shape: &Shape,
        all: &VarBuilder<'_>,
    ) -> std::result::Result<Self, ModelFault> {
        let names = match shape.model_type.as_str() {
            "bert" => BERT,
            "distilbert" => DISTILBERT,
            other => {
                return Err(ModelFault::new(
                    CONFIG,
                    format!("\"model_type\" is \"{other}\""),
                    "use a model of the type \"bert\" or \"distilbert\"",
                ));
            }
        };
        let activation = match shape.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            other => {
                return Err(ModelFault::new(
                    CONFIG,
                    format!("the activation is \"{other}\""),
                    "use a model with \"gelu\", \"gelu_new\" or \"relu\"",
                ));
            }
        };
        let named = all.pp(&shape.model_type);
        let first = "embeddings.word_embeddings.weight";
        let own = match named.contains_tensor(first) {
            true => named,
            false if all.contains_tensor(first) => all.clone(),
            false => {
                return Err(ModelFault::new(
                    WEIGHTS,
                    format!("there is no tensor \"{}.{first}\"", shape.model_type),
                    "use the weights that were published with this config.json",
                ));
            }
        };
        Self::read(shape, &names, activation, &own).map_err(|error| ModelFault::weights(&error))
    }

    fn read(
        shape: &Shape,
        names: &Names,
        activation: Activation,
        weights: &VarBuilder<'_>,
    ) -> Result<Self> {
        let (width, longest) = (shape.hidden_size, shape.max_position_embeddings);
        let table = weights.pp("embeddings");
        let words = table.get((shape.vocab_size, width), "word_embeddings.weight")?;
        let mut positions = table.get((longest, width), "position_embeddings.weight")?;
        if names.segments {
            let size = (shape.type_vocab_size, width);
            let segments = table.get(size, "token_type_embeddings.weight")?;
            positions = positions.broadcast_add(&segments.narrow(0, 0, 1)?)?;
        }
        let layers = (0..shape.num_hidden_layers).map(|number| {
            let weights = weights.pp(names.layer).pp(number);
            Layer::read(shape, names, activation, &weights)
        });
        Ok(Self {
            words,
            positions,
            norm: layer_norm(width, shape.layer_norm_eps, table.pp("LayerNorm"))?,
            layers: layers.collect::<Result<_>>()?,
            heads: shape.num_attention_heads,
            width,
            longest,
        })
    }

    /// How many tokens a sequence may have.
    pub(crate) const fn longest(&self) -> usize {
        self.longest
    }

    /// How many different tokens there are.
    pub(crate) fn vocabulary(&self) -> usize {
        self.words.dim(0).unwrap_or(0)
    }

    /// The size of a vector.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// One vector for each of `ids`, in which sequences of `lengths` follow each other.
    ///
    /// # Errors
    /// On a token that is not in the vocabulary, or a sequence that is too long.
    pub(crate) fn forward(&self, ids: &[u32], lengths: &[u32]) -> Result<Tensor> {
        let places: Vec<u32> = lengths.iter().flat_map(|length| 0..*length).collect();
        let index = |numbers: &[u32]| Tensor::new(numbers, &Device::Cpu);
        let words = self.words.index_select(&index(ids)?, 0)?;
        let places = self.positions.index_select(&index(&places)?, 0)?;
        let mut states = self.norm.forward(&(words + places)?)?;
        let sequences = Sequences {
            lengths: index(lengths)?,
            longest: lengths.iter().copied().max().unwrap_or(0) as usize,
            heads: self.heads,
        };
        for layer in &self.layers {
            states = layer.forward(&states, &sequences)?;
        }
        Ok(states)
    }
}

/// Where sequences end, and how attention is divided.
struct Sequences {
    lengths: Tensor,
    longest: usize,
    heads: usize,
}

impl Layer {
    fn read(
        shape: &Shape,
        names: &Names,
        activation: Activation,
        weights: &VarBuilder<'_>,
    ) -> Result<Self> {
        let (width, inner) = (shape.hidden_size, shape.intermediate_size);
        let inputs = [names.query, names.key, names.value];
        let part = |name: &&str| weights.pp(name).get((width, width), "weight");
        let bias = |name: &&str| weights.pp(name).get(width, "bias");
        let parts = inputs.iter().map(part).collect::<Result<Vec<_>>>()?;
        let biases = inputs.iter().map(bias).collect::<Result<Vec<_>>>()?;
        let input = Linear::new(Tensor::cat(&parts, 0)?, Some(Tensor::cat(&biases, 0)?));
        let norm = |name| layer_norm(width, shape.layer_norm_eps, weights.pp(name));
        Ok(Self {
            input,
            output: linear(width, width, weights.pp(names.output))?,
            output_norm: norm(names.output_norm)?,
            up: linear(width, inner, weights.pp(names.up))?,
            activation,
            down: linear(inner, width, weights.pp(names.down))?,
            down_norm: norm(names.down_norm)?,
        })
    }

    fn forward(&self, states: &Tensor, sequences: &Sequences) -> Result<Tensor> {
        let (tokens, width) = states.dims2()?;
        let (heads, longest) = (sequences.heads, sequences.longest);
        let size = width / heads;
        let inputs = self.input.forward(states)?;
        let inputs = inputs.reshape((tokens, 3 * heads, size))?;
        let part = |number: usize| inputs.narrow(1, number * heads, heads)?.contiguous();
        let lengths = &sequences.lengths;
        let scale = 1.0 / (size as f32).sqrt();
        let attended = flash_attn_varlen_cpu(
            &part(0)?,
            &part(1)?,
            &part(2)?,
            None,
            lengths,
            lengths,
            longest,
            longest,
            scale,
            false,
            None,
            None,
        )?;
        let attended = attended.reshape((tokens, width))?;
        let states = (self.output.forward(&attended)? + states)?;
        let states = self.output_norm.forward(&states)?;
        let inner = self.up.forward(&states)?;
        let inner = match self.activation {
            Activation::Gelu => inner.apply_op1_no_bwd(&Gelu)?,
            Activation::GeluTanh => inner.gelu()?,
            Activation::Relu => inner.relu()?,
        };
        let states = (self.down.forward(&inner)? + states)?;
        self.down_norm.forward(&states)
    }
}

/// The weights of `file`, as numbers of 32 bits.
///
/// # Errors
/// When it is not a whole safetensors file.
pub(super) fn weights(file: &[u8]) -> std::result::Result<VarBuilder<'_>, ModelFault> {
    VarBuilder::from_slice_safetensors(file, DType::F32, &Device::Cpu).map_err(|error| {
        let message = super::files::first_line(&error.to_string());
        let hint = "copy the whole file again; weights in other formats must be converted";
        ModelFault::new(WEIGHTS, format!("not a safetensors file: {message}"), hint)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_transformers::models::{bert, distilbert};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use serde_json::{Value, json};

    use super::*;

    const WIDTH: usize = 16;
    const INNER: usize = 24;
    const LENGTHS: [u32; 4] = [5, 1, 9, 3];

    fn config(kind: &str) -> Value {
        let (hidden, layers, heads, inner, act) = match kind {
            "bert" => (
                "hidden_size",
                "num_hidden_layers",
                "num_attention_heads",
                "intermediate_size",
                "hidden_act",
            ),
            _ => ("dim", "n_layers", "n_heads", "hidden_dim", "activation"),
        };
        // The other DistilBERT has another function for "gelu".
        let function = if kind == "bert" { "gelu" } else { "relu" };
        json!({
            "model_type": kind, "vocab_size": 30, "max_position_embeddings": 12,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1,
            "initializer_range": 0.02, "pad_token_id": 0,
            hidden: WIDTH, layers: 2, heads: 4, inner: INNER, act: function,
        })
    }

    /// Weights by chance, the same at every run.
    fn tensors(kind: &str) -> HashMap<String, Tensor> {
        let names = if kind == "bert" { BERT } else { DISTILBERT };
        let mut random = StdRng::seed_from_u64(7);
        let mut all = HashMap::new();
        let mut put = |name: String, shape: &[usize]| {
            let count = shape.iter().product();
            let numbers: Vec<f32> = (0..count).map(|_| random.random_range(-0.5..0.5)).collect();
            let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap();
            all.insert(format!("{kind}.{name}"), tensor);
        };
        put("embeddings.word_embeddings.weight".into(), &[30, WIDTH]);
        put("embeddings.position_embeddings.weight".into(), &[12, WIDTH]);
        put(
            "embeddings.token_type_embeddings.weight".into(),
            &[2, WIDTH],
        );
        let mut norms = vec!["embeddings.LayerNorm".to_owned()];
        for layer in 0..2 {
            let name = |part: &str| format!("{}.{layer}.{part}", names.layer);
            let square = [names.query, names.key, names.value, names.output];
            let parts = square.map(|part| (part, WIDTH, WIDTH)).into_iter();
            for (part, from, to) in
                parts.chain([(names.up, WIDTH, INNER), (names.down, INNER, WIDTH)])
            {
                put(format!("{}.weight", name(part)), &[to, from]);
                put(format!("{}.bias", name(part)), &[to]);
            }
            norms.extend([names.output_norm, names.down_norm].map(name));
        }
        for norm in norms {
            put(format!("{norm}.weight"), &[WIDTH]);
            put(format!("{norm}.bias"), &[WIDTH]);
        }
        all
    }

    #[test]
    fn packed_sequences_read_as_other_implementations_read_each() {
        for kind in ["bert", "distilbert"] {
            let weights = VarBuilder::from_tensors(tensors(kind), DType::F32, &Device::Cpu);
            let shape = Shape::parse(config(kind).to_string().as_bytes()).unwrap();
            let encoder = Encoder::load(&shape, &weights).unwrap();
            let count: u32 = LENGTHS.iter().sum();
            let ids: Vec<u32> = (0..count).map(|id| id * 7 % 30).collect();
            let packed = encoder.forward(&ids, &LENGTHS).unwrap();
            let mut start = 0;
            for length in LENGTHS.map(|length| length as usize) {
                let one = Tensor::new(&ids[start..start + length], &Device::Cpu).unwrap();
                let one = one.unsqueeze(0).unwrap();
                let other = match kind {
                    "bert" => {
                        let config = serde_json::from_value(config(kind)).unwrap();
                        let model = bert::BertModel::load(weights.clone(), &config).unwrap();
                        let segments = one.zeros_like().unwrap();
                        model.forward(&one, &segments, None).unwrap()
                    }
                    _ => {
                        let config = serde_json::from_value(config(kind)).unwrap();
                        let model = distilbert::DistilBertModel::load(weights.clone(), &config);
                        let shown = (1, 1, 1, length);
                        let shown = Tensor::zeros(shown, DType::U8, &Device::Cpu).unwrap();
                        model.unwrap().forward(&one, &shown).unwrap()
                    }
                };
                let own = packed.narrow(0, start, length).unwrap();
                let apart = (own - other.squeeze(0).unwrap()).unwrap().abs().unwrap();
                let apart: f32 = apart.max_all().unwrap().to_scalar().unwrap();
                assert!(apart < 1e-5, "{kind}: {apart}");
                start += length;
            }
            assert!(
                encoder.forward(&[30], &[1]).is_err(),
                "a token that is not there"
            );
            assert!(
                encoder.forward(&[1; 13], &[13]).is_err(),
                "more than there are positions"
            );
        }
    }
}
