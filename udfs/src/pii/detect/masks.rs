//! Classes of 64 bytes at a time: one bit for each byte, found with SIMD instructions.

use wide::{bytemuck, u8x16, u8x32, u16x16, u64x4};

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
pub(super) struct Masks<T> {
    /// `0` to `9`.
    pub(super) digit: T,
    /// `A` to `Z` and `a` to `z`.
    pub(super) letter: T,
    /// What may stand between the digits of a number: space, `-`, `.`, `/`.
    pub(super) separator: T,
    /// `-` and `_`, which with letters and digits make up tokens.
    pub(super) hyphen: T,
    /// `.`.
    pub(super) dot: T,
    /// `:`.
    pub(super) colon: T,
    /// `)`.
    pub(super) close: T,
    /// Places where one of the words that announce a secret may begin.
    pub(super) word: T,
    /// What is in one of the classes below, and all that is not ASCII. Few blocks have any.
    pub(super) rare: T,
    /// `@`.
    pub(super) at: T,
    /// `%` and `\`, with which other bytes are written.
    pub(super) escape: T,
    /// The bytes that begin a character that stands for an ASCII one.
    pub(super) odd: T,
}

impl Masks<u64> {
    /// The masks of the first 64 bytes of `window`, words by `words`, without the classes that few
    /// blocks have.
    #[inline(always)]
    pub(super) fn common(window: &Window, words: &Words) -> Self {
        let (low, high) = (Half::of(window, 0, words), Half::of(window, LANES, words));
        Self {
            digit: join(low.digit, high.digit),
            letter: join(low.letter, high.letter),
            separator: join(low.separator, high.separator),
            hyphen: join(low.hyphen, high.hyphen),
            dot: join(low.dot, high.dot),
            colon: join(low.colon, high.colon),
            close: join(low.close, high.close),
            word: join(low.word, high.word),
            rare: join(low.rare, high.rare),
            ..Self::default()
        }
    }

    /// Adds the classes that few blocks have.
    #[inline(always)]
    pub(super) fn add_rare(&mut self, window: &Window) {
        let (low, high) = (load(window, 0), load(window, LANES));
        let mask =
            |class: fn(u8x32) -> u8x32| join(class(low).to_bitmask(), class(high).to_bitmask());
        self.at = mask(is_at);
        self.escape = mask(is_escape);
        self.odd = mask(is_odd);
    }
}

impl Masks<u64x4> {
    /// The masks of four blocks, each in a lane.
    #[inline(always)]
    pub(super) fn together(blocks: &[Masks<u64>; 4]) -> Self {
        let lanes = |class: fn(&Masks<u64>) -> u64| u64x4::new(blocks.each_ref().map(class));
        Self {
            digit: lanes(|block| block.digit),
            letter: lanes(|block| block.letter),
            separator: lanes(|block| block.separator),
            hyphen: lanes(|block| block.hyphen),
            dot: lanes(|block| block.dot),
            colon: lanes(|block| block.colon),
            close: lanes(|block| block.close),
            word: lanes(|block| block.word),
            rare: lanes(|block| block.rare),
            at: lanes(|block| block.at),
            escape: lanes(|block| block.escape),
            odd: lanes(|block| block.odd),
        }
    }
}

const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << LANES
}

/// A window of fewer bytes than it takes, filled with what is in no class.
pub(super) fn pad<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    let mut window = [0; LENGTH];
    if let Some(head) = window.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
    window
}

/// The masks of half a block.
struct Half {
    digit: u32,
    letter: u32,
    separator: u32,
    hyphen: u32,
    dot: u32,
    colon: u32,
    close: u32,
    word: u32,
    rare: u32,
}

impl Half {
    #[inline(always)]
    fn of(window: &Window, from: usize, words: &Words) -> Self {
        let bytes = load(window, from);
        let is = |byte: u8| bytes.simd_eq(u8x32::splat(byte));
        // `-`, `.` and `/` follow each other in ASCII.
        let separator = is(b' ') | within(bytes, b'-', 3);
        let letter = within(bytes | u8x32::splat(CASE), b'a', 26);
        // A byte beyond ASCII has its highest bit set itself.
        let rare = bytes | is_at(bytes) | is_escape(bytes);
        Self {
            digit: within(bytes, b'0', 10).to_bitmask(),
            letter: letter.to_bitmask(),
            separator: separator.to_bitmask(),
            hyphen: (is(b'-') | is(b'_')).to_bitmask(),
            dot: is(b'.').to_bitmask(),
            colon: is(b':').to_bitmask(),
            close: is(b')').to_bitmask(),
            word: words.find(window, from).to_bitmask(),
            rare: rare.to_bitmask(),
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

fn is_at(bytes: u8x32) -> u8x32 {
    bytes.simd_eq(u8x32::splat(b'@'))
}

fn is_escape(bytes: u8x32) -> u8x32 {
    bytes.simd_eq(u8x32::splat(b'%')) | bytes.simd_eq(u8x32::splat(b'\\'))
}

/// UTF-8 leads of the characters that [`fold`](super::fold) replaces.
fn is_odd(bytes: u8x32) -> u8x32 {
    let is = |byte: u8| bytes.simd_eq(u8x32::splat(byte));
    is(0xc2) | is(0xd9) | is(0xdb) | is(0xe2) | is(0xe3) | is(0xef)
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

    /// The places in the first 64 bytes of `window` where a word may begin.
    #[inline(always)]
    pub(super) fn places(&self, window: &Window) -> u64 {
        let half = |from| self.find(window, from).to_bitmask();
        join(half(0), half(LANES))
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

/// The high half of each byte.
#[inline(always)]
fn high_halves(bytes: u8x32) -> u8x32 {
    // No instruction shifts bytes, but there is one for pairs of them.
    let pairs: u16x16 = bytemuck::cast(bytes);
    bytemuck::cast::<_, u8x32>(pairs >> 4_u32) & u8x32::splat(15)
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
                let mut masks = Masks::common(&window, &words);
                let bit = |is: bool| u64::from(is) << at;
                assert_eq!(masks.digit, bit(byte.is_ascii_digit()), "{byte}");
                assert_eq!(masks.letter, bit(byte.is_ascii_alphabetic()), "{byte}");
                assert_eq!(masks.separator, bit(b" -./".contains(&byte)), "{byte}");
                assert_eq!(masks.hyphen, bit(b"-_".contains(&byte)), "{byte}");
                assert_eq!(masks.dot, bit(byte == b'.'), "{byte}");
                assert_eq!(masks.colon, bit(byte == b':'), "{byte}");
                assert_eq!(masks.close, bit(byte == b')'), "{byte}");
                masks.add_rare(&window);
                assert_eq!(masks.at, bit(byte == b'@'), "{byte}");
                assert_eq!(masks.escape, bit(b"%\\".contains(&byte)), "{byte}");
                let odd = [0xc2, 0xd9, 0xdb, 0xe2, 0xe3, 0xef].contains(&byte);
                assert_eq!(masks.odd, bit(odd), "{byte}");
                let any = byte >= 0x80 || b"@%\\".contains(&byte);
                assert_eq!(masks.rare, bit(any), "{byte}");
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
                assert_eq!(Masks::common(&window, &words).word, 1 << at, "{word}");
            }
        }
    }
}
