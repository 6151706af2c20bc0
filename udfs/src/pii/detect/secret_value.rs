//! Where the value of a secret's key ends, and whether it is one.

use super::quote_depth;
use super::secret_key::Kind;

/// A part of a text.
pub(super) type Span = std::ops::Range<usize>;

/// Deepest quoting that is followed: JSON in JSON in JSON in JSON.
const ESCAPES_MAX: usize = 7;
/// Longest run of spaces between a separator and a quoted value.
const GAP_MAX: usize = 8;
/// A value this long with a digit in it looks random.
const RANDOM_MIN: usize = 16;
/// A value with this many different bytes looks random: 3.5 bits a byte.
const DISTINCT_MIN: usize = 12;
/// Bytes of a value that are looked at to judge it.
const JUDGED_MAX: usize = 64;

/// Longest parameters before a signature.
const PARAMETERS_MAX: usize = 1024;

/// Words that stand where a secret would, and are none.
const HARMLESS: &[&str] = &[
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "required",
    "invalid",
    "incorrect",
    "expired",
    "reset",
    "changed",
    "failed",
    "failure",
    "missing",
    "empty",
    "redacted",
    "removed",
    "hidden",
    "masked",
    "filtered",
];

/// Words that follow the name of a secret and a colon in a sentence.
const PROSE: &[&str] = &[
    "change",
    "wrong",
    "ok",
    "success",
    "successful",
    "accepted",
    "rejected",
    "denied",
    "disabled",
    "enabled",
    "password",
    "using",
    "not",
    "is",
    "must",
    "cannot",
    "for",
    "yes",
    "no",
    "too",
    "values",
    "updated",
    "verified",
    "valid",
    "unknown",
    "mismatch",
    "authentication",
    "user",
];

/// Longest name of a category and longest hash, with room.
const NAME_MAX: usize = 32;

/// Schemes of the `Authorization` header whose secret is one word.
const ONE_WORD: &[&str] = &["bearer", "basic", "token", "apikey", "negotiate"];
/// Schemes whose secret is the rest of the line.
const WHOLE_LINE: &[&str] = &["digest", "aws4-hmac-sha256", "hawk"];

/// What may stand between a separator and an unquoted value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The value begins at once.
    None,
    /// The value begins at once or after one space. After two, what follows is something else:
    /// that is how the place of a removed value looks.
    Optional,
}

/// The secret part of the value that begins at `at`, if there is one.
pub(super) fn read(text: &[u8], at: usize, kind: Kind, gap: Gap) -> Option<Span> {
    if let Some(span) = quoted(text, at) {
        let value = text.get(span.clone())?;
        return match kind {
            Kind::Authorization => authorization(text, span.start, Some(span.end)),
            Kind::Cookie => (names_value(value) && !is_harmless(value)).then_some(span),
            _ => is_secret(value, kind).then_some(span),
        };
    }
    let spaced = matches!(text.get(at), Some(b' ' | b'\t'));
    let start = at + usize::from(spaced);
    if spaced && gap == Gap::None {
        return None;
    }
    match kind {
        Kind::Authorization => authorization(text, start, None),
        Kind::Cookie => names_value(text.get(start..)?).then(|| start..line_end(text, start)),
        Kind::Password | Kind::Secret if matches!(text.get(start), Some(b'[' | b'(')) => {
            let label = is_label(text.get(start..)?);
            (!label).then(|| bracketed(text, start + 1, kind)).flatten()
        }
        _ => {
            let span = word(text, start, kind)?;
            let prose = spaced && is_one_of(text.get(span.clone())?, PROSE);
            (!prose).then_some(span)
        }
    }
}

/// The secret in brackets: `password=[hunter2]`, or the first of a list.
fn bracketed(text: &[u8], start: usize, kind: Kind) -> Option<Span> {
    match quoted(text, start) {
        Some(span) => is_secret(text.get(span.clone())?, kind).then_some(span),
        None => word(text, start, kind),
    }
}

/// The unquoted secret at `start`. It is judged before its end is looked for, so that a key that
/// is repeated without a secret costs no more than what is judged.
fn word(text: &[u8], start: usize, kind: Kind) -> Option<Span> {
    if matches!(text.get(start), Some(b'{' | b'[' | b'(' | b' ' | b'\t')) {
        return None;
    }
    let judged = text.get(..(start + JUDGED_MAX).min(text.len()))?;
    let value = judged.get(start..word_end(judged, start).min(judged.len()))?;
    is_secret(value, kind).then(|| start..word_end(text, start))
}

/// Whether a line begins with a name and an equals sign, as cookies do.
fn names_value(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take(JUDGED_MAX)
        .take_while(|byte| !ends_line(byte));
    name.copied().any(|byte| byte == b'=')
}

/// The inside of the quotes that open at `at`, spaces and a string prefix skipped.
pub(super) fn quoted(text: &[u8], at: usize) -> Option<Span> {
    let rest = text.get(at..)?;
    let gap = rest
        .iter()
        .take(GAP_MAX)
        .take_while(|byte| **byte == b' ')
        .count();
    let prefix = usize::from(matches!(
        (rest.get(gap), rest.get(gap + 1)),
        (Some(b'b' | b'u' | b'r'), Some(b'\'' | b'"'))
    ));
    let open = at + gap + prefix;
    let escapes = escapes(text, open);
    let quote = *text
        .get(open + escapes)
        .filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let start = open + escapes + 1;
    if escapes > ESCAPES_MAX || !key_is_quoted(text, at, (quote, escapes)) && closes(text, start) {
        return None;
    }
    let document = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    let ends = if document { b'"' } else { quote };
    Some(start..quote_end(text, start, ([quote, ends], escapes)))
}

/// Whether what stands before the separator before `at` is in the same quotes, so that the
/// quote after it begins a value.
pub(super) fn key_is_quoted(text: &[u8], at: usize, (mark, escapes): (u8, usize)) -> bool {
    let head = text
        .get(at.saturating_sub(2 * GAP_MAX)..at)
        .unwrap_or_default();
    let between = |byte: &u8| matches!(byte, b':' | b'=' | b'>' | b' ');
    let Some(quote) = head.iter().rposition(|byte| !between(byte)) else {
        return false;
    };
    let before = head.get(..quote).unwrap_or_default();
    let run = before
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    head.get(quote) == Some(&mark) && quote_depth(run) == escapes
}

/// Whether the quote before `start` is the end of the text around it, rather than the beginning of
/// a value: in `{"note":"password:","n":1}` a comma follows.
pub(super) fn closes(text: &[u8], start: usize) -> bool {
    let rest = text
        .get(start..(start + JUDGED_MAX).min(text.len()))
        .unwrap_or_default();
    matches!(
        rest.trim_ascii_start().first(),
        None | Some(b':' | b',' | b'}' | b']')
    )
}

fn escapes(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter()
        .take(ESCAPES_MAX + 1)
        .take_while(|byte| **byte == b'\\')
        .count()
}

/// Where the quotation ends whose quotes have `escapes` backslashes each: at a quote with as many,
/// not counting those that escape each other, or with fewer, where the quotation around it ends.
/// The second of `quotes` is the one that the text around it is in.
fn quote_end(text: &[u8], start: usize, (quotes, escapes): ([u8; 2], usize)) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let [quote, outer] = quotes;
    let (mut earlier, mut doubled) = (0, None);
    for at in memchr::memchr2_iter(quote, outer, rest) {
        // SQL doubles a quote that is part of a string.
        let twice = quote == b'\'' && escapes == 0 && rest.get(at..at + 2) == Some(b"''");
        if doubled == Some(at) || at > 0 && twice {
            doubled = twice.then_some(at + 1).filter(|_| doubled != Some(at));
            earlier = at;
            continue;
        }
        let inside = rest.get(earlier..at).unwrap_or_default();
        let run = inside
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        earlier = at;
        let depth = quote_depth(run);
        if depth <= escapes || rest.get(at) != Some(&quote) {
            return start + at - depth;
        }
    }
    text.len()
}

/// The end of an unquoted value. An escape belongs to it unless it ends the text around it.
pub(super) fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let query = is_query(text, start);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => match text.get(at + 1) {
                Some(b'"' | b'\'' | b'n' | b'r' | b't') => break,
                Some(b'\\') => at += 1,
                _ => {}
            },
            b'&' if query || is_parameter(text, at + 1) => break,
            b',' | b';' | b'|' | b'}' | b']' | b')' | b'"' | b'\'' | b'`' | b'<' | b'>' => {
                break;
            }
            space if space.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Whether the name before the value at `start` is a parameter of a query, so that an ampersand
/// ends the value.
fn is_query(text: &[u8], start: usize) -> bool {
    let head = text.get(start.saturating_sub(JUDGED_MAX)..start);
    let Some(name) = head.and_then(|head| head.strip_suffix(b"=")) else {
        return false;
    };
    let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(byte);
    let length = name.iter().rev().take_while(inside).count();
    let before = name.get(..name.len() - length).unwrap_or_default();
    before.ends_with(b"?") || before.ends_with(b"&") || before.ends_with(b"&amp;")
}

/// Whether what follows an ampersand at `at` is the next parameter of a query, or nothing.
/// Otherwise the ampersand is a character of the value.
fn is_parameter(text: &[u8], at: usize) -> bool {
    let rest = text.get(at..(at + JUDGED_MAX).min(text.len()));
    let rest = rest.unwrap_or_default();
    let rest = rest.strip_prefix(b"amp;").unwrap_or(rest);
    let named = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.%[]~+$".contains(byte);
    let name = rest.iter().take_while(named).count();
    name == 0 || rest.get(name) == Some(&b'=')
}

const fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'\\')
}

fn line_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(ends_line).unwrap_or(rest.len())
}

/// The secret after the scheme that begins at `start`, in a quotation that ends at `close`.
fn authorization(text: &[u8], start: usize, close: Option<usize>) -> Option<Span> {
    let value = text.get(start..close.unwrap_or(text.len()))?;
    let length = value.iter().take(JUDGED_MAX).position(|byte| *byte == b' ');
    let scheme = value.get(..length.unwrap_or(0))?;
    let is = |known: &&str| scheme.eq_ignore_ascii_case(known.as_bytes());
    let secret = start + scheme.len() + 1;
    if WHOLE_LINE.iter().any(&is) {
        let parameters = names_value(text.get(secret..)?);
        let end = || match close {
            Some(close) => close,
            None => signature_end(text, secret, line_end(text, secret)),
        };
        return parameters.then(|| secret..end());
    }
    let from = if ONE_WORD.iter().any(is) {
        secret
    } else {
        start
    };
    let (span, kind) = match close {
        Some(close) => (from..close, Kind::Random),
        None if from == start => (word(text, start, Kind::Random)?, Kind::Random),
        None => (word(text, secret, Kind::Secret)?, Kind::Secret),
    };
    let value = text.get(span.clone())?;
    let stands = if from == start {
        is_secret(value, kind)
    } else {
        is_credential(value)
    };
    stands.then_some(span)
}

/// Where the signature ends that is the last parameter of AWS Signature Version 4, or `end`.
fn signature_end(text: &[u8], start: usize, end: usize) -> usize {
    let near = start..end.min(start + PARAMETERS_MAX);
    let line = text.get(near).unwrap_or_default();
    let Some(at) = memchr::memmem::find(line, b"Signature=") else {
        return end;
    };
    let from = start + at + b"Signature=".len();
    let digits = text.get(from..end).unwrap_or_default().iter();
    from + digits.take_while(|byte| byte.is_ascii_hexdigit()).count()
}

/// Whether the word after a scheme is not just the next word of a sentence.
fn is_credential(value: &[u8]) -> bool {
    let plain = value.iter().all(u8::is_ascii_lowercase);
    !plain && !value.starts_with(b" ") && !is_harmless(value)
}

/// Whether `value` may be a secret of this kind.
pub(super) fn is_secret(value: &[u8], kind: Kind) -> bool {
    let value = value.trim_ascii();
    if is_harmless(value) {
        return false;
    }
    match kind {
        Kind::Random => looks_random(value),
        Kind::Code => {
            (4..=10).contains(&value.len())
                && value.iter().all(u8::is_ascii_alphanumeric)
                && value.iter().any(u8::is_ascii_digit)
        }
        _ => true,
    }
}

fn looks_random(value: &[u8]) -> bool {
    let judged = value.get(..JUDGED_MAX.min(value.len())).unwrap_or_default();
    let mut seen = [0_u128; 2];
    for byte in judged {
        if let Some(half) = seen.get_mut(usize::from(byte >> 7)) {
            *half |= 1 << (byte & 127);
        }
    }
    let distinct = seen
        .iter()
        .map(|half| half.count_ones() as usize)
        .sum::<usize>();
    let digit = judged.iter().any(u8::is_ascii_digit);
    !judged.starts_with(b"0x") && digit && (judged.len() >= RANDOM_MIN || distinct >= DISTINCT_MIN)
}

/// Whether `value` is empty, a mask, a label, a reference to a variable, or a word about secrets.
pub(super) fn is_harmless(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let variable = [&b"${"[..], b"{{", b"$(", b"%s", b"<"]
        .iter()
        .any(|head| value.starts_with(head));
    value.iter().all(|byte| *byte == b'*')
        || value == b"-"
        || value == "\u{2022}".repeat(value.len() / 3).as_bytes()
        || is_label(value)
        || variable
        || is_one_of(value, HARMLESS)
}

fn is_one_of(value: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether `text` begins with a category in brackets, with or without a hash.
fn is_label(text: &[u8]) -> bool {
    let Some(inner) = text.strip_prefix(b"[") else {
        return false;
    };
    let name = |byte: &&u8| byte.is_ascii_uppercase() || **byte == b'_';
    let length = inner.iter().take(NAME_MAX).take_while(name).count();
    let rest = inner.get(length..).unwrap_or_default();
    let hash = rest.strip_prefix(b":").unwrap_or_default();
    let hash = hash
        .iter()
        .take(NAME_MAX)
        .take_while(|byte| byte.is_ascii_alphanumeric());
    let hash = hash.count() + usize::from(rest.starts_with(b":"));
    length > 0 && rest.get(hash) == Some(&b']')
}
