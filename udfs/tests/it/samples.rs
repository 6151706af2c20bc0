//! Optional sample data beside the checkout: real log lines, in which nothing may be found, and
//! sentences with marked personal data. The tests say so and pass where it is absent.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::call::{redact, workspace};

/// Fewest findings of a category that must be right, and fewest marked spans that must be found.
const PRECISION_MIN: f64 = 0.98;
const RECALL_MIN: f64 = 0.98;
/// How much of the union of two spans is in both, where they count as the same.
const OVERLAP_MIN: f64 = 0.9;

fn sample(path: &str) -> Option<PathBuf> {
    let path = workspace().join("../shared/data").join(path);
    if path.try_exists().unwrap_or(false) {
        return Some(path);
    }
    println!("skipped: no sample data at {}", path.display());
    None
}

#[test]
fn real_log_lines_have_no_false_numbers() {
    let Some(folder) = sample("loghub") else {
        return;
    };
    let mut phones = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "log") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        for (line, got) in lines.iter().zip(redact(&lines, &["tier1", "label"])) {
            let false_number = [
                "[CREDIT_CARD]",
                "[US_SSN]",
                "[US_ITIN]",
                "[IBAN]",
                "[CRYPTO]",
                "[CVV]",
            ]
            .iter()
            .any(|label| got.contains(label));
            assert!(!false_number, "{}: {line} -> {got}", path.display());
            assert!(
                !got.contains("Failed password for [PASSWORD]"),
                "{line} -> {got}"
            );
            phones += got.matches("[PHONE]").count();
        }
    }
    assert!(phones <= 5, "{phones} phone numbers in lines without one");
}

/// The spans that `label` replaced in `text`, in characters.
fn spans(text: &str, redacted: &str, label: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut pieces = redacted.split(label);
    let mut at = pieces.next().unwrap_or_default().len();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let next = match pieces.peek() {
            None => text.len() - piece.len(),
            Some(_) => at + text[at..].find(piece).unwrap(),
        };
        let characters = |end: usize| text[..end].chars().count();
        spans.push((characters(at), characters(next)));
        at = next + piece.len();
    }
    spans
}

fn same(one: (usize, usize), other: (usize, usize)) -> bool {
    let both = one.1.min(other.1).saturating_sub(one.0.max(other.0));
    let union = one.1.max(other.1) - one.0.min(other.0);
    both as f64 >= OVERLAP_MIN * union as f64
}

fn marked(sentence: &Value, entity: &str) -> Vec<(usize, usize)> {
    let place = |span: &Value, key: &str| span[key].as_u64().unwrap() as usize;
    let spans = sentence["spans"].as_array().unwrap().iter();
    let of_entity = spans.filter(|span| span["entity_type"] == entity);
    of_entity
        .map(|span| (place(span, "start_position"), place(span, "end_position")))
        .collect()
}

#[test]
fn marked_sentences_are_found() {
    let Some(path) = sample("pii/generated_large.json") else {
        return;
    };
    let sentences: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let sentences = sentences.as_array().unwrap();
    let texts: Vec<_> = sentences
        .iter()
        .map(|one| one["full_text"].as_str().unwrap())
        .collect();
    let entities = [
        ("CREDIT_CARD", "credit_card"),
        ("US_SSN", "us_ssn"),
        ("EMAIL_ADDRESS", "email"),
        ("PHONE_NUMBER", "phone"),
    ];
    for (entity, category) in entities {
        let label = format!("[{}]", category.to_uppercase());
        let (mut found, mut right, mut wanted, mut recalled) = (0, 0, 0, 0);
        let redacted = redact(&texts, &[category, "label"]);
        for ((sentence, text), redacted) in sentences.iter().zip(&texts).zip(redacted) {
            let (got, want) = (spans(text, &redacted, &label), marked(sentence, entity));
            found += got.len();
            wanted += want.len();
            right += got
                .iter()
                .filter(|got| want.iter().any(|want| same(**got, *want)))
                .count();
            recalled += want
                .iter()
                .filter(|want| got.iter().any(|got| same(*got, **want)))
                .count();
        }
        let (precision, recall) = (right as f64 / found as f64, recalled as f64 / wanted as f64);
        println!("{category}: precision {precision:.3}, recall {recall:.3} of {wanted}");
        assert!(
            precision >= PRECISION_MIN,
            "{category}: {right} of {found} are right"
        );
        assert!(
            recall >= RECALL_MIN,
            "{category}: {recalled} of {wanted} are found"
        );
    }
}
