//! Decoding: what is accepted, what is rejected and why, and that neighbours never notice.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use sluice_connectors::decode::{Chunk, Decoder, Layout, Position, Record};
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::Result;
use sluice_engine::source::Partition;

fn definition(fields: Vec<Field>, format: &str) -> TableDefinition {
    TableDefinition {
        name: "t".into(),
        format: "FILE".into(),
        location: "/t".into(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: Vec::new(),
        options: BTreeMap::from([("format".into(), format.into())]),
    }
}

fn decoder(fields: Vec<Field>) -> Decoder {
    Decoder::new(&Layout::of(&definition(fields, "json")).expect("columns of known types"))
}

/// The values of the first column, as text.
fn first(decoder: &mut Decoder) -> Vec<Option<String>> {
    let columns = decoder.finish().expect("columns form arrays");
    let array = columns.first().expect("a column");
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(array, &options).expect("a type that prints");
    let value = |at| (!array.is_null(at)).then(|| text.value(at).to_string());
    (0..array.len()).map(value).collect()
}

fn one(data_type: DataType, raw: &str) -> Result<Option<String>, String> {
    let mut decoder = decoder(vec![Field::new("c", data_type, true)]);
    let record = format!("{{\"c\": {raw} }}");
    decoder
        .append(record.as_bytes())
        .map_err(|fault| fault.to_string())?;
    Ok(first(&mut decoder).remove(0))
}

#[test]
fn values_become_their_columns() {
    use DataType::{
        Boolean, Date32, Decimal128, Float32, Float64, Int8, Int32, Int64, Utf8, Utf8View,
    };
    let ts = || DataType::Timestamp(TimeUnit::Nanosecond, None);
    let list = DataType::List(Arc::new(Field::new("item", Utf8, true)));
    let cases = [
        (Utf8, r#""plain""#, "plain"),
        (
            Utf8View,
            r#""a \"quoted\"\nline \u00e9 \ud83d\ude00""#,
            "a \"quoted\"\nline é 😀",
        ),
        (Utf8, "1.50", "1.50"),
        (
            Utf8,
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
        (Utf8, "true", "true"),
        (
            Utf8,
            r#"{"b": [1, 2], "a": "x"}"#,
            r#"{"b": [1, 2], "a": "x"}"#,
        ),
        (Int64, "-9223372036854775808", "-9223372036854775808"),
        (Int64, "12.0", "12"),
        (Int32, "1e3", "1000"),
        (Int8, "-128", "-128"),
        (Float64, "3", "3.0"),
        (Float64, "-1.25e-3", "-0.00125"),
        (Float32, "0.5", "0.5"),
        (Boolean, "false", "false"),
        (Date32, r#""2026-02-05""#, "2026-02-05"),
        (Decimal128(10, 2), "12.5", "12.50"),
        (Decimal128(10, 2), r#""-3.14""#, "-3.14"),
        (list, r#"["a", null]"#, "[a, ]"),
        (ts(), r#""2026-02-05T10:20:30Z""#, "2026-02-05T10:20:30Z"),
        (
            ts(),
            r#""2026-02-05 10:20:30.123456""#,
            "2026-02-05T10:20:30.123456Z",
        ),
        (
            ts(),
            r#""2026-02-05T10:20:30+02:00""#,
            "2026-02-05T08:20:30Z",
        ),
        (ts(), "1770286830", "2026-02-05T10:20:30Z"),
        (ts(), "1770286830.25", "2026-02-05T10:20:30.250Z"),
        (ts(), "1770286830123", "2026-02-05T10:20:30.123Z"),
        (ts(), "1770286830123456", "2026-02-05T10:20:30.123456Z"),
        (ts(), "1770286830123456789", "2026-02-05T10:20:30.123456Z"),
    ];
    for (data_type, raw, wanted) in cases {
        assert_eq!(
            one(data_type.clone(), raw),
            Ok(Some(wanted.into())),
            "{data_type}: {raw}"
        );
    }
    assert_eq!(one(Int64, "null"), Ok(None));
}

#[test]
fn wrong_values_say_where_and_what() {
    let ts = DataType::Timestamp(TimeUnit::Microsecond, None);
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    let long = format!("\"{}\"", "x".repeat(500));
    let cases = [
        (
            DataType::Int32,
            r#""12""#,
            "wrong_type: column \"c\": expected INT, found the string \"12\"",
        ),
        (
            DataType::Int8,
            "300",
            "wrong_type: column \"c\": expected TINYINT, found the number 300",
        ),
        (
            DataType::Int64,
            "1.5",
            "wrong_type: column \"c\": expected BIGINT, found the number 1.5",
        ),
        (
            DataType::Boolean,
            "1",
            "wrong_type: column \"c\": expected BOOLEAN, found the number 1",
        ),
        (
            DataType::Float64,
            "[]",
            "wrong_type: column \"c\": expected DOUBLE, found the array []",
        ),
        (
            ts,
            "\"soon\"",
            "wrong_type: column \"c\": expected TIMESTAMP, found the string \"soon\"",
        ),
        (
            list,
            "[\"a\"]",
            "wrong_type: column \"c\": expected BIGINT[], found the array [\"a\"]",
        ),
        (
            DataType::Utf8,
            "1e400",
            "bad_json: not a JSON object: number out of range",
        ),
    ];
    for (data_type, raw, wanted) in cases {
        let fault = one(data_type, raw).expect_err(raw);
        assert!(fault.starts_with(wanted), "{fault}");
    }
    let fault = one(DataType::Int64, &long).expect_err("text is no number");
    assert!(fault.len() < 200 && fault.ends_with("..."), "{fault}");
}

#[test]
fn records_that_are_no_objects_are_bad_json() {
    for record in [
        "",
        " ",
        "[1]",
        "\"a\"",
        "1",
        "nul",
        "{",
        "{\"c\":1}x",
        "{\"c\":1}{\"c\":2}",
        "\u{1}",
    ] {
        let mut decoder = decoder(vec![Field::new("c", DataType::Int64, true)]);
        let fault = decoder.append(record.as_bytes()).expect_err(record);
        assert_eq!(fault.code, "bad_json", "{record}: {fault}");
    }
}

#[test]
fn keys_are_matched_exactly_and_the_last_one_wins() {
    let mut decoder = decoder(vec![Field::new("c", DataType::Int64, true)]);
    for record in [
        r#"{"c":1,"c":2}"#,
        r#"{"C":3}"#,
        r#"{"x":[{}],"\u0063":4}"#,
        "{}",
    ] {
        decoder.append(record.as_bytes()).expect(record);
    }
    let two = Some("2".to_owned());
    assert_eq!(first(&mut decoder), [two, None, Some("4".into()), None]);
}

#[test]
fn not_null_columns_must_be_there() {
    let mut decoder = decoder(vec![Field::new("c", DataType::Int64, false)]);
    for record in ["{}", r#"{"c":null}"#] {
        let fault = decoder.append(record.as_bytes()).expect_err(record);
        assert_eq!(fault.code, "missing_column");
        assert!(fault.reason.contains("\"c\""), "{fault}");
    }
}

#[test]
fn unknown_keys_go_to_the_extra_column() {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut decoder = decoder(vec![text("_extra"), text("a")]);
    for record in [
        r#"{"a":"x"}"#,
        r#"{"z":[1, 2],"a":"x","q\"":"y","z":3}"#,
        r#"{"_extra":1}"#,
    ] {
        decoder.append(record.as_bytes()).expect(record);
    }
    let wanted = [
        None,
        Some(r#"{"q\"":"y","z":3}"#.to_owned()),
        Some(r#"{"_extra":1}"#.to_owned()),
    ];
    assert_eq!(first(&mut decoder), wanted);
}

#[test]
fn raw_records_are_one_text() {
    let mut definition = definition(Vec::new(), "raw");
    let layout = Layout::of(&definition).expect("no columns are needed");
    assert_eq!(
        layout.schema().field(0),
        &Field::new("value", DataType::Utf8, true)
    );
    let mut decoder = Decoder::new(&layout);
    decoder.append(b"any \"text\"").expect("UTF-8");
    assert_eq!(
        decoder.append(b"\xff").expect_err("not UTF-8").code,
        "bad_utf8"
    );
    assert_eq!(first(&mut decoder), [Some("any \"text\"".to_owned())]);
    definition.options.clear();
    assert_eq!(
        Layout::of(&definition)
            .expect("raw is the default")
            .schema(),
        layout.schema()
    );
}

#[test]
fn definitions_that_cannot_be_read_are_refused() {
    let field = |name: &str, data_type| vec![Field::new(name, data_type, true)];
    let cases = [
        (
            definition(Vec::new(), "json"),
            "table \"t\" has the format \"json\" and no columns",
        ),
        (
            definition(Vec::new(), "avro"),
            "table \"t\" has the unknown format \"avro\"",
        ),
        (
            definition(field("_offset", DataType::Int64), "json"),
            "table \"t\" declares \"_offset\"",
        ),
        (
            definition(field("b", DataType::Binary), "json"),
            "column \"b\" of table \"t\" cannot be",
        ),
        (
            definition(field("n", DataType::Int64), "raw"),
            "table \"t\" has the format \"raw\" and",
        ),
    ];
    for (definition, wanted) in cases {
        let error = Layout::of(&definition).expect_err(wanted);
        assert!(error.message().starts_with(wanted), "{error}");
        assert!(error.hint_text().is_some(), "{error}");
    }
}

#[test]
fn a_bad_record_leaves_no_trace_and_ranges_join() {
    let ts = DataType::Timestamp(TimeUnit::Second, None);
    let inner = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let fields = vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("n", DataType::Int32, true),
        Field::new("ts", ts, true),
        Field::new("nested", DataType::Struct(inner), true),
        Field::new("ok", DataType::Boolean, true),
    ];
    let good = r#"{"text":"a\tb","n":7,"ts":1770286830,"nested":{"x":1},"ok":true}"#;
    let bad = [
        r#"{"text":"lost","n":7,"ts":1770286830,"nested":{"x":1},"ok":"no"}"#,
        r#"{"text":"lost","n":7,"ts":1770286830,"nested":{"x":"no"},"ok":true}"#,
        r#"{"text":"\ud800","n":7}"#,
        r#"{"text":"lost","n":7,"ts":"#,
        r#"{"n":7,"nested":[1]}"#,
    ];
    let layout = Layout::of(&definition(fields, "json")).expect("columns of known types");
    let read = |records: &[(i64, &str)]| -> (RecordBatch, Vec<i64>, (i64, i64)) {
        let partition = Partition {
            topic: "p".into(),
            identity: "i".into(),
            index: 3,
        };
        let (mut chunk, mut at) = (Chunk::new(&layout), Position::new(partition, 10));
        for (offset, value) in records {
            let value = Some(value.as_bytes());
            let record = Record {
                offset: *offset,
                timestamp_us: Some(5),
                key: None,
                value,
            };
            chunk.push(&mut at, &record);
        }
        let batch = chunk.finish().expect("a batch").expect("ranges");
        assert!(chunk.finish().expect("no error").is_none());
        let rejected = batch.rejects.iter().map(|reject| reject.offset).collect();
        let range = &batch.ranges[0];
        assert_eq!(range.decoded, batch.rows.num_rows() as u64);
        assert_eq!(range.rejected, batch.rejects.len() as u64);
        (batch.rows, rejected, (range.from, range.to))
    };
    let mixed: Vec<(i64, &str)> = bad
        .iter()
        .enumerate()
        .flat_map(|(at, bad)| [(20 + 2 * at as i64, good), (21 + 2 * at as i64, *bad)])
        .collect();
    let alone: Vec<(i64, &str)> = mixed
        .iter()
        .filter(|(at, _)| at % 2 == 0)
        .copied()
        .collect();
    let (rows, rejected, range) = read(&mixed);
    assert_eq!((rejected, range), (vec![21, 23, 25, 27, 29], (10, 30)));
    let (wanted, none, _) = read(&alone);
    assert_eq!((rows, none), (wanted, Vec::new()));
    // Offsets read before are dropped, whatever they hold.
    let (rows, rejected, range) = read(&[(9, good), (12, good), (12, good), (11, bad[0])]);
    assert_eq!((rows.num_rows(), rejected.len(), range), (1, 0, (10, 13)));
}

#[test]
fn depth_is_limited_as_serde_json_limits_it() {
    for depth in [1, 100, 125, 126, 127, 128, 200, 100_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for key in ["c", "unknown"] {
            let record = format!("{{\"{key}\":{nested}}}");
            let theirs = serde_json::from_str::<serde_json::Value>(&record).is_ok();
            let mut decoder = decoder(vec![Field::new("c", DataType::Utf8, true)]);
            assert_eq!(
                decoder.append(record.as_bytes()).is_ok(),
                theirs,
                "{key} {depth}"
            );
        }
    }
}

/// JSON, or something like it.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| x.to_string()),
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,3})?",
        "\"([a-z\u{e9} ]|\\\\[nrt\"\\\\/bfu]|\\\\u[0-9a-fD]{4}|\\\\ud83d\\\\ude00){0,6}\"",
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let entry = ("(\"[abcx]\"|\"\\\\u006[1-4]\")", inner.clone());
        let entry = entry.prop_map(|(key, value)| format!("{key}: {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|of| format!("[{}]", of.join(" ,"))),
            prop::collection::vec(entry, 0..6).prop_map(|of| format!("{{{}}}", of.join(",\n"))),
        ]
    })
}

/// The same with a few bytes changed, so that most of it is almost JSON.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (json(), prop::collection::vec(change, 0..3)).prop_map(|(text, changes)| {
        let mut bytes = format!("{{\"a\":{text}, \"b\" :{text},\"x\":{text}}}").into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            match byte {
                0..80 => bytes[at] = byte,
                80..140 => drop(bytes.remove(at)),
                140..200 => bytes.insert(at, b"{}[]\",:\\0e.-"[byte as usize % 12]),
                _ => bytes[at] = byte,
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn exactly_what_serde_json_takes_is_taken(record in mutated()) {
        let theirs = serde_json::from_slice::<serde_json::Value>(&record);
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        for columns in [vec![text("a"), text("b")], vec![text("_extra"), text("b")]] {
            let mut decoder = decoder(columns);
            let ours = decoder.append(&record);
            let object = theirs.as_ref().is_ok_and(serde_json::Value::is_object);
            prop_assert_eq!(ours.is_ok(), object, "{:?}: {:?} {:?}",
                String::from_utf8_lossy(&record), ours, theirs);
            if let Err(fault) = ours {
                prop_assert_eq!(fault.code, "bad_json");
                prop_assert!(first(&mut decoder).is_empty());
            }
        }
    }

    #[test]
    fn text_columns_hold_what_serde_json_reads(value in json()) {
        let record = format!("{{\"a\":{value}}}");
        if let Ok(theirs) = serde_json::from_str::<serde_json::Value>(&record) {
            let wanted = match &theirs["a"] {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text.clone()),
                _ => Some(value.clone()),
            };
            let mut decoder = decoder(vec![Field::new("a", DataType::Utf8, true)]);
            decoder.append(record.as_bytes()).expect("serde_json takes it");
            prop_assert_eq!(first(&mut decoder), vec![wanted]);
        }
    }
}
