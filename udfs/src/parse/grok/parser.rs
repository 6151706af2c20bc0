//! The patterns of one call, compiled, and the rows that they give.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::{ArrayBuilder, ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::plan_err;
use datafusion::error::Result;
use regex_syntax::hir::{Hir, HirKind};

use super::expand::{Capture, expand};
use super::library::parse_line;
use super::matcher::{Engine, Matcher, Scratch};
use crate::parse::structs::{Column, Kind, PARSE_ERROR, Rows};

/// What a row says in `parse_error` where no pattern fits.
pub(crate) const NO_MATCH: &str = "no pattern fits";

/// How many calls are kept compiled.
const KEPT_MAX: usize = 64;

/// What a call says: its literals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spoken {
    /// The patterns, in the order in which they are tried.
    pub(crate) patterns: Vec<String>,
    /// `NAME regex`, each.
    pub(crate) definitions: Vec<String>,
}

/// Compiled patterns.
#[derive(Debug)]
pub(crate) struct Grok {
    patterns: Vec<Pattern>,
    kinds: Vec<Kind>,
    fields: Fields,
}

#[derive(Debug)]
struct Pattern {
    matcher: Matcher,
    /// The field of each group, from group 1 on.
    columns: Vec<usize>,
}

/// Patterns as they were given, with their compiled forms.
type Kept = Vec<(Spoken, Arc<Grok>)>;

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

impl Grok {
    /// The compiled form of `spoken`; made once for all batches and sessions.
    ///
    /// # Errors
    /// Names what is wrong in the patterns, and the way out.
    pub(crate) fn get(spoken: &Spoken) -> Result<Arc<Self>> {
        let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept()
            .iter()
            .find(|(key, _)| key == spoken)
            .map(|(_, grok)| Arc::clone(grok));
        if let Some(grok) = found {
            return Ok(grok);
        }
        let grok = Arc::new(Self::new(spoken)?);
        let mut kept = kept();
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((spoken.clone(), Arc::clone(&grok)));
        Ok(grok)
    }

    fn new(spoken: &Spoken) -> Result<Self> {
        let definitions = definitions(&spoken.definitions)?;
        let (mut names, mut kinds): (Vec<String>, Vec<Kind>) = (Vec::new(), Vec::new());
        let mut patterns = Vec::new();
        for pattern in &spoken.patterns {
            let expanded = expand(pattern, &definitions)?;
            if expanded.captures.is_empty() {
                return plan_err!(
                    "grok: \"{pattern}\" names no field; write %{{WORD:name}}, and definitions \
                     as a list: definitions => ARRAY['NAME regex']"
                );
            }
            let matcher = Matcher::new(&expanded.regex)?;
            check_twice(&matcher.hir, &expanded.captures)?;
            let mut columns = Vec::new();
            for capture in &expanded.captures {
                let known = names.iter().position(|name| *name == capture.field);
                let column = known.unwrap_or(names.len());
                match kinds.get(column) {
                    None => {
                        names.push(capture.field.clone());
                        kinds.push(capture.kind);
                    }
                    Some(kind) if *kind != capture.kind => {
                        return plan_err!(
                            "grok: the field \"{}\" is {} in one place and {} in another; give it \
                             one type",
                            capture.field,
                            kind.noun(),
                            capture.kind.noun()
                        );
                    }
                    Some(_) => {}
                }
                columns.push(column);
            }
            patterns.push(Pattern { matcher, columns });
        }
        let fields = names
            .iter()
            .zip(&kinds)
            .map(|(name, kind)| kind.field(name));
        let error = Field::new(PARSE_ERROR, DataType::Utf8, true);
        let fields = fields.chain(std::iter::once(error)).collect();
        Ok(Self {
            patterns,
            kinds,
            fields,
        })
    }

    /// The fields of the struct; `parse_error` is the last.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Empty rows.
    pub(crate) fn rows(&self) -> GrokRows<'_> {
        self.rows_by(Engine::Fastest)
    }

    /// Whether each pattern has a plan, and whether it has an automaton with groups.
    #[cfg(test)]
    pub(super) fn engines(&self) -> Vec<(bool, bool)> {
        self.patterns
            .iter()
            .map(|one| one.matcher.engines())
            .collect()
    }

    /// Empty rows that are read by `engine`.
    pub(crate) fn rows_by(&self, engine: Engine) -> GrokRows<'_> {
        GrokRows {
            grok: self,
            engine,
            scratch: self
                .patterns
                .iter()
                .map(|one| one.matcher.scratch())
                .collect(),
            columns: self.kinds.iter().map(|kind| Column::new(*kind)).collect(),
            errors: StringBuilder::new(),
            spans: vec![None; self.kinds.len()],
        }
    }
}

/// `NAME regex` lines as a table.
fn definitions(lines: &[String]) -> Result<HashMap<String, String>> {
    let mut table = HashMap::new();
    for line in lines.iter().flat_map(|text| text.lines()) {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((name, expression)) = parse_line(line) else {
            return plan_err!("grok: the definition \"{line}\" is not \"NAME regex\"");
        };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return plan_err!(
                "grok: \"{name}\" cannot be the name of a pattern; use letters, digits and '_'"
            );
        }
        table.insert(name.to_owned(), expression.to_owned());
    }
    Ok(table)
}

/// Refuses a pattern that itself names one field twice on one way through it. Standard patterns
/// may, and the first value is taken then.
fn check_twice(hir: &Hir, captures: &[Capture]) -> Result<()> {
    named(hir, captures).map(|_| ())
}

fn named<'a>(hir: &Hir, captures: &'a [Capture]) -> Result<Vec<&'a str>> {
    Ok(match hir.kind() {
        HirKind::Capture(capture) => {
            let mut names = named(&capture.sub, captures)?;
            let at = usize::try_from(capture.index).unwrap_or(usize::MAX);
            let own = captures
                .get(at.wrapping_sub(1))
                .filter(|capture| capture.own);
            names.extend(own.map(|capture| capture.field.as_str()));
            names
        }
        HirKind::Repetition(repetition) => named(&repetition.sub, captures)?,
        HirKind::Concat(parts) => {
            let mut all: Vec<&str> = Vec::new();
            for part in parts {
                let names = named(part, captures)?;
                if let Some(twice) = names.iter().find(|name| all.contains(name)) {
                    return plan_err!(
                        "grok: the field \"{twice}\" stands twice in one pattern; give the second \
                         another name"
                    );
                }
                all.extend(names);
            }
            all
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| named(part, captures));
            parts.collect::<Result<Vec<_>>>()?.concat()
        }
        _ => Vec::new(),
    })
}

/// The rows of one batch.
#[derive(Debug)]
pub(crate) struct GrokRows<'a> {
    grok: &'a Grok,
    engine: Engine,
    scratch: Vec<Scratch>,
    columns: Vec<Column>,
    errors: StringBuilder,
    spans: Vec<Option<(usize, usize)>>,
}

impl Rows for GrokRows<'_> {
    fn push(&mut self, text: &str) {
        self.spans.fill(None);
        let mut fits = false;
        for (pattern, scratch) in self.grok.patterns.iter().zip(&mut self.scratch) {
            fits = pattern.matcher.read(scratch, text, self.engine);
            if !fits {
                continue;
            }
            let groups = scratch.groups.chunks_exact(2).skip(1);
            for (group, column) in groups.zip(&pattern.columns) {
                if let ([Some(start), Some(end)], Some(span)) = (group, self.spans.get_mut(*column))
                {
                    span.get_or_insert((*start, *end));
                }
            }
            break;
        }
        let mut wrong = None;
        for (at, (column, span)) in self.columns.iter_mut().zip(&self.spans).enumerate() {
            let value = span.and_then(|(start, end)| text.get(start..end));
            if column.push(value).is_err() {
                wrong = wrong.or(Some(at));
            }
        }
        match wrong {
            None if fits => self.errors.append_null(),
            None => self.errors.append_value(NO_MATCH),
            Some(at) => {
                let field = self.grok.fields.get(at).map_or("", |field| field.name());
                let noun = self.grok.kinds.get(at).map_or("", |kind| kind.noun());
                self.errors
                    .append_value(format!("\"{field}\" is not {noun}"));
            }
        }
    }

    fn push_null(&mut self) {
        for column in &mut self.columns {
            // NULL is a value of every type.
            let _fits = column.push(None);
        }
        self.errors.append_null();
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let columns = self.columns.iter_mut().map(Column::finish);
        let mut columns: Vec<_> = columns.collect();
        columns.push(ArrayBuilder::finish(&mut self.errors));
        columns
    }
}
