//! Text that remembers where its values are while it is escaped, quoted and joined.

use std::borrow::Cow;

/// A place in a text, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) category: &'static str,
    /// A detector may begin here, as with the escaped `+` of a telephone number.
    pub(super) earliest: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A text with marked places.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) marks: Vec<Mark>,
}

impl Text {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            marks: Vec::new(),
        }
    }

    /// A value, of which `lead` bytes are not sensitive.
    pub(super) fn value(category: &'static str, text: &str, lead: usize) -> Self {
        // A token that is part of a URL may be taken with it, unlike the scheme of a header.
        let earliest = if category == "cloud_token" { 0 } else { lead };
        let mark = Mark {
            category,
            earliest,
            start: lead,
            end: text.len(),
        };
        Self {
            text: text.to_owned(),
            marks: vec![mark],
        }
    }

    pub(super) fn push(&mut self, other: &Self) {
        let shift = self.text.len();
        self.text += &other.text;
        let moved = other.marks.iter().map(|mark| Mark {
            category: mark.category,
            earliest: mark.earliest + shift,
            start: mark.start + shift,
            end: mark.end + shift,
        });
        self.marks.extend(moved);
    }

    pub(super) fn push_str(&mut self, other: &str) {
        self.text += other;
    }

    /// `template` with `other` in place of `{}`, if it has one.
    pub(super) fn within(template: &str, other: &Self) -> Self {
        let Some((head, tail)) = template.split_once("{}") else {
            return Self::plain(template);
        };
        let mut text = Self::plain(head);
        text.push(other);
        text.push_str(tail);
        text
    }

    pub(super) fn wrapped(&self, head: &str, tail: &str) -> Self {
        let mut text = Self::plain(head);
        text.push(self);
        text.push_str(tail);
        text
    }

    /// Every character replaced by its escape.
    pub(super) fn escaped(&self, escape: impl Fn(char) -> Option<Cow<'static, str>>) -> Self {
        let mut text = String::new();
        let mut places = vec![0; self.text.len() + 1];
        for (at, letter) in self.text.char_indices() {
            places[at] = text.len();
            match escape(letter) {
                Some(escaped) => text += &escaped,
                None => text.push(letter),
            }
        }
        places[self.text.len()] = text.len();
        let moved = self.marks.iter().map(|mark| {
            let (from, start) = (places[mark.earliest], places[mark.start]);
            // The sign of a number is optional where it is an escape.
            let signed = text[start..].starts_with("%2B");
            Mark {
                category: mark.category,
                earliest: from,
                start: if signed { start + 3 } else { start },
                end: places[mark.end],
            }
        });
        let marks = moved.collect();
        Self { text, marks }
    }

    /// As the content of a JSON string.
    pub(super) fn json(&self) -> Self {
        self.escaped(|letter| match letter {
            '"' => Some("\\\"".into()),
            '\\' => Some("\\\\".into()),
            '\n' => Some("\\n".into()),
            '\r' => Some("\\r".into()),
            '\t' => Some("\\t".into()),
            _ => None,
        })
    }

    /// As a value of a query string.
    pub(super) fn percent(&self) -> Self {
        self.escaped(|letter| {
            if letter.is_ascii_alphanumeric() || "-_.~".contains(letter) {
                return None;
            }
            let mut bytes = [0; 4];
            let bytes = letter.encode_utf8(&mut bytes).bytes();
            Some(bytes.map(|byte| format!("%{byte:02X}")).collect())
        })
    }

    /// Whether a value of `key=value` needs no quotes.
    pub(super) fn is_bare(&self) -> bool {
        !self
            .text
            .chars()
            .any(|letter| letter.is_whitespace() || "\"'\\&,;(){}[]<>=|`".contains(letter))
    }
}

#[test]
fn marks_follow_their_text() {
    let value = Text::value("password", "a\"b", 0);
    let line = Text::within("x {} y", &value.json().wrapped("\"", "\""));
    let mark = &line.marks[0];
    assert_eq!(&line.text[mark.start..mark.end], "a\\\"b");
    let number = Text::value("phone", "+44 1", 0).percent();
    assert_eq!((number.marks[0].earliest, number.marks[0].start), (0, 3));
}
