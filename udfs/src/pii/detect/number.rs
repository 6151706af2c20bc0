//! Numbers: the one search that cards, their tracks, social security numbers and phones share.
//!
//! It begins at runs of digits and separators. A group that cannot begin a candidate is left
//! behind after its next byte; the others are read forward by a few groups of digits at most.

use super::boundary::{before, digits_end, opens, plus_before};
use super::category::{Categories, Category};
use super::finding::Finding;
use super::groups::Groups;
use super::row::Row;
use super::{card, phone, ssn, track};

/// What is found here.
pub(super) const CATEGORIES: Categories = Categories::NONE
    .with(Category::CreditCard)
    .with(Category::CardTrack)
    .with(Category::UsSsn)
    .with(Category::UsItin)
    .with(Category::Phone);

/// Fewest digits of a candidate, so that a run of them needs no separator.
const DIGITS_MIN: usize = 6;
/// Longest part of a number in parentheses.
const AREA_MAX: usize = 5;

/// Appends the numbers in the run of digits and separators that begins at `start`.
pub(super) fn find(row: &mut Row<'_>, start: usize) {
    let text = row.text;
    let prefix = prefix_start(text, start);
    let mut at = prefix.max(row.progress.number);
    loop {
        let end = digits_end(text, at);
        let mut next = end;
        if may_begin(text, at, end) {
            match verify(text, (at, end), row.wanted) {
                Verdict::Found(finding) => {
                    next = finding.end.max(end);
                    row.found.push(finding);
                    row.progress.number = next;
                }
                Verdict::Skip(end) => next = end,
                Verdict::Nothing => {}
            }
        }
        let joined = matches!(text.get(next), Some(b' ' | b'-' | b'.' | b'/'))
            && text.get(next + 1).is_some_and(u8::is_ascii_digit);
        at = match () {
            () if joined => next + 1,
            // The part in parentheses is no number together with the rest; the rest may be one.
            () if next < start => start,
            () => break,
        };
    }
}

/// Where the number begins whose first run of digits begins at `start`: before a part of it in
/// parentheses, as in `+1 (212) 555-7890` and `+44 (0)20 7946 0958`.
fn prefix_start(text: &[u8], start: usize) -> usize {
    let digits_before = |end: usize| {
        let head = text
            .get(end.saturating_sub(AREA_MAX)..end)
            .unwrap_or_default();
        end - head
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let separated = |at: usize| match before(text, at) {
        Some(b' ' | b'-' | b'.') => at - 1,
        _ => at,
    };
    let close = separated(start);
    if before(text, close) != Some(b')') {
        return start;
    }
    let area = digits_before(close - 1);
    if area == close - 1 || before(text, area) != Some(b'(') {
        return start;
    }
    let code_end = separated(area - 1);
    let code = digits_before(code_end);
    // Digits before the parenthesis are the code of a country after a plus sign, or the 1 that
    // is dialled in North America.
    let dialled = text.get(code..code_end) == Some(b"1") && opens(text, code);
    if code < code_end && (before(text, code) == Some(b'+') || dialled) {
        code
    } else {
        area
    }
}

/// Whether the digits in `start..end` are many, or followed by more of them.
fn may_begin(text: &[u8], start: usize, end: usize) -> bool {
    if end - start >= DIGITS_MIN {
        return true;
    }
    match text.get(end) {
        Some(b' ' | b'-' | b'.' | b'/') => text
            .get(end + 1)
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'('),
        Some(b')') => before(text, start) == Some(b'('),
        Some(b'(') => true,
        _ => false,
    }
}

enum Verdict {
    Found(Finding),
    /// Something else that ends here.
    Skip(usize),
    Nothing,
}

fn verify(text: &[u8], (start, end): (usize, usize), wanted: Categories) -> Verdict {
    let marked = plus_before(text, start) > 0 || before(text, start) == Some(b'(');
    let track = track::begins(text, start);
    let path = card::in_path(text, start..end);
    if !marked && !track && !path && !opens(text, start) {
        return Verdict::Nothing;
    }
    if let Some(groups) = Groups::read(text, start, end) {
        if groups.is_date(text) {
            return Verdict::Skip(groups.end(3));
        }
        if groups.is_machine_address() {
            return Verdict::Skip(groups.end(4));
        }
        if let Some(finding) = numbered(text, &groups, wanted) {
            return Verdict::Found(finding);
        }
        let follows = matches!(
            text.get(groups.end(groups.count())),
            Some(b'(' | b')' | b' ' | b'/')
        );
        if !marked && !follows && groups.digits() < DIGITS_MIN {
            return Verdict::Nothing;
        }
        let continued = matches!(
            text.get(groups.end(groups.count())),
            Some(b'(' | b')' | b'/')
        ) || text
            .get(groups.end(groups.count())..)
            .is_some_and(|rest| rest.starts_with(b" ("));
        if !marked && !continued && !phone::may_be(text, &groups) {
            return Verdict::Nothing;
        }
    }
    let phone = (!track && wanted.has(Category::Phone)).then(|| phone::verify(text, start));
    phone.flatten().map_or(Verdict::Nothing, Verdict::Found)
}

/// What has digits of its own kind: a track, a card, a number of a person.
fn numbered(text: &[u8], groups: &Groups, wanted: Categories) -> Option<Finding> {
    let track = || track::verify(text, groups);
    let card = || card::verify(text, groups);
    let ssn = || ssn::verify(text, groups).filter(|found| wanted.has(found.category));
    let track = wanted.has(Category::CardTrack).then(track).flatten();
    let card = || wanted.has(Category::CreditCard).then(card).flatten();
    let persons = Categories::NONE
        .with(Category::UsSsn)
        .with(Category::UsItin);
    let ssn = || wanted.meets(persons).then(ssn).flatten();
    track.or_else(card).or_else(ssn)
}
