//! Keys and values of a record, whatever its format, on their way to columns.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use sluice_engine::error::Result;

use super::check::check;
use super::column::Column;
use super::fault::Fault;
use super::layout::Layout;
use super::path::{self, Keys, Target};

/// A value of a record.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    /// JSON text, well-formed apart from what [`check`] looks at.
    Json(Cow<'a, str>),
    /// Text without a type.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    pub(super) fn json(raw: impl Into<Cow<'a, str>>) -> Self {
        Self::Json(raw.into())
    }

    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }
}

/// The values of one record, by column, and those without a column by key. The last of several
/// values of a key counts.
#[derive(Debug)]
pub(super) struct Found<'a> {
    keys: Arc<Keys>,
    columns: Vec<Option<Value<'a>>>,
    unknown: BTreeMap<Cow<'a, str>, Value<'a>>,
    /// A key that has no column although it is inside of one that has.
    left: Option<String>,
}

impl<'a> Found<'a> {
    /// Adds a value.
    ///
    /// # Errors
    /// When it is JSON and more than its form is wrong, or an earlier one of its key is.
    pub(super) fn put(&mut self, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Fault> {
        let keys = Arc::clone(&self.keys);
        let Some(target) = keys.find(&key) else {
            if let Value::Json(raw) = &value {
                check(raw)?;
            }
            self.unknown.insert(key, value);
            return Ok(());
        };
        match target.only() {
            Some(column) => self.set(column, value),
            None => self.put_into(target, key, value),
        }
    }

    fn put_into(
        &mut self,
        target: &Target,
        key: Cow<'a, str>,
        value: Value<'a>,
    ) -> Result<(), Fault> {
        for column in target.all() {
            if let Some(slot) = self.columns.get_mut(column) {
                *slot = None;
            }
        }
        self.unknown.remove(&key);
        if let Value::Json(raw) = &value {
            check(raw)?;
        }
        for column in &target.columns {
            self.set(*column, value.clone())?;
        }
        if !target.has_inside() {
            return Ok(());
        }
        let left = match &value {
            Value::Json(Cow::Borrowed(raw)) => {
                let mut parts = Vec::new();
                let left = target.split(raw, &mut parts);
                for (column, part) in parts {
                    self.set(column, Value::json(part))?;
                }
                left
            }
            Value::Json(Cow::Owned(raw)) => {
                let mut parts = Vec::new();
                let left = target.split(raw, &mut parts);
                for (column, part) in parts {
                    self.set(column, Value::json(part.to_owned()))?;
                }
                left
            }
            Value::Text(_) => target.columns.is_empty().then(String::new),
        };
        if let Some(left) = left {
            self.left = (!left.is_empty()).then(|| format!("{}{left}", path::step(&key)));
            self.unknown.insert(key, value);
        }
        Ok(())
    }

    fn set(&mut self, column: usize, value: Value<'a>) -> Result<(), Fault> {
        let earlier = self
            .columns
            .get_mut(column)
            .and_then(|slot| slot.replace(value));
        match earlier {
            Some(Value::Json(raw)) => check(&raw),
            _ => Ok(()),
        }
    }
}

/// Columns being filled, a row at a time.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Vec<Column>,
    count: usize,
    keys: Arc<Keys>,
    /// The column of the keys that have none; without it they are refused.
    extra: Option<usize>,
}

impl Rows {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            columns: layout.fields().iter().map(Column::new).collect(),
            count: 0,
            keys: Arc::clone(layout.keys()),
            extra: layout.extra(),
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many columns a row has.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn extra(&self) -> Option<usize> {
        self.extra
    }

    /// A place for the values of one record.
    pub(super) fn found<'a>(&self) -> Found<'a> {
        Found {
            keys: Arc::clone(&self.keys),
            columns: vec![None; self.columns.len()],
            unknown: BTreeMap::new(),
            left: None,
        }
    }

    /// Appends a row of `found`; nothing after an error.
    pub(super) fn fill(&mut self, found: &Found<'_>) -> Result<(), Fault> {
        let filled = self.fill_columns(found);
        self.settle(filled.is_ok());
        filled
    }

    fn fill_columns(&mut self, found: &Found<'_>) -> Result<(), Fault> {
        if self.extra.is_none()
            && let Some(key) = found.unknown.keys().next()
        {
            return Err(Fault::unknown_key(found.left.as_deref().unwrap_or(key)));
        }
        for (at, column) in self.columns.iter_mut().enumerate() {
            if self.extra == Some(at) {
                let entries = found.unknown.iter();
                let mut object = Object::default();
                entries.for_each(|(key, value)| object.push(&quote(key), value));
                object.append(column)?;
                continue;
            }
            append(column, found.columns.get(at).and_then(Option::as_ref))?;
        }
        Ok(())
    }

    /// Appends the values that `found` has for `columns`, a part of a row; whether it also has some
    /// for no column. [`Rows::settle`] must follow.
    pub(super) fn fill_some(
        &mut self,
        columns: &[usize],
        found: &Found<'_>,
    ) -> Result<bool, Fault> {
        for at in columns {
            if let Some(column) = self.columns.get_mut(*at) {
                append(column, found.columns.get(*at).and_then(Option::as_ref))?;
            }
        }
        Ok(!found.unknown.is_empty())
    }

    /// Appends a row of one text, for a stream of one column.
    pub(super) fn fill_text(&mut self, text: &str) -> Result<(), Fault> {
        let mut columns = self.columns.iter_mut();
        let filled = columns.try_for_each(|column| column.append_text(text));
        self.settle(filled.is_ok());
        filled
    }

    /// The column `at`, to be appended to. [`Rows::settle`] must follow.
    pub(super) fn column(&mut self, at: usize) -> Option<&mut Column> {
        self.columns.get_mut(at)
    }

    /// Ends a row: counts it when every column has a value for it, else drops what some have.
    pub(super) fn settle(&mut self, complete: bool) {
        if complete {
            self.count += 1;
            return;
        }
        for column in &mut self.columns {
            column.truncate(self.count);
        }
    }

    /// Takes the rows.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.count = 0;
        self.columns.iter_mut().map(Column::finish).collect()
    }
}

fn append(column: &mut Column, value: Option<&Value<'_>>) -> Result<(), Fault> {
    match value {
        Some(Value::Json(raw)) => column.append(raw),
        Some(Value::Text(text)) => column.append_text(text),
        None => column.append_missing("the record does not have it"),
    }
}

/// The text of a JSON object.
#[derive(Debug, Default)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry; `key` is quoted.
    pub(super) fn push(&mut self, key: &str, value: &Value<'_>) {
        match value {
            Value::Json(raw) => self.push_raw(key, raw),
            Value::Text(text) => self.push_raw(key, &quote(text)),
        }
    }

    pub(super) fn push_raw(&mut self, key: &str, raw: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(key);
        self.0.push(':');
        self.0.push_str(raw);
    }

    /// Appends it to the column of unknown keys: NULL when there are none.
    pub(super) fn append(mut self, column: &mut Column) -> Result<(), Fault> {
        if !self.0.is_empty() {
            self.0.push('}');
            return column.append_text(&self.0);
        }
        match column.is_nullable() {
            true => column.append_missing(""),
            false => column.append_text("{}"),
        }
    }
}

/// `text` as JSON.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
