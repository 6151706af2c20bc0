//! Keyed hashes of findings: equal values have equal hashes, and nobody without the key can try
//! all numbers of a kind until one fits, as with a plain hash.

use datafusion::common::plan_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::pii::detect::Category;
use crate::pii::policy::{HashKey, Policies};

/// Characters of a hash: 80 bits.
const LENGTH: usize = 16;
/// RFC 4648 base 32 in small letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Hashes values under one key (HMAC-SHA-256, RFC 2104).
#[derive(Clone, Debug)]
pub(crate) struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// A hasher with `key`. None for a key that HMAC refuses, of which there is none.
    pub(crate) fn new(key: &HashKey) -> Option<Self> {
        Hmac::new_from_slice(key.bytes()).ok().map(Self)
    }

    /// A hasher with the key of the session's policies, for `function`.
    ///
    /// # Errors
    /// Where they have none.
    pub(crate) fn of(function: &str, config: &ConfigOptions) -> Result<Self> {
        let policies = config.extensions.get::<Policies>();
        let key = policies.and_then(Policies::key);
        key.and_then(Self::new).map_or_else(
            || {
                plan_err!(
                    "{function} needs a key, and the configuration has none; set the hash key of \
                     the policies there"
                )
            },
            Ok,
        )
    }

    /// The hash of `value` as a value of `category`: of its digits alone where it is a number,
    /// and in small letters where it is an address, so that ways of writing do not matter.
    pub(crate) fn hash(&self, category: Category, value: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(category.name().as_bytes());
        mac.update(b"\0");
        match category {
            Category::CreditCard | Category::UsSsn | Category::UsItin | Category::Phone => {
                let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
                mac.update(&digits);
            }
            Category::Email => mac.update(value.to_lowercase().as_bytes()),
            Category::Iban => {
                let plain: Vec<u8> = value.bytes().filter(u8::is_ascii_alphanumeric).collect();
                mac.update(&plain.to_ascii_uppercase());
            }
            _ => mac.update(value.as_bytes()),
        }
        let bytes = mac.finalize().into_bytes();
        let bits = bytes.iter().take(LENGTH * 5 / 8);
        let number = bits.fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        let letter = |place: usize| {
            let at = (number >> (5 * (LENGTH - 1 - place))) & 31;
            ALPHABET
                .get(at as usize)
                .map_or('a', |byte| char::from(*byte))
        };
        (0..LENGTH).map(letter).collect()
    }

    /// What stands for `value` in redacted text, such as `[EMAIL:hzq2k7p4vn3xw6ma]`.
    pub(crate) fn token(&self, category: Category, value: &str) -> String {
        let hash = self.hash(category, value);
        format!("[{}:{hash}]", category.name().to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_the_category_and_the_value_make_the_hash() {
        let hash = |key: &[u8], category, value| {
            Hasher::new(&HashKey::new(key))
                .unwrap()
                .hash(category, value)
        };
        let card = hash(b"k", Category::CreditCard, "4111 1111 1111 1111");
        assert_eq!(card.len(), LENGTH);
        assert_eq!(card, hash(b"k", Category::CreditCard, "4111111111111111"));
        assert_ne!(card, hash(b"k", Category::Phone, "4111111111111111"));
        assert_ne!(card, hash(b"l", Category::CreditCard, "4111111111111111"));
        let mail = hash(b"k", Category::Email, "Bob@X.com");
        assert_eq!(mail, hash(b"k", Category::Email, "bob@x.com"));
    }
}
