//! Leaves out rows that repeat one that is stored: those with the same key, read earlier from the
//! same partition, and nearer in event time than the window.
//!
//! What counts are rows that are stored, so what is remembered of a partition can be read from the
//! table again whenever it is gone: after a restart, a failed commit, or when the partition comes
//! from another process. The answer for a record depends on the rows before it in its partition
//! alone, however they were cut into commits.
//!
//! Remembered are the rows of two windows before the newest, [`KEYS_MAX`] at most. A row that is
//! older than the newest by a window or more is stored unseen; late is not lost.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::prelude::{DataFrame, ident, lit};
use datafusion::scalar::ScalarValue;

use crate::error::{Error, Result};
use crate::lineage;
use crate::pipeline::batch::{Origins, only};
use crate::pipeline::cut::Cut;
use crate::pipeline::definition::Repeats;
use crate::pipeline::isolate::{Isolated, Isolation};
use crate::pipeline::part::times;
use crate::pipeline::transform::Transform;
use crate::runtime::Cpu;
use crate::source::SourceBatch;
use crate::table::Table;

/// Rows that are remembered of one partition at most; beyond, the window is as long as they reach.
pub const KEYS_MAX: usize = 1 << 18;

/// A topic and the number of a partition, as rows say it.
type Place = (String, i32);

/// What finds repeats for one pipeline.
#[derive(Debug)]
pub struct Dedup {
    keys: Vec<FieldRef>,
    event_time: String,
    window_us: i64,
    table: Arc<dyn Table>,
    transform: Arc<Transform>,
    cpu: Arc<Cpu>,
    /// Two hashes, so that different keys are never taken for the same.
    hashers: (RandomState, RandomState),
    memory: Mutex<Memory>,
}

/// What is remembered, by partition.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<Place, Seen>);

/// What is remembered of one partition.
#[derive(Debug, Default)]
struct Seen {
    /// The offset up to which records were judged.
    next: i64,
    /// The newest event time of a stored row.
    newest_us: Option<i64>,
    by_key: BTreeSet<(u128, i64)>,
    by_time: BTreeSet<(i64, i64, u128)>,
}

/// What tells a row from others.
#[derive(Debug, Clone, Copy)]
struct Row {
    key: u128,
    at_us: i64,
    offset: i64,
}

impl Dedup {
    /// What `repeats` says of rows of `transform`, which go to `table` and whose column
    /// `event_time` says when they happened.
    ///
    /// # Errors
    /// [`crate::error::Kind::User`] for columns that are no key, and for queries that give other
    /// rows for the same records, or several for one.
    pub fn new(
        repeats: &Repeats,
        event_time: Option<&str>,
        (table, cpu): (&Arc<dyn Table>, &Arc<Cpu>),
        transform: &Arc<Transform>,
    ) -> Result<Self> {
        check(transform.logical())?;
        let target = transform.target();
        let event_time = event_time.ok_or_else(|| {
            Error::user("no column of the table says when a row happened")
                .hint("name a TIMESTAMP column by the option event_time")
        })?;
        let keys = repeats.key.iter().map(|name| key(transform, target, name));
        Ok(Self {
            keys: keys.collect::<Result<_>>()?,
            event_time: event_time.to_owned(),
            window_us: i64::try_from(repeats.window.as_micros()).unwrap_or(i64::MAX / 4),
            table: Arc::clone(table),
            transform: Arc::clone(transform),
            cpu: Arc::clone(cpu),
            hashers: (RandomState::new(), RandomState::new()),
            memory: Mutex::default(),
        })
    }

    /// What is remembered when `cut` is committed. It must be given back when the commit has
    /// landed; what is not given back is read from the table again.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn begin(&self, cut: &Cut) -> Result<Memory> {
        let mut memory = {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *memory)
        };
        for (partition, from) in cut.starts() {
            let place = (partition.topic.clone(), partition.index);
            let known = memory.0.get(&place).map(|seen| seen.next);
            if known != Some(from) {
                let seen = self.read(&place, from).await?;
                memory.0.insert(place, seen);
            }
        }
        Ok(memory)
    }

    /// Takes back what is remembered after a commit, of the partitions for which `owned` holds.
    pub fn end(&self, mut memory: Memory, owned: impl Fn(&str, i32) -> bool) {
        memory.0.retain(|(topic, index), _| owned(topic, *index));
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    /// Leaves repeats out of what `isolation` made of `batches`.
    ///
    /// # Errors
    /// What the query fails over.
    pub async fn apply(
        &self,
        memory: &mut Memory,
        (isolation, batches): (&Isolation<'_>, &[SourceBatch]),
        isolated: Isolated,
    ) -> Result<Isolated> {
        let (mut rows, mut kept, mut repeats) = (Vec::new(), BTreeSet::new(), 0);
        for batch in isolated.rows {
            let (mask, origins) = self.judge(memory, &batch)?;
            let stays = mask.true_count();
            repeats += batch.num_rows() - stays;
            for row in (0..batch.num_rows()).filter(|row| mask.value(*row)) {
                let partition = (origins.topic(row).to_owned(), origins.partition(row));
                kept.insert((partition, origins.offset(row)));
            }
            rows.push(match stays == batch.num_rows() {
                true => batch,
                false => filter_record_batch(&batch, &mask).map_err(fault)?,
            });
        }
        for batch in batches {
            for range in &batch.ranges {
                let place = (range.partition.topic.clone(), range.partition.index);
                if let Some(seen) = memory.0.get_mut(&place) {
                    seen.next = range.to;
                }
            }
        }
        if repeats == 0 || isolated.redacted.is_empty() {
            return Ok(Isolated { rows, ..isolated });
        }
        // What was redacted in repeats is in no row: it is counted again without them.
        let stays = |origins: &Origins, row: usize| {
            let place = (origins.topic(row).to_owned(), origins.partition(row));
            kept.contains(&(place, origins.offset(row)))
        };
        let batches = batches.iter().map(|batch| only(batch, &stays));
        let again = isolation.run(&batches.collect::<Result<Vec<_>>>()?).await?;
        Ok(Isolated {
            rows: again.rows,
            redacted: again.redacted,
            refused: isolated.refused,
        })
    }

    /// Which rows stay.
    fn judge(&self, memory: &mut Memory, rows: &RecordBatch) -> Result<(BooleanArray, Origins)> {
        let origins = Origins::of(rows)?;
        let keys = self.hash(rows)?;
        let times = times(rows, &self.event_time);
        let mut stays = |row: usize| -> bool {
            let at_us = times.as_ref().filter(|times| times.is_valid(row));
            let (Some(key), Some(at_us)) = (keys[row], at_us.map(|times| times.value(row))) else {
                return true;
            };
            let place = (origins.topic(row).to_owned(), origins.partition(row));
            let offset = origins.offset(row);
            let seen = memory.0.entry(place).or_default();
            let row = Row { key, at_us, offset };
            seen.stays(row, self.window_us)
        };
        let mask = (0..rows.num_rows()).map(|row| Some(stays(row))).collect();
        Ok((mask, origins))
    }

    /// A hash of each row's key; `None` where a part of it is NULL.
    fn hash(&self, rows: &RecordBatch) -> Result<Vec<Option<u128>>> {
        let column = |field: &FieldRef| -> Result<ArrayRef> {
            let name = field.name();
            let column = rows.column_by_name(name);
            let column = column.ok_or_else(|| Error::internal(format!("rows without {name}")))?;
            cast(column, field.data_type()).map_err(fault)
        };
        let columns: Vec<ArrayRef> = self.keys.iter().map(column).collect::<Result<_>>()?;
        let fields = self.keys.iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(fault)?;
        let values = converter.convert_columns(&columns).map_err(fault)?;
        let hash = |row: usize| -> Option<u128> {
            if columns.iter().any(|column| column.is_null(row)) {
                return None;
            }
            let value = values.row(row);
            let (high, low) = (&self.hashers.0, &self.hashers.1);
            let high = u128::from(high.hash_one(value.as_ref()));
            Some(high << 64 | u128::from(low.hash_one(value.as_ref())))
        };
        Ok((0..rows.num_rows()).map(hash).collect())
    }

    /// What the table says of `place` below the offset `from`.
    async fn read(&self, place: &Place, from: i64) -> Result<Seen> {
        let stored = self.stored(place, from).await?;
        let at = || ident(&self.event_time);
        let newest = stored
            .clone()
            .aggregate(vec![], vec![max(at()).alias("newest")])?;
        let newest = self
            .cpu
            .run(async move { Ok(newest.collect().await?) })
            .await?;
        let newest = newest.iter().find_map(|rows| {
            let times = times(rows, "newest")?;
            (times.len() == 1 && times.is_valid(0)).then(|| times.value(0))
        });
        let mut seen = Seen {
            next: from,
            ..Seen::default()
        };
        let Some(newest) = newest else {
            return Ok(seen);
        };
        let bound = newest.saturating_sub(self.window_us.saturating_mul(2));
        let bound = ScalarValue::TimestampMicrosecond(Some(bound), Some("UTC".into()));
        let recent = stored
            .filter(at().gt(lit(bound)))?
            .sort(vec![
                at().sort(false, false),
                ident(lineage::OFFSET).sort(false, false),
            ])?
            .limit(0, Some(KEYS_MAX))?;
        let recent = self
            .cpu
            .run(async move { Ok(recent.collect().await?) })
            .await?;
        for rows in &recent {
            let (keys, origins) = (self.hash(rows)?, Origins::of(rows)?);
            let times = times(rows, &self.event_time);
            let times = times.ok_or_else(|| Error::internal("stored rows without a time"))?;
            for (row, key) in keys.iter().enumerate() {
                if let (Some(key), true) = (*key, times.is_valid(row)) {
                    let (at_us, offset) = (times.value(row), origins.offset(row));
                    seen.remember(Row { key, at_us, offset }, self.window_us);
                }
            }
        }
        Ok(seen)
    }

    /// Rows of `place` below `from` that have a key and a time.
    async fn stored(&self, (topic, index): &Place, from: i64) -> Result<DataFrame> {
        let provider = self.table.provider().await?;
        let keys = self.keys.iter().map(|field| field.name().as_str());
        let mut named: Vec<&str> = keys.clone().collect();
        named.push(&self.event_time);
        let lineage = lineage::NAMES
            .into_iter()
            .filter(|name| *name != lineage::TIMESTAMP);
        let mut columns: Vec<Expr> = Vec::new();
        for name in named.iter().copied().chain(lineage) {
            if !columns.contains(&ident(name)) {
                columns.push(ident(name));
            }
        }
        let mut frame = self.transform.context().read_table(provider)?.filter(
            ident(lineage::TOPIC)
                .eq(lit(topic.as_str()))
                .and(ident(lineage::PARTITION).eq(lit(*index)))
                .and(ident(lineage::OFFSET).lt(lit(from))),
        )?;
        for name in named {
            frame = frame.filter(ident(name).is_not_null())?;
        }
        Ok(frame.select(columns)?)
    }
}

impl Seen {
    /// Whether `row` is no repeat; it is remembered then.
    fn stays(&mut self, row: Row, window_us: i64) -> bool {
        let Row { key, at_us, .. } = row;
        let newest = self.newest_us.unwrap_or(at_us);
        let late = at_us <= newest.saturating_sub(window_us);
        let near = window_us - 1;
        let (least, most) = (at_us.saturating_sub(near), at_us.saturating_add(near));
        let mut others = self.by_key.range((key, least)..=(key, most));
        if !late && others.next().is_some() {
            return false;
        }
        self.remember(row, window_us);
        true
    }

    fn remember(&mut self, row: Row, window_us: i64) {
        let Row { key, at_us, offset } = row;
        let newest = self.newest_us.map_or(at_us, |newest| newest.max(at_us));
        self.newest_us = Some(newest);
        // A row that is there several times, by a rewind, is remembered once.
        if self.by_key.insert((key, at_us)) {
            self.by_time.insert((at_us, offset, key));
        }
        let bound = newest.saturating_sub(window_us.saturating_mul(2));
        while let Some((at_us, offset, key)) = self.by_time.first().copied()
            && (at_us <= bound || self.by_time.len() > KEYS_MAX)
        {
            self.by_time.remove(&(at_us, offset, key));
            self.by_key.remove(&(key, at_us));
        }
    }
}

fn key(transform: &Transform, target: &Schema, name: &str) -> Result<FieldRef> {
    let fields = target.fields().iter();
    let mut fields = fields.filter(|field| !lineage::is_lineage(field.name()));
    let given = |field: &&FieldRef| transform.given().contains(field.name());
    let found = fields.clone().find(|field| field.name() == name);
    match found {
        Some(field) if !given(&field) => Err(Error::user(format!(
            "the key of repeats \"{name}\" gets no value from the query"
        ))
        .hint("name columns that the SELECT gives")),
        Some(field) => {
            let kind = SortField::new(field.data_type().clone());
            match RowConverter::supports_fields(&[kind]) {
                true => Ok(Arc::clone(field)),
                false => Err(Error::user(format!(
                    "column \"{name}\" is {} and cannot be the key of repeats",
                    field.data_type()
                ))),
            }
        }
        None => {
            let names = fields.by_ref().filter(given);
            let names: Vec<String> = names.map(|field| format!("\"{}\"", field.name())).collect();
            Err(Error::user(format!(
                "the table has no column \"{name}\" to tell repeats by"
            ))
            .hint(format!("there are {}", names.join(", "))))
        }
    }
}

/// Refuses queries for which a record's row is not one and the same.
fn check(plan: &LogicalPlan) -> Result<()> {
    let (mut unnests, mut volatile) = (false, None);
    plan.apply(|node| {
        unnests |= matches!(node, LogicalPlan::Unnest(_));
        for expression in node.expressions() {
            expression.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr
                    && call.func.signature().volatility == Volatility::Volatile
                {
                    volatile = Some(call.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if unnests {
        return Err(
            Error::unsupported("a query that unnests gives several rows for one record")
                .hint("leave dedup_key out, or unnest when querying"),
        );
    }
    match volatile {
        Some(name) => Err(Error::unsupported(format!(
            "{name}() gives another answer each time, and repeats are told by the same one"
        ))
        .hint("leave dedup_key out, or the function")),
        None => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn fault(error: ArrowError) -> Error {
    Error::internal(format!("keys of repeats: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u128, at_us: i64, offset: i64) -> Row {
        Row { key, at_us, offset }
    }

    #[test]
    fn rows_nearer_than_the_window_are_repeats_before_and_after() {
        let mut seen = Seen::default();
        assert!(seen.stays(row(1, 100, 0), 10));
        assert!(!seen.stays(row(1, 100, 1), 10));
        assert!(!seen.stays(row(1, 109, 2), 10));
        assert!(!seen.stays(row(1, 91, 3), 10));
        assert!(seen.stays(row(2, 105, 4), 10));
        // The window begins at the row that is stored, not at its last repeat.
        assert!(seen.stays(row(1, 110, 5), 10));
        assert!(!seen.stays(row(1, 101, 6), 10));
        // Late by a window: stored, whatever is known.
        assert!(seen.stays(row(1, 100, 7), 10));
        assert!(seen.stays(row(2, 130, 8), 10));
        assert_eq!(seen.by_time.len(), 1, "{seen:?}");
    }

    #[test]
    fn what_is_read_again_is_what_was_remembered() {
        let mut random = 7_u64;
        let mut below = |bound: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % bound
        };
        let (mut seen, mut stored, mut at) = (Seen::default(), Vec::new(), 1000_i64);
        for offset in 0..5000 {
            at += i64::try_from(below(4)).unwrap();
            let when = at - i64::try_from(below(80)).unwrap();
            let one = row(u128::from(below(40)), when, offset);
            if seen.stays(one, 30) {
                stored.push(one);
            }
            if offset % 97 == 0 {
                let mut again = Seen::default();
                stored.iter().for_each(|row| again.remember(*row, 30));
                assert_eq!(again.by_key, seen.by_key, "{offset}");
                assert_eq!(again.newest_us, seen.newest_us, "{offset}");
            }
        }
        assert!(
            stored.len() > 1000 && stored.len() < 4900,
            "{}",
            stored.len()
        );
    }
}
