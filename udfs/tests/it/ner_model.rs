//! Files of a tiny BERT whose weights are chosen, not trained, so that tests know what it says: a
//! word's vector is its label, the one layer adds nothing, and the head reads the label off.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Labels by number.
pub(crate) const LABELS: [&str; 7] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "B-MISC"];
/// Size of a vector; a power of two above the number of labels.
const WIDTH: usize = 8;
/// How sure the head is: a label has all but a ten-thousandth of the probability.
const SURE: f32 = 4.0;

/// The words it knows, each with its labels. `##` goes on with the word before; its label would
/// count if it were looked at. Two labels share the probability.
const WORDS: [(&str, &[usize]); 14] = [
    ("[PAD]", &[0]),
    ("[UNK]", &[0]),
    ("[CLS]", &[1]),
    ("[SEP]", &[2]),
    ("anna", &[1]),
    ("rene", &[1]),
    ("smith", &[2]),
    ("##son", &[0]),
    ("berlin", &[3]),
    ("acme", &[5]),
    ("maybe", &[1, 0]),
    ("mixed", &[1, 2]),
    ("called", &[0]),
    ("friday", &[6]),
];

/// The files of a model, to be spoilt where a test asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) config: Value,
    pub(crate) tokenizer: Value,
    pub(crate) tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Files {
    /// A model with this many positions.
    pub(crate) fn new(positions: usize) -> Self {
        let labels = LABELS.iter().enumerate();
        let labels = labels.map(|(number, label)| (number.to_string(), json!(label)));
        let config = json!({
            "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": WIDTH,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": WIDTH,
            "hidden_act": "gelu", "max_position_embeddings": positions, "type_vocab_size": 2,
            "layer_norm_eps": 1e-12, "id2label": Value::Object(labels.collect()),
        });
        let vocabulary = WORDS.iter().enumerate();
        let vocabulary = vocabulary.map(|(id, (word, _))| ((*word).to_owned(), json!(id)));
        let special = |id: usize| {
            json!({
                "id": id, "content": WORDS[id].0, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            })
        };
        let frame = |id: usize| json!({"id": WORDS[id].0, "ids": [id], "tokens": [WORDS[id].0]});
        let token = |id: usize| json!({"SpecialToken": {"id": WORDS[id].0, "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let tokenizer = json!({
            "version": "1.0",
            // What the files of models come with, and what packed windows have no use for.
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0,
                           "direction": "Right"},
            "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_id": 0,
                        "pad_type_id": 0, "pad_token": "[PAD]", "pad_to_multiple_of": null},
            "added_tokens": [special(0), special(1), special(2), special(3)],
            "normalizer": {"type": "BertNormalizer", "clean_text": true,
                           "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing", "single": [token(2), text, token(3)], "pair": [],
                "special_tokens": {"[CLS]": frame(2), "[SEP]": frame(3)},
            },
            "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100,
                      "vocab": Value::Object(vocabulary.collect())},
        });
        Self {
            config,
            tokenizer,
            tensors: tensors(positions),
        }
    }

    /// `config.json`, `tokenizer.json` and `model.safetensors`.
    pub(crate) fn bytes(&self) -> [Vec<u8>; 3] {
        let text = |value: &Value| value.to_string().into_bytes();
        [
            text(&self.config),
            text(&self.tokenizer),
            self.safetensors(),
        ]
    }

    /// The format of <https://github.com/huggingface/safetensors>.
    fn safetensors(&self) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for (name, (shape, numbers)) in &self.tensors {
            let start = data.len();
            data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            let place = json!({
                "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
            });
            header.insert(name.clone(), place);
        }
        let mut header = Value::Object(header).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        let length = (header.len() as u64).to_le_bytes();
        [length.as_slice(), header.as_bytes(), &data].concat()
    }
}

fn tensors(positions: usize) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut tensors = BTreeMap::new();
    let mut words = vec![0.0; WORDS.len() * WIDTH];
    for (id, (_, labels)) in WORDS.iter().enumerate() {
        labels
            .iter()
            .for_each(|label| words[id * WIDTH + label] = 1.0);
    }
    let mut head = vec![0.0; LABELS.len() * WIDTH];
    (0..LABELS.len()).for_each(|label| head[label * WIDTH + label] = SURE);
    let mut put = |name: &str, shape: &[usize], numbers: Vec<f32>| {
        tensors.insert(name.to_owned(), (shape.to_vec(), numbers));
    };
    let embeddings = "bert.embeddings";
    put(
        &format!("{embeddings}.word_embeddings.weight"),
        &[WORDS.len(), WIDTH],
        words,
    );
    let zeros = |count| vec![0.0; count];
    put(
        &format!("{embeddings}.position_embeddings.weight"),
        &[positions, WIDTH],
        zeros(positions * WIDTH),
    );
    put(
        &format!("{embeddings}.token_type_embeddings.weight"),
        &[2, WIDTH],
        zeros(2 * WIDTH),
    );
    put("classifier.weight", &[LABELS.len(), WIDTH], head);
    put("classifier.bias", &[LABELS.len()], zeros(LABELS.len()));
    let layer = "bert.encoder.layer.0";
    for part in [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ] {
        let square = [WIDTH, WIDTH];
        put(
            &format!("{layer}.{part}.weight"),
            &square,
            zeros(WIDTH * WIDTH),
        );
        put(&format!("{layer}.{part}.bias"), &[WIDTH], zeros(WIDTH));
    }
    let norms = ["attention.output.LayerNorm", "output.LayerNorm"];
    let norms = norms.map(|part| format!("{layer}.{part}"));
    for norm in norms.into_iter().chain([format!("{embeddings}.LayerNorm")]) {
        put(&format!("{norm}.weight"), &[WIDTH], vec![1.0; WIDTH]);
        put(&format!("{norm}.bias"), &[WIDTH], zeros(WIDTH));
    }
    tensors
}
