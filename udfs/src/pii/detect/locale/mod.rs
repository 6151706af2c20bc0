//! Identifiers of one country, each with the check that its issuer defines. They are looked for
//! where they are named.

mod britain;
mod europe_north;
mod europe_west;
mod europe_south;
mod europe_east;
mod americas;
mod asia;
mod pacific;
mod africa;

use std::sync::LazyLock;

use super::rule::{self, Rule, Table};
use super::{Categories, Finding};

const RULES: &[&[Rule]] = &[
    britain::RULES,
    europe_north::RULES,
    europe_west::RULES,
    europe_south::RULES,
    europe_east::RULES,
    americas::RULES,
    asia::RULES,
    pacific::RULES,
    africa::RULES,
];

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(RULES));

/// Appends what is found of the wanted categories.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    rule::find(text, &TABLE, wanted, found);
}

#[cfg(test)]
mod tests {
    use super::super::{Categories, spans};
    use super::{RULES, TABLE};

    #[test]
    fn every_category_of_a_country_has_a_rule() {
        assert_eq!(TABLE.categories, Categories::LOCALE);
    }

    /// Numbers that their issuers or the standards publish as examples, and the same with another
    /// last character.
    pub(super) fn check(cases: &[(super::super::Category, &str)]) {
        for (category, number) in cases {
            let mut rules = RULES.iter().copied().flatten();
            let rule = rules.find(|rule| rule.category == *category).unwrap();
            let name = rule.words[0];
            for text in [(*number).to_owned(), format!("{name}: {number}, ok")] {
                assert_eq!(spans(*category, &text), [*number], "{name} in {text}");
            }
            let (stem, last) = number.split_at(number.len() - 1);
            let digits = last.bytes().all(|byte| byte.is_ascii_digit());
            let wrong: Vec<char> = if digits { '0'..='9' } else { 'A'..='Z' }
                .filter(|other| *other != last.chars().next().unwrap())
                .collect();
            let passed = wrong.iter().filter(|other| {
                let text = format!("{name}: {stem}{other}");
                !spans(*category, &text).is_empty()
            });
            let passed = passed.count();
            assert!(
                passed <= 1,
                "{name}: {passed} of the other last characters pass"
            );
        }
    }
}
