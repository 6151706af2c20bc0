//! The one pass over the bytes of many rows that finds the places worth a look.
//!
//! Rows lie next to each other without anything between them, so everything that spans bytes is
//! cut where a row begins. What is found in a row does not depend on its neighbours.

use std::sync::LazyLock;

use super::masks::{BLOCK, Masks, Words, pad};

/// Digits and separators that make a number worth a look.
const NUMBER: u32 = 6;
/// Letters, digits and hyphens that make a token worth a look.
const TOKEN: u32 = 17;

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
}

/// First byte of a token whose candidate is at `at`.
pub(super) const fn token_start(at: usize) -> usize {
    at + 1 - TOKEN as usize
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
pub(super) fn scan(bytes: &[u8], starts: impl Iterator<Item = usize>, found: &mut Candidates) {
    let words = &*WORDS;
    let Candidates { numbers, others } = found;
    numbers.clear();
    others.clear();
    let mut starts = starts.chain([usize::MAX]);
    let mut start = starts.next().unwrap_or(usize::MAX);
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
        let mut cut = 0_u64;
        while start < from + BLOCK {
            cut |= 1 << (start % BLOCK);
            start = starts.next().unwrap_or(usize::MAX);
        }
        let masks = Masks::of(window, words);
        // A separator at the end of the block joins what follows it, unless a row begins there.
        let next_digit = start != from + BLOCK && window.get(BLOCK).is_some_and(u8::is_ascii_digit);
        let bits = runs.next(&masks, cut, next_digit);
        let mut number = bits.number;
        while number != 0 {
            numbers.push(from + number.trailing_zeros() as usize + 1 - NUMBER as usize);
            number &= number - 1;
        }
        let escape = escapes(masks.escape, window);
        let sign = masks.at | escape.sign;
        let odd = escape.folded | masks.odd;
        let mut any = bits.token | bits.account | sign | odd | masks.word;
        while any != 0 {
            let place = any.trailing_zeros();
            let kind = |mask: u64, kind: Kinds| (mask >> place & 1) as u8 * kind.0;
            others.push(Candidate {
                at: from + place as usize,
                kinds: Kinds(
                    kind(bits.token, Kinds::TOKEN)
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

/// What a mask that is moved up leaves for the next block.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    over: u64,
}

impl Carried {
    /// `mask` moved up by `places`, filled with the end of the block before. What moves over is
    /// kept rather than the mask, because a shift of two words is slow on many processors.
    #[inline]
    fn shift(&mut self, mask: u64, places: u32) -> u64 {
        let filled = mask << places | self.over;
        self.over = mask >> (BLOCK as u32 - places);
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
    numbers: [Carried; 4],
    openings: [Carried; 4],
    times: [Carried; 3],
    opened: [Carried; 2],
    tokens: [Carried; 6],
    accounts: [Carried; 4],
}

impl Runs {
    #[inline(always)]
    fn next(&mut self, masks: &Masks, cut: u64, next_digit: bool) -> Bits {
        let digit = masks.digit;
        let after = self.digits.shift(digit, 1) & !cut;
        let ahead = (digit & !cut) >> 1 | u64::from(next_digit) << (BLOCK - 1);
        let number = digit | masks.separator & after & ahead;
        let word = digit | masks.letter;
        let starts = digit & !after;
        let opens = starts & self.opens(masks, after, cut);
        let (in_time, long) = self.times(masks, after, cut);
        let six = self.number(number, cut);
        let [any, late] = &mut self.opened;
        let any = any.shift(opens & !in_time, 5);
        let late = late.shift(opens & in_time, 5);
        Bits {
            number: six & (any | late & long),
            token: self.token(word | masks.hyphen, cut),
            account: self.account(masks, word, cut),
        }
    }

    /// Places behind which a number may begin: not inside a word, a version or an address of the
    /// internet, but after an escape, which ends in a letter, and after a part in parentheses.
    fn opens(&mut self, masks: &Masks, after_digit: u64, cut: u64) -> u64 {
        let [a, b, c, d] = &mut self.openings;
        let hyphen = masks.hyphen & !d.shift(masks.close, 1);
        let inside = masks.letter | hyphen | masks.dot & after_digit;
        let inside = a.shift(inside, 1) & !cut;
        // `\n` and `%B`, then `%2B`.
        let escape = b.shift(masks.escape, 2) | c.shift(masks.escape, 3);
        !inside | escape
    }

    /// Places behind a digit and a colon, as in a time of day, where only a long number may begin,
    /// and places that end six digits, if they are in one row.
    fn times(&mut self, masks: &Masks, after_digit: u64, cut: u64) -> (u64, u64) {
        let [a, b, c] = &mut self.times;
        let in_time = a.shift(masks.colon & after_digit, 1) & !cut;
        let two = masks.digit & after_digit;
        let four = two & b.shift(two, 2);
        (in_time, four & c.shift(two, 4))
    }

    /// Places that end six bytes of a run. Each step joins two runs that overlap in a byte, so that
    /// the cut between the first two bytes of a pair is never stepped over.
    fn number(&mut self, one: u64, cut: u64) -> u64 {
        let [a, b, c, d] = &mut self.numbers;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        five & d.shift(five, 1)
    }

    /// Places that end the first seventeen bytes of a run.
    fn token(&mut self, one: u64, cut: u64) -> u64 {
        let [a, b, c, d, e, f] = &mut self.tokens;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        let nine = five & d.shift(five, 4);
        let seventeen = nine & e.shift(nine, 8);
        seventeen & !f.shift(seventeen, 1)
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
