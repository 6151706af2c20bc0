//! Facts about the patterns, and that every engine gives the same answer.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StructArray};
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::ColumnarValue;
use proptest::prelude::*;

use super::library;
use super::matcher::Engine;
use super::parser::{Grok, Spoken};
use crate::parse::structs::parse_text;

fn compiled(patterns: &[&str], definitions: &[&str]) -> Result<Arc<Grok>, String> {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let spoken = Spoken {
        patterns: own(patterns),
        definitions: own(definitions),
    };
    Grok::get(&spoken).map_err(|error| error.to_string())
}

fn rows(grok: &Grok, engine: Engine, texts: &[&str]) -> ArrayRef {
    let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let parsed = parse_text(
        &ColumnarValue::Array(texts),
        grok.fields(),
        &mut grok.rows_by(engine),
    );
    let ColumnarValue::Array(parsed) = parsed.unwrap() else {
        panic!("an array gives an array")
    };
    parsed
}

/// The row as JSON, without what is NULL.
fn json(pattern: &str, text: &str) -> String {
    let grok = compiled(&[pattern], &[]).unwrap();
    let engines = [Engine::Fastest, Engine::OnePass, Engine::General];
    let rows = engines.map(|engine| rows(&grok, engine, &[text]));
    assert_eq!(&rows[0], &rows[1], "{pattern} on {text}");
    assert_eq!(&rows[0], &rows[2], "{pattern} on {text}");
    let batch = RecordBatch::from(
        rows[0]
            .as_any()
            .downcast_ref::<StructArray>()
            .unwrap()
            .clone(),
    );
    let mut bytes = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut bytes);
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    String::from_utf8(bytes).unwrap().trim().to_owned()
}

#[test]
fn every_pattern_compiles() {
    for name in library::names() {
        let pattern = format!("%{{{name}:whole}}");
        let grok = compiled(&[&pattern], &[]);
        assert!(grok.is_ok(), "{name}: {}", grok.unwrap_err());
    }
}

/// Each pattern on what it fits, anchored at both ends, and on what it does not.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn base_patterns_fit_what_they_name() {
    let cases: [(&str, &[&str], &[&str]); 20] = [
        (
            "IPV4",
            &["127.0.0.1", "8.8.8.8", "255.255.255.255"],
            &["1.2.3", "256.1.1.1", "1.1.1.1000"],
        ),
        (
            "IPV6",
            &[
                "::1",
                "2001:db8::7",
                "fe80::1%eth0",
                "::ffff:10.0.0.1",
                "1:2:3:4:5:6:7:8",
            ],
            &["1:2:3", "12345::1", "1:2:3:4:5:6:7:8:9"],
        ),
        (
            "HOSTNAME",
            &["localhost", "a-b.example.com", "x.y."],
            &["-a", "a..b"],
        ),
        ("WORD", &["abc", "a_1"], &["a-b", "a b"]),
        ("INT", &["0", "-7", "+42"], &["1.5", "x"]),
        ("NUMBER", &["12", "-1.5", ".5"], &["1.", "1,5"]),
        ("BASE16NUM", &["0xff", "DEADbeef"], &["xyz"]),
        (
            "UUID",
            &["03A8413C-F604-4D21-8F4D-24B19D98B5A7"],
            &["03A8413C-F604-4D21-8F4D"],
        ),
        (
            "MAC",
            &["5E:FF:56:A2:AF:15", "5E-FF-56-A2-AF-15", "5EFF.56A2.AF15"],
            &["5E:FF:56"],
        ),
        (
            "URN",
            &["urn:example:foo", "urn:isbn:0451450523"],
            &["urn:", "http:x"],
        ),
        (
            "UNIXPATH",
            &["/", "/var/log/x.log", "/a//b/"],
            &["var/log", "C:\\x"],
        ),
        ("WINPATH", &["C:\\Windows\\x.log"], &["/var"]),
        (
            "URI",
            &["http://www.example.com", "https://u:p@h:80/p?q=1"],
            &["no uri"],
        ),
        (
            "TIMESTAMP_ISO8601",
            &[
                "2001-01-01T00:00:00",
                "1974-03-02 04:09:09.123",
                "2010-08-20T11:12:13Z",
                "2026-02-05T10:00:00+01:00",
            ],
            &["2001-13-01T00:00:00", "2001-01-01", "99999-01-01T00:00"],
        ),
        ("HTTPDATE", &["05/Feb/2026:10:00:00 +0000"], &["2026-02-05"]),
        (
            "SYSLOGTIMESTAMP",
            &["Feb  5 10:00:00", "Mar 16 00:01:25"],
            &["Foo 5 10:00:00"],
        ),
        ("MONTH", &["Jan", "january", "M\u{e4}rz", "Dez"], &["Foo"]),
        (
            "EMAILADDRESS",
            &["bob@example.com", "a.b+c@x.de"],
            &["bob", ".a@x.com"],
        ),
        (
            "QUOTEDSTRING",
            &["\"a \\\" b\"", "''", "`x`"],
            &["\"a", "a\""],
        ),
        (
            "LOGLEVEL",
            &["INFO", "warning", "Err", "EMERGENCY"],
            &["LOUD"],
        ),
    ];
    for (name, fits, not) in cases {
        let pattern = format!("^%{{{name}:x}}$");
        for text in fits {
            assert!(
                !json(&pattern, text).contains("no pattern fits"),
                "{name} {text}"
            );
        }
        for text in not {
            assert!(
                json(&pattern, text).contains("no pattern fits"),
                "{name} {text}"
            );
        }
    }
}

/// Patterns, lines and rows.
const FACTS: &str = include_str!("facts.txt");

#[test]
fn log_formats_are_read() {
    let lines: Vec<&str> = FACTS.lines().collect();
    let facts = lines.split(|line| line.is_empty()).skip(1);
    for fact in facts {
        let [pattern, line, want] = fact else {
            panic!("three lines, not {fact:?}")
        };
        let line = line.replace("\\n", "\n").replace("\\t", "\t");
        assert_eq!(json(pattern, &line), *want, "{pattern}");
    }
}

#[test]
fn common_formats_have_a_plan() {
    let request = "%{IPORHOST:client} %{WORD:method} %{URIPATHPARAM:request} %{NUMBER:bytes:int}";
    let java = "^%{TIMESTAMP_ISO8601:ts} %{LOGLEVEL:level} \\[%{DATA:thread}\\] %{JAVACLASS:class}";
    let java = format!("{java} - %{{GREEDYDATA:message}}$");
    let common = ["%{COMMONAPACHELOG}", "%{COMBINEDAPACHELOG}"];
    let syslog = "%{SYSLOGBASE} %{GREEDYDATA:message}";
    for pattern in common.into_iter().chain([request, &java, syslog]) {
        let grok = compiled(&[pattern], &[]).unwrap();
        assert!(grok.engines()[0].0, "{pattern}");
    }
}

#[test]
fn patterns_are_tried_in_order_and_share_fields() {
    let grok = compiled(&["a=%{INT:a:int}", "b=%{INT:b:int} a=%{INT:a:int}"], &[]).unwrap();
    let names: Vec<_> = grok
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["a", "b", "parse_error"]);
    let error =
        |patterns: &[&str], definitions: &[&str]| compiled(patterns, definitions).unwrap_err();
    assert!(error(&["%{INT:a:int}", "%{INT:a}"], &[]).contains("give it one type"));
    assert!(error(&["%{INT:a} %{INT:a}"], &[]).contains("stands twice"));
    assert!(error(&["plain"], &[]).contains("names no field"));
    assert!(error(&["%{INT:a}("], &[]).contains("no regular expression"));
    assert!(error(&["%{INT:a}"], &["bad-name x"]).contains("cannot be the name"));
    assert!(compiled(&["%{OWN:a}|%{INT:a}"], &["OWN x%{INT}", "INT y"]).is_ok());
}

const PIECES: [&str; 44] = [
    "%{INT:a}",
    "%{NUMBER:b}",
    "%{WORD:c}",
    "%{NOTSPACE:d}",
    "%{DATA:e}",
    "%{GREEDYDATA:f}",
    "%{IPORHOST:g}",
    "%{IP:h}",
    "(?:-|%{INT:i})",
    "(?:%{WORD:j} %{NOTSPACE:k}(?: x%{INT:l})?|%{DATA:m})",
    "(?: %{WORD:n})?",
    "%{HOSTNAME:o}",
    "%{QS:p}",
    "%{SPACE}",
    " ",
    " ",
    " ",
    "\"",
    "[",
    "]",
    "=",
    ":",
    "-",
    " - ",
    "x",
    ",",
    "^",
    "$",
    "(?:%{INT:q})?",
    "(?<r>a|ab)",
    "(?<s>[a-c]+?)",
    "(?<t>.+)",
    "(?<u>.+?)",
    "\\b",
    "%{USER:v}",
    "%{TIMESTAMP_ISO8601:w}",
    "(?<y>\\w{2,3})",
    "(?:a%{INT:z},)*",
    "%{URIPATHPARAM:aa}",
    "(?<bb>x*)",
    "(?<cc>(?:ab|a)(?:c|bcd)?)",
    "(?<dd>\\d+)\\b",
    "%{LOGLEVEL:ee}",
    "%{MONTHDAY:ff}",
];

const TEXTS: [&str; 34] = [
    "1",
    "12",
    "-5",
    "3.25",
    "a",
    "ab",
    "abc",
    "abcd",
    "x",
    "xx",
    " ",
    " ",
    " ",
    "  ",
    "-",
    " - ",
    "\"",
    "\"q\"",
    "[",
    "]",
    "=",
    ":",
    ",",
    "10.0.0.1",
    "::1",
    "host.example.com",
    "/p?q=1",
    "INFO",
    "2026-02-05T10:00:00Z",
    "\u{e9}",
    "\u{1f600}",
    "\n",
    "a1,",
    "7x9",
];

fn joined(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 1..most)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn engines_agree(
        pattern in joined(&PIECES, 7),
        texts in proptest::collection::vec(joined(&TEXTS, 9), 24),
    ) {
        let pattern = pattern.replace('[', "\\[");
        let pattern = pattern.replace("(?<s>\\[", "(?<s>[");
        if let Ok(grok) = compiled(&[&pattern], &[]) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let general = rows(&grok, Engine::General, &texts);
            for engine in [Engine::Fastest, Engine::OnePass] {
                let got = rows(&grok, engine, &texts);
                prop_assert_eq!(&got, &general, "{} by {:?} on {:?}", pattern, engine, texts);
            }
        }
    }

    #[test]
    fn any_pattern_and_any_text_are_taken(pattern in any::<String>(), text in any::<String>()) {
        if let Ok(grok) = compiled(&[&pattern, "%{DATA:x}"], &[]) {
            rows(&grok, Engine::Fastest, &[&text]);
        }
    }
}

/// A megabyte of what invites going back without end: a quadratic engine needs minutes for one.
#[test]
fn hostile_text_is_read_in_linear_time() {
    let patterns = [
        "%{DATA:a} %{DATA:b} %{DATA:c}!",
        "%{COMBINEDAPACHELOG}",
        "(?<a>(?:x+x+)+y)",
        "%{GREEDYDATA:a}:%{GREEDYDATA:b}:%{GREEDYDATA:c}!",
        "%{QS:a}!",
        "^%{EMAILADDRESS:a}$",
    ];
    for pattern in patterns {
        let grok = compiled(&[pattern], &[]).unwrap();
        for piece in ["x", " ", "a ", ":", "\"", "\\\"", "a@", "1.", "a.b@"] {
            let text = piece.repeat(1_000_000 / piece.len());
            rows(&grok, Engine::Fastest, &[&text]);
        }
    }
}
