//! From text to sequences that an encoder can take.
//!
//! A text is cut into pieces before it is tokenised, so that the memory is that of a piece, and a
//! piece into windows of as many tokens as the encoder has positions. Both overlap: every token is
//! kept where it has neighbours on both sides, and once. The cost is linear in the text.

use std::ops::Range;

use tokenizers::Tokenizer;

use super::files::{ModelFault, TOKENIZER};

/// Bytes of a piece.
const PIECE: usize = 8 * 1024;
/// Bytes before and after a piece that are read along with it.
const AROUND: usize = 256;
/// What part of a window its neighbours read as well.
const OVERLAP: usize = 4;
/// Tokens of a sequence, but for those that begin and end it, below which a model is of no use.
const ROOM_MIN: usize = 4;

/// Where a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// First byte in the text.
    pub(crate) start: usize,
    /// Byte after the last one.
    pub(crate) end: usize,
    /// Whether it begins a word.
    pub(crate) first: bool,
}

/// A sequence for the encoder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its tokens.
    pub(super) ids: Vec<u32>,
    /// Which of them are kept.
    pub(super) kept: Range<usize>,
    /// Where those are.
    pub(super) places: Vec<Place>,
}

/// Makes tokens of text.
#[derive(Debug)]
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    /// What begins a sequence, and what ends it.
    frame: (Vec<u32>, Vec<u32>),
    /// Tokens of a sequence beside those.
    room: usize,
}

impl Tokens {
    /// Reads `tokenizer.json`, for an encoder with `vocabulary` tokens and sequences of at most
    /// `longest`.
    ///
    /// # Errors
    /// When it is not the description of a tokenizer, or that of another model.
    pub(crate) fn parse(
        file: &[u8],
        vocabulary: usize,
        longest: usize,
    ) -> Result<Self, ModelFault> {
        let hint = "use the tokenizer.json that was published with the model";
        let fault = |message: String| ModelFault::new(TOKENIZER, message, hint);
        let failed = |error: tokenizers::Error| fault(error.to_string());
        let mut tokenizer = Tokenizer::from_bytes(file).map_err(failed)?;
        // Texts are cut here, and sequences are packed.
        tokenizer.with_truncation(None).map_err(failed)?;
        tokenizer.with_padding(None);
        let highest = tokenizer.get_vocab(true).into_values().max();
        if highest.is_none_or(|highest| highest as usize >= vocabulary) {
            return Err(fault(format!(
                "the tokens are not those of the model, which has {vocabulary}"
            )));
        }
        let framed = tokenizer.encode("a", true).map_err(failed)?;
        let special = framed.get_special_tokens_mask().iter();
        let special: Vec<bool> = special.map(|mask| *mask != 0).collect();
        let before = special.iter().take_while(|special| **special).count();
        let after = special.iter().rev().take_while(|special| **special).count();
        let after = after.min(special.len() - before);
        let (ids, end) = (framed.get_ids(), special.len() - after);
        let part = |range: Range<usize>| ids.get(range).unwrap_or_default().to_vec();
        let frame = (part(0..before), part(end..special.len()));
        match longest.checked_sub(before + after) {
            Some(room) if room >= ROOM_MIN => Ok(Self {
                tokenizer,
                frame,
                room,
            }),
            _ => Err(fault(format!(
                "a sequence of {longest} tokens has no room for text"
            ))),
        }
    }

    /// The windows of `piece` of `text`, in order.
    ///
    /// # Errors
    /// When the tokenizer has no token for what it met, not even one for the unknown.
    pub(super) fn windows(&self, text: &str, piece: &Piece) -> tokenizers::Result<Vec<Window>> {
        let start = piece.read.start;
        let read = text.get(piece.read.clone()).unwrap_or_default();
        let encoding = self.tokenizer.encode(read, false)?;
        let (ids, words) = (encoding.get_ids(), encoding.get_word_ids());
        let place = |at: usize| {
            let (from, to) = encoding.get_offsets().get(at).copied().unwrap_or_default();
            let word = words.get(at).copied().flatten();
            let before = at.checked_sub(1).and_then(|before| words.get(before));
            Place {
                start: text.floor_char_boundary(start + from),
                end: text.ceil_char_boundary(start + to),
                first: word.is_none() || before.copied().flatten() != word,
            }
        };
        let own = |at: &usize| {
            let offset = encoding.get_offsets().get(*at);
            offset.is_some_and(|(from, _)| piece.own.contains(&(start + from)))
        };
        let mut windows = Vec::new();
        for (range, kept) in overlapping(ids.len(), self.room) {
            // Tokens are in the order of the text, so what is kept is in one piece.
            let kept: Vec<usize> = kept.filter(own).collect();
            let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
                continue;
            };
            let before = self.frame.0.len();
            let from = first - range.start + before;
            let kept = from..from + (last - first) + 1;
            let places = (*first..=*last).map(place).collect();
            let tokens = ids.get(range).unwrap_or_default();
            let ids = [self.frame.0.as_slice(), tokens, &self.frame.1].concat();
            windows.push(Window { ids, kept, places });
        }
        Ok(windows)
    }
}

/// A part of a text that is tokenised at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Whose tokens are kept.
    pub(super) own: Range<usize>,
    /// With its neighbourhood.
    pub(super) read: Range<usize>,
}

/// The pieces of `text`, in order; they are cut at white space where there is some.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let end = cut(text, start, PIECE);
        let from = text.floor_char_boundary(start.saturating_sub(AROUND));
        let piece = Piece {
            own: start..end,
            read: from..cut(text, end, AROUND),
        };
        start = end;
        Some(piece)
    })
}

/// Where the text from `start` on is cut so that at most `length` bytes come before.
fn cut(text: &str, start: usize, length: usize) -> usize {
    let end = text.floor_char_boundary(start + length);
    if end == text.len() {
        return end;
    }
    let middle = start + (end - start) / 2;
    let tail = text.as_bytes().get(middle..end).unwrap_or_default();
    let blank = tail.iter().rposition(u8::is_ascii_whitespace);
    blank.map_or(end, |blank| middle + blank + 1)
}

/// Windows of at most `room` of `count` tokens, each with those of its tokens that are kept.
fn overlapping(count: usize, room: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let overlap = if count > room { room / OVERLAP } else { 0 };
    let step = (room - overlap).max(1);
    let windows = count.saturating_sub(overlap).div_ceil(step);
    (0..windows).map(move |window| {
        let start = window * step;
        let end = (start + room).min(count);
        let from = if window == 0 { 0 } else { start + overlap / 2 };
        let to = if window + 1 == windows {
            count
        } else {
            start + step + overlap / 2
        };
        (start..end, from..to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_every_token_once() {
        for room in 4..20 {
            for count in 0..200 {
                let mut next = 0;
                for (window, kept) in overlapping(count, room) {
                    assert!(window.len() <= room, "{room} {count}");
                    assert_eq!(kept.start, next, "{room} {count}");
                    assert!(!kept.is_empty() && kept.start >= window.start);
                    assert!(kept.end <= window.end, "{room} {count} {window:?} {kept:?}");
                    next = kept.end;
                }
                assert_eq!(next, count, "{room}");
            }
        }
    }

    #[test]
    fn pieces_cover_a_text_at_character_boundaries() {
        let words = "caf\u{e9} \u{1f600}noir ".repeat(3_000);
        let solid = "\u{1f600}".repeat(9_000);
        for text in ["", "a", words.as_str(), solid.as_str()] {
            let mut next = 0;
            for piece in pieces(text) {
                assert_eq!(piece.own.start, next);
                assert!(piece.own.len() <= PIECE && !piece.own.is_empty());
                assert!(piece.read.start <= piece.own.start && piece.own.end <= piece.read.end);
                assert!(text.get(piece.own.clone()).is_some() && text.get(piece.read).is_some());
                next = piece.own.end;
            }
            assert_eq!(next, text.len());
        }
    }
}
