//! The shortest case that shows a fault, as far as leaving things out leads to it.

use serde_json::Value;

use super::call::Case;

/// How many cases are tried at most.
const TRIES: usize = 2_000;

/// Leaves out of `case` what is not needed for `shows` to hold.
pub(super) fn minimised(case: &Case, shows: impl Fn(&Case) -> bool) -> Case {
    let mut tries = TRIES;
    let with_text = |text: String| Case {
        text,
        other: case.other.clone(),
    };
    let shows_text = |text: &str| shows(&with_text(text.to_owned()));
    let text = shorter_document(&case.text, &mut tries, shows_text);
    let text = shorter(&text, &mut tries, shows_text);
    let with_other = |other: &str| Case {
        text: text.clone(),
        other: other.to_owned(),
    };
    let other = shorter(&case.other, &mut tries, |other| shows(&with_other(other)));
    with_other(&other)
}

/// Leaves pieces out of `text`, large ones first, one character in the end.
pub(super) fn shorter(text: &str, tries: &mut usize, shows: impl Fn(&str) -> bool) -> String {
    let mut kept: Vec<char> = text.chars().collect();
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let before = kept.len();
        while at < kept.len() && *tries > 0 {
            *tries -= 1;
            let end = (at + size).min(kept.len());
            let rest: String = kept[..at].iter().chain(&kept[end..]).collect();
            if shows(&rest) {
                kept.drain(at..end);
            } else {
                at += size;
            }
        }
        if size > 1 || kept.len() == before || *tries == 0 {
            size /= 2;
        }
    }
    kept.into_iter().collect()
}

/// Leaves parts of the document `text` out, and characters of its strings, so that it stays one.
fn shorter_document(text: &str, tries: &mut usize, shows: impl Fn(&str) -> bool) -> String {
    let mut kept = text.to_owned();
    let Ok(mut whole) = serde_json::from_str::<Value>(text) else {
        return kept;
    };
    loop {
        let smaller = smaller(&whole).into_iter().find(|one| {
            *tries = tries.saturating_sub(1);
            *tries > 0 && shows(&one.to_string())
        });
        match smaller {
            Some(one) => (kept, whole) = (one.to_string(), one),
            None => return kept,
        }
    }
}

/// `value` with one thing less in it, the smallest results first.
fn smaller(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => {
            let mut all = items.clone();
            for at in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(at);
                all.push(fewer.into());
            }
            for (at, item) in items.iter().enumerate() {
                all.extend(smaller(item).into_iter().map(|one| {
                    let mut other = items.clone();
                    other[at] = one;
                    other.into()
                }));
            }
            all
        }
        Value::Object(entries) => {
            let mut all: Vec<Value> = entries.values().cloned().collect();
            for key in entries.keys() {
                let mut fewer = entries.clone();
                fewer.remove(key);
                all.push(fewer.into());
            }
            for (key, item) in entries {
                let with = |key: String, item: Value| {
                    let entries = entries.iter().map(|(old, value)| match *old == *key {
                        true => (key.clone(), item.clone()),
                        false => (old.clone(), value.clone()),
                    });
                    Value::Object(entries.collect())
                };
                all.extend(smaller(item).into_iter().map(|one| with(key.clone(), one)));
                for shorter in pieces(key)
                    .into_iter()
                    .filter(|key| !entries.contains_key(key))
                {
                    let mut other = entries.clone();
                    other.remove(key);
                    other.insert(shorter, item.clone());
                    all.push(other.into());
                }
            }
            all
        }
        Value::String(text) => pieces(text).into_iter().map(Value::from).collect(),
        _ => Vec::new(),
    }
}

/// `text` without its first and second half, and without each of its characters.
fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let without = |from: usize, to: usize| {
        let rest = characters[..from].iter().chain(&characters[to..]);
        rest.collect::<String>()
    };
    let (length, half) = (characters.len(), characters.len() / 2);
    let mut all = Vec::new();
    if half > 1 {
        all.extend([without(0, half), without(half, length)]);
    }
    all.extend((0..length).map(|at| without(at, at + 1)));
    all
}
