//! Unknown keys, and keys that options map to columns.

use arrow::datatypes::{DataType, Field};
use sluice_connectors::decode::{Decoder, Layout};

use super::{decoder, first, layout, read, shown, text};

#[test]
fn unknown_keys_go_to_the_extra_column() {
    let mut decoder = decoder(vec![text("_extra"), text("a")]);
    for record in [
        r#"{"a":"x"}"#,
        r#"{"z":[1, 2],"a":"x","q\"":"y","z":3}"#,
        r#"{"_extra":1}"#,
        r#"{"b":null,"a":"x","B":"\u00e9"}"#,
    ] {
        // Twice, as the second one has a known shape.
        for _ in 0..2 {
            decoder.append(record.as_bytes(), None).expect(record);
        }
    }
    let wanted = [
        None,
        Some(r#"{"q\"":"y","z":3}"#.to_owned()),
        Some(r#"{"_extra":1}"#.to_owned()),
        Some(r#"{"B":"\u00e9","b":null}"#.to_owned()),
    ];
    let twice: Vec<_> = wanted
        .into_iter()
        .flat_map(|value| [value.clone(), value])
        .collect();
    assert_eq!(first(&mut decoder), twice);
}

#[test]
fn an_extra_column_that_is_not_null_is_an_empty_object() {
    let mut decoder = decoder(vec![Field::new("_extra", DataType::Utf8, false), text("a")]);
    for _ in 0..3 {
        decoder.append(br#"{"a":"x"}"#, None).expect("an object");
    }
    assert_eq!(first(&mut decoder), vec![Some("{}".to_owned()); 3]);
}

#[test]
fn a_strict_stream_refuses_unknown_keys() {
    let options = [("schema", "strict"), ("column.pod", "k8s.pod.name")];
    let layout = layout(vec![text("a"), text("pod")], &options);
    let reading = |record| read(&layout, record, None);
    assert_eq!(reading(r#"{"a":"x"}"#), Ok(vec!["a=x".into()]));
    let pod = r#"{"k8s":{"pod":{"name":"p"}}}"#;
    assert_eq!(reading(pod), Ok(vec!["pod=p".into()]));
    for (record, key) in [
        (r#"{"a":"x","b":1}"#, "b"),
        (r#"{"pod":"p"}"#, "pod"),
        (r#"{"k8s":{"pod":{"name":"p","uid":1}}}"#, "/k8s/pod/uid"),
        (r#"{"k8s":{"n/a":1}}"#, "/k8s/n~1a"),
        (r#"{"k8s":1}"#, "k8s"),
    ] {
        let fault = reading(record).expect_err(record);
        assert_eq!(
            fault,
            format!("unknown_key: the key \"{key}\" has no column")
        );
    }
    // What is no JSON is that first.
    let fault = reading(r#"{"b":1"#).expect_err("no end");
    assert!(fault.starts_with("bad_json"), "{fault}");
    // A record of a known shape is no exception.
    let mut decoder = Decoder::new(&layout);
    for _ in 0..3 {
        decoder.append(pod.as_bytes(), None).expect(pod);
        let more = r#"{"k8s":{"pod":{"name":"p"},"x":1}}"#;
        let fault = decoder.append(more.as_bytes(), None).expect_err(more);
        assert_eq!(fault.code, "unknown_key");
    }
}

#[test]
fn paths_lead_to_columns() {
    let fields = vec![
        Field::new("ts", DataType::Int64, true),
        text("pod"),
        Field::new("code", DataType::Int64, true),
        text("dotted"),
        text("item"),
        text("whole"),
        text("again"),
    ];
    let options = [
        ("column.ts", "@timestamp"),
        ("column.pod", "kubernetes.pod.name"),
        ("column.code", "/http/response/status_code"),
        ("column.dotted", "/a.b"),
        ("column.item", "/list/1/x"),
        ("column.whole", "whole"),
        ("column.again", "whole"),
    ];
    let layout = layout(fields, &options);
    let cases = [
        (r#"{"@timestamp":5}"#, "ts=5"),
        (r#"{"ts":5}"#, r#"_extra={"ts":5}"#),
        (r#"{"kubernetes":{"pod":{"name":"p"}}}"#, "pod=p"),
        (
            r#"{"kubernetes":{"pod":{"name":"p","uid":"u"}}}"#,
            r#"pod=p _extra={"kubernetes":{"pod":{"name":"p","uid":"u"}}}"#,
        ),
        (
            r#"{"kubernetes":"none"}"#,
            r#"_extra={"kubernetes":"none"}"#,
        ),
        (r#"{"kubernetes":null}"#, ""),
        (r#"{"kubernetes":{"pod":null}}"#, ""),
        (r#"{"kubernetes":{"pod":{"name":1,"name":"2"}}}"#, "pod=2"),
        (
            r#"{"kubernetes":{"pod":{"name":"1"},"x":1},"kubernetes":{}}"#,
            "",
        ),
        (r#"{"http":{"response":{"status_code":404}}}"#, "code=404"),
        (
            r#"{"a.b":"x","a":{"b":"y"}}"#,
            r#"dotted=x _extra={"a":{"b":"y"}}"#,
        ),
        (
            r#"{"list":[{"x":"0"},{"x":"1"}]}"#,
            r#"item=1 _extra={"list":[{"x":"0"},{"x":"1"}]}"#,
        ),
        (
            r#"{"whole":{"x":[1]}}"#,
            r#"whole={"x":[1]} again={"x":[1]}"#,
        ),
    ];
    let fault = read(
        &layout,
        r#"{"http":{"response":{"status_code":"x"}}}"#,
        None,
    );
    assert!(fault.is_err_and(|fault| fault.starts_with("wrong_type: column \"code\"")));
    for (record, wanted) in cases {
        reads(&layout, record, wanted);
    }
}

/// Checks what a record becomes, and that one of a known shape becomes the same.
fn reads(layout: &Layout, record: &str, wanted: &str) {
    let found = read(layout, record, None).expect(record);
    assert_eq!(found.join(" "), wanted, "{record}");
    let mut decoder = Decoder::new(layout);
    for _ in 0..3 {
        decoder.append(record.as_bytes(), None).expect(record);
    }
    for array in decoder.finish().expect("columns form arrays") {
        let values = shown(&array);
        let same = values.iter().all(|value| *value == values[0]);
        assert!(same, "{record}: {values:?}");
    }
}
