//! What holds of the parsers for every text: no panic, answers that are text, a time that is linear
//! in the length.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::logical_expr::ColumnarValue;
use proptest::prelude::*;

use crate::call::{invoke, scalar};

/// Every parser, and options with which it takes another way.
const CALLS: [(&str, &[&str]); 18] = [
    ("parse_log", &[]),
    ("parse_log", &["Europe/Berlin"]),
    ("parse_syslog", &[]),
    ("parse_cef", &[]),
    ("parse_leef", &[]),
    ("parse_logfmt", &[]),
    ("parse_kv", &[]),
    ("parse_kv", &["&", "=>", ""]),
    ("parse_clf", &[]),
    ("parse_csv", &[]),
    ("parse_csv", &["a BIGINT, b VARCHAR, c TIMESTAMP"]),
    ("parse_json", &[]),
    (
        "parse_json",
        &["a BIGINT, b STRUCT<c VARCHAR, d INT[]>, m MAP(VARCHAR, VARCHAR), t TIMESTAMP"],
    ),
    ("json_get", &["a", "b"]),
    ("json_as_text", &["a"]),
    ("json_get_array", &["a"]),
    ("json_object_keys", &[]),
    ("severity_number", &[]),
];

/// Pieces that lines of every format are made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u00e9",
    "\\ud83d",
    "null",
    "true",
    "-1.5e3",
    "\"a\"",
    "\"a\":",
    "{\"a\":",
    "\"b\":[1,2]",
    "\"msg\":\"x\"",
    "\"level\":30",
    "\"ts\":1770285600",
    "<34>",
    "<34>1 ",
    "<192>",
    "- ",
    "- - - - - ",
    "[a b=\"",
    "\"]",
    "2026-02-05T10:00:00Z ",
    "Feb  5 10:00:00 ",
    "Feb 29 10:00:00 ",
    "2026-02-05 10:00:00,123 ",
    "host ",
    "su[7]: ",
    "17 ",
    "CEF:0|",
    "LEEF:1.0|",
    "LEEF:2.0|",
    "a|b|c|d|e|f|",
    "|",
    "src=1 ",
    "cs1Label=x cs1=y ",
    "=",
    "a=b ",
    "a=\"b c\" ",
    "'",
    "\t",
    " ",
    "\n",
    "\r\n",
    "&",
    "=>",
    "é",
    "\u{1f600}",
    "\u{feff}",
    "\0",
    "10.0.0.1 - - [",
    "10/Oct/2000:13:55:36 -0700",
    "] \"GET /a?b=1 HTTP/1.0\" 200 2326",
    "I0205 10:00:00.1 7 a.go:1] ",
    "INFO ",
    "[main] ",
    "com.acme.A: ",
    "ERROR",
    "12",
    "x5E|",
    "%",
];

fn line() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..24)
        .prop_map(|pieces| pieces.concat())
}

/// The answer of a call, which is checked throughout when it is taken apart.
fn call(name: &str, options: &[&str], text: &str) -> ArrayRef {
    let array: ArrayRef = Arc::new(StringArray::from(vec![Some(text), None]));
    let answer = invoke(&scalar(name), ColumnarValue::Array(array), options).unwrap();
    let answer = answer.into_array(2).unwrap();
    answer.to_data().validate_full().unwrap();
    assert!(answer.is_null(1), "{name}");
    answer
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_parser_takes_every_line(text in line()) {
        for (name, options) in CALLS {
            call(name, options, &text);
        }
    }

    #[test]
    fn every_parser_takes_any_text(text in any::<String>()) {
        for (name, options) in CALLS {
            call(name, options, &text);
        }
    }

    #[test]
    fn json_is_what_serde_json_takes(text in line()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let ours = call("parse_json", &[], &text);
        prop_assert_eq!(ours.is_valid(0), theirs.is_ok(), "{}", text);
        if let Ok(theirs) = theirs {
            let ours: serde_json::Value =
                serde_json::from_str(ours.as_string::<i32>().value(0)).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn the_body_of_a_line_of_text_is_in_it(text in "[a-z \\[\\]:.-]{0,60}") {
        let answer = call("parse_log", &[], &text);
        let answer = answer.as_struct();
        let body = answer.column_by_name("body").unwrap().as_string::<i32>();
        prop_assert!(body.is_valid(0) && text.contains(body.value(0)), "{}", text);
    }
}

/// Two megabytes of what invites looking back or ahead without end. A quadratic search needs hours
/// for one of them.
#[test]
fn hostile_lines_are_read_in_linear_time() {
    let heads = [
        "",
        "<1>1 - - - - - ",
        "CEF:0|a|b|c|d|e|f|a=",
        "LEEF:1.0|a|b|c|d|",
        "{\"a\":",
        "a=1 b=",
    ];
    for piece in PIECES {
        for head in heads {
            let text = format!("{head}{}", piece.repeat(200_000 / piece.len()));
            for (name, options) in CALLS {
                let answer = call(name, options, &text);
                assert!(
                    answer.get_array_memory_size() < 200 * text.len(),
                    "{name} {piece}"
                );
            }
        }
    }
}
