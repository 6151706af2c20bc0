//! The one pass over the bytes of many rows that finds the places worth a look.
//!
//! Rows lie next to each other without anything between them, so everything that spans bytes is
//! cut where a row begins. What is found in a row does not depend on its neighbours.

use std::sync::LazyLock;

use super::masks::{AHEAD, BLOCK, Masks, Window, Words, pad};
use super::runs::{BLOCKS, NUMBER, Places, Runs, TOKEN};

/// Bytes that are scanned in one step, and what is read beyond them.
type Span = [u8; SPAN + AHEAD];
const SPAN: usize = BLOCKS * BLOCK;

/// What may be at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// A token: the seventeenth byte of a run of letters, digits and hyphens.
    pub(super) const TOKEN: Self = Self(1);
    /// An account number: the fourth byte of a word, after two letters and two digits.
    pub(super) const ACCOUNT: Self = Self(1 << 1);
    /// The sign of an address, or what may stand for it: `@`, `%40`, `\u0040`.
    pub(super) const SIGN: Self = Self(1 << 2);
    /// A word that announces a secret.
    pub(super) const WORD: Self = Self(1 << 3);
    /// A character that stands for an ASCII one.
    pub(super) const ODD: Self = Self(1 << 4);

    /// Whether `other` is among them.
    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A place and what may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Position in the bytes that were scanned.
    pub(super) at: usize,
    /// What may be there.
    pub(super) kinds: Kinds,
}

/// The places in some rows that are worth a look, in order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// First bytes of numbers: six digits and separators, where a number may begin.
    pub(super) numbers: Vec<usize>,
    /// What is no number.
    pub(super) others: Vec<Candidate>,
    /// Whether any of them is [`Kinds::ODD`].
    pub(super) any_odd: bool,
}

/// First byte of a token whose candidate is at `at`.
pub(super) const fn token_start(at: usize) -> usize {
    at + 1 - TOKEN
}

/// Beginnings of the words that announce secrets. Which ones share a bucket was chosen so that the
/// mixtures of their letters are rare in logs.
static WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::new([
        &["pin*", "pin#", "pinb"],
        &["pass", "basi"],
        &["key*", "key#", "cvv*", "cvvc"],
        &["pwd*", "pwd#", "otp*", "pwdc", "pwdh"],
        &["csc*", "cvc*", "cvcc", "pw=?", "pw:?", "pw\"?", "pw'?"],
        &["cook", "cred", "toke", "--be"],
        &["bear", "curl", "iden"],
        &["auth", "secr", "secu", "sess", "sig="],
    ])
});

/// Replaces the candidates by those in `bytes`, whose rows begin at the ascending `starts`.
pub(super) fn scan(bytes: &[u8], mut starts: impl Iterator<Item = usize>, found: &mut Candidates) {
    let words = &*WORDS;
    let Candidates {
        numbers,
        others,
        any_odd,
    } = found;
    numbers.clear();
    others.clear();
    *any_odd = false;
    let mut start = starts.next().unwrap_or(usize::MAX);
    let mut runs = Runs::default();
    for from in (0..bytes.len()).step_by(SPAN) {
        let rest = bytes.get(from..).unwrap_or_default();
        let padded;
        let span = match rest.first_chunk() {
            Some(span) => span,
            None => {
                padded = pad(rest);
                &padded
            }
        };
        let mut cut = [0_u64; BLOCKS];
        while start < from + SPAN {
            if let Some(bits) = cut.get_mut((start - from) / BLOCK) {
                *bits |= 1 << (start % BLOCK);
            }
            start = starts.next().unwrap_or(usize::MAX);
        }
        let mut masks = [Masks::default(); BLOCKS];
        read(span, words, &mut masks);
        // A separator at the end of the span joins what follows it, unless a row begins there.
        let next_digit = start != from + SPAN && span.get(SPAN).is_some_and(u8::is_ascii_digit);
        let Places {
            number,
            token,
            account,
        } = runs.next(&Masks::together(&masks), cut, next_digit);
        let blocks = masks.iter().zip(&number).zip(&token).zip(&account);
        for (block, (((masks, &number), &token), &account)) in blocks.enumerate() {
            let from = from + block * BLOCK;
            push_all(numbers, (from + 1).wrapping_sub(NUMBER), number);
            let (mut sign, mut odd) = (masks.at, masks.odd);
            if masks.escape != 0 {
                let escapes = escapes(masks.escape, window(span, block));
                sign |= escapes.sign;
                odd |= escapes.folded;
            }
            *any_odd |= odd != 0;
            let mut any = token | account | sign | odd | masks.word;
            while any != 0 {
                let place = any.trailing_zeros();
                let kind = |mask: u64, kind: Kinds| (mask >> place & 1) as u8 * kind.0;
                others.push(Candidate {
                    at: from + place as usize,
                    kinds: Kinds(
                        kind(token, Kinds::TOKEN)
                            | kind(account, Kinds::ACCOUNT)
                            | kind(sign, Kinds::SIGN)
                            | kind(masks.word, Kinds::WORD)
                            | kind(odd, Kinds::ODD),
                    ),
                });
                any &= any - 1;
            }
        }
    }
}

/// Reads the masks of all blocks. The rare classes come second: a branch between the instructions
/// for the others costs more than they do.
#[inline(always)]
fn read(span: &Span, words: &Words, masks: &mut [Masks<u64>; BLOCKS]) {
    for (block, masks) in masks.iter_mut().enumerate() {
        *masks = Masks::common(window(span, block), words);
    }
    for (block, masks) in masks.iter_mut().enumerate() {
        if masks.rare != 0 {
            masks.add_rare(window(span, block));
        }
    }
}

/// The block of this number, and what is read beyond it.
#[inline(always)]
fn window(span: &Span, block: usize) -> &Window {
    let window = span
        .get(block * BLOCK..)
        .and_then(|rest| rest.first_chunk());
    window.unwrap_or(&[0; BLOCK + AHEAD])
}

/// Appends the places of the bits of `mask`, which counts from `from`: four at a time, because how
/// many there are is hard to predict, and a wrong guess costs more.
#[inline(always)]
fn push_all(places: &mut Vec<usize>, from: usize, mut mask: u64) {
    let end = places.len() + mask.count_ones() as usize;
    let mut next = || {
        let place = from.wrapping_add(mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        place
    };
    loop {
        places.extend_from_slice(&[next(), next(), next(), next()]);
        if places.len() >= end {
            break;
        }
    }
    places.truncate(end);
}

#[derive(Default)]
struct Escapes {
    /// `%40`.
    sign: u64,
    /// `\u`, and a separator before a digit as a URL writes it.
    folded: u64,
}

fn escapes(mut mask: u64, window: &[u8]) -> Escapes {
    let mut found = Escapes::default();
    while mask != 0 {
        let place = mask.trailing_zeros();
        let rest = window.get(place as usize..).unwrap_or_default();
        // The window ends after the block, so an escape in its last bytes can be read too.
        found.sign |= u64::from(rest.starts_with(b"%40")) << place;
        let space = matches!(rest, [b'%', b'2', b'0' | b'd' | b'D', b'0'..=b'9', ..]);
        found.folded |= u64::from(space || rest.starts_with(b"\\u")) << place;
        mask &= mask - 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// First bytes of numbers, and other places with their kinds.
    type Found = (Vec<usize>, Vec<(usize, u8)>);

    /// The same candidates of one row, byte by byte.
    fn slow(row: &[u8]) -> Found {
        let digit = |at: usize| row.get(at).is_some_and(u8::is_ascii_digit);
        let between =
            |at: usize| b" -./".contains(&row[at]) && at > 0 && digit(at - 1) && digit(at + 1);
        let number = |at: usize| digit(at) || between(at);
        let token = |at: usize| row[at].is_ascii_alphanumeric() || b"-_".contains(&row[at]);
        let nth = |at: usize, count: usize, is: &dyn Fn(usize) -> bool| {
            let run = (0..=at).rev().take_while(|place| is(*place)).count();
            run == count
        };
        let letter = |at: usize| row[at].is_ascii_alphabetic();
        let (mut numbers, mut found) = (Vec::new(), Vec::new());
        for at in 0..row.len() {
            let rest = &row[at..];
            let account = at >= 3
                && digit(at)
                && digit(at - 1)
                && letter(at - 2)
                && letter(at - 3)
                && (at == 3 || !row[at - 4].is_ascii_alphanumeric());
            let odd = [0xc2, 0xd9, 0xdb, 0xe2, 0xe3, 0xef].contains(&row[at]);
            let opens = |at: usize| {
                let earlier = |back: usize| at.checked_sub(back).map(|place| row[place]);
                let inside = earlier(1).is_some_and(|last| {
                    last.is_ascii_alphanumeric()
                        || b"-_".contains(&last) && earlier(2) != Some(b')')
                        || last == b'.' && digit(at.wrapping_sub(2))
                });
                let escaped = |back: usize| earlier(back).is_some_and(|one| b"%\\".contains(&one));
                digit(at) && (!inside || escaped(2) || escaped(3)) && !(at > 0 && digit(at - 1))
            };
            let time = at > 1 && row[at - 1] == b':' && digit(at - 2);
            let six = |is: &dyn Fn(usize) -> bool| at + 6 <= row.len() && (at..at + 6).all(is);
            if opens(at) && if time { six(&digit) } else { six(&number) } {
                numbers.push(at);
            }
            let kinds = [
                nth(at, 17, &token),
                account,
                rest.starts_with(b"@") || rest.starts_with(b"%40"),
                false,
                odd || rest.starts_with(b"\\u")
                    || matches!(rest, [b'%', b'2', b'0', b'0'..=b'9', ..]),
            ];
            let bits = kinds
                .iter()
                .zip(0..)
                .map(|(is, bit)| u8::from(*is) << bit)
                .sum();
            if bits != 0 {
                found.push((at, bits));
            }
        }
        (numbers, found)
    }

    fn quick(rows: &[Vec<u8>]) -> Vec<Found> {
        let bytes = rows.concat();
        let mut starts = vec![0];
        for row in rows {
            starts.push(starts.last().unwrap() + row.len());
        }
        let mut found = Candidates::default();
        scan(&bytes, starts.iter().copied(), &mut found);
        let of_row = |start: usize, end: usize| {
            let numbers = found.numbers.iter();
            let numbers = numbers.filter(|at| (start..end).contains(*at));
            let others = found.others.iter();
            let others = others.filter(|one| (start..end).contains(&one.at));
            let kinds = others.map(|one| (one.at - start, one.kinds.0 & !Kinds::WORD.0));
            (
                numbers.map(|at| at - start).collect(),
                kinds.filter(|(_, kinds)| *kinds != 0).collect(),
            )
        };
        let pairs = starts.windows(2);
        pairs.map(|pair| of_row(pair[0], pair[1])).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Rows of few different bytes, so that runs cross blocks and rows everywhere.
        #[test]
        fn blocks_see_what_bytes_see(
            rows in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(b"0127 -./:)a_B@%4\\u\xc2\xe2=".to_vec()),
                    0..150,
                ),
                1..8,
            )
        ) {
            let want: Vec<_> = rows.iter().map(|row| slow(row)).collect();
            let got = quick(&rows);
            for ((got, want), row) in got.iter().zip(&want).zip(&rows) {
                // Escapes are read across the end of a row, and refused later.
                let whole = |one: &&(usize, u8)| one.0 + 4 <= row.len() || one.1 & 0b010100 == 0;
                let got_others: Vec<_> = got.1.iter().filter(whole).collect();
                let want_others: Vec<_> = want.1.iter().filter(whole).collect();
                prop_assert_eq!(got_others, want_others);
                // An escape at the end of the row before opens too.
                let opened = |at: &&usize| **at > 3;
                let got_numbers: Vec<_> = got.0.iter().filter(opened).collect();
                let want_numbers: Vec<_> = want.0.iter().filter(opened).collect();
                prop_assert_eq!(got_numbers, want_numbers);
            }
        }

        #[test]
        fn words_are_found_wherever_a_row_has_them(
            before in 0_usize..130,
            word in prop::sample::select(vec![
                "password",
                "Secret",
                "TOKEN",
                "Authorization",
                "pin=",
                "cvv",
                "-----BEGIN",
                "api_key",
            ]),
        ) {
            let text = format!("{}{word}", "~".repeat(before));
            let mut found = Candidates::default();
            scan(text.as_bytes(), std::iter::once(0), &mut found);
            let is_word = |one: &Candidate| one.kinds.has(Kinds::WORD) && one.at >= before;
            prop_assert!(found.others.iter().any(is_word));
        }
    }
}
