//! The neighbours of a number: what may stand directly before and after a candidate.

/// A byte that continues a word.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The byte before `at`.
pub(super) fn before(text: &[u8], at: usize) -> Option<u8> {
    text.get(at.checked_sub(1)?).copied()
}

/// The digits from `at` on end here.
#[inline]
pub(super) fn digits_end(text: &[u8], at: usize) -> usize {
    let mut at = at;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(eight) = rest.first_chunk() else {
            return at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        };
        match digits_of(*eight) {
            8 => at += 8,
            count => return at + count,
        }
    }
}

/// How many digits eight bytes begin with, without a branch for each: the others get their high
/// bit set, by an addition that does not carry into the next byte.
#[inline]
const fn digits_of(eight: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    const MORE_THAN_NINE: u64 = u64::from_le_bytes([0x80 - 10; 8]);
    let values = u64::from_le_bytes(eight) ^ ZEROS;
    let others = (((values & !HIGH) + MORE_THAN_NINE) | values) & HIGH;
    others.trailing_zeros() as usize / 8
}

/// Digits that no time of day and no port has.
const LONG: usize = 9;

/// Whether a number may begin at `start`: not inside a word, a path, a version, a time of day, or
/// an identifier such as `blk_-5195120009388265`.
pub(super) fn opens(text: &[u8], start: usize) -> bool {
    let Some(last) = before(text, start) else {
        return true;
    };
    if is_word(last) {
        return false;
    }
    let earlier = before(text, start - 1);
    match last {
        b'-' => false,
        b'.' | b'/' => !earlier.is_some_and(is_word),
        // A letter before the colon is a key, which is judged by its name; a digit before it
        // makes a time of day or a port, unless what follows is too long for one.
        b':' => {
            let digit = earlier.is_some_and(|byte| byte.is_ascii_digit());
            !digit || digits_end(text, start) - start >= LONG
        }
        // `%B` begins the first track of a card; `\u` and `\x` begin an escape.
        _ => true,
    }
}

/// Whether a number may end at `end`.
pub(super) fn closes(text: &[u8], end: usize) -> bool {
    let Some(next) = text.get(end).copied() else {
        return true;
    };
    if is_word(next) {
        return false;
    }
    let later = text.get(end + 1).is_some_and(u8::is_ascii_digit);
    !(later && matches!(next, b'.' | b':' | b'/' | b'-'))
}

/// The bytes of a plus sign that ends at `at`, also as a URL writes it; 0 for none.
pub(super) fn plus_before(text: &[u8], at: usize) -> usize {
    match text.get(..at) {
        Some([.., b'+']) => 1,
        Some([.., b'%', b'2', b'B' | b'b']) => 3,
        _ => 0,
    }
}

/// Whether `start..end` is the whole text, white space aside.
pub(super) fn is_whole(text: &[u8], start: usize, end: usize) -> bool {
    let head = text.get(..start).unwrap_or_default();
    let tail = text.get(end..).unwrap_or_default();
    // A long margin counts as other text, which bounds the work.
    head.len() <= MARGIN_MAX
        && tail.len() <= MARGIN_MAX
        && head.trim_ascii().is_empty()
        && tail.trim_ascii().is_empty()
}

/// White space around a value that is the whole text.
const MARGIN_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_end_before_any_other_byte() {
        for other in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
            for count in 0..20 {
                let mut text = b"9".repeat(count);
                text.extend([other, b'0', b'1']);
                assert_eq!(digits_end(&text, 0), count, "{other}");
                assert_eq!(digits_end(&text[..count], 0), count);
            }
        }
    }

    #[test]
    fn numbers_inside_other_things_are_refused() {
        let opening = [
            ("41", true),
            (" 41", true),
            ("=41", true),
            ("key:41", true),
            (",41", true),
            ("(41", true),
            ("\"41", true),
            ("a41", false),
            ("_41", false),
            ("_-41", false),
            ("a/41", false),
            ("1.41", false),
            ("12:41", false),
            ("-41", false),
        ];
        for (text, want) in opening {
            assert_eq!(opens(text.as_bytes(), text.len() - 2), want, "{text}");
        }
        let closing = [
            ("41", true),
            ("41 ", true),
            ("41.", true),
            ("41,5", true),
            ("41x", false),
            ("41_", false),
            ("41.5", false),
            ("41-5", false),
            ("41:00", false),
            ("41-a", true),
        ];
        for (text, want) in closing {
            assert_eq!(closes(text.as_bytes(), 2), want, "{text}");
        }
    }
}
