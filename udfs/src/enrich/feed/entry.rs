//! Entries of documents in JSON, one of which may be wrong without the others being so.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// An entry, or something else in its place.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Entry<T> {
    Sound(T),
    Other(IgnoredAny),
}

/// A truth value as exports write it: `true`, `1` or `"1"`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Truth(bool),
    Number(f64),
    Text(String),
    Other(IgnoredAny),
}

impl Flag {
    pub(super) fn is_set(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => ["1", "true"].contains(&text.to_ascii_lowercase().as_str()),
            Self::Other(_) => false,
        }
    }
}

/// Text, or something else that is of no use.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Word {
    Text(String),
    Other(IgnoredAny),
}

impl Word {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

/// Seconds since 1970, as a number or as text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Seconds {
    Number(i64),
    Text(String),
    Other(IgnoredAny),
}

impl Seconds {
    /// Microseconds since 1970.
    pub(super) fn instant(&self) -> Option<i64> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Other(_) => return None,
        };
        (seconds > 0)
            .then(|| seconds.checked_mul(1_000_000))
            .flatten()
    }
}

/// One thing or an array of them.
pub(super) struct Several<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(document: D) -> Result<Self, D::Error> {
        document.deserialize_any(Each(PhantomData))
    }
}

struct Each<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
    type Value = Several<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Several<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(|one| Several(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Several<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Several(all))
    }
}
