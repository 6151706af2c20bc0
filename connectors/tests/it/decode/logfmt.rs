//! logfmt: the cases of the Go library of that name.

use arrow::datatypes::{DataType, Field};

use super::{layout, read, text};

/// All pairs, as JSON.
fn pairs(record: &str) -> Result<String, String> {
    let layout = layout(Vec::new(), &[("format", "logfmt"), ("schema", "extra")]);
    let found = read(&layout, record, None)?;
    Ok(found[0].trim_start_matches("_extra=").to_owned())
}

#[test]
fn pairs_are_found() {
    let cases = [
        ("x= ", r#"{"x":""}"#),
        ("y=", r#"{"y":""}"#),
        ("y", r#"{"y":true}"#),
        ("y=f", r#"{"y":"f"}"#),
        (r#"y="\tf""#, r#"{"y":"\tf"}"#),
        ("y='t\tf'", r#"{"y":"t\tf"}"#),
        (r"y='a\'", r#"{"y":"a\\"}"#),
        ("a=1\n", r#"{"a":"1"}"#),
        (
            r#"a=1 b="bar" ƒ=2h3s r="esc\t" d x=sf   "#,
            r#"{"a":"1","b":"bar","d":true,"r":"esc\t","x":"sf","ƒ":"2h3s"}"#,
        ),
        ("y=f\nz=g", r#"{"y":"f","z":"g"}"#),
        ("y=f  \u{1e} z=g", r#"{"y":"f","z":"g"}"#),
        ("y= d y=g", r#"{"d":true,"y":"g"}"#),
        (r#"y="f\n"z=g"#, r#"{"y":"f\n","z":"g"}"#),
        (r#"y="\u00e9 \"q\"""#, r#"{"y":"é \"q\""}"#),
        (r#"y="""#, r#"{"y":""}"#),
        (r#"y=":=,""#, r#"{"y":":=,"}"#),
    ];
    for (record, wanted) in cases {
        assert_eq!(pairs(record), Ok(wanted.to_owned()), "{record}");
    }
}

#[test]
fn what_breaks_the_rules_is_refused() {
    for (record, wanted) in [
        ("", "the record is empty"),
        (" \n", "the record is empty"),
        ("a=1 =bar", "unexpected = at byte 4"),
        ("a=1 \"k\"=bar", "unexpected \" at byte 4"),
        ("k\"ey=bar", "unexpected \" at byte 1"),
        ("k=b\"ar", "unexpected \" at byte 3"),
        ("k=b =ar", "unexpected = at byte 4"),
        ("a==", "unexpected = at byte 2"),
        ("k=b=ar", "unexpected = at byte 3"),
        ("a=\"1", "a quoted value has no end"),
        (r#"a="1\"#, "a quoted value has no end"),
        (r#"a="\u1""#, "a quoted value has a wrong escape"),
        ("a\u{fffd}=bar", "the key before it is not text"),
    ] {
        let fault = pairs(record).expect_err(record);
        let starts = fault.starts_with("bad_logfmt: not logfmt: ");
        assert!(starts && fault.contains(wanted), "{record}: {fault}");
    }
}

#[test]
fn values_become_columns() {
    let columns = vec![
        Field::new("n", DataType::Int64, true),
        Field::new("d", DataType::Float64, true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("day", DataType::Date32, true),
        text("msg"),
        text("pod"),
    ];
    let options = [("format", "logfmt"), ("column.pod", "/k8s.pod")];
    let layout = layout(columns, &options);
    let reading = |record: &str| read(&layout, record, None).map(|found| found.join("|"));
    assert_eq!(
        reading(r#"n=-7 d=1e3 ok day=2026-02-05 msg="a b" k8s.pod=p x=1"#),
        Ok(r#"n=-7|d=1000.0|ok=true|day=2026-02-05|msg=a b|pod=p|_extra={"x":"1"}"#.into())
    );
    assert_eq!(reading("ok=FALSE msg"), Ok("ok=false|msg=true".into()));
    assert_eq!(reading("n= msg="), Ok("msg=".into()));
    for record in [
        "n=x", "n=1.5", "n=1e99", "n", "d=inf", "d=nan", "ok=1", "day=x",
    ] {
        let fault = reading(record).expect_err(record);
        assert!(fault.starts_with("wrong_type: column"), "{record}: {fault}");
    }
}
