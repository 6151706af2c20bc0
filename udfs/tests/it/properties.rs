//! What holds of `redact` for every text.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::call::redact;

const MODES: [&str; 4] = ["mask", "label", "hash", "remove"];

/// Pieces that findings, near misses and the edges between them are made of.
const PIECES: &[&str] = &[
    "4111111111111111",
    "4111 1111 1111 1111",
    "378282246310005",
    "536-90-4399",
    "536904399",
    "(212) 555-7890",
    "212-555-7890",
    "+44 20 7946 0958",
    "+1 ",
    "x12",
    " ext. 3",
    "bob",
    "@",
    "x.com",
    "%40",
    "bob@x.com",
    "o'",
    "password",
    "passwd",
    "PWD",
    "token",
    "api_key",
    "secret",
    "Authorization: Bearer ",
    "Cookie: ",
    "IDENTIFIED BY ",
    "--password ",
    " is ",
    "://",
    "@tcp(",
    "phone ",
    "ssn ",
    "card ",
    "call ",
    "id=",
    "=",
    ":",
    "=>",
    ":=",
    "\"",
    "'",
    "\\",
    "\\\"",
    "\\n",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    ",",
    ";",
    "&",
    "|",
    "/",
    ".",
    "-",
    " ",
    "  ",
    "\t",
    "\n",
    "+",
    "1",
    "12",
    "345",
    "6789",
    "0",
    "*",
    "xxx-",
    "hunter2",
    "e\u{301}",
    "\u{1f600}",
    "\u{ff11}",
    "[PASSWORD]",
    "null",
    "%B",
    "%20",
    "ey9Zx81kQpWm44Lw",
    "eyJhbGciOiJIUzI1NiJ9.",
    "ghp_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5",
    "AKIAIOSFODNN7EXAMPLE",
    "DE89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "912-70-1234",
    "cvv",
    "pin",
    "security code",
    "123",
    "Bearer ",
    "Basic Ym9iOmh1bnRlcjI=",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    ";4111111111111111=2912101",
    "?",
    "\\u0040",
    "\u{a0}",
    "\u{2011}",
    "\u{ff14}\u{ff11}",
    "\u{200b}",
];

/// Keys whose values are findings, and one whose values are not.
const KEYS: &[&str] = &[
    "password",
    "token",
    "card",
    "ssn",
    "phone",
    "id",
    "api key",
    "cookie",
    "pin",
    "cvv",
    "iban",
    "authorization",
];

fn jumble() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24)
        .prop_map(|pieces| pieces.concat())
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        jumble().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(4_111_111_111_111_111_u64)),
        Just(json!(378_282_246_310_005_u64)),
        Just(json!(536_904_399)),
        Just(json!(5_551_234_567_u64)),
        Just(json!(-12.5e3)),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    let key = || {
        prop_oneof![
            proptest::sample::select(KEYS).prop_map(str::to_owned),
            jumble()
        ]
    };
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for mode in MODES {
        let once = redact(&[text], &["tier1", mode]);
        let twice = redact(&[once[0].as_str()], &["tier1", mode]);
        prop_assert_eq!(&once, &twice, "{} of {:?}", mode, text);
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn redacting_twice_is_redacting_once(text in jumble()) {
        check(&text)?;
    }

    /// Rows lie next to each other in one buffer, and their parts must not join.
    #[test]
    fn a_row_does_not_depend_on_its_neighbours(
        texts in proptest::collection::vec(jumble(), 1..12)
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = redact(&texts, &["tier1", "label"]);
        let alone: Vec<String> = texts
            .iter()
            .flat_map(|text| redact(&[text], &["tier1", "label"]))
            .collect();
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn any_text_is_accepted(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn json_stays_json(value in document(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        // A document in a string of a document, as log shippers nest them.
        let nested = json!({ "message": text }).to_string();
        // A bare scalar is not a document: redacting it as text may take its quotes away.
        for text in [text, nested].into_iter().filter(|text| text.starts_with(['{', '['])) {
            for mode in MODES {
                let got = redact(&[&text], &["tier1", mode]);
                let read = serde_json::from_str::<Value>(&got[0]);
                prop_assert!(read.is_ok(), "{}: {} -> {}", mode, text, got[0]);
            }
            check(&text)?;
        }
    }

    #[test]
    fn clean_text_is_untouched(
        words in proptest::collection::vec("[a-z]{1,8}|[0-9]{1,4}|[0-9a-f]{8}-[0-9a-f]{4}", 0..12),
        time in 1_000_000_000_u64..1_999_999_999,
    ) {
        let text = format!("{time} {} took={}ms", words.join("; "), time % 1000);
        let free = ["password", "passwd", "call", "phone", "tel", "fax", "cell", "sms", "dial"];
        prop_assume!(!free.iter().any(|word| text.contains(word)));
        prop_assert_eq!(redact(&[&text], &[]), [text]);
    }

    #[test]
    fn no_card_survives(prefix in 400_000_u64..499_999, account in 0_u64..999_999_999) {
        let stem = prefix * 1_000_000_000 + account;
        let card = stem * 10 + check_digit(stem);
        let text = format!("paid with {card} today");
        let tail = card % 10_000;
        prop_assert_eq!(
            redact(&[&text], &[]), [format!("paid with xxxx-xxxx-xxxx-{tail:04} today")]
        );
    }
}

/// The digit that makes `stem` pass the Luhn check.
fn check_digit(stem: u64) -> u64 {
    let (mut rest, mut sum, mut double) = (stem, 0, true);
    while rest > 0 {
        let digit = rest % 10 * if double { 2 } else { 1 };
        sum += digit / 10 + digit % 10;
        rest /= 10;
        double = !double;
    }
    (10 - sum % 10) % 10
}

/// Two megabytes of what invites looking back or ahead without end. A quadratic search needs hours
/// for one of them.
#[test]
fn hostile_text_is_read_in_linear_time() {
    let mut pieces: Vec<&str> = PIECES.to_vec();
    pieces.extend([
        "a@",
        "1 ",
        "1-",
        "(1",
        "password=",
        "password:",
        "password=\"",
        "password '",
        "token:",
        "token=\\\"",
        "authorization:",
        "authorization: bearer ",
        "Cookie:",
        "://a:b@",
        "a%40",
        "<password>",
        "4111 ",
        "{\"a\":4111111111111111,",
        "(212) 555-",
        "212-555-7890-",
        "password is ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.",
        "Bearer a",
        "cvv=",
        "DE89 ",
        "a@b.",
        "://a@",
        "%B4111111111111111^",
        "\\u0040",
        "\u{ff11}",
        "identified by ",
        "identified with ",
    ]);
    for piece in pieces {
        let text = piece.repeat(2_000_000 / piece.len());
        for mode in MODES {
            let once = redact(&[&text], &["tier1", mode]);
            assert!(once[0].len() <= 4 * text.len(), "{piece}");
        }
    }
}
