//! Which key of a record, or which value inside of one, is which column.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use arrow::datatypes::Fields;
use serde_json::value::RawValue;

/// The columns by the keys of a record.
#[derive(Debug, Default)]
pub(super) struct Keys {
    by_name: HashMap<String, Target>,
}

/// What the value of a key goes to: columns for the whole of it, and columns for values inside.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) columns: Vec<usize>,
    inside: BTreeMap<String, Self>,
}

/// A value found inside of another: its column and its JSON text.
pub(super) type Part<'a> = (usize, &'a str);

impl Keys {
    /// The columns `fields`, each under its name or, where it has one, its path.
    pub(super) fn new(
        fields: &Fields,
        paths: &BTreeMap<String, Vec<String>>,
        extra: Option<usize>,
    ) -> Self {
        let mut root = Target::default();
        for (at, field) in fields.iter().enumerate() {
            if extra == Some(at) {
                continue;
            }
            let own = std::slice::from_ref(field.name());
            let path = paths.get(field.name()).map_or(own, Vec::as_slice);
            let mut target = &mut root;
            for key in path {
                target = target.inside.entry(key.clone()).or_default();
            }
            target.columns.push(at);
        }
        Self {
            by_name: root.inside.into_iter().collect(),
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<&Target> {
        self.by_name.get(key)
    }
}

impl Target {
    /// The one column of a key that is nothing else.
    pub(super) fn only(&self) -> Option<usize> {
        match self.columns.as_slice() {
            [column] if self.inside.is_empty() => Some(*column),
            _ => None,
        }
    }

    /// Whether columns take values inside of the key's.
    pub(super) fn has_inside(&self) -> bool {
        !self.inside.is_empty()
    }

    /// The columns of the key and of everything inside it.
    pub(super) fn all(&self) -> Vec<usize> {
        let inside = self.inside.values().flat_map(Self::all);
        self.columns.iter().copied().chain(inside).collect()
    }

    /// Finds the values inside `raw`, well-formed JSON, that are columns. Gives the first key that
    /// no column takes, if there is one: where the whole of `raw` is a column, there is none.
    pub(super) fn split<'a>(&self, raw: &'a str, parts: &mut Vec<Part<'a>>) -> Option<String> {
        let mut left = None;
        match raw.bytes().next() {
            _ if self.inside.is_empty() => {}
            Some(b'{') => {
                let entries: Option<BTreeMap<Cow<'a, str>, &'a RawValue>> =
                    serde_json::from_str(raw).ok();
                for (key, value) in entries.into_iter().flatten() {
                    let further = self.part(&key, value.get(), parts);
                    left = left.or(further);
                }
            }
            Some(b'[') => {
                let items: Option<Vec<&'a RawValue>> = serde_json::from_str(raw).ok();
                for (at, value) in items.into_iter().flatten().enumerate() {
                    let further = self.part(&at.to_string(), value.get(), parts);
                    left = left.or(further);
                }
            }
            Some(b'n') => {}
            _ => left = Some(String::new()),
        }
        if self.columns.is_empty() { left } else { None }
    }

    fn part<'a>(&self, key: &str, raw: &'a str, parts: &mut Vec<Part<'a>>) -> Option<String> {
        let Some(target) = self.inside.get(key) else {
            return Some(step(key));
        };
        parts.extend(target.columns.iter().map(|column| (*column, raw)));
        let left = target.split(raw, parts)?;
        Some(step(key) + &left)
    }
}

/// A key as a step of a JSON pointer.
pub(super) fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}
