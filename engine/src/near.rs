//! Names that somebody may have meant.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// Names that a hint lists at most.
const NAMES_MAX: usize = 3;

/// Longer names are no slips, and costly to compare.
const NAME_LETTERS_MAX: usize = 64;

/// Those of `known` that are spelled almost like `name`, the nearest first.
#[must_use]
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.chars().nth(NAME_LETTERS_MAX).is_some() {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let allowed = (name.chars().count() / 3).max(1);
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let tail = known.rsplit('.').next().unwrap_or_default();
        // The last part of a dotted name may be all that somebody knows of it.
        levenshtein(&name, &known).min(levenshtein(&name, tail))
    };
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(NAMES_MAX);
    found.into_iter().map(|(_, known)| known).collect()
}

/// `names` for a sentence, each in double quotes.
#[must_use]
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names
        .into_iter()
        .map(|name| format!("\"{name}\""))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let known = ["message", "severity", "datafusion.execution.batch_size"];
        assert_eq!(near("mesage", known), ["message"]);
        assert_eq!(near("SEVERTY", known), ["severity"]);
        assert_eq!(
            near("batch_sise", known),
            ["datafusion.execution.batch_size"]
        );
        assert!(near("host", known).is_empty());
        assert_eq!(listed(["a", "b"]), "\"a\", \"b\"");
    }
}
