//! JSON values as values of columns, and why they may not become one.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::{decoder, first};

fn one(data_type: DataType, raw: &str) -> Result<Option<String>, String> {
    let mut decoder = decoder(vec![Field::new("c", data_type, true)]);
    let record = format!("{{\"c\": {raw} }}");
    decoder
        .append(record.as_bytes(), None)
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
fn times_are_text_or_numbers_of_any_unit() {
    use DataType::Date32;
    let ts = || DataType::Timestamp(TimeUnit::Nanosecond, None);
    let cases = [
        (ts(), "\"1770286830\"", "2026-02-05T10:20:30Z"),
        (ts(), "\"1770286830.123\"", "2026-02-05T10:20:30.123Z"),
        (ts(), "-1", "1969-12-31T23:59:59Z"),
        (ts(), "-1.5", "1969-12-31T23:59:58.500Z"),
        (ts(), "1.7702868301234567e9", "2026-02-05T10:20:30.123456Z"),
        (ts(), "99999999999", "5138-11-16T09:46:39Z"),
        (ts(), "100000000000", "1973-03-03T09:46:40Z"),
        (ts(), "\"2026-02-05\"", "2026-02-05T00:00:00Z"),
        (Date32, "1770286830", "2026-02-05"),
        (Date32, "\"1770286830123\"", "2026-02-05"),
        (Date32, "\"2026-02-05T23:59:59-02:00\"", "2026-02-06"),
        (Date32, "-1", "1969-12-31"),
    ];
    for (data_type, raw, wanted) in cases {
        let found = one(data_type.clone(), raw);
        assert_eq!(found, Ok(Some(wanted.into())), "{data_type}: {raw}");
    }
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
    let float = |raw: &str| one(DataType::Float64, raw).is_ok();
    assert!(float("1e308") && !float("\"1\"") && !float("true"));
    let decimal = |raw: &str| one(DataType::Decimal128(10, 2), raw);
    for raw in [
        "\"x\"",
        "\"\"",
        "1e300",
        "\"1e-99999\"",
        "\"nan\"",
        "123456789012",
    ] {
        assert!(decimal(raw).is_err(), "{raw}");
    }
    assert!(decimal(&format!("0.{}", "1".repeat(300))).is_err());
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
        let fault = decoder.append(record.as_bytes(), None).expect_err(record);
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
        decoder.append(record.as_bytes(), None).expect(record);
    }
    let two = Some("2".to_owned());
    assert_eq!(first(&mut decoder), [two, None, Some("4".into()), None]);
}

#[test]
fn not_null_columns_must_be_there() {
    let mut decoder = decoder(vec![Field::new("c", DataType::Int64, false)]);
    for record in ["{}", r#"{"c":null}"#] {
        let fault = decoder.append(record.as_bytes(), None).expect_err(record);
        assert_eq!(fault.code, "missing_column");
        assert!(fault.reason.contains("\"c\""), "{fault}");
    }
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
                decoder.append(record.as_bytes(), None).is_ok(),
                theirs,
                "{key} {depth}"
            );
        }
    }
}
