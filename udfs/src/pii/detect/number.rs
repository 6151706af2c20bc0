//! Digit runs: the one search that cards, social security numbers and phones share.
//!
//! Every run is looked at once. A run that cannot begin a candidate is left behind after its next
//! byte; the others are read forward by a few groups of digits at most.

use super::boundary::{before, digits_end, opens};
use super::groups::Groups;
use super::{Categories, Category, Finding, card, phone, ssn};

/// Fewest digits of a candidate, so that a run of them needs no separator.
const DIGITS_MIN: usize = 6;

/// Appends the numbers of `wanted` categories in `text`.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    let mut at = 0;
    while let Some(skipped) = text
        .get(at..)
        .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
    {
        let start = at + skipped;
        let end = digits_end(text, start);
        at = end;
        if !may_begin(text, start, end) {
            continue;
        }
        if let Some(finding) = verify(text, start, end, wanted) {
            at = finding.end.max(end);
            found.push(finding);
        }
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

fn verify(text: &[u8], start: usize, end: usize, wanted: Categories) -> Option<Finding> {
    let marked = matches!(before(text, start), Some(b'+' | b'('));
    let track = card::begins_track(text, start);
    if !marked && !track && !opens(text, start) {
        return None;
    }
    if let Some(groups) = Groups::read(text, start, end) {
        if groups.is_date(text) {
            return None;
        }
        let card = || card::verify(text, &groups);
        let ssn = || ssn::verify(text, &groups);
        let numbered = wanted.has(Category::CreditCard).then(card).flatten();
        let numbered = numbered.or_else(|| wanted.has(Category::UsSsn).then(ssn).flatten());
        if numbered.is_some() {
            return numbered;
        }
        let follows = matches!(
            text.get(groups.end(groups.count())),
            Some(b'(' | b')' | b' ' | b'/')
        );
        if !marked && !follows && groups.digits() < DIGITS_MIN {
            return None;
        }
    }
    (!track && wanted.has(Category::Phone))
        .then(|| phone::verify(text, start))
        .flatten()
}
