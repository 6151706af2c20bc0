//! The words near a candidate: keys that say what a value is, and prose that does.

use std::sync::LazyLock;

use super::boundary::{before, is_word};
use super::masks::{BLOCK, Words, pad};

/// Bytes before a candidate in which a word speaks for it.
const BEFORE_MAX: usize = 40;
/// Longest key that is read.
const KEY_MAX: usize = 64;
/// Longest word that is compared.
const WORD_MAX: usize = 24;

/// Words that announce a payment card number.
pub(super) const CARD: &[&str] = &[
    "amex",
    "card",
    "cardno",
    "cardnumber",
    "cards",
    "cc",
    "ccn",
    "ccno",
    "ccnum",
    "ccnumber",
    "credit",
    "creditcard",
    "debit",
    "debitcard",
    "maestro",
    "mastercard",
    "pan",
    "visa",
];

/// Words that announce an address of a crypto-currency.
pub(super) const WALLET: &[&str] = &[
    "addr",
    "address",
    "crypto",
    "deposit",
    "erc",
    "eth",
    "ethereum",
    "payout",
    "recipient",
    "usdc",
    "usdt",
    "wallet",
    "withdrawal",
];

/// Words that announce a social security number.
pub(super) const SSN: &[&str] = &[
    "itin",
    "socialsecurity",
    "socialsecuritynumber",
    "ss",
    "tax",
    "taxid",
    "socsec",
    "ssn",
    "ssns",
    "social",
    "taxpayer",
    "tin",
];

/// Words that announce a telephone number.
pub(super) const PHONE: &[&str] = &[
    "ani",
    "answering",
    "callerid",
    "cel",
    "dnis",
    "gsm",
    "handset",
    "landline",
    "mobil",
    "movil",
    "sip",
    "subscriber",
    "telefon",
    "telefono",
    "telno",
    "voicemail",
    "call",
    "called",
    "callee",
    "caller",
    "calling",
    "cell",
    "cellphone",
    "cellular",
    "contact",
    "dial",
    "dialed",
    "dialled",
    "fax",
    "hotline",
    "mobile",
    "msisdn",
    "phone",
    "phoneno",
    "phonenumber",
    "phones",
    "sms",
    "tel",
    "telephone",
    "whatsapp",
];

/// Words that make an identifier a telephone number, as in `caller_id`.
pub(super) const CALLER: &[&str] = &["called", "callee", "caller", "calling"];

/// Words that follow a telephone number.
pub(super) const PHONE_AFTER: &[&str] = &["cell", "fax", "home", "mobile", "office", "work"];

/// Last words of keys whose values are identifiers, sizes or times.
const IDENTIFIER: &[&str] = &[
    "awb",
    "barcode",
    "batch",
    "block",
    "blk",
    "case",
    "checksum",
    "correlation",
    "crc",
    "customer",
    "cursor",
    "device",
    "document",
    "ean",
    "event",
    "iccid",
    "imei",
    "imsi",
    "isbn",
    "meid",
    "nonce",
    "parcel",
    "partition",
    "record",
    "row",
    "serial",
    "shipment",
    "sku",
    "snowflake",
    "ticket",
    "upc",
    "user",
    "build",
    "bytes",
    "commit",
    "count",
    "digest",
    "duration",
    "epoch",
    "etag",
    "guid",
    "hash",
    "id",
    "ids",
    "invoice",
    "latency",
    "len",
    "length",
    "lsn",
    "md5",
    "nanos",
    "ns",
    "ms",
    "offset",
    "order",
    "pid",
    "port",
    "ref",
    "reference",
    "req",
    "request",
    "seq",
    "sequence",
    "session",
    "sha",
    "size",
    "span",
    "tid",
    "time",
    "timestamp",
    "trace",
    "tracking",
    "transaction",
    "ts",
    "txn",
    "uuid",
    "version",
    "xid",
];

/// Last words of keys that say nothing by themselves.
const COUNTED: &[&str] = &["code", "key", "no", "nr", "num", "number"];

/// What the text directly before a candidate says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A word of the wanted list announces it.
    For,
    /// The key or word directly before it names an identifier.
    Against,
    /// Nothing.
    Silent,
}

/// Parts of the words that announce a telephone number, such as few other words have.
static PHONE_WORDS: LazyLock<Words> = LazyLock::new(|| {
    Words::new([
        &["ntac", "tsap", "bscr"],
        &["phon", "ndse"],
        &["tel?", "cel?"],
        &["sms?", "gsm?"],
        &["dial", "dlin", "hotl", "ovil"],
        &["ani*", "answ"],
        &["fax?", "sip?"],
        &["call", "cell", "cema", "dnis", "mobi", "msis"],
    ])
});

/// Whether a word may announce a telephone number that begins at `start`: a quick look that is
/// right when it says no.
pub(super) fn may_announce_phone(text: &[u8], start: usize) -> bool {
    let from = start.saturating_sub(BLOCK);
    let near = text.get(from..).unwrap_or_default();
    let padded;
    let window = match near.first_chunk() {
        Some(window) => window,
        None => {
            padded = pad(near);
            &padded
        }
    };
    // Words that begin behind the start of the number do not announce it.
    let after = u64::MAX.checked_shl((start - from) as u32).unwrap_or(0);
    PHONE_WORDS.places(window) & !after != 0
}

/// Reads the surroundings of a candidate that begins at `start` for any of `words`.
pub(super) fn hint(text: &[u8], start: usize, words: &[&str]) -> Hint {
    let label = label_before(text, start);
    if mentions(label, words) {
        return Hint::For;
    }
    if names_identifier(label) {
        return Hint::Against;
    }
    if mentions(window_before(text, start), words) {
        Hint::For
    } else {
        Hint::Silent
    }
}

/// Whether the key or word before `start` names an identifier and holds none of `others`.
pub(super) fn labels_identifier(text: &[u8], start: usize, others: &[&str]) -> bool {
    let label = label_before(text, start);
    names_identifier(label) && !mentions(label, others)
}

/// Whether one of `words` begins directly after a candidate that ends at `end`.
pub(super) fn follows(text: &[u8], end: usize, words: &[&str]) -> bool {
    let rest = text
        .get(end..(end + WORD_MAX).min(text.len()))
        .unwrap_or_default();
    let gap = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'-' | b'('))
        .count();
    let word = rest.get(gap..).unwrap_or_default();
    if !(1..=2).contains(&gap) || !word.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let length = word
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    // A word with a separator behind it is the key of what follows.
    let key = matches!(word.get(length), Some(b'=' | b':' | b'_' | b'"' | b'\''));
    let word = word.get(..length).unwrap_or_default();
    !key && words
        .iter()
        .any(|known| word.len() == known.len() && word.eq_ignore_ascii_case(known.as_bytes()))
}

/// The key or word directly before `start`, without the quotes, spaces and separators between.
fn label_before(text: &[u8], start: usize) -> &[u8] {
    let from = start.saturating_sub(KEY_MAX);
    let head = text.get(from..start).unwrap_or_default();
    let between = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'"' | b'\'' | b'\\' | b':' | b'=' | b'#' | b'>' | b'(' | b'['
        )
    };
    let gap = head
        .iter()
        .rev()
        .take(8)
        .take_while(|byte| between(byte))
        .count();
    let head = head.get(..head.len() - gap).unwrap_or_default();
    let key = |byte: &u8| is_word(*byte) || matches!(byte, b'-' | b'.');
    let length = head.iter().rev().take_while(|byte| key(byte)).count();
    head.get(head.len() - length..).unwrap_or_default()
}

/// The text before `start` that still belongs to it: back to another number, a line, or a field.
fn window_before(text: &[u8], start: usize) -> &[u8] {
    let from = start.saturating_sub(BEFORE_MAX);
    let head = text.get(from..start).unwrap_or_default();
    let stops = |at: usize| match head.get(at) {
        Some(b'\n' | b';' | b'{' | b'}' | b'|' | b'&') => true,
        // A digit that belongs to a word, as in `phone1`, does not end the field.
        Some(b'0'..=b'9') => !before(head, at).is_some_and(|byte| byte.is_ascii_alphabetic()),
        _ => false,
    };
    let cut = (0..head.len())
        .rev()
        .find(|at| stops(*at))
        .map_or(0, |at| at + 1);
    let window = head.get(cut..).unwrap_or_default();
    // The window may begin inside a word, whose rest says nothing.
    let inside = cut == 0 && before(text, from).is_some_and(is_word);
    let partial = if inside {
        window.iter().take_while(|byte| is_word(**byte)).count()
    } else {
        0
    };
    window.get(partial..).unwrap_or_default()
}

/// Whether `part` is one of `words`, which are in small letters. First letters are compared first:
/// they tell most words apart.
fn is_one_of(part: &[u8], words: &[&str]) -> bool {
    let Some(first) = part.first().map(u8::to_ascii_lowercase) else {
        return false;
    };
    words.iter().any(|word| {
        word.len() == part.len()
            && word.as_bytes().first() == Some(&first)
            && part.eq_ignore_ascii_case(word.as_bytes())
    })
}

/// Whether one of `words` stands in `window`, whole or as a part of a camel-case name.
fn mentions(window: &[u8], words: &[&str]) -> bool {
    parts(window).any(|part| is_one_of(part, words))
}

fn names_identifier(label: &[u8]) -> bool {
    // In `order_number` the part before the last says what it is the number of.
    let (mut last, mut earlier) = (None, None);
    for part in parts(label) {
        (earlier, last) = (last, Some(part));
    }
    let named = match (earlier, last) {
        (Some(earlier), Some(last)) if is_one_of(last, COUNTED) => earlier,
        (_, Some(last)) => last,
        _ => return false,
    };
    let glued = named.len() > 4 && named.to_ascii_lowercase().ends_with(b"id");
    glued || is_one_of(named, IDENTIFIER)
}

/// The runs of letters of `text`, split where a capital follows a small letter.
fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let split = |left: &u8, right: &u8| {
        left.is_ascii_alphabetic() == right.is_ascii_alphabetic()
            && !(left.is_ascii_lowercase() && right.is_ascii_uppercase())
    };
    text.chunk_by(split)
        .filter(|part| part.first().is_some_and(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_prose_speak_for_or_against() {
        let cases = [
            ("card: ", CARD, Hint::For),
            ("\"cardNumber\":\"", CARD, Hint::For),
            ("the card that ends it is ", CARD, Hint::For),
            ("discard ", CARD, Hint::Silent),
            ("card_id=", CARD, Hint::For),
            ("order_id=", CARD, Hint::Against),
            ("traceId: ", CARD, Hint::Against),
            ("requestid=", CARD, Hint::Against),
            ("phone 5, count=", PHONE, Hint::Against),
            ("phone1=", PHONE, Hint::For),
            ("phone 555 and ", PHONE, Hint::Silent),
            ("Here is my SSN: ", SSN, Hint::For),
        ];
        for (text, words, want) in cases {
            assert_eq!(hint(text.as_bytes(), text.len(), words), want, "{text}");
        }
    }

    #[test]
    fn a_word_may_follow() {
        assert!(follows(b"1-Office", 1, PHONE_AFTER));
        assert!(follows(b"1 fax", 1, PHONE_AFTER));
        assert!(!follows(b"1 working", 1, PHONE_AFTER));
        assert!(!follows(b"1fax", 1, PHONE_AFTER));
    }
}
