//! Findings beside what is really there: precision, recall, leaks and what was masked needlessly.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::line::Line;
use super::text::Mark;
use super::value::CATEGORIES;

/// How much of the union of two spans is in both, where they count as the same.
const OVERLAP_MIN: f64 = 0.9;
/// Examples of each kind of mistake that are kept.
const EXAMPLES_MAX: usize = 6;
/// Shorter values may stand in a line by chance.
const SURVIVOR_MIN: usize = 12;
/// Secrets whose span counts under any of these names: a token under the key `password` is both.
const SECRETS: [&str; 5] = [
    "password",
    "auth_header",
    "jwt",
    "private_key",
    "cloud_token",
];

/// A finding, in characters.
#[derive(Clone, Debug)]
struct Found {
    category: String,
    start: usize,
    end: usize,
}

/// What was counted for one category.
#[derive(Clone, Debug, Default)]
pub(super) struct Score {
    pub(super) positives: usize,
    pub(super) recalled: usize,
    pub(super) found: usize,
    pub(super) right: usize,
    sensitive: usize,
    leaked: usize,
    over: usize,
    pub(super) misses: Vec<String>,
    pub(super) wrong: BTreeMap<String, Vec<String>>,
}

/// What was counted over all lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) scores: BTreeMap<String, Score>,
    pub(super) lines: usize,
    pub(super) negatives: usize,
    /// Negatives of each kind that a finding touched.
    pub(super) touched: BTreeMap<&'static str, usize>,
    clean: usize,
    /// Values that were found and are in the redacted text nevertheless.
    pub(super) survivors: usize,
}

impl Score {
    pub(super) fn precision(&self) -> f64 {
        self.right as f64 / self.found.max(1) as f64
    }

    pub(super) fn recall(&self) -> f64 {
        self.recalled as f64 / self.positives.max(1) as f64
    }

    /// The part of the sensitive characters that no finding covers.
    pub(super) fn leak(&self) -> f64 {
        self.leaked as f64 / self.sensitive.max(1) as f64
    }
}

impl Report {
    /// Counts one line, what was found in it, and what redaction left of it.
    pub(super) fn add(&mut self, line: &Line, found: Vec<(String, usize, usize)>, redacted: &str) {
        let found: Vec<Found> = found
            .into_iter()
            .map(|(category, start, end)| Found {
                category,
                start,
                end,
            })
            .collect();
        let text = &line.text.text;
        let mut places = vec![0; text.len() + 1];
        let mut count = 0;
        for (at, letter) in text.char_indices() {
            places[at..at + letter.len_utf8()].fill(count);
            count += 1;
        }
        places[text.len()] = count;
        let marks: Vec<Mark> = line
            .text
            .marks
            .iter()
            .map(|mark| in_chars(mark, &places))
            .collect();
        let (values, negatives): (Vec<_>, Vec<_>) = marks
            .into_iter()
            .partition(|mark| CATEGORIES.contains(&mark.category));
        self.lines += 1;
        self.negatives += line.negatives;
        self.clean += count
            - values
                .iter()
                .map(|mark| mark.end - mark.earliest)
                .sum::<usize>();
        for mark in &values {
            self.add_value(text, mark, &found);
            let value = cut(text, mark.start, mark.end);
            let covered: usize = found.iter().map(|one| common(one, mark)).sum();
            let long = covered == mark.end - mark.start && covered >= SURVIVOR_MIN;
            self.survivors += usize::from(long && redacted.contains(&value));
        }
        for one in &found {
            self.add_found(text, one, &values, &negatives);
        }
    }

    fn add_value(&mut self, text: &str, mark: &Mark, found: &[Found]) {
        let score = self.scores.entry(mark.category.to_owned()).or_default();
        score.positives += 1;
        score.sensitive += mark.end - mark.start;
        let covered: usize = found.iter().map(|one| common(one, mark)).sum();
        score.leaked += mark.end - mark.start - covered;
        if found.iter().any(|one| same(one, mark)) {
            score.recalled += 1;
        } else if score.misses.len() < EXAMPLES_MAX {
            let value = cut(text, mark.start, mark.end);
            let near = found.iter().filter(|one| common(one, mark) > 0);
            let near: Vec<_> = near
                .map(|one| format!("{} {}", one.category, cut(text, one.start, one.end)))
                .collect();
            score
                .misses
                .push(format!("{value}  found: {near:?}  in: {text}"));
        }
    }

    fn add_found(&mut self, text: &str, one: &Found, values: &[Mark], negatives: &[Mark]) {
        let matching = values.iter().find(|mark| same(one, mark));
        let category = matching.map_or(one.category.as_str(), |mark| mark.category);
        let score = self.scores.entry(category.to_owned()).or_default();
        score.found += 1;
        let inside: usize = values
            .iter()
            .map(|mark| overlap((one.start, one.end), (mark.earliest, mark.end)))
            .sum();
        score.over += one.end - one.start - inside;
        if matching.is_some() {
            score.right += 1;
            return;
        }
        let touched = |mark: &&Mark| overlap((one.start, one.end), (mark.start, mark.end)) > 0;
        let kind = match negatives.iter().find(touched) {
            Some(mark) => {
                *self.touched.entry(mark.category).or_default() += 1;
                mark.category
            }
            None if inside > 0 => "part of a value",
            None => "frame or sentence",
        };
        let wrong = score.wrong.entry(kind.to_owned()).or_default();
        if wrong.len() < EXAMPLES_MAX {
            let value = cut(text, one.start, one.end);
            wrong.push(format!("{value}  in: {text}"));
        }
    }

    /// A line for each category.
    pub(super) fn table(&self) -> String {
        let (lines, negatives) = (self.lines, self.negatives);
        let touched: usize = self.touched.values().sum();
        let mut table = format!("{lines} lines, {negatives} hard negatives, {touched} touched\n");
        let columns = ["positives", "precision", "recall", "leak %", "over %"];
        let columns: Vec<String> = columns.iter().map(|name| format!("{name:>9}")).collect();
        writeln!(table, "{:<12} {}", "category", columns.join(" ")).unwrap();
        for (category, score) in &self.scores {
            let numbers = [
                score.precision(),
                score.recall(),
                100.0 * score.leak(),
                100.0 * score.over as f64 / self.clean.max(1) as f64,
            ];
            let numbers: Vec<String> = numbers.iter().map(|one| format!("{one:>9.4}")).collect();
            let (positives, numbers) = (score.positives, numbers.join(" "));
            writeln!(table, "{category:<12} {positives:>9} {numbers}").unwrap();
        }
        table
    }

    /// Examples of what was missed and what was found without need.
    pub(super) fn examples(&self) -> String {
        let mut examples = String::new();
        for (category, score) in &self.scores {
            for miss in &score.misses {
                writeln!(examples, "{category} missed: {miss}").unwrap();
            }
            for (kind, wrong) in &score.wrong {
                for one in wrong {
                    writeln!(examples, "{category} for {kind}: {one}").unwrap();
                }
            }
        }
        examples
    }
}

fn in_chars(mark: &Mark, places: &[usize]) -> Mark {
    Mark {
        category: mark.category,
        earliest: places[mark.earliest],
        start: places[mark.start],
        end: places[mark.end],
    }
}

fn cut(text: &str, start: usize, end: usize) -> String {
    text.chars().skip(start).take(end - start).collect()
}

fn overlap(one: (usize, usize), other: (usize, usize)) -> usize {
    one.1.min(other.1).saturating_sub(one.0.max(other.0))
}

fn common(one: &Found, mark: &Mark) -> usize {
    overlap((one.start, one.end), (mark.start, mark.end))
}

fn same(one: &Found, mark: &Mark) -> bool {
    let family = SECRETS.contains(&mark.category) && SECRETS.contains(&one.category.as_str());
    let close = |start: usize| {
        let both = overlap((one.start, one.end), (start, mark.end));
        let union = one.end.max(mark.end) - one.start.min(start);
        both as f64 >= OVERLAP_MIN * union as f64
    };
    (one.category == mark.category || family) && (close(mark.start) || close(mark.earliest))
}
