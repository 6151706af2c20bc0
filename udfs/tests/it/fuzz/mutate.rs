//! Changes of a text that know how texts are built: at the borders of its words, along its
//! brackets and quotes, in its digits, and inside its values where it is JSON.

use std::ops::Range;

use serde_json::{Map, Value};

use super::random::Random;
use super::seeds::{KEYS, LINES, PIECES, TOKENS};

/// Texts are not made longer than this, in bytes, but for a huge repeat.
const LENGTH_MAX: usize = 4_096;
/// What a huge repeat may grow to.
const HUGE: usize = 32_768;
const BRACKETS: [char; 8] = ['{', '}', '[', ']', '(', ')', '"', '\''];

/// A text made of one of `corpus`, which is not empty.
pub(super) fn text(random: &mut Random, corpus: &[String]) -> String {
    if random.once_in(6) {
        return document(random, corpus, 3).to_string();
    }
    let mut text = base(random, corpus);
    for _ in 0..1 + random.below(4) + random.below(3) {
        text = change(random, &text, corpus, TOKENS);
    }
    let limit = if random.once_in(60) { HUGE } else { LENGTH_MAX };
    cut(&mut text, limit);
    text
}

/// A pattern made of one of `corpus`, which is not empty.
pub(super) fn pattern(random: &mut Random, corpus: &[String]) -> String {
    let mut text = match random.below(4) {
        0 => (0..1 + random.below(8))
            .map(|_| *random.pick(PIECES))
            .collect(),
        _ => random.pick(corpus).clone(),
    };
    for _ in 0..random.below(4) {
        text = change(random, &text, corpus, PIECES);
    }
    cut(&mut text, 512);
    text
}

/// Bytes made of `seed`, text or not.
pub(super) fn bytes(random: &mut Random, seed: &[u8], corpus: &[String]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    if let Ok(text) = std::str::from_utf8(seed) {
        let mut text = text.to_owned();
        for _ in 0..random.below(4) {
            text = change(random, &text, corpus, TOKENS);
        }
        bytes = text.into_bytes();
    }
    for _ in 0..random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.insert(at, *random.pick(&[0, b'\n', 0x80, 0xc0, 0xff, 0xed, b'"'])),
        }
    }
    bytes.truncate(HUGE);
    bytes
}

fn cut(text: &mut String, limit: usize) {
    let end = (0..=limit.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
}

/// One of the corpus: half of the time one of those that were new last.
fn base(random: &mut Random, corpus: &[String]) -> String {
    let recent = corpus.len().saturating_sub(64);
    match random.below(8) {
        0 => (*random.pick(LINES)).to_owned(),
        1..=4 => corpus[recent + random.below(corpus.len() - recent)].clone(),
        _ => random.pick(corpus).clone(),
    }
}

/// A value of the kind that texts hold: numbers with and without groups, addresses, words.
fn value(random: &mut Random, tokens: &[&str]) -> String {
    let separators = ["-", " ", ".", "", "/", ":"];
    match random.below(8) {
        0 => {
            let count = 1 + random.below(20);
            random.digits(count)
        }
        1 => {
            let stem = 11 + random.below(7);
            let stem = random.digits(stem);
            let check = luhn(&stem);
            format!("{stem}{check}")
        }
        2 => {
            let separator = *random.pick(&separators);
            let groups: Vec<String> = (0..2 + random.below(4))
                .map(|_| {
                    let count = 1 + random.below(4);
                    random.digits(count)
                })
                .collect();
            groups.join(separator)
        }
        3 => (0..1 + random.below(24))
            .map(|_| *random.pick(&['a', 'B', '7', 'z', 'F', '-']))
            .collect(),
        _ => (*random.pick(tokens)).to_owned(),
    }
}

/// The digit that makes `stem` pass the Luhn check.
fn luhn(stem: &str) -> u32 {
    let digits = stem.bytes().rev().enumerate();
    let sum: u32 = digits
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    (10 - sum % 10) % 10
}

/// Runs of letters and digits, of blanks, and every other character alone.
fn words(text: &str) -> Vec<Range<usize>> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() => 0,
        ' ' => 1,
        _ => 2,
    };
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut last = 2;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match words.last_mut() {
            Some(word) if class(c) == last && last != 2 => word.end = end,
            _ => words.push(at..end),
        }
        last = class(c);
    }
    words
}

/// A few words in a row.
fn run(random: &mut Random, text: &str) -> Range<usize> {
    let words = words(text);
    if words.is_empty() {
        return 0..0;
    }
    let first = random.below(words.len());
    let last = (first + random.below(6)).min(words.len() - 1);
    words[first].start..words[last].end
}

/// A place between two characters, most often between two words.
fn place(random: &mut Random, text: &str) -> usize {
    if random.once_in(3) {
        let places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let places: Vec<usize> = places.collect();
        return *random.pick(&places);
    }
    run(random, text).start
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    let (head, tail) = (&text[..range.start], &text[range.end..]);
    format!("{head}{with}{tail}")
}

/// `text` with one thing different.
fn change(random: &mut Random, text: &str, corpus: &[String], tokens: &[&str]) -> String {
    let (at, range) = (place(random, text), run(random, text));
    match random.below(18) {
        0 => text[..at].to_owned(),
        1 => replaced(text, range, ""),
        2 => replaced(text, at..at, &text[range]),
        3 | 4 => replaced(text, at..at, &value(random, tokens)),
        5 | 6 => replaced(text, range, &value(random, tokens)),
        7 => {
            let other = base(random, corpus);
            let from = place(random, &other);
            format!("{}{}", &text[..at], &other[from..])
        }
        8 => {
            let other = base(random, corpus);
            replaced(text, at..at, &other[run(random, &other)])
        }
        9 => repeated(random, text, range),
        10 => wrapped(random, text),
        11 => digits(random, text),
        12 => {
            let upper = text[range.clone()].to_uppercase();
            replaced(text, range, &upper)
        }
        13 => escaped(random, text, at),
        14 => replaced(
            text,
            at..at,
            &random
                .pick(&["[", "{\"a\":", "(", "\\"])
                .repeat(random.below(140)),
        ),
        15 => unbalanced(random, text, tokens),
        16 => inside(random, text, corpus),
        _ => {
            let other = run(random, text);
            let piece = text[other].to_owned();
            replaced(text, range, &piece)
        }
    }
}

/// The text with a part of it again and again.
fn repeated(random: &mut Random, text: &str, part: Range<usize>) -> String {
    let steps = if random.once_in(20) { 12 } else { 6 };
    let times = 2 << random.below(steps);
    let piece = &text[part.clone()];
    let times = times.min(HUGE / piece.len().max(1));
    replaced(text, part, &piece.repeat(times))
}

/// The text without one of its brackets and quotes, or with something else there.
fn unbalanced(random: &mut Random, text: &str, tokens: &[&str]) -> String {
    let borders = text.char_indices().filter(|(_, c)| BRACKETS.contains(c));
    let borders: Vec<_> = borders.collect();
    if borders.is_empty() {
        return text.to_owned();
    }
    let (at, c) = *random.pick(&borders);
    let other = if random.once_in(2) {
        ""
    } else {
        *random.pick(tokens)
    };
    replaced(text, at..at + c.len_utf8(), other)
}

/// The text inside something that holds texts.
fn wrapped(random: &mut Random, text: &str) -> String {
    let key = *random.pick(KEYS);
    match random.below(6) {
        0 => Value::Object([(key.to_owned(), text.into())].into_iter().collect()).to_string(),
        1 => Value::from(text).to_string(),
        2 => format!("{key}='{text}'"),
        3 => format!("{key}=\"{text}\" "),
        4 => format!("[{text}]"),
        _ => format!("{{{text}}}"),
    }
}

/// The text with a digit changed, or something between its digits.
fn digits(random: &mut Random, text: &str) -> String {
    let places = text.char_indices().filter(|(_, c)| c.is_ascii_digit());
    let places: Vec<usize> = places.map(|(at, _)| at).collect();
    if places.is_empty() {
        return text.to_owned();
    }
    let at = *random.pick(&places);
    let digit = random.digits(1);
    let separator = *random.pick(&["-", " ", ".", "/", "\u{2011}", "\u{a0}", ","]);
    match random.below(3) {
        0 => replaced(text, at..at + 1, &digit),
        1 => replaced(text, at..at, &digit),
        _ => replaced(text, at..at, separator),
    }
}

/// The text with the character at `at` written in another way.
fn escaped(random: &mut Random, text: &str, at: usize) -> String {
    let Some(c) = text[at..].chars().next() else {
        return text.to_owned();
    };
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units).iter();
    let other: String = match random.below(4) {
        0 => units.map(|unit| format!("\\u{unit:04x}")).collect(),
        1 => c
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect(),
        2 => format!("\\{c}"),
        // Wide forms of ASCII.
        _ => char::from_u32(u32::from(c) + 0xfee0).map_or_else(String::new, |c| c.to_string()),
    };
    replaced(text, at..at + c.len_utf8(), &other)
}

/// A document whose texts are lines of the corpus.
fn document(random: &mut Random, corpus: &[String], depth: usize) -> Value {
    let count = random.below(5);
    if random.once_in(3) {
        return (0..count).map(|_| leaf(random, corpus, depth)).collect();
    }
    let mut entries = Map::new();
    for _ in 0..count {
        let key = match random.below(4) {
            0 => value(random, TOKENS),
            _ => (*random.pick(KEYS)).to_owned(),
        };
        entries.insert(key, leaf(random, corpus, depth));
    }
    Value::Object(entries)
}

fn leaf(random: &mut Random, corpus: &[String], depth: usize) -> Value {
    match random.below(8) {
        0 | 1 if depth > 0 => document(random, corpus, depth - 1),
        2 => {
            let count = 1 + random.below(18);
            random
                .digits(count)
                .parse::<u64>()
                .map_or(Value::Null, Value::from)
        }
        3 => [Value::Null, Value::Bool(true), Value::from(-12.5e3)][random.below(3)].clone(),
        4 => base(random, corpus).into(),
        5 => document(random, corpus, depth.saturating_sub(1))
            .to_string()
            .into(),
        _ => value(random, TOKENS).into(),
    }
}

/// JSON with another value somewhere in it.
fn inside(random: &mut Random, text: &str, corpus: &[String]) -> String {
    let Ok(mut whole) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    let mut part = &mut whole;
    for _ in 0..random.below(5) {
        let count = match &*part {
            Value::Array(items) => items.len(),
            Value::Object(entries) => entries.len(),
            _ => 0,
        };
        if count == 0 {
            break;
        }
        let at = random.below(count);
        let next = match part {
            Value::Array(items) => items.get_mut(at),
            Value::Object(entries) => entries.values_mut().nth(at),
            _ => None,
        };
        part = next.expect("one that was counted");
    }
    *part = leaf(random, corpus, 1);
    if random.once_in(4) {
        format!("{whole:#}")
    } else {
        whole.to_string()
    }
}
