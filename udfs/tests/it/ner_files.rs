//! What is wrong with the files of a model, and with what is said of its labels, is named.

use serde_json::json;
use sluice_udfs::model::ModelFiles;
use sluice_udfs::pii::ner::{Ner, NerSettings};

use crate::ner::load;
use crate::ner_model::Files;

/// What is said of a model that was spoilt.
fn fault(spoil: impl Fn(&mut Files), labels: &[(&str, &str)]) -> String {
    let mut files = Files::new(64);
    spoil(&mut files);
    load(&files, labels).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_model_is_named() {
    let cases = [
        ("model_type", json!("gpt2"), "\"model_type\" is \"gpt2\""),
        ("hidden_act", json!("swish"), "the activation is \"swish\""),
        ("hidden_size", json!("8"), "invalid type: string"),
        ("num_attention_heads", json!(0), "the sizes do not fit"),
        ("id2label", json!({}), "\"id2label\""),
        ("id2label", json!({"1": "O"}), "\"id2label\""),
    ];
    for (key, value, want) in cases {
        let got = fault(|files| files.config[key] = value.clone(), &[]);
        let named = got.starts_with("config.json: ") && got.contains("\nhint: ");
        assert!(named && got.contains(want), "{want}: {got}");
    }
    let got = fault(|files| files.tokenizer = json!([]), &[]);
    assert!(got.starts_with("tokenizer.json: "), "{got}");
    let more = |files: &mut Files| files.tokenizer["model"]["vocab"]["new"] = json!(4_000_000);
    let got = fault(more, &[]);
    let want = "tokenizer.json: the tokens are not those of the model";
    assert!(got.starts_with(want), "{got}");
}

#[test]
fn what_is_wrong_with_weights_is_named() {
    let missing = "bert.encoder.layer.0.output.dense.bias";
    let got = fault(|files| drop(files.tensors.remove(missing)), &[]);
    let want = format!("model.safetensors: tensor `{missing}` not found");
    assert!(got.starts_with(&want), "{got}");
    let bias = |numbers: Vec<f32>| {
        move |files: &mut Files| {
            let bias = (vec![numbers.len()], numbers.clone());
            files.tensors.insert("classifier.bias".to_owned(), bias);
        }
    };
    let got = fault(bias(vec![0.0]), &[]);
    assert!(
        got.starts_with("model.safetensors: shape mismatch"),
        "{got}"
    );
    let got = fault(bias(vec![f32::NAN; 7]), &[]);
    let want = "model.safetensors: the model computes what is no number";
    assert!(got.starts_with(want), "{got}");
    let [config, tokenizer, weights] = Files::new(64).bytes();
    for length in [0, 7, 100, weights.len() - 1] {
        let files = ModelFiles {
            config: &config,
            tokenizer: &tokenizer,
            weights: &weights[..length],
        };
        let got = Ner::load(files, &NerSettings::default()).unwrap_err();
        let want = "model.safetensors: not a safetensors file";
        assert!(got.to_string().starts_with(want), "{got}");
    }
}

#[test]
fn labels_that_stand_for_nothing_are_named() {
    let wrong = fault(|_| {}, &[("MISC", "email")]);
    let want = "valid are person, address, organization";
    assert!(wrong.contains(want), "{wrong}");
    let wrong = fault(|_| {}, &[("CITY", "address")]);
    assert!(wrong.contains("its labels are O, B-PER"), "{wrong}");
    let two = |files: &mut Files| {
        files.config["id2label"] = json!({"0": "O", "1": "B-MISC"});
        for (name, shape) in [
            ("classifier.weight", vec![2, 8]),
            ("classifier.bias", vec![2]),
        ] {
            let zeros = vec![0.0; shape.iter().product()];
            files.tensors.insert(name.to_owned(), (shape, zeros));
        }
    };
    let wrong = fault(two, &[]);
    let want = "no label of the model stands for a category";
    assert!(wrong.contains(want), "{wrong}");
}
