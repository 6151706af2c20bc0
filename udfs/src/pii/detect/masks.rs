//! Classes of 64 bytes at a time: one bit for each byte, found with SIMD instructions.

use wide::{u8x16, u8x32};

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
    /// `.`.
    pub(super) dot: u64,
    /// `:`.
    pub(super) colon: u64,
    /// `)`.
    pub(super) close: u64,
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
    #[inline(always)]
    pub(super) fn of(window: &Window, words: &Words) -> Self {
        let (low, high) = (Half::of(window, 0, words), Half::of(window, LANES, words));
        let common = Self {
            digit: join(low.digit, high.digit),
            letter: join(low.letter, high.letter),
            separator: join(low.separator, high.separator),
            hyphen: join(low.hyphen, high.hyphen),
            dot: join(low.dot, high.dot),
            colon: join(low.colon, high.colon),
            close: join(low.close, high.close),
            ..Self::default()
        };
        if (low.rare | high.rare).to_bitmask() == 0 {
            return common;
        }
        let odd = |half: &Half| {
            if half.bytes.to_bitmask() == 0 {
                0
            } else {
                odd(half.bytes)
            }
        };
        let at = |half: &Half| half.bytes.simd_eq(u8x32::splat(b'@')).to_bitmask();
        Self {
            at: join(at(&low), at(&high)),
            escape: join(low.escape.to_bitmask(), high.escape.to_bitmask()),
            odd: join(odd(&low), odd(&high)),
            word: join(low.words.to_bitmask(), high.words.to_bitmask()),
            ..common
        }
    }
}

const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << LANES
}

/// A window of fewer bytes than it takes, filled with what is in no class.
pub(super) fn pad(bytes: &[u8]) -> Window {
    let mut window = [0; BLOCK + AHEAD];
    if let Some(head) = window.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
    window
}

/// What is known of half a block: masks of the classes that most blocks have, and the lanes of the
/// others, which few have.
struct Half {
    digit: u32,
    letter: u32,
    separator: u32,
    hyphen: u32,
    dot: u32,
    colon: u32,
    close: u32,
    bytes: u8x32,
    escape: u8x32,
    words: u8x32,
    /// Lanes with their highest bit set, if any byte is in one of the rare classes.
    rare: u8x32,
}

impl Half {
    #[inline(always)]
    fn of(window: &Window, from: usize, words: &Words) -> Self {
        let bytes = load(window, from);
        let is = |byte: u8| bytes.simd_eq(u8x32::splat(byte));
        // `-`, `.` and `/` follow each other in ASCII.
        let separator = is(b' ') | within(bytes, b'-', 3);
        let letter = within(bytes | u8x32::splat(CASE), b'a', 26);
        let escape = is(b'%') | is(b'\\');
        let words = words.find(window, from);
        Self {
            digit: within(bytes, b'0', 10).to_bitmask(),
            letter: letter.to_bitmask(),
            separator: separator.to_bitmask(),
            hyphen: (is(b'-') | is(b'_')).to_bitmask(),
            dot: is(b'.').to_bitmask(),
            colon: is(b':').to_bitmask(),
            close: is(b')').to_bitmask(),
            bytes,
            escape,
            words,
            // A byte beyond ASCII has its highest bit set itself.
            rare: bytes | is(b'@') | escape | words,
        }
    }
}

/// How many letters, digits, `-` and `_` `bytes` begin with.
pub(super) fn run_length(bytes: &[u8]) -> usize {
    let chunks = bytes.chunks_exact(LANES);
    let tail = chunks.remainder();
    for (place, chunk) in chunks.enumerate() {
        let lanes = u8x32::new(*chunk.first_chunk().unwrap_or(&[0; LANES]));
        let is = |byte: u8| lanes.simd_eq(u8x32::splat(byte));
        let letter = within(lanes | u8x32::splat(CASE), b'a', 26);
        let inside = letter | within(lanes, b'0', 10) | is(b'-') | is(b'_');
        let count = inside.to_bitmask().trailing_ones() as usize;
        if count < LANES {
            return place * LANES + count;
        }
    }
    let in_run = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    bytes.len() - tail.len() + tail.iter().take_while(in_run).count()
}

/// Which of the next sixteen bytes are digits and which are dots, the first in the lowest bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// `0` to `9`.
    pub(super) digits: u16,
    /// `.`.
    pub(super) dots: u16,
}

impl Head {
    /// The head of `bytes`, which may be fewer.
    #[inline(always)]
    pub(super) fn of(bytes: &[u8]) -> Self {
        let lanes = bytes.first_chunk().copied().unwrap_or_else(|| {
            let mut padded = [0; 16];
            for (slot, byte) in padded.iter_mut().zip(bytes) {
                *slot = *byte;
            }
            padded
        });
        let lanes = u8x16::new(lanes);
        let place = lanes - u8x16::splat(b'0');
        Self {
            digits: place.min(u8x16::splat(9)).simd_eq(place).to_bitmask() as u16,
            dots: lanes.simd_eq(u8x16::splat(b'.')).to_bitmask() as u16,
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

/// The bit in which small and large letters differ.
const CASE: u8 = 0x20;
/// What may follow a whole word.
const ENDS: &[u8] = b"=:\"' \t\\<>_])12.#-/(";
/// Bytes with every low half and every high half that ASCII has.
const ANY: &[u8] = b"\x00\x11\x22\x33\x44\x55\x66\x77\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";

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
    /// every byte, `*` those that may follow a whole word, `#` digits.
    pub(super) fn new(buckets: [&[&str]; 8]) -> Self {
        let mut tables = [[[0_u8; 16]; 2]; AHEAD + 1];
        for (bucket, words) in buckets.into_iter().enumerate() {
            for (byte, table) in words.iter().flat_map(|word| word.bytes().zip(0..=AHEAD)) {
                let Some([low, high]) = tables.get_mut(table) else {
                    continue;
                };
                let accepted = match byte {
                    b'?' => ANY,
                    b'*' => ENDS,
                    b'#' => b"0123456789",
                    _ => std::slice::from_ref(&byte),
                };
                for byte in accepted {
                    if let Some(slot) = low.get_mut(usize::from(byte & 15)) {
                        *slot |= 1 << bucket;
                    }
                    // Letters of both cases, and what else differs from `byte` in this bit alone.
                    for either in [byte | CASE, byte & !CASE] {
                        if let Some(slot) = high.get_mut(usize::from(either >> 4)) {
                            *slot |= 1 << bucket;
                        }
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
        (self.find(window, 0) | self.find(window, LANES)).to_bitmask() != 0
    }

    /// Lanes of ones where a word may begin.
    #[inline(always)]
    fn find(&self, window: &Window, from: usize) -> u8x32 {
        let mut buckets = u8x32::splat(0xff);
        for (place, [low, high]) in self.halves.iter().enumerate() {
            let bytes = load(window, from + place);
            let half = u8x32::splat(15);
            let lows = low.swizzle_half_relaxed(bytes & half);
            let highs = high.swizzle_half_relaxed(high_halves(bytes));
            buckets = buckets & lows & highs;
        }
        !buckets.simd_eq(u8x32::splat(0))
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
                assert_eq!(masks.dot, bit(byte == b'.'), "{byte}");
                assert_eq!(masks.colon, bit(byte == b':'), "{byte}");
                assert_eq!(masks.close, bit(byte == b')'), "{byte}");
                assert_eq!(masks.at, bit(byte == b'@'), "{byte}");
                assert_eq!(masks.escape, bit(b"%\\".contains(&byte)), "{byte}");
                let odd = [0xc2, 0xd9, 0xdb, 0xe2, 0xe3, 0xef].contains(&byte);
                assert_eq!(masks.odd, bit(odd), "{byte}");
            }
        }
    }

    #[test]
    fn runs_end_before_any_other_byte() {
        for byte in 0..=255_u8 {
            for at in [0, 5, 31, 32, 40, 64] {
                let mut text = b"aZ09-_z".repeat(15);
                text[at] = byte;
                let inside = byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                let want = if inside { text.len() } else { at };
                assert_eq!(run_length(&text), want, "{byte}");
                assert_eq!(run_length(&text[..at]), at);
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
