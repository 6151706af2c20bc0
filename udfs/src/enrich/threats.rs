//! All feeds as one: what they say together of an address, a domain, a URL or a hash.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, ListBuilder, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::HashMap;

use crate::enrich::address::Address;
use crate::enrich::feed::{DOMAIN_MAX, Feed, Report, domain, name};
use crate::enrich::ranges::{Position, Range, Ranges, flatten, overlay};

/// The row of the answers for what no feed lists.
const UNLISTED: u32 = 0;

/// What a feed says, by the feed's and the report's number.
type Saying = (usize, u32);

/// The feeds in memory, combined.
pub(crate) struct Threats {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    names: HashMap<Box<str>, u32>,
    /// The answers that ranges and names refer to.
    answers: StructArray,
}

impl fmt::Debug for Threats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threats")
            .field("ranges", &(self.v4.len() + self.v6.len()))
            .field("names", &self.names.len())
            .finish_non_exhaustive()
    }
}

impl Threats {
    /// Combines `feeds`. Within one the longest prefix counts; together they add up.
    ///
    /// # Errors
    /// When the answers outgrow Arrow's offsets.
    pub(crate) fn new(feeds: &[Arc<Feed>]) -> Result<Self, ArrowError> {
        let mut answers = Answers::default();
        let v4 = combine(feeds, |feed| &feed.v4, &mut answers);
        let v6 = combine(feeds, |feed| &feed.v6, &mut answers);
        let mut sayings: HashMap<&str, Vec<Saying>> = HashMap::new();
        for (number, feed) in feeds.iter().enumerate() {
            for (name, report) in &feed.names {
                let sayings = sayings.entry(name.as_str()).or_default();
                // A name that a feed lists twice is what it says of it last.
                sayings.retain(|saying| saying.0 != number);
                sayings.push((number, *report));
            }
        }
        let mut names = HashMap::with_capacity(sayings.len());
        for (name, sayings) in sayings {
            names.insert(Box::from(name), answers.row(sayings));
        }
        Ok(Self {
            v4: Ranges::new(&v4),
            v6: Ranges::new(&v6),
            names,
            answers: answers.finish(feeds)?,
        })
    }

    /// The row of [`Threats::answers`] for `text`.
    pub(crate) fn find(&self, text: &str) -> u32 {
        self.listed(text.trim_ascii()).unwrap_or(UNLISTED)
    }

    /// The answers, one for each thing that feeds say together.
    pub(crate) fn answers(&self) -> &StructArray {
        &self.answers
    }

    fn listed(&self, text: &str) -> Option<u32> {
        if let Some(address) = Address::parse(text) {
            return match address {
                Address::V4(address) => self.v4.get(address),
                Address::V6(address) => self.v6.get(address),
            };
        }
        if self.names.is_empty() && self.v4.len() == 0 && self.v6.len() == 0 {
            return None;
        }
        if let Some((_, rest)) = text.split_once("://") {
            return self
                .names
                .get(text)
                .copied()
                .or_else(|| self.listed(host(rest)?));
        }
        if text.len() > DOMAIN_MAX {
            return None;
        }
        let name = name(text)?;
        let mut parents = std::iter::successors(Some(name.as_str()), |name| {
            name.split_once('.').map(|(_, parent)| parent)
        });
        parents.find_map(|name| self.names.get(name).copied())
    }
}

/// The host in what follows `://`.
fn host(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?.0,
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    (Address::parse(bare).is_some() || domain(bare).is_some()).then_some(bare)
}

fn combine<P: Position>(
    feeds: &[Arc<Feed>],
    ranges: impl Fn(&Feed) -> &Vec<Range<P>>,
    answers: &mut Answers,
) -> Vec<Range<P>> {
    let layers: Vec<_> = feeds
        .iter()
        .map(|feed| flatten(ranges(feed).clone()))
        .collect();
    let layers: Vec<&[Range<P>]> = layers.iter().map(Vec::as_slice).collect();
    overlay(&layers, |reports| {
        let sayings = reports.iter().enumerate();
        let sayings = sayings.filter_map(|(feed, report)| Some((feed, (*report)?)));
        answers.row(sayings.collect())
    })
}

/// Answers as they are found to be needed, each once.
#[derive(Default)]
struct Answers {
    rows: HashMap<Vec<Saying>, u32>,
    in_order: Vec<Vec<Saying>>,
}

impl Answers {
    fn row(&mut self, sayings: Vec<Saying>) -> u32 {
        if let Some(row) = self.rows.get(&sayings) {
            return *row;
        }
        self.in_order.push(sayings.clone());
        // The first row is for what is not listed.
        let row = u32::try_from(self.in_order.len()).unwrap_or(UNLISTED);
        self.rows.insert(sayings, row);
        row
    }

    fn finish(self, feeds: &[Arc<Feed>]) -> Result<StructArray, ArrowError> {
        let unlisted = std::iter::once(Vec::new());
        let answers: Vec<Answer<'_>> = unlisted
            .chain(self.in_order)
            .map(|sayings| Answer::new(feeds, &sayings))
            .collect();
        let lists = |get: for<'x> fn(&'x Answer<'_>) -> &'x BTreeSet<String>| -> ArrayRef {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for answer in &answers {
                for item in get(answer) {
                    lists.values().append_value(item);
                }
                lists.append(answer.score.is_some());
            }
            Arc::new(lists.finish())
        };
        let times = |get: fn(&Answer<'_>) -> Option<i64>| -> ArrayRef {
            let times: TimestampMicrosecondArray = answers.iter().map(get).collect();
            Arc::new(times.with_timezone("UTC"))
        };
        let matched = answers.iter().map(|answer| Some(answer.score.is_some()));
        let scores = answers.iter().map(|answer| answer.score);
        let references = answers.iter().map(|answer| answer.reference);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(matched.collect::<BooleanArray>()),
            Arc::new(scores.collect::<Float64Array>()),
            lists(|answer| &answer.categories),
            lists(|answer| &answer.feeds),
            times(|answer| answer.first_seen),
            times(|answer| answer.last_seen),
            Arc::new(references.collect::<StringArray>()),
        ];
        StructArray::try_new(fields(), columns, None)
    }
}

/// The fields of an answer.
pub(crate) fn fields() -> Fields {
    let list = || DataType::new_list(DataType::Utf8, true);
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Fields::from(vec![
        Field::new("matched", DataType::Boolean, true),
        Field::new("score", DataType::Float64, true),
        Field::new("categories", list(), true),
        Field::new("feeds", list(), true),
        Field::new("first_seen", time(), true),
        Field::new("last_seen", time(), true),
        Field::new("reference", DataType::Utf8, true),
    ])
}

/// What several feeds say together.
#[derive(Default)]
struct Answer<'a> {
    /// 0 to 100: each feed takes its weighted share of the doubt that the others leave.
    score: Option<f64>,
    categories: BTreeSet<String>,
    feeds: BTreeSet<String>,
    first_seen: Option<i64>,
    last_seen: Option<i64>,
    reference: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn new(feeds: &'a [Arc<Feed>], sayings: &[Saying]) -> Self {
        let mut answer = Self::default();
        let mut doubt = 1.0;
        for (number, report) in sayings {
            let Some(feed) = feeds.get(*number) else {
                continue;
            };
            let Some(Report {
                score,
                first_seen,
                last_seen,
                reference,
            }) = feed.reports.get(*report as usize)
            else {
                continue;
            };
            let score = score.unwrap_or(feed.options.score).clamp(0.0, 100.0);
            doubt *= 1.0 - feed.options.weight.clamp(0.0, 1.0) * score / 100.0;
            answer.feeds.insert(feed.name.clone());
            answer
                .categories
                .extend(feed.options.categories.iter().cloned());
            answer.first_seen = match (answer.first_seen, *first_seen) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            answer.last_seen = answer.last_seen.max(*last_seen);
            answer.reference = answer.reference.or(reference.as_deref());
        }
        if !sayings.is_empty() {
            // A score of 20 is to be 20 and not 19.999999999999996.
            answer.score = Some((1e8 * (1.0 - doubt)).round() / 1e6);
        }
        answer
    }
}
