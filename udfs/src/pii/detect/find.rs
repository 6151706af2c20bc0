//! From places worth a look to findings, row by row.

use std::ops::Range;

use arrow::array::OffsetSizeTrait;

use super::category::{Categories, Category};
use super::finding::{Finding, resolve};
use super::fold::Folded;
use super::row::{Progress, Row};
use super::scan::{Candidate, Candidates, Kinds, scan, token_start};
use super::{BY_NAME, iban, number, sign, token, word};

/// Bytes that are scanned before their candidates are looked at, so that both stay in the cache.
const CHUNK: usize = 32 * 1024;

/// Finds in row after row, keeping its buffers.
#[derive(Debug)]
pub(crate) struct Finder {
    wanted: Categories,
    /// Whether some wanted category is found by a detector that reads every row whole.
    reads_all: bool,
    candidates: Candidates,
    found: Vec<Finding>,
    folded: Folded,
    folded_candidates: Candidates,
}

impl Finder {
    /// A finder of these categories.
    pub(crate) fn new(wanted: Categories) -> Self {
        Self {
            wanted,
            reads_all: BY_NAME.iter().any(|one| one.categories.meets(wanted)),
            candidates: Candidates::default(),
            found: Vec::new(),
            folded: Folded::default(),
            folded_candidates: Candidates::default(),
        }
    }

    /// The findings in `text`, in order and without overlap.
    pub(crate) fn text(&mut self, text: &str) -> &[Finding] {
        self.found.clear();
        self.rows(text.as_bytes(), &[0, text.len() as i64], &mut |_, _| {});
        // Without a candidate, what was found before the call is cleared and nothing is added.
        &self.found
    }

    /// Calls `each` with the number of every row that has findings, and with them. Row `i` lies
    /// between `bounds[i]` and `bounds[i + 1]`.
    pub(crate) fn rows<O: OffsetSizeTrait>(
        &mut self,
        bytes: &[u8],
        bounds: &[O],
        each: &mut dyn FnMut(usize, &[Finding]),
    ) {
        let bound = |row: usize| {
            bounds
                .get(row)
                .map_or(bytes.len(), |bound| bound.as_usize())
        };
        let rows = bounds.len().saturating_sub(1);
        let mut row = 0;
        while row < rows {
            let (first, start) = (row, bound(row));
            while row < rows && (row == first || bound(row + 1) - start <= CHUNK) {
                row += 1;
            }
            let chunk = bytes.get(start..bound(row)).unwrap_or_default();
            let mut candidates = std::mem::take(&mut self.candidates);
            let starts = bounds.get(first..row).unwrap_or_default();
            scan(
                chunk,
                starts.iter().map(|one| one.as_usize() - start),
                &mut candidates,
            );
            let left = Left::of(&candidates);
            self.chunk(chunk, (left, first..row), |row| bound(row) - start, each);
            self.candidates = candidates;
        }
    }

    /// Looks at the candidates of some rows, which lie in `chunk` from `bound(row)` on.
    fn chunk(
        &mut self,
        chunk: &[u8],
        (mut left, rows): (Left<'_>, Range<usize>),
        bound: impl Fn(usize) -> usize,
        each: &mut dyn FnMut(usize, &[Finding]),
    ) {
        let mut row = rows.start;
        while row < rows.end {
            let next = left.first();
            if !self.reads_all {
                if next == usize::MAX {
                    break;
                }
                while row + 1 < rows.end && bound(row + 1) <= next {
                    row += 1;
                }
            }
            let (start, stop) = (bound(row), bound(row + 1));
            let text = chunk.get(start..stop).unwrap_or_default();
            self.row(text, start, &mut left);
            if !self.found.is_empty() {
                each(row, &self.found);
            }
            row += 1;
        }
    }

    /// Replaces the findings by those of one row, whose first byte was scanned as `start`.
    fn row(&mut self, text: &[u8], start: usize, left: &mut Left<'_>) {
        self.found.clear();
        if left.odd(start + text.len()) && self.folded.fold(text) {
            left.skip(start + text.len());
            let folded = self.folded.bytes();
            scan(folded, std::iter::once(0), &mut self.folded_candidates);
            let left = &mut Left::of(&self.folded_candidates);
            look((folded, 0), left, self.wanted, &mut self.found);
            for finding in &mut self.found {
                finding.start = self.folded.place(finding.start);
                finding.end = self.folded.place(finding.end);
                finding.mark = self.folded.place(finding.mark);
            }
        } else {
            look((text, start), left, self.wanted, &mut self.found);
        }
    }
}

/// Candidates that no row has taken yet.
#[derive(Clone, Copy, Debug)]
struct Left<'a> {
    numbers: &'a [usize],
    others: &'a [Candidate],
    /// Whether any of them is of a character that stands for another.
    any_odd: bool,
}

impl<'a> Left<'a> {
    fn of(candidates: &'a Candidates) -> Self {
        Self {
            numbers: &candidates.numbers,
            others: &candidates.others,
            any_odd: candidates.any_odd,
        }
    }

    /// Where the first of them is.
    fn first(&self) -> usize {
        let number = self.numbers.first().copied().unwrap_or(usize::MAX);
        number.min(self.others.first().map_or(usize::MAX, |other| other.at))
    }

    /// Takes the next number before `stop`.
    #[inline(always)]
    fn number(&mut self, stop: usize) -> Option<usize> {
        let (number, rest) = self.numbers.split_first()?;
        (*number < stop).then(|| {
            self.numbers = rest;
            *number
        })
    }

    /// Takes what comes next before `stop` and is no number.
    #[inline(always)]
    fn other(&mut self, stop: usize) -> Option<Candidate> {
        let (other, rest) = self.others.split_first()?;
        (other.at < stop).then(|| {
            self.others = rest;
            *other
        })
    }

    /// Whether a character before `stop` may stand for another.
    fn odd(&self, stop: usize) -> bool {
        let mut row = self.others.iter().take_while(|other| other.at < stop);
        self.any_odd && row.any(|other| other.kinds.has(Kinds::ODD))
    }

    /// Leaves out what is before `stop`.
    fn skip(&mut self, stop: usize) {
        while self.number(stop).is_some() || self.other(stop).is_some() {}
    }
}

/// Appends the findings in `text`, whose candidates count from `start`.
fn look(
    (text, start): (&[u8], usize),
    left: &mut Left<'_>,
    wanted: Categories,
    found: &mut Vec<Finding>,
) {
    let stop = start + text.len();
    let mut progress = Progress::default();
    let row = &mut Row {
        text,
        wanted,
        progress: &mut progress,
        found,
    };
    while let Some(at) = left.number(stop) {
        if wanted.meets(number::CATEGORIES) {
            number::find(row, at - start);
        }
    }
    while let Some(candidate) = left.other(stop) {
        find(row, candidate.at - start, candidate.kinds);
    }
    for detector in BY_NAME.iter().filter(|one| one.categories.meets(wanted)) {
        (detector.find)(text, wanted, found);
    }
    resolve(found);
}

/// Appends what is at `at`. Called rather than inlined, because few rows have such a place, and
/// the others need not prepare for it.
#[inline(never)]
fn find(row: &mut Row<'_>, at: usize, kinds: Kinds) {
    let wanted = row.wanted;
    if kinds.has(Kinds::WORD) && wanted.meets(word::CATEGORIES) {
        word::find(row, at);
    }
    if kinds.has(Kinds::TOKEN) && wanted.meets(token::CATEGORIES) {
        token::find(row, token_start(at));
    }
    if kinds.has(Kinds::SIGN) && wanted.meets(sign::CATEGORIES) {
        sign::find(row, at);
    }
    if kinds.has(Kinds::ACCOUNT) && wanted.has(Category::Iban) {
        iban::find(row, at);
    }
}
