//! Latitudes and longitudes that are exact enough to name a house.

use crate::pii::detect::boundary::{before, digits_end, is_whole, is_word};
use crate::pii::detect::context::{Hint, hint};
use crate::pii::detect::{Categories, Category, Finding};

/// Decimals from which on a coordinate is a place: four are eleven metres.
const DECIMALS_MIN: usize = 4;
/// No instrument gives more.
const DECIMALS_MAX: usize = 15;
/// Keys of one coordinate.
const ONE: &[&str] = &["lat", "latitude", "lon", "lng", "long", "longitude"];
/// Words that announce a pair.
const PAIR: &[&str] = &[
    "coordinates",
    "coords",
    "geo",
    "geolocation",
    "gps",
    "latlng",
    "latlon",
    "location",
    "lat",
    "ll",
    "position",
];

/// Appends coordinates, if they are wanted.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    if !wanted.has(Category::Coordinates) {
        return;
    }
    let mut at = 0;
    while let Some(dot) = memchr::memchr(b'.', text.get(at..).unwrap_or_default()) {
        let dot = at + dot;
        at = dot + 1;
        let Some((start, end)) = degrees(text, dot) else {
            continue;
        };
        at = end;
        let finding = |end, words, name| {
            let announced = hint(text, start, words) == Hint::For || is_whole(text, start, end);
            announced.then(|| Finding::new(Category::Coordinates, start..end, (85, name)))
        };
        let pair = second(text, end).and_then(|end| finding(end, PAIR, "pair+word"));
        if let Some(finding) = pair.or_else(|| finding(end, ONE, "key")) {
            at = finding.end;
            found.push(finding);
        }
    }
}

/// The number around a decimal point, if it is in the range of degrees and exact.
fn degrees(text: &[u8], dot: usize) -> Option<(usize, usize)> {
    let head = text.get(dot.saturating_sub(3)..dot)?;
    let whole = head
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let end = digits_end(text, dot + 1);
    let decimals = end - dot - 1;
    let digits = dot - whole;
    let start = digits - usize::from(before(text, digits) == Some(b'-'));
    let degrees = text.get(digits..dot)?;
    let degrees = degrees
        .iter()
        .fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    let inner = |byte: Option<u8>| byte.is_some_and(|byte| is_word(byte) || byte == b'.');
    let alone = !inner(before(text, start)) && !inner(text.get(end).copied());
    let exact = (DECIMALS_MIN..=DECIMALS_MAX).contains(&decimals);
    (whole > 0 && degrees <= 180 && exact && alone).then_some((start, end))
}

/// Where a second coordinate behind a comma ends.
fn second(text: &[u8], end: usize) -> Option<usize> {
    let rest = text.get(end..)?.strip_prefix(b",")?;
    let gap = usize::from(rest.first() == Some(&b' '));
    let sign = usize::from(rest.get(gap) == Some(&b'-'));
    let start = end + 1 + gap + sign;
    let dot = digits_end(text, start);
    (text.get(dot) == Some(&b'.') && dot - start <= 3)
        .then(|| degrees(text, dot))
        .flatten()
        .map(|(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn exact_places_under_a_name() {
        let cases: [(&str, &[&str]); 8] = [
            ("lat=40.712776 lon=-74.005974", &["40.712776", "-74.005974"]),
            ("\"latitude\":52.5200,\"x\":1", &["52.5200"]),
            ("gps 40.712776, -74.005974 fix", &["40.712776, -74.005974"]),
            ("40.712776,-74.005974", &["40.712776,-74.005974"]),
            ("lat=40.71", &[]),
            ("took 40.712776 s", &[]),
            ("lat=400.712776", &[]),
            ("latency=40.712776", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(spans(Category::Coordinates, text), want, "{text}");
        }
    }
}
