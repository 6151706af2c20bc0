//! Real log lines with a value put into each of them, where the sample data is beside the checkout.

use std::fs;

use super::carrier;
use super::line::Line;
use super::random::Random;
use super::text::Text;
use super::value::{self, CATEGORIES, Known};

/// Lines of every system, or none where there is no sample data.
fn real() -> Vec<String> {
    let folder = crate::call::workspace().join("../shared/data/loghub");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: no sample data at {}", folder.display());
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .collect();
    paths.sort();
    let lines = paths.iter().flat_map(|path| {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.filter(|line| line.contains(' ')).collect()
}

/// Real lines with a sentence about a value of each category in some gap between two words.
pub(super) fn lines(random: &mut Random, count: usize) -> Vec<Line> {
    let real = real();
    let mut lines = Vec::new();
    if real.is_empty() {
        return lines;
    }
    for category in CATEGORIES {
        for _ in 0..count {
            let value = value::draw(random, category);
            let written = Text::value(category, &value.text, value.lead);
            if category == "password" && !written.is_bare() {
                continue;
            }
            let sentence = carrier::sentence(random, &value);
            let sentence = match value.known {
                Known::Announced if sentence.contains("://") => continue,
                _ => Text::within(sentence, &written),
            };
            let line = random.pick(&real);
            let gaps: Vec<usize> = line.match_indices(' ').map(|(at, _)| at).collect();
            let at = *random.pick(&gaps);
            let text =
                sentence.wrapped(&format!("{}; ", &line[..at]), &format!(";{}", &line[at..]));
            lines.push(Line { text, negatives: 0 });
        }
    }
    lines
}
