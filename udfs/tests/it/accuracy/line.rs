//! Lines: a value of a category, hard negatives beside it, and a frame of some format.
//!
//! Templates and value grammars belong to the tuning half or the test half by their hash, so that a
//! rule that fits the one by heart shows in the other.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::format::{FRAMES, Frame, Part, Style, noise};
use super::random::Random;
use super::text::Text;
use super::value::{self, Known, Value};
use super::{carrier, negative};

/// A half of the templates and grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Tuning,
    Test,
}

/// A generated line. The marks of negatives carry their kind as category.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: Text,
    pub(super) negatives: usize,
}

impl Half {
    fn has(self, name: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish().is_multiple_of(2) == (self == Self::Tuning)
    }
}

/// A line with one value of `category` and `count` negatives.
pub(super) fn positive(
    random: &mut Random,
    half: Half,
    category: &'static str,
    count: usize,
) -> Line {
    let value = loop {
        let value = value::draw(random, category);
        if half.has(&format!("{category}/{}", value.grammar)) {
            break value;
        }
    };
    loop {
        let at = random.below(FRAMES.len());
        let frame = &FRAMES[at];
        let Some((carrier, part)) = carry(random, frame.style, &value) else {
            continue;
        };
        if half.has(&format!("{}/{at}/{category}/{carrier}", frame.format)) {
            return assemble(random, half, at, vec![part], count);
        }
    }
}

/// A line of `count` negatives alone.
pub(super) fn negative(random: &mut Random, half: Half, count: usize) -> Line {
    let at = random.below(FRAMES.len());
    assemble(random, half, at, Vec::new(), count)
}

fn assemble(
    random: &mut Random,
    half: Half,
    at: usize,
    mut parts: Vec<Part>,
    count: usize,
) -> Line {
    let Frame {
        format,
        style,
        head,
        tail,
    } = FRAMES[at];
    let wanted = parts.len() + count;
    while parts.len() < wanted {
        let negative = negative::draw(random);
        if half.has(&format!("{format}/{at}/{}", negative.kind)) {
            parts.extend(negative_part(random, style, &negative));
        }
    }
    random.shuffle(&mut parts);
    let mut text = Text::plain(noise(random, head));
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            text.push_str(style.between());
        }
        let part = style.part(random, part);
        text.push(&part);
    }
    text.push_str(&noise(random, tail));
    Line {
        text,
        negatives: count,
    }
}

/// The key or sentence that holds `value` and the two together, if the style can write them.
fn carry(random: &mut Random, style: Style, value: &Value) -> Option<(&'static str, Part)> {
    let text = Text::value(value.category, &value.text, value.lead);
    if !fits(style, value, &text) {
        return None;
    }
    let keyless = matches!(style, Style::Csv | Style::SqlValues);
    let sentences = match style {
        Style::Prose => 100,
        Style::Query | Style::Payment | Style::CallRecord => 0,
        _ if keyless => 0,
        _ => 25,
    };
    if !random.chance(sentences) {
        let key = carrier::key(random, value);
        return Some((key, Part::Pair(key, text)));
    }
    let sentence = carrier::sentence(random, value);
    let text = match value.category {
        // In the authority of a URL, everything else is escaped.
        "password" if sentence.contains("://") => text.percent(),
        "password" if !text.is_bare() => return None,
        _ => text,
    };
    let tight = matches!(style, Style::Cef | Style::Leef) && sentence.contains('=');
    (!tight).then(|| (sentence, Part::Sentence(Text::within(sentence, &text))))
}

fn fits(style: Style, value: &Value, text: &Text) -> bool {
    let spaced = value.text.contains([' ', '(']);
    let keyless = matches!(style, Style::Csv | Style::SqlValues);
    if keyless && value.known == Known::Announced {
        return false;
    }
    let delimited = matches!(
        style,
        Style::Cef | Style::Leef | Style::Payment | Style::CallRecord | Style::Header
    );
    match value.category {
        "password" if style == Style::Query => true,
        "password" => text.is_bare() || !(delimited || style == Style::Prose),
        "private_key" => !(delimited || style == Style::Query),
        "auth_header" => {
            !keyless
                && !matches!(style, Style::Query | Style::Sql)
                && (!delimited || style == Style::Header)
        }
        "card_track" => !(delimited || style == Style::Query) || style == Style::Payment,
        "email" => {
            let quoted = matches!(style, Style::Sql | Style::SqlValues | Style::Python);
            !(quoted && value.text.contains('\''))
                && (style != Style::Query || value.text.is_ascii())
        }
        // The hook is a URL, whose escapes are another matter.
        "cloud_token" => style != Style::Query || !value.text.contains([':', '/', '=', '+']),
        "jwt" => true,
        _ => style != Style::Query || !spaced,
    }
}

/// A negative as a part, if the style can write it.
fn negative_part(random: &mut Random, style: Style, negative: &negative::Negative) -> Option<Part> {
    let text = Text::value(negative.kind, &negative.text, 0);
    let keyless = matches!(style, Style::Csv | Style::SqlValues);
    let lines = negative.text.contains('\n');
    let narrow = matches!(style, Style::Query | Style::Payment | Style::CallRecord);
    if keyless && negative.needs_key() || lines && (narrow || style == Style::Header) {
        return None;
    }
    let sentence = Part::Sentence(Text::within(negative.sentence, &text));
    let unfit = narrow
        || keyless
        || matches!(style, Style::Cef | Style::Leef) && negative.sentence.contains('=');
    match (negative.key, unfit) {
        ("", true) => None,
        ("", false) => Some(sentence),
        (_, false) if style == Style::Prose || random.chance(20) => Some(sentence),
        (key, _) => Some(Part::Pair(key, text)),
    }
}
