//! Values that were written to be overlooked, and numbers of which nobody can say what they are.
//! They are counted and printed; no floor applies to them.

use super::checksum;
use super::random::Random;
use super::text::Text;
use super::value::{self, Known};

/// A way of writing a value that people read as the value.
type Disguise = (&'static str, &'static str, fn(&str) -> String);

const DISGUISES: &[Disguise] = &[
    ("no-break spaces", "credit_card", |text| {
        swap(text, " -.", "\u{a0}")
    }),
    ("en dashes", "credit_card", |text| {
        swap(text, " -.", "\u{2013}")
    }),
    ("no-break hyphens", "us_ssn", |text| {
        swap(text, "-", "\u{2011}")
    }),
    ("fullwidth digits", "credit_card", |text| {
        shift(text, 0xff10)
    }),
    ("fullwidth digits", "us_ssn", |text| shift(text, 0xff10)),
    ("Arabic digits", "phone", |text| shift(text, 0x660)),
    ("zero width", "credit_card", |text| {
        text.replacen(' ', " \u{200b}", 1)
    }),
    ("percent escapes", "credit_card", |text| {
        swap(text, " ", "%20")
    }),
    ("plus signs", "credit_card", |text| swap(text, " ", "+")),
    ("\\u0040", "email", |text| text.replacen('@', "\\u0040", 1)),
    ("&#64;", "email", |text| text.replacen('@', "&#64;", 1)),
];

fn swap(text: &str, from: &str, to: &str) -> String {
    text.chars()
        .map(|letter| {
            if from.contains(letter) {
                to.to_owned()
            } else {
                letter.to_string()
            }
        })
        .collect()
}

fn shift(text: &str, zero: u32) -> String {
    let digit = |letter: char| {
        letter
            .to_digit(10)
            .and_then(|value| char::from_u32(zero + value))
    };
    text.chars()
        .map(|letter| digit(letter).unwrap_or(letter))
        .collect()
}

/// Texts with a disguised value each, by the disguise.
pub(super) fn disguised(random: &mut Random, count: usize) -> Vec<(String, Text)> {
    let mut texts = Vec::new();
    for (name, category, disguise) in DISGUISES {
        let mut made = 0;
        while made < count {
            let value = value::draw(random, category);
            let other = disguise(&value.text);
            if value.known == Known::Anywhere && other != value.text {
                let text =
                    Text::value(category, &other, 0).wrapped("the customer wrote ", " today");
                texts.push((format!("{category}, {name}"), text));
                made += 1;
            }
        }
    }
    texts
}

/// Numbers without a key that pass every check of a card by chance or are one.
pub(super) fn ambiguous(random: &mut Random, count: usize) -> Vec<String> {
    let number = |random: &mut Random| {
        let stem = random.chars("45", 1) + &random.digits(14);
        format!("{stem}{}", checksum::luhn(&stem))
    };
    (0..count)
        .map(|_| format!("saw {} twice", number(random)))
        .collect()
}
