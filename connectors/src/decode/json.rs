//! The encoding `json`: an object for each record, its keys the columns.
//!
//! `serde_json` finds the keys and the text of their values; each value is then parsed into its
//! column straight from that text. What a lazy look at a value leaves open (numbers beyond a
//! double, halves of surrogate pairs, depth) is checked where it can occur, so that a record is
//! refused exactly when `serde_json` refuses it as a value.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use sluice_engine::error::Result;

use super::check::check;
use super::column::Column;
use super::fault::Fault;
use super::layout::EXTRA;

/// Appends JSON objects to columns.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    columns: Vec<Column>,
    rows: usize,
    keys: Keys,
    found: Found,
}

/// Which key is which column.
#[derive(Debug)]
struct Keys {
    by_name: HashMap<String, usize>,
    names: Vec<String>,
    /// The column last seen at each place of an object: records tend to have one order.
    order: Vec<usize>,
    extra: Option<usize>,
}

/// Where the values of one record are in its text.
#[derive(Debug, Default)]
struct Found {
    columns: Vec<Option<Range<usize>>>,
    unknown: BTreeMap<String, Range<usize>>,
}

impl JsonDecoder {
    pub(super) fn new(fields: &Fields) -> Self {
        let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let extra = names.iter().position(|name| name == EXTRA);
        let named = names.iter().enumerate().filter(|(_, name)| *name != EXTRA);
        let by_name = named.map(|(at, name)| (name.clone(), at)).collect();
        Self {
            columns: fields.iter().map(Column::new).collect(),
            rows: 0,
            keys: Keys {
                by_name,
                names,
                order: Vec::new(),
                extra,
            },
            found: Found::default(),
        }
    }

    pub(super) fn append(&mut self, record: &[u8]) -> Result<(), Fault> {
        let text = simdutf8::compat::from_utf8(record).map_err(|error| {
            Fault::bad_json(format!("invalid UTF-8 at byte {}", error.valid_up_to()))
        })?;
        self.split(text)?;
        let appended = self.fill(text);
        match appended {
            Ok(()) => self.rows += 1,
            Err(_) => self
                .columns
                .iter_mut()
                .for_each(|column| column.truncate(self.rows)),
        }
        appended
    }

    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.columns.iter_mut().map(Column::finish).collect()
    }

    /// Finds the values of the record.
    fn split(&mut self, text: &str) -> Result<(), Fault> {
        if let Some(kind) = not_an_object(text) {
            return Err(Fault::bad_json(kind));
        }
        self.found.columns.clear();
        self.found.columns.resize(self.columns.len(), None);
        self.found.unknown.clear();
        let mut json = serde_json::Deserializer::from_str(text);
        let object = Object {
            keys: &mut self.keys,
            found: &mut self.found,
            text,
        };
        json.deserialize_map(object)
            .and_then(|()| json.end())
            .map_err(Fault::bad_json)
    }

    /// Appends a value to every column; after an error some of them have it.
    fn fill(&mut self, text: &str) -> Result<(), Fault> {
        let missing = "the record does not have it";
        for (at, column) in self.columns.iter_mut().enumerate() {
            if self.keys.extra == Some(at) {
                match extra(&self.found.unknown, text) {
                    Some(object) => column.append_text(&object)?,
                    None if column.is_nullable() => column.append_null(),
                    None => column.append_text("{}")?,
                }
                continue;
            }
            let range = self.found.columns.get(at).cloned().flatten();
            match range.and_then(|range| text.get(range)) {
                None if !column.is_nullable() => {
                    return Err(Fault::missing(column.name(), missing));
                }
                Some("null") if !column.is_nullable() => {
                    return Err(Fault::missing(column.name(), "the record has null"));
                }
                None | Some("null") => column.append_null(),
                Some(raw) => column.append(raw)?,
            }
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

/// The unknown keys as one object, in the order of their names.
fn extra(unknown: &BTreeMap<String, Range<usize>>, text: &str) -> Option<String> {
    if unknown.is_empty() {
        return None;
    }
    let mut object = String::from("{");
    for (key, range) in unknown {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&serde_json::Value::from(key.as_str()).to_string());
        object.push(':');
        object.push_str(text.get(range.clone()).unwrap_or("null"));
    }
    object.push('}');
    Some(object)
}

/// Visits the record and notes where its values are.
struct Object<'a> {
    keys: &'a mut Keys,
    found: &'a mut Found,
    text: &'a str,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(key) = map.next_key_seed(Key {
            keys: self.keys,
            place,
        })? {
            place += 1;
            let raw = map.next_value::<&RawValue>()?.get();
            let from = raw.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
            let range = from..from.saturating_add(raw.len());
            match key {
                Named::Column(at) => {
                    let Some(slot) = self.found.columns.get_mut(at) else {
                        continue;
                    };
                    if let Some(earlier) = slot.replace(range) {
                        check(self.text.get(earlier).unwrap_or_default())
                            .map_err(A::Error::custom)?;
                    }
                }
                Named::Extra(key) => {
                    check(raw).map_err(A::Error::custom)?;
                    self.found.unknown.insert(key, range);
                }
                Named::Unknown => check(raw).map_err(A::Error::custom)?,
            }
        }
        Ok(())
    }
}

/// What a key names.
enum Named {
    Column(usize),
    Extra(String),
    Unknown,
}

/// Reads the key at one place of an object.
struct Key<'a> {
    keys: &'a mut Keys,
    place: usize,
}

impl Key<'_> {
    fn named(&mut self, key: Cow<'_, str>) -> Named {
        let Self { keys, place } = self;
        if let Some(&at) = keys.order.get(*place)
            && keys.names.get(at).is_some_and(|name| *name == key)
        {
            return Named::Column(at);
        }
        match keys.by_name.get(key.as_ref()) {
            Some(&at) => {
                match keys.order.get_mut(*place) {
                    Some(expected) => *expected = at,
                    // Columns bound the memory: an object may have any number of places.
                    None if *place < 2 * keys.names.len() => {
                        keys.order.resize(*place, usize::MAX);
                        keys.order.push(at);
                    }
                    None => {}
                }
                Named::Column(at)
            }
            None if keys.extra.is_some() => Named::Extra(key.into_owned()),
            None => Named::Unknown,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(mut self, key: &str) -> Result<Named, E> {
        Ok(self.named(Cow::Borrowed(key)))
    }
}
