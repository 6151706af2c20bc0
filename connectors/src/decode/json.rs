//! The encoding `json`: an object for each record, its keys the columns.
//!
//! `serde_json` finds the keys and the text of their values; each value is then parsed into its
//! column straight from that text. What a lazy look at a value leaves open (numbers beyond a
//! double, halves of surrogate pairs, depth) is checked where it can occur, so that a record is
//! refused exactly when `serde_json` refuses it as a value. Records of a shape seen before go a
//! shorter way to the same end.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::Fault;
use super::rows::{Found, Rows, Value};
use super::shape::{Entry, KEYS, Shapes};

/// Reads JSON objects.
#[derive(Debug)]
pub(super) struct JsonReader {
    shapes: Shapes,
}

impl JsonReader {
    pub(super) fn new() -> Self {
        Self {
            shapes: Shapes::new(),
        }
    }

    /// Appends the record as one row; nothing after an error.
    pub(super) fn append(&mut self, record: &[u8], rows: &mut Rows) -> Result<(), Fault> {
        if self.shapes.append(record, rows) {
            return Ok(());
        }
        let text = simdutf8::compat::from_utf8(record).map_err(|error| {
            Fault::bad_json(format!("invalid UTF-8 at byte {}", error.valid_up_to()))
        })?;
        if let Some(kind) = not_an_object(text) {
            return Err(Fault::bad_json(kind));
        }
        let mut found = rows.found();
        let mut object = Object {
            found: &mut found,
            text,
            entries: self.shapes.is_curious().then(Vec::new),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let entries = json
            .deserialize_map(&mut object)
            .and_then(|()| json.end())
            .map(|()| object.entries.take())
            .map_err(Fault::bad_json)?;
        rows.fill(&found)?;
        if let Some(entries) = entries.filter(|entries| are_distinct(entries)) {
            self.shapes.learn(text, &entries, rows);
        }
        Ok(())
    }
}

/// What the record is when it cannot be an object.
fn not_an_object(text: &str) -> Option<&'static str> {
    match text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .bytes()
        .next()
    {
        Some(b'{') => None,
        None => Some("the record is empty"),
        Some(b'[') => Some("the record is an array"),
        Some(b'"') => Some("the record is a string"),
        Some(b'-' | b'0'..=b'9') => Some("the record is a number"),
        Some(_) => Some("the record does not begin with {"),
    }
}

fn are_distinct(entries: &[Entry]) -> bool {
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair.first() != pair.last())
}

/// Visits the record and takes its values.
struct Object<'a, 'f> {
    found: &'f mut Found<'a>,
    text: &'a str,
    /// Where the values are, as long as that may become a shape.
    entries: Option<Vec<Entry>>,
}

impl<'de> Visitor<'de> for &mut Object<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let raw = map.next_value::<&'de RawValue>()?.get();
            if self
                .entries
                .as_ref()
                .is_some_and(|entries| entries.len() == KEYS)
            {
                self.entries = None;
            }
            if let Some(entries) = &mut self.entries {
                let from = raw.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
                entries.push((key.to_string(), from..from.saturating_add(raw.len())));
            }
            self.found
                .put(key, Value::json(raw))
                .map_err(|fault| A::Error::custom(fault.json_detail()))?;
        }
        Ok(())
    }
}

/// Reads a key, borrowed unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
