//! From places worth a look to findings, row by row.

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
            self.chunk(
                chunk,
                (&candidates, first..row),
                |row| bound(row) - start,
                each,
            );
            self.candidates = candidates;
        }
    }

    /// Looks at the candidates of some rows, which lie in `chunk` from `bound(row)` on.
    fn chunk(
        &mut self,
        chunk: &[u8],
        (candidates, rows): (&Candidates, std::ops::Range<usize>),
        bound: impl Fn(usize) -> usize,
        each: &mut dyn FnMut(usize, &[Finding]),
    ) {
        let (mut numbers, mut others) =
            (candidates.numbers.as_slice(), candidates.others.as_slice());
        let mut row = rows.start;
        while row < rows.end {
            let next = match (numbers.first(), others.first()) {
                (None, None) if !self.reads_all => break,
                (number, other) => {
                    let other = other.map_or(usize::MAX, |one| one.at);
                    number.map_or(other, |number| other.min(*number))
                }
            };
            while !self.reads_all && row + 1 < rows.end && bound(row + 1) <= next {
                row += 1;
            }
            let (start, stop) = (bound(row), bound(row + 1));
            let (own_numbers, own_others);
            (own_numbers, numbers) = split(numbers, |at| *at < stop);
            (own_others, others) = split(others, |one| one.at < stop);
            let text = chunk.get(start..stop).unwrap_or_default();
            self.row(text, start, (own_numbers, own_others));
            if !self.found.is_empty() {
                each(row, &self.found);
            }
            row += 1;
        }
    }

    /// Replaces the findings by those of one row, whose first byte was scanned as `start`.
    fn row(&mut self, text: &[u8], start: usize, candidates: (&[usize], &[Candidate])) {
        self.found.clear();
        let odd = candidates.1.iter().any(|one| one.kinds.has(Kinds::ODD));
        if odd && self.folded.fold(text) {
            let folded = self.folded.bytes();
            scan(folded, std::iter::once(0), &mut self.folded_candidates);
            look(
                folded,
                0,
                (
                    &self.folded_candidates.numbers,
                    &self.folded_candidates.others,
                ),
                self.wanted,
                &mut self.found,
            );
            for finding in &mut self.found {
                finding.start = self.folded.place(finding.start);
                finding.end = self.folded.place(finding.end);
                finding.mark = self.folded.place(finding.mark);
            }
        } else {
            look(text, start, candidates, self.wanted, &mut self.found);
        }
    }
}

/// The first items, for which `is` holds, and the rest.
fn split<T>(items: &[T], is: impl Fn(&T) -> bool) -> (&[T], &[T]) {
    let count = items.iter().take_while(|item| is(item)).count();
    items.split_at(count)
}

/// Appends the findings in `text`, whose candidates count from `start`.
fn look(
    text: &[u8],
    start: usize,
    (numbers, others): (&[usize], &[Candidate]),
    wanted: Categories,
    found: &mut Vec<Finding>,
) {
    let mut progress = Progress::default();
    let row = &mut Row {
        text,
        wanted,
        progress: &mut progress,
        found,
    };
    if wanted.meets(number::CATEGORIES) {
        for at in numbers {
            number::find(row, at - start);
        }
    }
    for candidate in others {
        let (at, kinds) = (candidate.at - start, candidate.kinds);
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
    for detector in BY_NAME.iter().filter(|one| one.categories.meets(wanted)) {
        (detector.find)(text, wanted, found);
    }
    resolve(found);
}
