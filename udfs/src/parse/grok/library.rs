//! The standard patterns by name: those of logstash-patterns-core (Apache-2.0, the Elastic Common
//! Schema's names of fields), put into expressions that the regex crate reads. Where the original
//! looks around a match or forbids going back into a part of it, the parts are ordered or bounded
//! so that the longest reading comes first.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;

/// One definition in each line, a name and an expression.
const FILES: [&str; 5] = [
    include_str!("patterns/base.txt"),
    include_str!("patterns/system.txt"),
    include_str!("patterns/web.txt"),
    include_str!("patterns/network.txt"),
    include_str!("patterns/monitoring.txt"),
];

/// How like an unknown name a known one is to be suggested.
const NEAR_MIN: f64 = 0.5;
/// How many names are suggested.
const NEAR_MAX: usize = 3;

static PATTERNS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = FILES.iter().flat_map(|file| file.lines());
    lines.filter_map(parse_line).collect()
});

/// What the pattern `name` stands for.
pub(crate) fn definition(name: &str) -> Option<&'static str> {
    PATTERNS.get(name).copied()
}

/// The names of all patterns, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = PATTERNS.keys().copied().collect();
    names.sort_unstable();
    names
}

/// Names like `name`, the most like first.
pub(crate) fn near<'a>(name: &str, own: impl Iterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_uppercase();
    let all = own.chain(names());
    let mut scored: Vec<(f64, &str)> = all
        .map(|known| (normalized_levenshtein(&name, known), known))
        .filter(|(score, _)| *score >= NEAR_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.truncate(NEAR_MAX);
    scored
        .into_iter()
        .map(|(_, known)| known.to_owned())
        .collect()
}

/// A definition as a line of a pattern file: a name, white space, an expression. Comments and
/// empty lines give none.
pub(crate) fn parse_line(line: &str) -> Option<(&str, &str)> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let (name, expression) = line.trim_start().split_once([' ', '\t'])?;
    Some((name, expression.trim_start_matches([' ', '\t'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_defined_once() {
        let mut seen = HashMap::new();
        for (name, expression) in FILES.iter().flat_map(|f| f.lines()).filter_map(parse_line) {
            assert!(
                seen.insert(name, expression).is_none(),
                "{name} is defined twice"
            );
        }
        assert_eq!(seen.len(), names().len());
    }

    #[test]
    fn names_like_an_unknown_one_are_found() {
        assert_eq!(near("IPORHOSTS", std::iter::empty())[0], "IPORHOST");
        assert_eq!(
            near("timestamp_iso860", std::iter::empty())[0],
            "TIMESTAMP_ISO8601"
        );
        assert!(near("QQQQQQQQ", std::iter::empty()).is_empty());
    }
}
