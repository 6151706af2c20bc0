//! CEF events: the examples of its guide, and what devices make of it.

use arrow::datatypes::{DataType, Field};

use super::{layout, read, text};

fn fields(record: &str) -> Result<String, String> {
    let layout = layout(Vec::new(), &[("format", "cef")]);
    let written_us = Some(1_770_286_830_000_000);
    read(&layout, record, written_us).map(|found| found.join("|"))
}

#[test]
fn the_examples_of_the_guide() {
    let head = "version=0|device_vendor=Security|device_product=threatmanager|device_version=1.0|\
                device_event_class_id=100|name=worm successfully stopped|severity=10";
    let event = "CEF:0|Security|threatmanager|1.0|100|worm successfully stopped|10|src=10.0.0.1 \
                 dst=2.1.2.2 spt=1232";
    let extra = r#""dst":"2.1.2.2""#;
    let rest = r#""spt":"1232","src":"10.0.0.1"}"#;
    assert_eq!(fields(event), Ok(format!("{head}|_extra={{{extra},{rest}")));
    let with_host = fields(&format!("Sep 19 08:26:10 host {event}")).expect("a prefix");
    assert_eq!(
        with_host,
        format!("timestamp=2025-09-19T08:26:10Z|hostname=host|{head}|_extra={{{extra},{rest}")
    );
    let with_priority = fields(&format!(
        "<134>1 2026-02-05T10:00:00Z fw app - - - {event}\n"
    ));
    let with_priority = with_priority.expect("a prefix");
    assert!(with_priority.starts_with("timestamp=2026-02-05T10:00:00Z|hostname=fw|version=0|"));
    for pair in [
        r#""app_name":"app""#,
        r#""syslog_severity":"info""#,
        r#""syslog_version":1"#,
    ] {
        assert!(with_priority.contains(pair), "{with_priority}");
    }
}

#[test]
fn escapes_and_spaces() {
    let head = "CEF:0|security|threatmanager|1.0|100";
    let name = |record: &str| {
        let found = fields(record).expect(record);
        found
            .split('|')
            .find_map(|of| of.strip_prefix("name=").map(str::to_owned))
    };
    let found = fields(&format!(r"{head}|detected a \| in message|10|src=1")).expect("a pipe");
    assert!(
        found.contains("|name=detected a | in message|severity=10|"),
        "{found}"
    );
    assert_eq!(
        name(&format!(r"{head}|detected a \\ in packet|10|")),
        Some(r"detected a \ in packet".into())
    );
    assert_eq!(
        name(&format!("{head}|detected a = in message|10|")),
        Some("detected a = in message".into())
    );
    assert_eq!(name(&format!(r"{head}|a \n|10")), Some(r"a \n".into()));
    let extra = |extension: &str| {
        let found = fields(&format!("{head}|n|10|{extension}"))?;
        let extra = found
            .split_once("_extra=")
            .map(|(_, extra)| extra.to_owned());
        Ok::<_, String>(extra.unwrap_or_default())
    };
    let cases = [
        ("", ""),
        ("  ", ""),
        (
            r"act=blocked a \= dst=1.1.1.1",
            r#"{"act":"blocked a =","dst":"1.1.1.1"}"#,
        ),
        (
            r"msg=Detected a threat.\n No action needed.",
            r#"{"msg":"Detected a threat.\n No action needed."}"#,
        ),
        (
            r"path=C:\\dir\x file=a b  c ",
            r#"{"file":"a b  c","path":"C:\\dir\\x"}"#,
        ),
        (
            "cs1Label=rule cs1=allow all cs2=",
            r#"{"cs1":"allow all","cs1Label":"rule","cs2":""}"#,
        ),
        (
            "request=http://h/?a=b&c=d x=1",
            r#"{"request":"http://h/?a=b&c=d","x":"1"}"#,
        ),
        ("a=b=c", r#"{"a":"b=c"}"#),
        ("a==", r#"{"a":"="}"#),
        ("a=1 a=2", r#"{"a":"2"}"#),
        (
            "name=x severity=y",
            r#"{"extension.name":"x","extension.severity":"y"}"#,
        ),
        ("a= b=1", r#"{"a":"","b":"1"}"#),
        (r"a=\", r#"{"a":"\\"}"#),
        ("ad.x[0]=é", r#"{"ad.x[0]":"é"}"#),
        (r"a=x|y\|z", r#"{"a":"x|y|z"}"#),
    ];
    for (extension, wanted) in cases {
        assert_eq!(extra(extension), Ok(wanted.to_owned()), "{extension}");
    }
}

#[test]
fn extension_keys_become_columns() {
    let columns = vec![
        Field::new("port", DataType::Int64, true),
        Field::new("bytes", DataType::Float64, true),
        Field::new("ok", DataType::Boolean, true),
        text("src"),
    ];
    let options = [
        ("format", "cef"),
        ("column.port", "spt"),
        ("column.bytes", "in"),
    ];
    let layout = layout(columns, &options);
    let record = |extension: &str| format!("CEF:0|v|p|1|2|n|5|{extension}");
    let found = read(&layout, &record("spt=443 in=1.5 ok=True src=a b"), None).expect("an event");
    assert_eq!(found[..4], ["port=443", "bytes=1.5", "ok=true", "src=a b"]);
    let found = read(&layout, &record("spt= src="), None).expect("an event");
    assert_eq!(found[0], "src=");
    let fault = read(&layout, &record("spt=x"), None).expect_err("text");
    assert_eq!(
        fault,
        "wrong_type: column \"port\": expected BIGINT, found the text \"x\""
    );
}

#[test]
fn what_breaks_the_rules_is_refused() {
    for (record, wanted) in [
        ("", "it has no \"CEF:\""),
        ("CEF:x|a|b|c|d|e|f|", "it has no \"CEF:\""),
        ("xCEF:0|a|b|c|d|e|f|", "it has no \"CEF:\""),
        ("CEF:0|a|b|c|d|e", "its header ends before its name"),
        (r"CEF:0|a|b|c|d|e\|f", "its header ends before its name"),
        ("CEF:0|a|b|c|d|e|f|text", "its extension has no keys"),
        (
            "CEF:0|a|b|c|d|e|f|te/xt=1",
            "its extension does not begin with a key",
        ),
        ("99 <13>h CEF:0|a|b|c|d|e|f|", "its count says 99"),
    ] {
        let fault = fields(record).expect_err(record);
        let starts = fault.starts_with("bad_cef: not a CEF event: ");
        assert!(starts && fault.contains(wanted), "{record}: {fault}");
    }
    assert!(fields("24 <13>h CEF:0|a|b|c|d|e|f|").is_ok());
}
