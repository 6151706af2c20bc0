//! What only a key tells: names of accounts, of persons, and postal addresses.

use std::net::IpAddr;

use crate::pii::detect::boundary::is_word;
use crate::pii::detect::secret_value::{closes, key_is_quoted, word_end};
use crate::pii::detect::{Categories, Category, Finding, quote_depth};

/// Longest key and longest value that are read.
const KEY_MAX: usize = 48;
const VALUE_MAX: usize = 160;

/// Keys of each category, in small letters without `_`, `-` and blanks.
const KEYS: [(Category, &[&str]); 3] = [
    (
        Category::Username,
        &[
            "user",
            "username",
            "userid",
            "login",
            "loginname",
            "suser",
            "duser",
            "usrname",
            "uname",
            "accountname",
            "principal",
            "remoteuser",
        ],
    ),
    (
        Category::Person,
        &[
            "firstname",
            "lastname",
            "fullname",
            "surname",
            "givenname",
            "familyname",
            "middlename",
            "customername",
            "patient",
            "patientname",
            "cardholder",
            "holder",
            "cardholdername",
            "contactname",
            "displayname",
            "maidenname",
            "beneficiaryname",
            "recipientname",
            "accountholder",
            "customer",
        ],
    ),
    (
        Category::Address,
        &[
            "address",
            "street",
            "streetaddress",
            "homeaddress",
            "postaladdress",
            "addressline1",
            "addressline2",
            "shippingaddress",
            "billingaddress",
            "zip",
            "zipcode",
            "postcode",
            "postalcode",
            "mailingaddress",
        ],
    ),
];

/// What stands in a value that says nothing about a person.
const VOID: &[&str] = &[
    "",
    "-",
    "null",
    "none",
    "nil",
    "undefined",
    "unknown",
    "n/a",
    "true",
    "false",
];

/// Appends what keys of the wanted categories hold.
pub(super) fn find(text: &[u8], wanted: Categories, found: &mut Vec<Finding>) {
    let keys = KEYS.iter().filter(|(category, _)| wanted.has(*category));
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        return;
    }
    let mut at = 0;
    while let Some(skipped) = memchr::memchr2(b'=', b':', text.get(at..).unwrap_or_default()) {
        let separator = at + skipped;
        at = separator + 1;
        let Some(key) = key(text, separator) else {
            continue;
        };
        let known = |(_, names): &&&(Category, &[&str])| names.contains(&key.as_str());
        let Some((category, _)) = keys.iter().find(known) else {
            continue;
        };
        let Some((start, end)) = value(text, separator + 1) else {
            continue;
        };
        at = end;
        let value = text.get(start..end).unwrap_or_default();
        // A customer that is a number is an identifier.
        let named =
            *category != Category::Person || value.iter().any(|byte| !byte.is_ascii_digit());
        if named && is_personal(value) {
            found.push(Finding::new(*category, start..end, (70, "key")));
        }
    }
}

/// The key before a separator, in small letters and without what joins its words.
fn key(text: &[u8], separator: usize) -> Option<String> {
    let head = text.get(separator.saturating_sub(KEY_MAX)..separator)?;
    let quotes = |byte: &&u8| matches!(byte, b'"' | b'\'' | b'\\' | b' ');
    let tail = head.iter().rev().take(4).take_while(quotes).count();
    let head = head.get(..head.len() - tail)?;
    let joined = |byte: &&u8| is_word(**byte) || **byte == b'-';
    let length = head.iter().rev().take_while(joined).count();
    let key = head.get(head.len() - length..)?;
    let letters = key.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let key: String = letters
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    (!key.is_empty()).then_some(key)
}

/// The value from `at` on: what is quoted, or the rest of the word.
fn value(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let gap = rest
        .iter()
        .take(2)
        .take_while(|byte| **byte == b' ')
        .count();
    let rest = rest.get(gap..)?;
    let escapes = rest
        .iter()
        .take(8)
        .take_while(|byte| **byte == b'\\')
        .count();
    let start = at + gap;
    let limit = rest.get(..VALUE_MAX.min(rest.len()))?;
    if let Some(quote @ (b'"' | b'\'')) = limit.get(escapes).copied() {
        let inside = start + escapes + 1;
        if !key_is_quoted(text, at, (quote, escapes)) && closes(text, inside) {
            return None;
        }
        let inner = limit.get(escapes + 1..)?;
        let run = |at: usize| {
            let before = inner.get(..at).unwrap_or_default().iter().rev();
            before.take_while(|byte| **byte == b'\\').count()
        };
        let end = (0..inner.len())
            .find(|at| inner.get(*at) == Some(&quote) && quote_depth(run(*at)) == escapes)?;
        let start = start + escapes + 1;
        return Some((start, start + end.saturating_sub(escapes)));
    }
    let mut end = word_end(limit, 0).min(limit.len());
    // Outside of a document `CORP\tjones` is an account of a domain, and its `\t` no tab.
    let document = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
    while !document && begins_account(limit.get(end..).unwrap_or_default()) {
        end = word_end(limit, end + 2).min(limit.len());
    }
    // A value that was cut may end inside a character.
    let whole = end < limit.len() || limit.len() == rest.len();
    whole.then_some((start, start + end))
}

/// Whether what looks like an escape goes on as the name of an account.
fn begins_account(rest: &[u8]) -> bool {
    matches!(rest, [b'\\', b'n' | b'r' | b't', next, ..] if next.is_ascii_alphanumeric())
}

/// Whether a value is about a person: not empty, no flag, no address of a machine.
fn is_personal(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else {
        return false;
    };
    // A label that stands for a value, a list, an object.
    let masked = value.contains("***") || value.starts_with(['[', '{', '(']);
    !masked
        && !VOID.iter().any(|void| value.eq_ignore_ascii_case(void))
        && value.parse::<IpAddr>().is_err()
        && !value.starts_with("0x")
        && !value.contains("://")
}

#[cfg(test)]
mod tests {
    use super::super::super::{Category, spans};

    #[test]
    fn keys_tell() {
        let cases: &[(Category, &str, &[&str])] = &[
            (Category::Username, "user=bob action=login", &["bob"]),
            (
                Category::Username,
                "user=CORP\\tjones action=login",
                &["CORP\\tjones"],
            ),
            (
                Category::Username,
                "{\"log\":\"user=bob\\nnext\"}",
                &["bob"],
            ),
            (
                Category::Username,
                "\"userName\": \"b.smith\",",
                &["b.smith"],
            ),
            (
                Category::Username,
                "{\"log\":\"{\\\"user\\\":\\\"bob\\\"}\"}",
                &["bob"],
            ),
            (Category::Username, "suser=bob duser=eve", &["bob", "eve"]),
            (Category::Username, "user=null userspace=1", &[]),
            (Category::Person, "'last_name': 'O\\'Neil'", &["O\\'Neil"]),
            (
                Category::Person,
                "first-name=Eva&last-name=Li",
                &["Eva", "Li"],
            ),
            (
                Category::Username,
                r#"{"user":{"id":1},"login":["x"]}"#,
                &[],
            ),
            (
                Category::Username,
                r#"{\"user\":\"a\\\"b\",\"x\":1}"#,
                &[r#"a\\\"b"#],
            ),
            // The end of the text around the key, and no value.
            (Category::Username, r#"{"log":"user= ","n":0}"#, &[]),
            (Category::Username, r#"{"user":",","n":0}"#, &[","]),
            (Category::Username, r#"{"log":"user=d\""}"#, &["d"]),
            (Category::Username, r#"["user:a\n",1]"#, &["a"]),
            (Category::Person, "customer=12345 customer=Li", &["Li"]),
            (Category::Person, "hostname=web1", &[]),
            (
                Category::Address,
                "street: \"Main St 5, 3rd floor\"",
                &["Main St 5, 3rd floor"],
            ),
            (
                Category::Address,
                "address=10.1.2.3:50010 ",
                &["10.1.2.3:50010"],
            ),
            (Category::Address, "address=10.1.2.3", &[]),
        ];
        for (category, text, want) in cases {
            assert_eq!(&spans(*category, text), want, "{text}");
        }
    }
}
