//! The shapes of JSON objects: a program that logs writes the same keys in the same order, so most
//! records differ from an earlier one in their values alone.
//!
//! A shape is what stands between the values, byte for byte: `{"ts":`, `,"level":`, `}`. Shapes are
//! a tree, as records with an optional key share what comes before it. A record that follows a path
//! of the tree is a JSON object if its values are JSON values, because the bytes between them were
//! those of one; so nothing but values has to be parsed. Every other record, and every one with a
//! value that does not fit its column, goes the general way, which says what is wrong with it or
//! teaches its shape.

use std::ops::Range;

use super::rows::{Object, Rows, Value, quote};
use super::scan::Json;

/// Nodes of a full tree. It is then forgotten, as what it holds is hardly shapes.
const NODES: usize = 2048;
/// Keys of an object that may be a shape.
pub(super) const KEYS: usize = 512;
/// Bytes between two values of a shape.
const LITERAL: usize = 512;
/// Ways on from one node.
const WAYS: usize = 32;
/// How many records may teach their shape while none follows one: what is never repeated must not
/// cost more than reading it. Each record that follows a shape allows one again.
const CREDIT: u32 = 64;
/// Without credit, one in so many teaches.
const RARELY: u32 = 64;

/// The shapes seen.
#[derive(Debug)]
pub(super) struct Shapes {
    nodes: Vec<Node>,
    credit: u32,
    missed: u32,
    /// Where the values of unknown keys are.
    unknown: Vec<Option<Range<usize>>>,
}

/// What comes before a value, or at the end.
#[derive(Debug)]
struct Node {
    literal: Box<[u8]>,
    step: Step,
    /// The longest first: one may begin as another does.
    next: Vec<usize>,
}

#[derive(Debug)]
enum Step {
    /// The beginning of the tree.
    Root,
    /// The value is this column.
    Column(usize),
    /// The value, of this key, is several columns, or has them inside.
    Target(String),
    /// The value goes to the unknown keys.
    Unknown,
    /// The object ends.
    End(End),
}

/// What a complete row needs.
#[derive(Debug)]
struct End {
    /// Columns without a value.
    missing: Vec<usize>,
    /// Unknown keys, quoted and in order, with the place of each among the values.
    unknown: Vec<(String, usize)>,
}

/// A key of a record: its text, and where its value is.
pub(super) type Entry = (String, Range<usize>);

impl Shapes {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            credit: CREDIT,
            missed: 0,
            unknown: Vec::new(),
        }
    }

    /// Appends the record as a row, if it has a shape seen before and values that fit.
    pub(super) fn append(&mut self, record: &[u8], rows: &mut Rows) -> bool {
        if self.nodes.is_empty() {
            return false;
        }
        let followed = Json::new(record).and_then(|json| self.follow(json, rows));
        rows.settle(followed.is_some());
        match followed {
            Some(()) => self.credit = CREDIT.min(self.credit + 1),
            None => self.missed = self.missed.wrapping_add(1),
        }
        followed.is_some()
    }

    fn follow(&mut self, json: Json<'_>, rows: &mut Rows) -> Option<()> {
        let Self { nodes, unknown, .. } = self;
        unknown.clear();
        let (mut at, mut node) = (0, nodes.first()?);
        loop {
            let rest = json.rest(at);
            let mut ways = node.next.iter().filter_map(|way| nodes.get(*way));
            node = ways.find(|way| match way.step {
                Step::End(_) => *rest == *way.literal,
                _ => rest.starts_with(&way.literal),
            })?;
            at += node.literal.len();
            match &node.step {
                Step::Column(column) => at = rows.column(*column)?.take(json, at)?,
                Step::Unknown => {
                    let (_, end) = json.value(at)?;
                    unknown.push(Some(at..end));
                    at = end;
                }
                Step::Target(key) => {
                    let (raw, end) = json.value(at)?;
                    let is_left = target(rows, key, raw)?;
                    unknown.push(is_left.then_some(at..end));
                    at = end;
                }
                Step::End(end) => return end.complete(json, unknown, rows),
                Step::Root => return None,
            }
        }
    }

    /// Whether the record that did not follow a shape may teach its own.
    pub(super) fn is_curious(&self) -> bool {
        self.credit > 0 || self.missed.is_multiple_of(RARELY)
    }

    /// Learns the shape of a record that has become a row.
    pub(super) fn learn(&mut self, text: &str, entries: &[Entry], rows: &Rows) {
        self.credit = self.credit.saturating_sub(1);
        if self.nodes.len() + entries.len() > NODES || self.nodes.is_empty() {
            self.nodes.clear();
            self.nodes.push(Node {
                literal: Box::default(),
                step: Step::Root,
                next: Vec::new(),
            });
        }
        let Some(literals) = literals(text, entries) else {
            return;
        };
        let steps = entries.iter().map(|(key, _)| match rows.keys().find(key) {
            None => Step::Unknown,
            Some(target) => match target.only() {
                Some(column) => Step::Column(column),
                None => Step::Target(key.clone()),
            },
        });
        let end = std::iter::once(Step::End(End::of(entries, rows)));
        let mut node = 0;
        for (literal, step) in literals.into_iter().zip(steps.chain(end)) {
            match self.way(node, literal, step) {
                Some(way) => node = way,
                None => return,
            }
        }
    }

    /// The way from `node` over `literal`, made if there is room for it.
    fn way(&mut self, node: usize, literal: &[u8], step: Step) -> Option<usize> {
        let ways = &self.nodes.get(node)?.next;
        let is = |way: &&usize| {
            self.nodes.get(**way).is_some_and(|way| {
                let ends = |step: &Step| matches!(step, Step::End(_));
                *way.literal == *literal && ends(&way.step) == ends(&step)
            })
        };
        if let Some(way) = ways.iter().find(is) {
            return Some(*way);
        }
        if ways.len() == WAYS {
            return None;
        }
        let length = |way: &usize| self.nodes.get(*way).map_or(0, |way| way.literal.len());
        let place = ways.partition_point(|way| length(way) >= literal.len());
        let new = self.nodes.len();
        self.nodes.push(Node {
            literal: literal.into(),
            step,
            next: Vec::new(),
        });
        self.nodes.get_mut(node)?.next.insert(place, new);
        Some(new)
    }
}

/// What stands before each value and after the last one; None when that is too long.
fn literals<'a>(text: &'a str, entries: &[Entry]) -> Option<Vec<&'a [u8]>> {
    let starts = entries.iter().map(|(_, value)| value.start);
    let ends = entries.iter().map(|(_, value)| value.end);
    let from = std::iter::once(0).chain(ends);
    let to = starts.chain(std::iter::once(text.len()));
    let literals = from.zip(to).map(|(from, to)| text.as_bytes().get(from..to));
    literals
        .map(|literal| literal.filter(|literal| literal.len() <= LITERAL))
        .collect()
}

/// Appends a value to the columns of its key; whether some of it has no column.
fn target(rows: &mut Rows, key: &str, raw: &str) -> Option<bool> {
    let mut found = rows.found();
    let columns = rows.keys().find(key)?.all();
    found.put(key.into(), Value::json(raw)).ok()?;
    rows.fill_some(&columns, &found).ok()
}

impl End {
    fn of(entries: &[Entry], rows: &Rows) -> Self {
        let mut has = vec![false; rows.width()];
        let mut unknown = Vec::new();
        let mut places = 0;
        for (key, _) in entries {
            let target = rows.keys().find(key);
            for column in target.map(|target| target.all()).unwrap_or_default() {
                if let Some(has) = has.get_mut(column) {
                    *has = true;
                }
            }
            if target.is_none_or(|target| target.only().is_none()) {
                unknown.push((key, places));
                places += 1;
            }
        }
        unknown.sort();
        let missing = (0..rows.width()).filter(|at| has.get(*at) == Some(&false));
        Self {
            missing: missing.filter(|at| rows.extra() != Some(*at)).collect(),
            unknown: unknown
                .into_iter()
                .map(|(key, at)| (quote(key), at))
                .collect(),
        }
    }

    fn complete(
        &self,
        json: Json<'_>,
        unknown: &[Option<Range<usize>>],
        rows: &mut Rows,
    ) -> Option<()> {
        for column in &self.missing {
            rows.column(*column)?.append_missing("").ok()?;
        }
        let mut object = Object::default();
        for (key, place) in &self.unknown {
            if let Some(value) = unknown.get(*place)? {
                object.push_raw(key, json.slice(value.start, value.end)?);
            }
        }
        match rows.extra() {
            Some(extra) => object.append(rows.column(extra)?).ok(),
            None => object.is_empty().then_some(()),
        }
    }
}
