//! Numbers: the one search that cards, their tracks, social security numbers and phones share.
//!
//! It begins at runs of digits and separators. A group that cannot begin a candidate is left
//! behind after its next byte; the others are read forward by a few groups of digits at most.

use super::boundary::{before, digits_end, is_word, opens, plus_before};
use super::category::{Categories, Category};
use super::finding::Finding;
use super::groups::Groups;
use super::masks::Head;
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
/// Fewest digits of what has digits of its own kind: those of a person.
const OWN_MIN: usize = 9;
/// Longest part of a number in parentheses.
const AREA_MAX: usize = 5;
/// Digits of a part of an address of the internet.
const OCTET_MAX: u32 = 3;

/// Appends the number whose digits begin at `start`, or before a part of it in parentheses.
pub(super) fn find(row: &mut Row<'_>, start: usize) {
    if start < row.progress.number {
        return;
    }
    let prefix = prefix_start(row.text, start);
    if prefix == start {
        let rest = row.text.get(start..).unwrap_or_default();
        let head = Head::of(rest);
        if let Some(length) = date_length(head, rest).or_else(|| address_length(head)) {
            row.progress.number = start + length;
            return;
        }
    }
    // The part in parentheses may be no number together with the rest; then the rest may be one.
    let found = (row.progress.number..start).contains(&prefix) && begin(row, prefix);
    if !found {
        begin(row, start);
    }
}

/// Appends the number that begins at `start`, if it is one.
fn begin(row: &mut Row<'_>, start: usize) -> bool {
    let end = digits_end(row.text, start);
    if !may_begin(row.text, start, end) {
        return false;
    }
    let Some(finding) = verify(row.text, (start, end), row.wanted) else {
        return false;
    };
    row.progress.number = finding.end.max(end);
    row.found.push(finding);
    true
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

/// How long the date is that `text` begins with, as most log lines begin: a year, a month and a
/// day, or numbers of two digits with slashes between them and a year.
#[inline(always)]
fn date_length(head: Head, text: &[u8]) -> Option<usize> {
    const YEAR_FIRST: &[u8; 10] = b"yyyy-mm-dd";
    const SHORT: &[u8; 8] = b"dd/mm/yy";
    const LONG: &[u8; 10] = b"dd/mm/yyyy";
    let slashes = |length: usize| {
        let [day, _, one, month, _, two, ..] = text.first_chunk::<{ SHORT.len() }>()?;
        let dated = *day <= b'3' && *month <= b'3' && [*one, *two] == *b"//";
        (dated && text.get(length) != Some(&b'/')).then_some(length)
    };
    if head.digits & 0b111_1111_1111 == 0b011_0110_1111 {
        let [century @ .., _, _, one, _, _, two, _, _] =
            text.first_chunk::<{ YEAR_FIRST.len() }>()?;
        let separated = one == two && matches!(one, b' ' | b'-' | b'.' | b'/');
        return (matches!(century, b"19" | b"20") && separated).then_some(YEAR_FIRST.len());
    }
    match head.digits & 0b111_1111_1111 {
        digits if digits & 0b1_1111_1111 == 0b0_1101_1011 => slashes(SHORT.len()),
        0b011_1101_1011 => slashes(LONG.len()),
        _ => None,
    }
}

/// How long the address of the internet is that the text begins with: four groups of digits with
/// dots between them, and no fifth in sight.
#[inline(always)]
fn address_length(head: Head) -> Option<usize> {
    // The first dot stands behind one to three digits.
    if head.dots & 0b1110 == 0 {
        return None;
    }
    let (mut digits, mut dots, mut length) = (head.digits, head.dots, 0);
    for group in 0..4 {
        let count = digits.trailing_ones();
        if !(1..=OCTET_MAX).contains(&count) {
            return None;
        }
        (digits, dots, length) = (digits >> count, dots >> count, length + count);
        if group == 3 {
            break;
        }
        if dots & 1 == 0 {
            return None;
        }
        (digits, dots, length) = (digits >> 1, dots >> 1, length + 1);
    }
    (dots & 1 == 0 || digits & 2 == 0).then_some(length as usize)
}

/// The number that begins with the digits in `start..end`.
fn verify(text: &[u8], (start, end): (usize, usize), wanted: Categories) -> Option<Finding> {
    // A mark ends in one of these bytes, which are rare.
    let (mut marked, mut track, mut path) = (false, false, false);
    if let Some(b'+' | b'B' | b'b' | b'(' | b';' | b'/') = before(text, start) {
        marked = plus_before(text, start) > 0 || before(text, start) == Some(b'(');
        track = track::begins(text, start);
        path = card::in_path(text, start..end);
    }
    if !marked && !track && !path && !opens(text, start) {
        return None;
    }
    // Most numbers of logs end here: few digits alone, of which no word makes a phone number.
    let alone = !marked && !track && end - start < OWN_MIN && !goes_on(text, end);
    if alone && !phone::may_be_alone(text, start..end) {
        return None;
    }
    let mut groups = Groups::default();
    if groups.read(text, start, end) {
        if groups.digits() >= OWN_MIN
            && let Some(finding) = numbered(text, &groups, wanted)
        {
            return Some(finding);
        }
        let after = text.get(groups.end(groups.count())..).unwrap_or_default();
        // The groups of a number may go on behind another separator: `1-800 555 1234`.
        let mixed = matches!(after, [b' ' | b'-' | b'.', b'0'..=b'9', ..]);
        let continued = matches!(after, [b'(' | b')' | b'/', ..] | [b' ', b'(', ..])
            || mixed && groups.sizes() == [1, 3];
        let few = !mixed
            && (groups.digits() < DIGITS_MIN
                || groups.digits() == DIGITS_MIN && groups.count() <= 2);
        // Letters go on with an identifier, but for those of an extension.
        let extension = matches!(
            after,
            [b'x' | b'X', ..] | [b'e' | b'E', b'x' | b'X', b't' | b'T', ..]
        );
        let inside =
            groups.count() == 1 && !extension && after.first().copied().is_some_and(is_word);
        if !marked && !continued && (few || inside || !phone::may_be(text, &groups)) {
            return None;
        }
    }
    let wanted = !track && wanted.has(Category::Phone);
    wanted.then(|| phone::verify(text, start)).flatten()
}

/// Whether more of a number may stand behind the digits that end at `end`: others, or an extension.
fn goes_on(text: &[u8], end: usize) -> bool {
    match text.get(end..).unwrap_or_default() {
        [b' ' | b'-' | b'.', next, ..] => matches!(next, b'0'..=b'9' | b'('),
        [next, ..] => matches!(next, b'(' | b')' | b'/' | b'x' | b'X' | b'e' | b'E'),
        [] => false,
    }
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
