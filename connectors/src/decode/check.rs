//! What looking for the end of a JSON value leaves open: numbers beyond a double, halves of
//! surrogate pairs, depth. Each is checked where it can occur, by `serde_json` itself.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::fault::Fault;

/// How deep a value of a record may be nested: `serde_json`'s own limit, less the record itself.
const DEPTH: u8 = 126;

/// Refuses what the search for the end of a value does not look at.
pub(super) fn check(raw: &str) -> Result<(), Fault> {
    match raw.bytes().next() {
        Some(b'"') if memchr::memchr(b'\\', raw.as_bytes()).is_some() => unquote(raw).map(drop),
        Some(b'{' | b'[') => {
            let mut json = serde_json::Deserializer::from_str(raw);
            Checked { depth: DEPTH }
                .deserialize(&mut json)
                .map_err(Fault::bad_json)
        }
        Some(b'-' | b'0'..=b'9') => check_number(raw),
        _ => Ok(()),
    }
}

/// Refuses a number beyond a double. Only one with an exponent, or a very long one, can be.
pub(super) fn check_number(raw: &str) -> Result<(), Fault> {
    if raw.len() < 300 && memchr::memchr2(b'e', b'E', raw.as_bytes()).is_none() {
        return Ok(());
    }
    serde_json::from_str::<f64>(raw)
        .map(drop)
        .map_err(Fault::bad_json)
}

/// The content of a string with escapes.
pub(super) fn unquote(raw: &str) -> Result<String, Fault> {
    serde_json::from_str(raw).map_err(Fault::bad_json)
}

/// Walks a nested value as `serde_json` walks one of its own, and keeps nothing.
#[derive(Clone, Copy)]
struct Checked {
    depth: u8,
}

impl Checked {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        depth
            .map(|depth| Self { depth })
            .ok_or_else(|| E::custom("recursion limit exceeded"))
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while entries.next_key_seed(inside)?.is_some() {
            entries.next_value_seed(inside)?;
        }
        Ok(())
    }
}
