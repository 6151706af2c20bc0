//! Why a text does not follow the grammar of its format, as a value that allocates nothing.

use std::fmt;

/// A rule that is broken. Printed, it completes the sentence "not a ... message: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong<'a> {
    /// The rule in words.
    Rule(&'static str),
    /// The text ends before this part.
    Ends(&'static str),
    /// The header ends before this field.
    HeaderEnds(&'static str),
    /// A syslog priority that stands for no facility.
    Priority(&'a str),
    /// A text that is no time.
    Timestamp(&'a str),
    /// A count of octets that is not that of the text.
    Count {
        /// Bytes of the text.
        has: usize,
        /// What the count says.
        says: &'a str,
    },
    /// A byte that may not stand where it does.
    Unexpected {
        /// The byte as a character.
        byte: char,
        /// Its position.
        at: usize,
    },
    /// The rule in words, and the byte at which it is broken.
    At {
        /// The rule.
        what: &'static str,
        /// The position.
        at: usize,
    },
}

impl fmt::Display for Wrong<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => f.write_str(rule),
            Self::Ends(part) => write!(f, "it ends before its {part}"),
            Self::HeaderEnds(field) => write!(f, "its header ends before its {field}"),
            Self::Priority(number) => write!(f, "its priority {number} is above 191"),
            Self::Timestamp(text) => write!(f, "\"{text}\" is no timestamp"),
            Self::Count { has, says } => write!(f, "it has {has} bytes and its count says {says}"),
            Self::Unexpected { byte, at } => write!(f, "unexpected {byte} at byte {at}"),
            Self::At { what, at } => write!(f, "{what} at byte {at}"),
        }
    }
}
