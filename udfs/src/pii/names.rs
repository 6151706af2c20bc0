//! What of a text can be a name: not what redaction put there, not the quotes, brackets and escapes
//! that give a line its structure. JSON stays JSON, and a mask stays itself.

use std::borrow::Cow;
use std::ops::Range;

use crate::pii::detect::{Category, Finding};

/// No label that redaction leaves is longer.
const MASK_MAX: usize = 64;
/// What masks leave in words.
const MASKS: [&str; 2] = ["***", "xxx"];
/// What no name holds.
const STRUCTURE: &[char] = &['"', '{', '}', '[', ']', '<', '>', '=', '|', '\\'];

/// The parts of `finding` outside of `taken`, which is in order, without what stands around words.
pub(crate) fn remainder(
    text: &str,
    finding: &Finding,
    taken: &[Range<usize>],
) -> impl Iterator<Item = Finding> {
    let mut parts = Vec::new();
    let mut start = finding.start;
    let ends = taken.iter().filter(|taken| taken.end > finding.start);
    let ends = ends.take_while(|taken| taken.start < finding.end);
    for taken in ends {
        parts.push(start..taken.start);
        start = start.max(taken.end);
    }
    parts.push(start..finding.end);
    let Finding {
        category,
        score,
        rule,
        ..
    } = *finding;
    parts.into_iter().filter_map(move |part| {
        let inner = text.get(part.clone())?;
        let other = |letter: char| !letter.is_alphanumeric();
        let head = inner.trim_start_matches(other);
        let start = part.start + (inner.len() - head.len());
        let length = head.trim_end_matches(other).len();
        let rest = text.get(start + length..).unwrap_or_default();
        let marks = rest.len() - rest.trim_start_matches(is_mark).len();
        let found = Finding::new(category, start..start + length + marks, (score, rule));
        (length > 0).then_some(found)
    })
}

/// Whether a character belongs to the letter before it (the block Combining Diacritical Marks).
const fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

/// What `finding` may not hold: masks, and the structure of a line.
pub(crate) fn taken(text: &str, finding: &Finding) -> Vec<Range<usize>> {
    let span = finding.start..finding.end;
    let inner = text.get(span.clone()).unwrap_or_default();
    let mut taken = masks(text, span);
    for (at, letter) in
        inner.match_indices(|letter: char| STRUCTURE.contains(&letter) || letter.is_control())
    {
        let start = finding.start + at;
        let length = letter.len();
        taken.push(start..start + length + escaped(text, start, letter));
    }
    taken.sort_unstable_by_key(|one| one.start);
    taken
}

/// `text` with blanks in place of the escapes of JSON, so that in `\nAnna` the name is a word.
pub(crate) fn readable(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, slash) in text.match_indices('\\') {
        out.push_str(text.get(copied..at).unwrap_or_default());
        let end = at + slash.len() + escaped(text, at, slash);
        out.extend(std::iter::repeat_n(' ', end - at.max(copied)));
        copied = end.max(copied);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// How many bytes after the backslash at `start` belong to it.
fn escaped(text: &str, start: usize, letter: &str) -> usize {
    let next = text.as_bytes().get(start + letter.len());
    match next {
        Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'"' | b'/') if letter == "\\" => 1,
        Some(b'u') if letter == "\\" => {
            let rest = text.as_bytes().get(start + 2..).unwrap_or_default();
            let digits = rest
                .iter()
                .take(4)
                .take_while(|byte| byte.is_ascii_hexdigit());
            if digits.count() == 4 { 5 } else { 0 }
        }
        _ => 0,
    }
}

/// What redaction left in and around `span`.
fn masks(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let from = text.floor_char_boundary(span.start.saturating_sub(MASK_MAX));
    let to = text.floor_char_boundary(span.end + MASK_MAX);
    let near = text.get(from..to).unwrap_or_default();
    let labels = near.match_indices('[').filter_map(|(start, _)| {
        let rest = near.get(start..)?;
        let rest = rest.get(..rest.floor_char_boundary(MASK_MAX))?;
        let label = rest.get(1..rest.find(']')?)?;
        let name = label.split_once(':').map_or(label, |(name, _)| name);
        let named = |one: &Category| {
            let letters = one.name().bytes().map(|letter| letter.to_ascii_uppercase());
            letters.eq(name.bytes())
        };
        let known = Category::ALL.iter().any(named);
        known.then_some(start..start + label.len() + 2)
    });
    let words = MASKS.iter().flat_map(|mask| words_with(near, mask));
    let masks = labels.chain(words);
    masks
        .map(|mask| from + mask.start..from + mask.end)
        .collect()
}

/// The words of `text` that hold `mask`.
fn words_with(text: &str, mask: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices(mask) {
        if words.last().is_some_and(|word| at < word.end) {
            continue;
        }
        let (head, tail) = text.split_at(at);
        let begun = head.len() - head.trim_end_matches(is_solid).len();
        let length = tail.find(char::is_whitespace).unwrap_or(tail.len());
        words.push(at - begun..at + length);
    }
    words
}

fn is_solid(letter: char) -> bool {
    !letter.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_blanks_of_their_length() {
        let cases = [
            ("Anna", "Anna"),
            (r"a\nAnna\u00e9b", r"a  Anna      b"),
            (r"a\\\nAnna", "a    Anna"),
            (r"a\\nAnna", "a   Anna"),
            (r"a\u00zA", r"a u00zA"),
            (r"C:\dir\", "C: dir "),
            ("\u{e9}\\\u{e9}", "\u{e9} \u{e9}"),
        ];
        for (text, want) in cases {
            assert_eq!(readable(text), want);
            assert_eq!(readable(text).len(), text.len());
        }
    }

    #[test]
    fn what_remains_of_a_name_has_letters_at_its_ends() {
        let text = "(Anna [PERSON] \u{e9}va, xxx-1 bob)";
        let whole = Finding::new(Category::Person, 0..text.len(), (90, "ner"));
        let taken = taken(text, &whole);
        let parts = remainder(text, &whole, &taken);
        let parts: Vec<_> = parts.map(|one| &text[one.start..one.end]).collect();
        assert_eq!(parts, ["Anna", "\u{e9}va", "bob"]);
        assert_eq!(words_with("a*** xx-xxx xxx", "xxx"), [5..11, 12..15]);
    }
}
