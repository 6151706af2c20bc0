//! What a generated value is, and the generator of each category.

use super::random::Random;
use super::{address, number, phone, secret, token};

/// The categories that are on by default, as SQL names them.
pub(super) const CATEGORIES: [&str; 14] = [
    "credit_card",
    "card_track",
    "cvv",
    "us_ssn",
    "us_itin",
    "email",
    "phone",
    "password",
    "auth_header",
    "jwt",
    "private_key",
    "cloud_token",
    "iban",
    "crypto",
];

/// Where a value of this shape is known for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Wherever it stands.
    Anywhere,
    /// Behind a key or a word that announces it.
    Announced,
}

/// A value and the grammar that made it.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) category: &'static str,
    pub(super) grammar: String,
    pub(super) known: Known,
    pub(super) text: String,
    /// Bytes at the start of the text that are not secret, as the scheme of a header.
    pub(super) lead: usize,
}

/// A value of `category`.
pub(super) fn draw(random: &mut Random, category: &'static str) -> Value {
    match category {
        "credit_card" => number::card(random),
        "card_track" => number::track(random),
        "cvv" => number::cvv(random),
        "us_ssn" => number::ssn(random),
        "us_itin" => number::itin(random),
        "phone" => phone::phone(random),
        "email" => address::email(random),
        "iban" => address::iban(random),
        "crypto" => address::crypto(random),
        "password" => secret::password(random),
        "auth_header" => secret::auth_header(random),
        "jwt" => secret::jwt(random),
        "private_key" => secret::private_key(random),
        "cloud_token" => token::cloud_token(random),
        other => panic!("no generator of {other}"),
    }
}
