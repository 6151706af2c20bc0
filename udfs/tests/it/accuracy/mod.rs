//! How accurate `redact_spans` is on generated log lines: a seeded generator of fourteen formats,
//! values of every category that is on by default, and at least three hard negatives for each.
//!
//! Nothing here knows how detection works: values come from the standards that define them, and
//! the functions are called as SQL calls them. `make accuracy` prints the tables for a larger
//! sample, and examples of every mistake.

mod random;
mod checksum;
mod value;

mod address;
mod number;
mod phone;
mod secret;
mod token;

mod carrier;
mod talk;
mod negative;

mod text;
mod format;
mod line;
mod report;

mod disguise;
mod wild;

use std::collections::BTreeMap;
use std::env;

use line::Half;
use random::Random;
use report::Report;
use value::CATEGORIES;

/// Values of each category in `make test`.
const POSITIVES: usize = 1_500;
/// Negatives for each value; the goal is three.
const NEGATIVES: usize = 4;
const SEED: u64 = 20_260_205;
/// Lines in one call.
const BATCH: usize = 4_096;

/// Texts of each kind that no floor applies to.
const DOUBTFUL: usize = 200;

/// Values of each category in real lines, and how many have to be found.
const WILD: usize = 500;
const FLOOR_WILD: f64 = 0.99;

/// Least precision and recall.
const FLOOR: f64 = 0.995;
const FLOOR_PHONE: f64 = 0.99;
/// The most of the characters of passwords that may stay.
const LEAK_MAX: f64 = 0.001;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn lines(half: Half, positives: usize) -> Vec<line::Line> {
    let mut random = Random::new(setting("ACCURACY_SEED", SEED) + half as u64);
    let mut lines = Vec::new();
    for category in CATEGORIES {
        for _ in 0..positives {
            let beside = 1 + random.below(NEGATIVES - 1);
            lines.push(line::positive(&mut random, half, category, beside));
            lines.push(line::negative(&mut random, half, NEGATIVES - beside));
        }
    }
    lines
}

fn measure(title: &str, lines: &[line::Line]) -> Report {
    let mut report = Report::default();
    for batch in lines.chunks(BATCH) {
        let texts: Vec<&str> = batch.iter().map(|line| line.text.text.as_str()).collect();
        let redacted = crate::call::redact(&texts, &["tier1", "remove"]);
        let found = crate::call::spans(&texts, "tier1");
        for ((line, found), redacted) in batch.iter().zip(found).zip(&redacted) {
            report.add(line, found, redacted);
        }
    }
    println!("{title}: {}", report.table());
    println!("{}", report.examples());
    report
}

fn measure_half(half: Half) -> Report {
    let positives = setting("ACCURACY_POSITIVES", POSITIVES as u64) as usize;
    measure(&format!("{half:?} half"), &lines(half, positives))
}

fn judge(report: &Report) {
    let positives: usize = report.scores.values().map(|score| score.positives).sum();
    assert!(report.negatives >= 3 * positives, "too few negatives");
    for category in CATEGORIES {
        let score = &report.scores[category];
        let floor = if category == "phone" {
            FLOOR_PHONE
        } else {
            FLOOR
        };
        let (precision, recall) = (score.precision(), score.recall());
        assert!(precision >= floor, "{category}: precision {precision:.4}");
        assert!(recall >= floor, "{category}: recall {recall:.4}");
    }
    assert_eq!(report.survivors, 0, "found and still in the text");
    let leak = report.scores["password"].leak();
    assert!(
        leak <= LEAK_MAX,
        "password: {leak:.5} of the characters stay"
    );
}

/// What no floor applies to, for the reader of the tables.
#[test]
fn values_of_doubt_are_counted() {
    let mut random = Random::new(setting("ACCURACY_SEED", SEED));
    let disguised = disguise::disguised(&mut random, DOUBTFUL);
    let texts: Vec<&str> = disguised
        .iter()
        .map(|(_, text)| text.text.as_str())
        .collect();
    let found = crate::call::spans(&texts, "tier1");
    let mut hits = BTreeMap::new();
    for ((name, _), found) in disguised.iter().zip(&found) {
        *hits.entry(name.as_str()).or_insert(0) += usize::from(!found.is_empty());
    }
    for (name, hits) in hits {
        println!("{hits} of {DOUBTFUL} found: {name}");
    }
    let numbers = disguise::ambiguous(&mut random, DOUBTFUL);
    let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let found = crate::call::spans(&texts, "tier1");
    let taken = found.iter().filter(|found| !found.is_empty()).count();
    println!("{taken} of {DOUBTFUL} numbers without a key that pass as cards are taken for cards");
    assert!(
        taken > 0,
        "a bare number that passes every check counts as a card"
    );
}

#[test]
fn values_of_unseen_templates_are_found_and_little_else() {
    judge(&measure_half(Half::Test));
}

#[test]
fn values_of_the_tuning_half_are_found_and_little_else() {
    judge(&measure_half(Half::Tuning));
}

/// Real lines may hold addresses of their own, so that only what is missed counts.
#[test]
fn values_in_real_lines_are_found() {
    let mut random = Random::new(setting("ACCURACY_SEED", SEED));
    let report = measure("Real lines", &wild::lines(&mut random, WILD));
    for (category, score) in &report.scores {
        let recall = score.recall();
        assert!(recall >= FLOOR_WILD, "{category}: recall {recall:.4}");
    }
}
