//! Chance that is the same everywhere and repeats from a seed.

/// A generator of random numbers (xorshift).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Seeds that are alike begin alike, so they are scattered; zero would stay zero.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d | 1)
    }

    /// A number below `limit`, or 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    /// Whether one of `in_how_many` cases has come.
    pub(super) fn once_in(&mut self, in_how_many: usize) -> bool {
        self.below(in_how_many) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Digits that do not begin with a zero.
    pub(super) fn digits(&mut self, count: usize) -> String {
        let digit = |at: usize| {
            let lowest = usize::from(at == 0);
            char::from(b'0' + (lowest + self.below(10 - lowest)) as u8)
        };
        (0..count).map(digit).collect()
    }
}
