//! The one pass over the bytes of many rows that finds the places worth a look.
//!
//! Rows lie next to each other without anything between them, so everything that spans bytes is
//! cut where a row begins. What is found in a row does not depend on its neighbours.

use std::sync::LazyLock;

use super::masks::{BLOCK, Masks, Words, pad};

/// Digits and separators that make a number worth a look.
const NUMBER: u32 = 6;
/// Letters, digits and hyphens that make a token worth a look.
const TOKEN: u32 = 18;

/// What may be at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// A number: the sixth byte of a run of digits and separators.
    pub(super) const NUMBER: Self = Self(1);
    /// A token: the eighteenth byte of a run of letters, digits and hyphens.
    pub(super) const TOKEN: Self = Self(1 << 1);
    /// An account number: the fourth byte of a word, after two letters and two digits.
    pub(super) const ACCOUNT: Self = Self(1 << 2);
    /// The sign of an address, or what may stand for it: `@`, `%40`, `\u0040`.
    pub(super) const SIGN: Self = Self(1 << 3);
    /// A word that announces a secret.
    pub(super) const WORD: Self = Self(1 << 4);
    /// A character that stands for an ASCII one.
    pub(super) const ODD: Self = Self(1 << 5);

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

/// First byte of a number whose candidate is at `at`.
pub(super) const fn number_start(at: usize) -> usize {
    at + 1 - NUMBER as usize
}

/// First byte of a token whose candidate is at `at`.
pub(super) const fn token_start(at: usize) -> usize {
    at + 1 - TOKEN as usize
}

/// Beginnings of the words that announce secrets, those that share letters in one bucket.
static WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::new([
        &["pass", "pwd?"],
        &["secr", "sess"],
        &["toke", "otp?"],
        &["key?", "pw=?", "pw:?", "pw\"?", "pw'?"],
        &["auth"],
        &["cred", "cook", "curl", "cvv?", "cvc?", "csc?"],
        &["pin?", "bear", "basi", "--be"],
        &["iden", "sig=", "secu"],
    ])
});

/// Appends the candidates in `bytes`, whose rows begin at the ascending `starts`, in order.
pub(super) fn scan(bytes: &[u8], starts: impl Iterator<Item = usize>, found: &mut Vec<Candidate>) {
    let words = &*WORDS;
    let mut starts = starts.peekable();
    let mut runs = Runs::default();
    for from in (0..bytes.len()).step_by(BLOCK) {
        let rest = bytes.get(from..).unwrap_or_default();
        let padded;
        let window = match rest.first_chunk() {
            Some(window) => window,
            None => {
                padded = pad(rest);
                &padded
            }
        };
        let mut cut = 0;
        while let Some(start) = starts.next_if(|start| *start < from + BLOCK) {
            cut |= 1_u64
                .checked_shl((start.saturating_sub(from)) as u32)
                .unwrap_or(0);
        }
        let masks = Masks::of(window, words);
        // A separator at the end of the block joins what follows it, unless a row begins there.
        let same_row = starts.peek().is_none_or(|start| *start != from + BLOCK);
        let next_digit = same_row && window.get(BLOCK).is_some_and(u8::is_ascii_digit);
        let bits = runs.next(&masks, cut, next_digit);
        let escape = escapes(masks.escape, window);
        let sign = masks.at | escape.sign;
        let odd = escape.unicode | masks.odd;
        let mut any = bits.number | bits.token | bits.account | sign | odd | masks.word;
        while any != 0 {
            let place = any.trailing_zeros();
            let kind = |mask: u64, kind: Kinds| (mask >> place & 1) as u8 * kind.0;
            found.push(Candidate {
                at: from + place as usize,
                kinds: Kinds(
                    kind(bits.number, Kinds::NUMBER)
                        | kind(bits.token, Kinds::TOKEN)
                        | kind(bits.account, Kinds::ACCOUNT)
                        | kind(sign, Kinds::SIGN)
                        | kind(masks.word, Kinds::WORD)
                        | kind(odd, Kinds::ODD),
                ),
            });
            any &= any - 1;
        }
    }
}

#[derive(Default)]
struct Escapes {
    /// `%40`.
    sign: u64,
    /// `\u`.
    unicode: u64,
}

fn escapes(mut mask: u64, window: &[u8]) -> Escapes {
    let mut found = Escapes::default();
    while mask != 0 {
        let place = mask.trailing_zeros();
        let rest = window.get(place as usize..).unwrap_or_default();
        // The window ends after the block, so an escape in its last bytes can be read too.
        found.sign |= u64::from(rest.starts_with(b"%40")) << place;
        found.unicode |= u64::from(rest.starts_with(b"\\u")) << place;
        mask &= mask - 1;
    }
    found
}

/// A mask and what it was in the block before.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    before: u64,
}

impl Carried {
    /// `mask` moved up by `places`, filled with the end of the block before.
    fn shift(&mut self, mask: u64, places: u32) -> u64 {
        let filled = mask << places | self.before >> (BLOCK as u32 - places);
        self.before = mask;
        filled
    }
}

struct Bits {
    number: u64,
    token: u64,
    account: u64,
}

/// Runs of bytes of one class across blocks.
#[derive(Debug, Default)]
struct Runs {
    digits: Carried,
    numbers: [Carried; 5],
    tokens: [Carried; 7],
    accounts: [Carried; 4],
}

impl Runs {
    fn next(&mut self, masks: &Masks, cut: u64, next_digit: bool) -> Bits {
        let digit = masks.digit;
        let after = self.digits.shift(digit, 1) & !cut;
        let ahead = (digit & !cut) >> 1 | u64::from(next_digit) << (BLOCK - 1);
        let number = digit | masks.separator & after & ahead;
        let word = digit | masks.letter;
        Bits {
            number: self.number(number, cut),
            token: self.token(word | masks.hyphen, cut),
            account: self.account(masks, word, cut),
        }
    }

    /// Places that end the first six bytes of a run. Each step joins two runs that overlap in a
    /// byte, so that the cut between the first two bytes of a pair is never stepped over.
    fn number(&mut self, one: u64, cut: u64) -> u64 {
        let [a, b, c, d, e] = &mut self.numbers;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        let six = five & d.shift(five, 1);
        six & !e.shift(six, 1)
    }

    /// Places that end the first eighteen bytes of a run.
    fn token(&mut self, one: u64, cut: u64) -> u64 {
        let [a, b, c, d, e, f, g] = &mut self.tokens;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        let nine = five & d.shift(five, 4);
        let seventeen = nine & e.shift(nine, 8);
        let eighteen = seventeen & f.shift(seventeen, 1);
        eighteen & !g.shift(eighteen, 1)
    }

    /// Second digits of words that begin with two letters and two digits.
    fn account(&mut self, masks: &Masks, word: u64, cut: u64) -> u64 {
        let [a, b, c, d] = &mut self.accounts;
        let begins = masks.letter & (!a.shift(word, 1) | cut);
        let second = masks.letter & b.shift(begins, 1) & !cut;
        let third = masks.digit & c.shift(second, 1) & !cut;
        masks.digit & d.shift(third, 1) & !cut
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same candidates of one row, byte by byte.
    fn slow(row: &[u8]) -> Vec<(usize, u8)> {
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
        let mut found = Vec::new();
        for at in 0..row.len() {
            let rest = &row[at..];
            let account = at >= 3
                && digit(at)
                && digit(at - 1)
                && letter(at - 2)
                && letter(at - 3)
                && (at == 3 || !row[at - 4].is_ascii_alphanumeric());
            let odd = [0xc2, 0xd9, 0xdb, 0xe2, 0xe3, 0xef].contains(&row[at]);
            let kinds = [
                nth(at, 6, &number),
                nth(at, 18, &token),
                account,
                rest.starts_with(b"@") || rest.starts_with(b"%40"),
                false,
                odd || rest.starts_with(b"\\u"),
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
        found
    }

    fn quick(rows: &[Vec<u8>]) -> Vec<Vec<(usize, u8)>> {
        let bytes = rows.concat();
        let mut starts = vec![0];
        for row in rows {
            starts.push(starts.last().unwrap() + row.len());
        }
        let mut found = Vec::new();
        scan(&bytes, starts.iter().copied(), &mut found);
        let of_row = |start: usize, end: usize| {
            let inside = found.iter().filter(|one| (start..end).contains(&one.at));
            let kinds = inside.map(|one| (one.at - start, one.kinds.0 & !Kinds::WORD.0));
            kinds.filter(|(_, kinds)| *kinds != 0).collect()
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
                    prop::sample::select(b"0127 -./a_B@%4\\u\xc2\xe2=".to_vec()),
                    0..150,
                ),
                1..8,
            )
        ) {
            let want: Vec<_> = rows.iter().map(|row| slow(row)).collect();
            let got = quick(&rows);
            for ((got, want), row) in got.iter().zip(&want).zip(&rows) {
                // Escapes are read across the end of a row, and refused later.
                let whole = |one: &&(usize, u8)| one.0 + 3 <= row.len() || one.1 & 0b101000 == 0;
                let got: Vec<_> = got.iter().filter(whole).collect();
                let want: Vec<_> = want.iter().filter(whole).collect();
                prop_assert_eq!(got, want);
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
            let mut found = Vec::new();
            scan(text.as_bytes(), std::iter::once(0), &mut found);
            prop_assert!(found.iter().any(|one| one.kinds.has(Kinds::WORD) && one.at >= before));
        }
    }
}
