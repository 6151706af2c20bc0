//! Runs of bytes of one class across blocks: numbers, tokens, the beginnings of account numbers.
//!
//! Four blocks are worked on together, each in a lane of a vector.

use wide::u64x4;

use super::masks::{BLOCK, Masks};

/// Digits and separators that make a number worth a look.
pub(super) const NUMBER: usize = 6;
/// Letters, digits and hyphens that make a token worth a look.
pub(super) const TOKEN: usize = 17;

/// Blocks that are worked on together.
pub(super) const BLOCKS: usize = 4;
/// One bit for each of their bytes.
type Bits = u64x4;

/// The last lanes of a mask, which move up into the next block.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    earlier: Bits,
}

impl Carried {
    /// `mask` moved up by `places`, filled with the end of the block before.
    #[inline(always)]
    fn shift(&mut self, mask: Bits, places: u32) -> Bits {
        let ([.., last], [a, b, c, _]) = (self.earlier.to_array(), mask.to_array());
        self.earlier = mask;
        mask << places | Bits::new([last, a, b, c]) >> (BLOCK as u32 - places)
    }
}

/// Places where runs come to be worth a look: one bit for each byte of a block, block by block.
#[derive(Debug)]
pub(super) struct Places {
    /// The last of the first bytes of a number, [`NUMBER`] of them.
    pub(super) number: [u64; BLOCKS],
    /// The last of the first bytes of a token, [`TOKEN`] of them.
    pub(super) token: [u64; BLOCKS],
    /// The second digit of a word that begins with two letters and two digits.
    pub(super) account: [u64; BLOCKS],
}

/// Runs of bytes of one class across blocks.
#[derive(Debug, Default)]
pub(super) struct Runs {
    digits: Carried,
    numbers: [Carried; 4],
    openings: [Carried; 4],
    times: [Carried; 3],
    opened: [Carried; 2],
    tokens: [Carried; 6],
    accounts: [Carried; 4],
}

impl Runs {
    /// The places in the next blocks. `cut` has the first bytes of rows, and `next_digit` says
    /// whether the byte behind the blocks is a digit of the row that they end with.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        masks: &Masks<Bits>,
        cut: [u64; BLOCKS],
        next_digit: bool,
    ) -> Places {
        let cut = Bits::new(cut);
        let digit = masks.digit;
        let after = self.digits.shift(digit, 1) & !cut;
        let [_, b, c, d] = (digit & !cut).to_array();
        let later = Bits::new([b, c, d, u64::from(next_digit)]);
        let ahead = (digit & !cut) >> 1 | later << (BLOCK as u32 - 1);
        let number = digit | masks.separator & after & ahead;
        let word = digit | masks.letter;
        let starts = digit & !after;
        let opens = starts & self.opens(masks, after, cut);
        let (in_time, long) = self.times(masks, after, cut);
        let six = self.number(number, cut);
        let [any, late] = &mut self.opened;
        let any = any.shift(opens & !in_time, 5);
        let late = late.shift(opens & in_time, 5);
        Places {
            number: (six & (any | late & long)).to_array(),
            token: self.token(word | masks.hyphen, cut).to_array(),
            account: self.account(masks, word, cut).to_array(),
        }
    }

    /// Places behind which a number may begin: not inside a word, a version or an address of the
    /// internet, but after an escape, which ends in a letter, and after a part in parentheses.
    #[inline(always)]
    fn opens(&mut self, masks: &Masks<Bits>, after_digit: Bits, cut: Bits) -> Bits {
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
    #[inline(always)]
    fn times(&mut self, masks: &Masks<Bits>, after_digit: Bits, cut: Bits) -> (Bits, Bits) {
        let [a, b, c] = &mut self.times;
        let in_time = a.shift(masks.colon & after_digit, 1) & !cut;
        let two = masks.digit & after_digit;
        let four = two & b.shift(two, 2);
        (in_time, four & c.shift(two, 4))
    }

    /// Places that end six bytes of a run. Each step joins two runs that overlap in a byte, so that
    /// the cut between the first two bytes of a pair is never stepped over.
    #[inline(always)]
    fn number(&mut self, one: Bits, cut: Bits) -> Bits {
        let [a, b, c, d] = &mut self.numbers;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        five & d.shift(five, 1)
    }

    /// Places that end the first seventeen bytes of a run.
    #[inline(always)]
    fn token(&mut self, one: Bits, cut: Bits) -> Bits {
        let [a, b, c, d, e, f] = &mut self.tokens;
        let two = one & a.shift(one, 1) & !cut;
        let three = two & b.shift(two, 1);
        let five = three & c.shift(three, 2);
        let nine = five & d.shift(five, 4);
        let seventeen = nine & e.shift(nine, 8);
        seventeen & !f.shift(seventeen, 1)
    }

    /// Second digits of words that begin with two letters and two digits.
    #[inline(always)]
    fn account(&mut self, masks: &Masks<Bits>, word: Bits, cut: Bits) -> Bits {
        let [a, b, c, d] = &mut self.accounts;
        let begins = masks.letter & (!a.shift(word, 1) | cut);
        let second = masks.letter & b.shift(begins, 1) & !cut;
        let third = masks.digit & c.shift(second, 1) & !cut;
        masks.digit & d.shift(third, 1) & !cut
    }
}
