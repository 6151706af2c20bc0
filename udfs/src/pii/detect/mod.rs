//! What a finding is, and the search for all of them in one text. The detectors are pure: bytes
//! in, spans out. Their order is by trigger: keys of secrets, `@`, digit runs.

mod category;

mod finding;

mod row;

mod masks;

mod boundary;
mod context;
mod groups;

mod card;
mod track;

mod plan;

mod phone;
mod ssn;

mod secret_key;
mod secret_value;

mod code;

mod keccak;

mod email;
mod iban;

mod fold;
mod runs;
mod scan;

mod auth;

mod cloud;
mod crypto;
mod jwt;
mod option;

mod pem;
mod secret;

mod number;
mod sign;
mod token;
mod word;

mod find;

mod check_digit;
mod rule;
mod tier2;
mod locale;

pub(crate) use category::{Categories, Category};
pub(crate) use find::Finder;
pub(crate) use finding::Finding;
pub(crate) use fold::plain;

/// A detector that reads a whole text by itself.
struct Detector {
    /// What it finds.
    categories: Categories,
    /// Appends what it finds of the wanted categories.
    find: fn(&[u8], Categories, &mut Vec<Finding>),
}

/// The detectors of categories that are looked for where they are named.
const BY_NAME: &[Detector] = &[
    Detector {
        categories: Categories::TIER2,
        find: tier2::find,
    },
    Detector {
        categories: Categories::LOCALE,
        find: locale::find,
    },
];

/// How many of `run` backslashes before a quote are its own: none in a document, 1 in a document in
/// a string of another, then 3, then 7. The others escape each other.
pub(crate) fn quote_depth(run: usize) -> usize {
    [0, 1, 3, 7]
        .into_iter()
        .find(|depth| run % (2 * (depth + 1)) == *depth)
        .unwrap_or(run)
}

#[cfg(test)]
pub(crate) fn spans(category: Category, text: &str) -> Vec<&str> {
    let wanted = Categories::NONE.with(category);
    Finder::new(wanted)
        .text(text)
        .iter()
        .map(|finding| &text[finding.start..finding.end])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_go_to_the_secret_the_container_or_the_better_evidence() {
        let cases = [
            (
                "https://bob:hunter2@example.com/",
                vec![(Category::Password, "hunter2")],
            ),
            (
                "password=bob@example.com",
                vec![(Category::Password, "bob@example.com")],
            ),
            (
                "4111111111111111@example.com",
                vec![(Category::Email, "4111111111111111@example.com")],
            ),
            (
                "4111 1111 1111 1111@example.com",
                vec![(Category::CreditCard, "4111 1111 1111 1111")],
            ),
        ];
        for (text, want) in cases {
            let mut finder = Finder::new(Categories::TIER1);
            let found = finder.text(text);
            let got: Vec<_> = found
                .iter()
                .map(|one| (one.category, &text[one.start..one.end]))
                .collect();
            assert_eq!(got, want, "{text}");
        }
    }
}
