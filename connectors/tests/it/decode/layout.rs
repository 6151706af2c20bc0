//! Definitions: which columns a stream has, and which definitions are refused.

use arrow::datatypes::{DataType, Field};
use sluice_connectors::decode::{Decoder, Layout};

use super::{definition, first, layout, text};

#[test]
fn raw_records_are_one_text() {
    let mut defined = definition(Vec::new(), &[("format", "raw")]);
    let layout = Layout::of(&defined).expect("no columns are needed");
    assert_eq!(layout.schema().field(0), &text("value"));
    let mut decoder = Decoder::new(&layout);
    decoder.append(b"any \"text\"", None).expect("UTF-8");
    assert_eq!(
        decoder.append(b"\xff", None).expect_err("not UTF-8").code,
        "bad_utf8"
    );
    assert_eq!(first(&mut decoder), [Some("any \"text\"".to_owned())]);
    defined.options.clear();
    assert_eq!(
        Layout::of(&defined).expect("raw is the default").schema(),
        layout.schema()
    );
}

const JSON: (&str, &str) = ("format", "json");
const RAW: (&str, &str) = ("format", "raw");

/// Checks that the definition is refused, with a message that begins so and a way out.
fn refused(fields: Vec<Field>, options: &[(&str, &str)], wanted: &str) {
    let error = Layout::of(&definition(fields, options)).expect_err(wanted);
    let message = error.message().strip_prefix("table \"t\" ");
    let message = message.unwrap_or_else(|| error.message());
    let starts = message.starts_with(wanted);
    assert!(starts, "{error}");
    assert!(error.hint_text().is_some(), "{error}");
}

#[test]
fn options_that_cannot_be_understood_are_refused() {
    let refused =
        |options: &[(&str, &str)], wanted: &str| refused(vec![text("a")], options, wanted);
    refused(&[("format", "avro")], "has the unknown format \"avro\"");
    refused(&[("schema", "loose")], "has the unknown schema \"loose\"");
    refused(
        &[RAW, ("schema", "extra")],
        "has the format \"raw\" and the option \"schema\"",
    );
    refused(
        &[RAW, ("column.a", "b")],
        "has the format \"raw\" and the option \"column.a\"",
    );
    for size in [
        "big",
        "0",
        "",
        "-1",
        "1 KB",
        "2 GiB",
        "99999999999999999999",
    ] {
        let wanted = format!("has \"max_record_bytes\" as \"{size}\"");
        refused(&[("max_record_bytes", size)], &wanted);
    }
    let deep = ["a"; 17].join(".");
    for path in ["", ".", "a..b", "a.", "/a~2", "/~", &deep] {
        let wanted = format!("maps column \"a\" to the path \"{path}\"");
        refused(&[JSON, ("column.a", path)], &wanted);
    }
    refused(
        &[("column.b", "a")],
        "has the option \"column.b\" and no such column",
    );
    refused(
        &[("column._extra", "a")],
        "has the option \"column._extra\" and no such",
    );
}

#[test]
fn columns_that_cannot_be_read_are_refused() {
    let field = |name: &str, data_type| vec![Field::new(name, data_type, true)];
    let (binary, number) = (DataType::Binary, DataType::Int64);
    refused(
        Vec::new(),
        &[JSON],
        "has the format \"json\" and no columns",
    );
    refused(
        Vec::new(),
        &[("format", "logfmt")],
        "has the format \"logfmt\" and no",
    );
    refused(
        vec![text("_extra")],
        &[("schema", "strict")],
        "is strict and declares",
    );
    refused(
        field("_extra", number.clone()),
        &[JSON],
        "column \"_extra\" of table \"t\" is not",
    );
    refused(
        field("_offset", number.clone()),
        &[JSON],
        "declares \"_offset\"",
    );
    refused(vec![text("_key")], &[JSON], "declares \"_key\"");
    refused(
        field("b", binary),
        &[JSON],
        "column \"b\" of table \"t\" cannot be",
    );
    refused(
        field("n", number),
        &[RAW],
        "has the format \"raw\" and other columns",
    );
}

#[test]
fn a_stream_has_its_columns_then_extra_then_lineage_then_what_records_have() {
    let names = |layout: &Layout| -> String {
        let schema = layout.schema();
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        names
            .join(" ")
            .replace("_topic _partition _offset _kafka_ts", "...")
    };
    let json = layout(vec![text("a")], &[]);
    assert_eq!(names(&json), "a _extra ...");
    assert!(!json.evolves());
    assert_eq!(names(&json.keyed()), "a _extra ... _key _headers");
    let declared = layout(vec![text("_extra"), text("a")], &[]);
    assert_eq!(names(&declared), "_extra a ...");
    assert_eq!(
        names(&layout(vec![text("a")], &[("schema", "strict")])),
        "a ..."
    );
    let evolving = layout(Vec::new(), &[("format", "json"), ("schema", "evolve")]);
    assert_eq!(names(&evolving), "_extra ...");
    assert!(evolving.evolves());
    assert_eq!(
        names(&layout(Vec::new(), &[]).keyed()),
        "value ... _key _headers"
    );
    assert_eq!(
        names(&layout(Vec::new(), &[("format", "syslog")])),
        "timestamp severity severity_number facility hostname app_name proc_id msg_id \
         structured_data message priority version _extra ..."
    );
    assert_eq!(
        names(&layout(Vec::new(), &[("format", "cef")])),
        "timestamp hostname version device_vendor device_product device_version \
         device_event_class_id name severity _extra ..."
    );
    let sized = |size| layout(vec![text("a")], &[("max_record_bytes", size)]).max_record_bytes();
    assert_eq!(
        (sized("1000"), sized("4 KiB"), sized("1GiB")),
        (1000, 4096, 1 << 30)
    );
    assert_eq!(declared.max_record_bytes(), 16 << 20);
}
