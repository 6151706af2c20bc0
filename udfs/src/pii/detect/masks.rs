//! Classes of 64 bytes at a time: one bit for each byte, found with SIMD instructions.

use wide::u8x32;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// Bytes that are read beyond a block, so that words may begin in its last byte.
pub(super) const AHEAD: usize = 3;
/// A block and what is read beyond it.
pub(super) type Window = [u8; BLOCK + AHEAD];

/// Half a block, which is what one instruction works on.
const LANES: usize = 32;

/// One bit for each byte of a block, the first byte in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    /// `0` to `9`.
    pub(super) digit: u64,
    /// `A` to `Z` and `a` to `z`.
    pub(super) letter: u64,
    /// What may stand between the digits of a number: space, `-`, `.`, `/`.
    pub(super) separator: u64,
    /// `-` and `_`, which with letters and digits make up tokens.
    pub(super) hyphen: u64,
    /// `@`.
    pub(super) at: u64,
    /// `%` and `\`, with which other bytes are written.
    pub(super) escape: u64,
    /// The bytes that begin a character that stands for an ASCII one.
    pub(super) odd: u64,
    /// Places where one of the words that announce a secret may begin.
    pub(super) word: u64,
}

impl Masks {
    /// The masks of the first 64 bytes of `window`, words by `words`.
    #[inline]
    pub(super) fn of(window: &Window, words: &Words) -> Self {
        let (low, high) = (Half::of(window, 0, words), Half::of(window, LANES, words));
        let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << LANES;
        Self {
            digit: join(low.digit, high.digit),
            letter: join(low.letter, high.letter),
            separator: join(low.separator, high.separator),
            hyphen: join(low.hyphen, high.hyphen),
            at: join(low.at, high.at),
            escape: join(low.escape, high.escape),
            odd: join(low.odd, high.odd),
            word: join(low.word, high.word),
        }
    }
}

/// A window of fewer bytes than it takes, filled with what is in no class.
pub(super) fn pad(bytes: &[u8]) -> Window {
    let mut window = [0; BLOCK + AHEAD];
    if let Some(head) = window.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
    window
}

struct Half {
    digit: u32,
    letter: u32,
    separator: u32,
    hyphen: u32,
    at: u32,
    escape: u32,
    odd: u32,
    word: u32,
}

impl Half {
    #[inline]
    fn of(window: &Window, from: usize, words: &Words) -> Self {
        let bytes = load(window, from);
        let is = |byte: u8| bytes.simd_eq(u8x32::splat(byte));
        let hyphen = is(b'-');
        // `-`, `.` and `/` follow each other in ASCII.
        let separator = is(b' ') | within(bytes, b'-', 3);
        let letter = within(bytes | u8x32::splat(0x20), b'a', 26);
        let other = bytes.to_bitmask();
        Self {
            digit: within(bytes, b'0', 10).to_bitmask(),
            letter: letter.to_bitmask(),
            separator: separator.to_bitmask(),
            hyphen: (hyphen | is(b'_')).to_bitmask(),
            at: is(b'@').to_bitmask(),
            escape: (is(b'%') | is(b'\\')).to_bitmask(),
            odd: if other == 0 { 0 } else { odd(bytes) },
            word: words.find(window, from),
        }
    }
}

/// UTF-8 leads of the characters that [`fold`](super::fold) replaces.
fn odd(bytes: u8x32) -> u32 {
    let is = |byte: u8| bytes.simd_eq(u8x32::splat(byte));
    (is(0xc2) | is(0xd9) | is(0xdb) | is(0xe2) | is(0xe3) | is(0xef)).to_bitmask()
}

fn within(bytes: u8x32, first: u8, count: u8) -> u8x32 {
    let place = bytes - u8x32::splat(first);
    place.min(u8x32::splat(count - 1)).simd_eq(place)
}

fn load(window: &Window, from: usize) -> u8x32 {
    let lanes = window
        .get(from..)
        .and_then(|rest| rest.first_chunk::<LANES>());
    u8x32::new(*lanes.unwrap_or(&[0; LANES]))
}

/// Finds places where one of a few words may begin, letters of both cases alike: the "Teddy"
/// search of Hyperscan (as the Rust crate aho-corasick describes it) for beginnings of four bytes.
/// Words share eight buckets, one bit each, so a place found is a candidate only.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// For each place of a beginning, the buckets that accept a low and a high half of a byte.
    halves: [[u8x32; 2]; AHEAD + 1],
}

impl Words {
    /// A search for `buckets` of words, each of which counts by its first four bytes. `?` accepts
    /// every byte.
    pub(super) fn new(buckets: [&[&str]; 8]) -> Self {
        let mut tables = [[[0_u8; 16]; 2]; AHEAD + 1];
        for (bucket, words) in buckets.into_iter().enumerate() {
            for (byte, table) in words.iter().flat_map(|word| word.bytes().zip(0..=AHEAD)) {
                let Some([low, high]) = tables.get_mut(table) else {
                    continue;
                };
                for (half, place) in [(low, byte & 15), (high, (byte | 0x20) >> 4)] {
                    for (at, slot) in half.iter_mut().enumerate() {
                        let accepts = byte == b'?' || at == usize::from(place);
                        *slot |= u8::from(accepts) << bucket;
                    }
                }
            }
        }
        let twice = |table: [u8; 16]| {
            let mut lanes = [0; LANES];
            for (lane, half) in lanes.iter_mut().zip(table.iter().chain(&table)) {
                *lane = *half;
            }
            u8x32::new(lanes)
        };
        Self {
            halves: tables.map(|table| table.map(twice)),
        }
    }

    /// Whether a word may begin in the first 64 bytes of `window`.
    pub(super) fn any(&self, window: &Window) -> bool {
        self.find(window, 0) != 0 || self.find(window, LANES) != 0
    }

    #[inline]
    fn find(&self, window: &Window, from: usize) -> u32 {
        let mut buckets = u8x32::splat(0xff);
        for (place, [low, high]) in self.halves.iter().enumerate() {
            let bytes = load(window, from + place) | u8x32::splat(0x20);
            let half = u8x32::splat(15);
            let lows = low.swizzle_half_relaxed(bytes & half);
            let highs = high.swizzle_half_relaxed(high_halves(bytes));
            buckets = buckets & lows & highs;
        }
        !buckets.simd_eq(u8x32::splat(0)).to_bitmask()
    }
}

/// The high half of each byte. The compiler turns this into one shift by a constant; the shifts of
/// vectors take their count from memory, which stalls.
#[inline]
fn high_halves(bytes: u8x32) -> u8x32 {
    let mut halves = [0; LANES];
    for (half, byte) in halves.iter_mut().zip(bytes.to_array()) {
        *half = byte >> 4;
    }
    u8x32::new(halves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_classes() {
        let words = Words::new([&["pass"], &["key?"], &[], &[], &[], &[], &[], &[]]);
        for byte in 0..=255_u8 {
            for at in [0, 31, 32, 63] {
                let mut window = [b'~'; BLOCK + AHEAD];
                window[at] = byte;
                let masks = Masks::of(&window, &words);
                let bit = |is: bool| u64::from(is) << at;
                assert_eq!(masks.digit, bit(byte.is_ascii_digit()), "{byte}");
                assert_eq!(masks.letter, bit(byte.is_ascii_alphabetic()), "{byte}");
                assert_eq!(masks.separator, bit(b" -./".contains(&byte)), "{byte}");
                assert_eq!(masks.hyphen, bit(b"-_".contains(&byte)), "{byte}");
                assert_eq!(masks.at, bit(byte == b'@'), "{byte}");
                assert_eq!(masks.escape, bit(b"%\\".contains(&byte)), "{byte}");
                let odd = [0xc2, 0xd9, 0xdb, 0xe2, 0xe3, 0xef].contains(&byte);
                assert_eq!(masks.odd, bit(odd), "{byte}");
            }
        }
    }

    #[test]
    fn words_are_found_in_any_case_at_any_place() {
        let words = Words::new([&["pass"], &["key?"], &["bc1?"], &[], &[], &[], &[], &[]]);
        for at in 0..BLOCK {
            for word in ["PaSS", "kEy=", "bc1q"] {
                let mut window = [b' '; BLOCK + AHEAD];
                window[at..at + 4].copy_from_slice(word.as_bytes());
                assert_eq!(Masks::of(&window, &words).word, 1 << at, "{word}");
            }
        }
    }
}
