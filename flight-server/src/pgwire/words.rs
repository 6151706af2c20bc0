//! The words of a statement, as far as statements about the connection need them: which they are,
//! and where the rest of the text begins.

use std::ops::Range;

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A bare word in lower case.
    Bare(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes.
    Text(String),
    /// Any other character.
    Sign(char),
}

/// The words of a statement with their places.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    sql: &'a str,
    words: Vec<(Word, Range<usize>)>,
    at: usize,
}

impl<'a> Words<'a> {
    /// The words of `sql`; of what is not closed, nothing.
    pub(super) fn of(sql: &'a str) -> Self {
        Self {
            sql,
            words: read(sql),
            at: 0,
        }
    }

    /// The next word.
    pub(super) fn peek(&self) -> Option<&Word> {
        self.words.get(self.at).map(|(word, _)| word)
    }

    /// Takes the next word.
    pub(super) fn next(&mut self) -> Option<Word> {
        let word = self.peek().cloned();
        self.at += usize::from(word.is_some());
        word
    }

    /// Takes `word` when it is next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Bare(next)) if next == word);
        self.at += usize::from(found);
        found
    }

    /// Takes the character `sign` when it is next.
    pub(super) fn sign(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Word::Sign(sign));
        self.at += usize::from(found);
        found
    }

    /// Takes whichever of `words` are next.
    pub(super) fn skip(&mut self, words: &[&str]) {
        while words.iter().any(|word| self.take(word)) {}
    }

    /// Takes a name, bare or in quotes.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = match self.peek()? {
            Word::Bare(name) | Word::Name(name) => name.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// Takes a whole number, which may be negative.
    pub(super) fn number(&mut self) -> Option<i64> {
        let start = self.at;
        let negative = self.sign('-');
        let digits = match self.peek() {
            Some(Word::Bare(digits)) => digits.parse::<i64>().ok(),
            _ => None,
        };
        match digits {
            Some(number) => {
                self.at += 1;
                Some(if negative { -number } else { number })
            }
            None => {
                self.at = start;
                None
            }
        }
    }

    /// Whether nothing follows but semicolons.
    pub(super) fn is_done(&self) -> bool {
        let mut rest = self.words.iter().skip(self.at);
        rest.all(|(word, _)| *word == Word::Sign(';'))
    }

    /// The text from the next word on.
    pub(super) fn rest(&self) -> &'a str {
        let start = self.words.get(self.at).map(|(_, place)| place.start);
        let rest = start.and_then(|start| self.sql.get(start..));
        rest.unwrap_or_default().trim_end().trim_end_matches(';')
    }

    /// Takes what stands in parentheses, and gives the text between them.
    pub(super) fn parenthesized(&mut self) -> Option<&'a str> {
        if self.peek() != Some(&Word::Sign('(')) {
            return None;
        }
        let start = self.words.get(self.at)?.1.end;
        let mut depth = 0;
        for (index, (word, place)) in self.words.iter().enumerate().skip(self.at) {
            match word {
                Word::Sign('(') => depth += 1,
                Word::Sign(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inner = self.sql.get(start..place.start);
                self.at = index + 1;
                return inner;
            }
        }
        None
    }
}

fn read(sql: &str) -> Vec<(Word, Range<usize>)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(next) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = sql.get(at..).unwrap_or_default();
        let length = if next.is_whitespace() {
            next.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if next == '\'' || next == '"' {
            let Some((text, length)) = quoted(rest, next) else {
                return words;
            };
            let word = match next {
                '"' => Word::Name(text),
                _ => Word::Text(text),
            };
            words.push((word, at..at + length));
            length
        } else if next.is_alphanumeric() || next == '_' {
            let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
            let length = rest.find(end).unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default().to_lowercase();
            words.push((Word::Bare(word), at..at + length));
            length
        } else {
            words.push((Word::Sign(next), at..at + next.len_utf8()));
            next.len_utf8()
        };
        at += length;
    }
    words
}

/// The text at the beginning of `rest` up to the next `quote` that is not doubled, and its length.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((index, next)) = chars.next() {
        if next == quote && chars.next_if(|(_, after)| *after == quote).is_none() {
            return Some((text, index + 1));
        }
        text.push(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_with_their_places() {
        let mut words = Words::of("DECLARE \"C\"\"1\" -- x\n CURSOR /* y */ FOR Select 'it''s';");
        assert!(words.take("declare"));
        assert_eq!(words.name().as_deref(), Some("C\"1"));
        words.skip(&["no", "cursor", "scroll"]);
        assert!(words.take("for"));
        assert_eq!(words.rest(), "Select 'it''s'");
        assert!(!words.is_done());
        assert!(words.take("select"));
        assert_eq!(words.next(), Some(Word::Text("it's".to_owned())));
        assert!(words.is_done());
    }

    #[test]
    fn parentheses_and_numbers() {
        let mut words = Words::of("(a, (b), ')') -12 x");
        assert_eq!(words.parenthesized(), Some("a, (b), ')'"));
        assert_eq!(words.number(), Some(-12));
        assert_eq!(words.number(), None);
        assert!(words.take("x"));
        assert_eq!(Words::of("(a").parenthesized(), None);
        assert_eq!(Words::of("'open").next(), None);
    }
}
