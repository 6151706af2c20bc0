//! Identifiers as data: the shapes they are written in, their check, the words that announce them.
//! One scan of a text tries the rules that are wanted wherever a word begins.

use super::boundary::{before, is_whole, is_word};
use super::context::{Hint, hint};
use super::{Categories, Category, Finding};

/// Longest compact form of an identifier.
const LENGTH_MAX: usize = 34;

/// When a candidate that passes its check is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The shape and the check are enough, unless a key says that it is something else.
    Check,
    /// A word has to announce it, or it is the whole text.
    Word,
}

/// How one kind of identifier is recognised.
#[derive(Debug)]
pub(super) struct Rule {
    /// What it finds.
    pub(super) category: Category,
    /// The ways of writing it: `#` is a digit, `A` a capital, `a` a letter, `*` a letter or digit,
    /// `_` a space, a dot or a dash or nothing, the same throughout; anything else is itself.
    pub(super) shapes: &'static [&'static str],
    /// Whether the characters without separators, letters as capitals, can have been issued.
    pub(super) valid: fn(&[u8]) -> bool,
    /// Words that announce it, in small letters.
    pub(super) words: &'static [&'static str],
    /// What it takes besides shape and check.
    pub(super) evidence: Evidence,
    /// What a finding names as its rule.
    pub(super) name: &'static str,
}

/// Rules by the letters or digits that a word may begin with, so that few are tried at each.
#[derive(Debug)]
pub(super) struct Table {
    /// What the rules find.
    pub(super) categories: Categories,
    digits: [Vec<Written>; LEAD_MAX + 1],
    letters: [Vec<Written>; LEAD_MAX + 1],
}

/// One way of writing an identifier.
#[derive(Clone, Copy, Debug)]
struct Written {
    rule: &'static Rule,
    shape: &'static str,
}

impl Table {
    /// A table of `rules`.
    pub(super) fn new(rules: &[&'static [Rule]]) -> Self {
        let all = || rules.iter().copied().flatten();
        let begun = |class: fn(&u8) -> bool| {
            std::array::from_fn(|lead| {
                let written = all().flat_map(|rule| {
                    let shapes = rule.shapes.iter();
                    shapes.map(move |shape| Written { rule, shape })
                });
                written
                    .filter(|one| lead > 0 && may_begin(one.shape, lead, class))
                    .collect()
            })
        };
        Self {
            categories: all().fold(Categories::NONE, |set, rule| set.with(rule.category)),
            digits: begun(u8::is_ascii_digit),
            letters: begun(u8::is_ascii_alphabetic),
        }
    }

    /// The ways of writing that begin as the word at `start` does.
    fn at(&self, text: &[u8], start: usize) -> &[Written] {
        let word = text.get(start..).unwrap_or_default();
        let lead = |class: fn(&u8) -> bool| {
            let run = word.iter().take(LEAD_MAX + 1);
            run.take_while(|byte| class(byte)).count()
        };
        let digits = lead(u8::is_ascii_digit);
        let written = match digits {
            0 => self.letters.get(lead(u8::is_ascii_alphabetic)),
            _ => self.digits.get(digits),
        };
        written.map(Vec::as_slice).unwrap_or_default()
    }
}

/// Longest run of letters or digits at the start of a shape.
const LEAD_MAX: usize = 20;

/// Whether a text that begins with exactly `lead` characters of a class can have this shape.
fn may_begin(shape: &str, lead: usize, class: fn(&u8) -> bool) -> bool {
    let exactly = |part: u8| match part {
        b'#' => Some(b'0'),
        b'A' | b'a' => Some(b'A'),
        b'*' => None,
        other => Some(other),
    };
    let mut left = lead;
    for part in shape.bytes() {
        let inside = exactly(part).is_none_or(|example| class(&example));
        match (left, part) {
            // Behind the run there is something else: here a separator, if the shape has one.
            (0, b'_' | b'*') => return true,
            (0, _) => return !inside,
            (_, b'_') => {}
            _ if inside => left -= 1,
            _ => return false,
        }
    }
    left == 0
}

/// Appends what the wanted rules of `table` find in `text`.
pub(super) fn find(text: &[u8], table: &Table, wanted: Categories, found: &mut Vec<Finding>) {
    let mut at = 0;
    while let Some(start) = next_word(text, at) {
        let written = table.at(text, start).iter();
        let best = written
            .filter(|written| wanted.has(written.rule.category))
            .filter_map(|written| written.verify(text, start))
            .max_by_key(|finding| (finding.score, finding.end));
        at = match best {
            Some(finding) => {
                found.push(finding);
                finding.end
            }
            None => word_end(text, start),
        };
    }
}

/// Where the next word from `at` on begins.
fn next_word(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?.iter();
    rest.enumerate()
        .map(|(skipped, _)| at + skipped)
        .find(|start| {
            let first = text.get(*start).is_some_and(u8::is_ascii_alphanumeric);
            first && !before(text, *start).is_some_and(is_word)
        })
}

fn word_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start
        + rest
            .iter()
            .take_while(|byte| is_word(**byte))
            .count()
            .max(1)
}

/// Characters without separators.
struct Compact {
    characters: [u8; LENGTH_MAX],
    length: usize,
}

impl Compact {
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.characters.get_mut(self.length)? = byte.to_ascii_uppercase();
        self.length += 1;
        Some(())
    }

    fn as_slice(&self) -> &[u8] {
        self.characters.get(..self.length).unwrap_or_default()
    }
}

impl Written {
    fn verify(&self, text: &[u8], start: usize) -> Option<Finding> {
        let rule = self.rule;
        let mut compact = Compact {
            characters: [0; LENGTH_MAX],
            length: 0,
        };
        let end = read(text, start, self.shape, &mut compact)?;
        if !ends(text, end) || !(rule.valid)(compact.as_slice()) {
            return None;
        }
        let score = match (hint(text, start, rule.words), rule.evidence) {
            (Hint::For, _) => 95,
            (Hint::Silent, Evidence::Check) if begins(text, start) => 75,
            _ if is_whole(text, start, end) => 80,
            _ => return None,
        };
        let why = (score, rule.name);
        Some(Finding::new(rule.category, start..end, why))
    }
}

/// Where `shape` ends in the text from `start` on, with its characters in `compact`.
fn read(text: &[u8], start: usize, shape: &str, compact: &mut Compact) -> Option<usize> {
    let mut at = start;
    let mut separator = None;
    for part in shape.bytes() {
        let byte = text.get(at).copied();
        if part == b'_' {
            let given = byte.filter(|byte| matches!(byte, b' ' | b'-' | b'.'));
            if *separator.get_or_insert(given) != given {
                return None;
            }
            at += usize::from(given.is_some());
            continue;
        }
        let byte = byte?;
        let fits = match part {
            b'#' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_alphabetic(),
            b'*' => byte.is_ascii_alphanumeric(),
            other => byte == other,
        };
        if !fits {
            return None;
        }
        if byte.is_ascii_alphanumeric() {
            compact.push(byte)?;
        }
        at += 1;
    }
    Some(at)
}

/// Whether a candidate without a word for it may begin at `start`: not in a path, a version, a
/// longer number.
fn begins(text: &[u8], start: usize) -> bool {
    let Some(last) = before(text, start) else {
        return true;
    };
    match last {
        b'-' | b'.' | b'/' | b'+' | b'@' | b'#' => false,
        b':' => !before(text, start - 1).is_some_and(|byte| byte.is_ascii_digit()),
        _ => true,
    }
}

/// Whether a candidate may end at `end`.
fn ends(text: &[u8], end: usize) -> bool {
    let Some(next) = text.get(end).copied() else {
        return true;
    };
    let later = text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
    !(is_word(next) || later && matches!(next, b'.' | b':' | b'/' | b'-' | b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    static RULES: [Rule; 1] = [Rule {
        category: Category::UkNhs,
        shapes: &["###_###_####", "AA##"],
        valid: |compact| compact != b"0000000000",
        words: &["nhs"],
        evidence: Evidence::Check,
        name: "check",
    }];

    fn found(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let table = Table::new(&[&RULES]);
        find(text.as_bytes(), &table, table.categories, &mut found);
        found.iter().map(|one| &text[one.start..one.end]).collect()
    }

    #[test]
    fn shapes_end_at_words_and_keep_one_separator() {
        let cases: [(&str, &[&str]); 9] = [
            ("a 943 476 5919 b", &["943 476 5919"]),
            ("943-476-5919", &["943-476-5919"]),
            ("9434765919,AB12.", &["9434765919", "AB12"]),
            ("943 476-5919", &[]),
            ("x943 476 5919", &[]),
            ("943 476 59191", &[]),
            ("000 000 0000", &[]),
            ("id=9434765919", &[]),
            ("nhs_id=9434765919", &["9434765919"]),
        ];
        for (text, want) in cases {
            assert_eq!(found(text), want, "{text}");
        }
    }

    #[test]
    fn a_word_chooses_the_shapes_that_it_may_have() {
        let digits = |shape| -> Vec<usize> {
            (1..=LEAD_MAX)
                .filter(|lead| may_begin(shape, *lead, u8::is_ascii_digit))
                .collect()
        };
        assert_eq!(digits("###-##"), [3]);
        assert_eq!(digits("###_##"), [3, 5]);
        assert_eq!(digits("##A#"), [2]);
        assert_eq!(digits("A##"), Vec::<usize>::new());
        assert_eq!(digits("#*A"), [1, 2]);
    }
}
