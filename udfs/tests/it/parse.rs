//! Parsers as SQL calls them: the examples of the standards, what programs make of the formats, and
//! options. The grammars have tests of their own where they stand.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use crate::call::{invoke, scalar, session};

/// The fields that the function `name` finds in `text`, those that are not NULL.
pub(crate) fn fields(name: &str, text: &str, options: &[&str]) -> String {
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let answer = invoke(&scalar(name), ColumnarValue::Array(array), options).unwrap();
    let answer = answer.into_array(1).unwrap();
    let shown = |column: &ArrayRef| {
        let format = ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap();
        format.value(0).to_string()
    };
    let Some(answer) = answer.as_struct_opt() else {
        return shown(&answer);
    };
    let fields = answer.column_names().into_iter().zip(answer.columns());
    let found = fields.filter(|(_, column)| column.is_valid(0));
    let found = found.map(|(name, column)| format!("{name}={}", shown(column)));
    found.collect::<Vec<_>>().join("|")
}

/// The one value of a query.
pub(crate) async fn value(sql: &str) -> Result<String, String> {
    let frame = session()
        .sql(sql)
        .await
        .map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    let options = FormatOptions::default().with_null("NULL");
    let format = ArrayFormatter::try_new(batches[0].column(0), &options).unwrap();
    Ok(format.value(0).to_string())
}

#[test]
fn syslog_by_rfc_5424() {
    let cases = [
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' \
             failed for lonvick on /dev/pts/8",
            "facility=4|facility_name=auth|severity=2|severity_name=crit|version=1|\
             timestamp=2003-10-11T22:14:15.003Z|hostname=mymachine.example.com|appname=su|\
             msgid=ID47|\
             message='su root' failed for lonvick on /dev/pts/8|protocol=RFC5424",
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to \
             make the do-nuts.",
            "facility=20|facility_name=local4|severity=5|severity_name=notice|version=1|\
             timestamp=2003-08-24T12:14:15.000003Z|hostname=192.0.2.1|appname=myproc|procid=8710|\
             message=%% It's time to make the do-nuts.|protocol=RFC5424",
        ),
        (
            "<165>1 2003-10-11T22:14:15.003Z host evntslog - ID47 [exampleSDID@32473 iut=\"3\" \
             eventSource=\"Application\"][examplePriority@32473 class=\"high\"]",
            "facility=20|facility_name=local4|severity=5|severity_name=notice|version=1|\
             timestamp=2003-10-11T22:14:15.003Z|hostname=host|appname=evntslog|msgid=ID47|\
             structured_data={exampleSDID@32473: {iut: 3, eventSource: Application}, \
             examplePriority@32473: {class: high}}|protocol=RFC5424",
        ),
        (
            "<0>1 - - - - - [a b=\"\\\"\\]\\\\\" b=\"2\"][a c=\"\"][d] text",
            "facility=0|facility_name=kern|severity=0|severity_name=emerg|version=1|\
             structured_data={a: {b: 2, c: }, d: {}}|message=text|protocol=RFC5424",
        ),
        (
            // RFC 5424 section 6.2.3.1: nanoseconds and their lack of a zone are none of its times.
            "<1>1 2003-99-24T05:14:15Z - - - - -",
            "parse_error=not a syslog message: \"2003-99-24T05:14:15Z\" is no timestamp",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(fields("parse_syslog", text, &[]), want, "{text}");
    }
}

#[tokio::test]
async fn the_year_of_a_date_is_that_of_the_reference() {
    let cases = [
        // The example of RFC 3164 section 5.4.
        (
            "<34>Oct 11 22:14:15 mymachine su: failed",
            "2003-10-12 00:00:00",
            "2003-10-11T22:14:15Z",
        ),
        (
            "Dec 31 23:59:59 h x",
            "2026-01-01 00:00:01",
            "2025-12-31T23:59:59Z",
        ),
        (
            "Jan  1 00:00:05 h x",
            "2025-12-31 23:59:59",
            "2026-01-01T00:00:05Z",
        ),
        (
            "Feb  6 10:00:00 h x",
            "2026-02-05 10:00:00",
            "2026-02-06T10:00:00Z",
        ),
        (
            "Feb  6 10:00:01 h x",
            "2026-02-05 10:00:00",
            "2025-02-06T10:00:01Z",
        ),
        (
            "Feb 29 10:00:00 h x",
            "2026-02-05 10:00:00",
            "2024-02-29T10:00:00Z",
        ),
        (
            "Feb  5 2019 10:00:00 h x",
            "2026-02-05 10:00:00",
            "2019-02-05T10:00:00Z",
        ),
        (
            "2026-02-05T10:00:00.5+01:00 h x",
            "2020-01-01 00:00:00",
            "2026-02-05T09:00:00.500Z",
        ),
    ];
    for (text, reference, want) in cases {
        let call = format!("parse_syslog('{text}', ref_time => TIMESTAMP '{reference}')");
        let got = value(&format!("SELECT {call}['timestamp']")).await;
        assert_eq!(got.as_deref(), Ok(want), "{text}");
    }
    // A column of references, with a zone before it.
    let sql = "SELECT string_agg(CAST(parse_syslog('Dec 31 23:30:00 h x', 'Europe/Berlin', at)\
               ['timestamp'] AS VARCHAR), ' ' ORDER BY at) FROM (VALUES \
               (TIMESTAMP '2025-12-31 22:30:00'), (TIMESTAMP '2024-01-01 00:00:00')) AS t(at)";
    let got = value(sql).await;
    assert_eq!(
        got.as_deref(),
        Ok("2023-12-31T22:30:00Z 2025-12-31T22:30:00Z")
    );
}

#[test]
fn cef_events() {
    let head = "cef_version=0|device_vendor=security|device_product=threat|manager|\
                device_version=1.0|device_event_class_id=100|name=trojan \\ found|severity=10|\
                severity_num=10|extension=";
    let event = "CEF:0|security|threat\\|manager|1.0|100|trojan \\\\ found|10|";
    let cases = [
        (
            "src=10.0.0.192 dst=12.121.122.82 spt=1232",
            "{src: 10.0.0.192, dst: 12.121.122.82, spt: 1232}",
        ),
        (
            "msg=Trailing space stays   src=1  ",
            "{msg: Trailing space stays  , src: 1}",
        ),
        (
            "ad.field[0]=a ad.Error_,Code=3 b=x\\=y\\n",
            "{ad.field[0]: a, ad.Error_,Code: 3, b: x=y\n}",
        ),
        (
            "request=http://h/?a=b&c=d x=1",
            "{request: http://h/?a=b&c=d, x: 1}",
        ),
        ("a=1 a=2\tb=3", "{a: 2\tb=3}"),
        ("", "{}"),
    ];
    for (extension, want) in cases {
        let got = fields("parse_cef", &format!("{event}{extension}"), &[]);
        assert_eq!(got, format!("{head}{want}"), "{extension}");
    }
    let got = fields(
        "parse_cef",
        "<13>Feb  5 2026 10:00:00 fw CEF:0|a|b|c|d|e|Very-High|",
        &[],
    );
    assert!(
        got.contains("severity=Very-High|severity_num=9|extension={}|"),
        "{got}"
    );
    assert!(
        got.ends_with("timestamp=2026-02-05T10:00:00Z|hostname=fw"),
        "{got}"
    );
    let got = fields("parse_cef", "CEF:0|a|b", &[]);
    assert_eq!(
        got,
        "parse_error=not a CEF event: its header ends before its device_product"
    );
}

#[test]
fn leef_events() {
    let attributes = |text: &str| {
        let got = fields("parse_leef", text, &[]);
        let found = got
            .split_once("attributes=")
            .map(|(_, rest)| rest.to_owned());
        found.unwrap_or(got)
    };
    let one = "LEEF:1.0|Microsoft|MSExchange|4.0 SP1|15345|";
    let cases = [
        (
            format!("{one}src=192.0.2.0\tdst=172.50.123.1\tsev=5"),
            "{src: 192.0.2.0, dst: 172.50.123.1, sev: 5}",
        ),
        (format!("{one}src=a<009>msg=b c"), "{src: a, msg: b c}"),
        (
            format!("{one}src=a msg=b c d=e"),
            "{src: a, msg: b c, d: e}",
        ),
        (format!("{one}alone\ta=b=c\n"), "{alone: , a: b=c}"),
        ("LEEF:2.0|V|P|1|2|^|a=1^b=2 3".to_owned(), "{a: 1, b: 2 3}"),
        ("LEEF:2.0|V|P|1|2|x5E|a=1^b=2".to_owned(), "{a: 1, b: 2}"),
        ("LEEF:2.0|V|P|1|2|0x09|a=1\tb=2".to_owned(), "{a: 1, b: 2}"),
        ("LEEF:2.0|V|P|1|2||a=1\tb=2".to_owned(), "{a: 1, b: 2}"),
        ("LEEF:2.0|V|P|1|2|a=1\tb=2".to_owned(), "{a: 1, b: 2}"),
        (
            "LEEF:1.0|V".to_owned(),
            "parse_error=not a LEEF event: its header ends before its vendor",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(attributes(&text), want, "{text}");
    }
}

#[test]
fn pairs() {
    let cases = [
        ("", "{}"),
        ("y", "{y: }"),
        ("y= ", "{y: }"),
        ("y=f", "{y: f}"),
        (r#"y="\tf" ƒ=2h3s"#, "{y: \tf, ƒ: 2h3s}"),
        (r#"a=1 b="bar" a=2"#, "{a: 2, b: bar}"),
        ("a==", ""),
        ("a=\"open", ""),
    ];
    for (text, want) in cases {
        assert_eq!(fields("parse_logfmt", text, &[]), want, "{text}");
    }
    // More keys than are compared with each other.
    let many: String = (0..40).map(|at| format!("k{}={at} ", at % 30)).collect();
    let got = fields("parse_kv", &many, &[]);
    assert!(
        got.starts_with("{k0: 30, k1: 31, ") && got.ends_with(", k29: 29}"),
        "{got}"
    );
    assert_eq!(
        fields("parse_kv", "a:1,b:'x,y'", &[",", ":", "'"]),
        "{a: 1, b: x,y}"
    );
}

#[test]
fn access_logs() {
    let cases = [
        (
            r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326"#,
            "client_ip=127.0.0.1|user=frank|timestamp=2000-10-10T20:55:36Z|method=GET|\
             path=/a.gif|protocol=HTTP/1.0|status=200|bytes=2326",
        ),
        (
            "::1 - - [05/Feb/2026:10:00:00 +0000] \"POST /a b?q=1?2 HTTP/2.0\" 404 - \
             \"http://h/\" \"M \\\"x\\\"\" \"-\" 0.1",
            "client_ip=::1|timestamp=2026-02-05T10:00:00Z|method=POST|path=/a b|query=q=1?2|\
             protocol=HTTP/2.0|status=404|referer=http://h/|user_agent=M \"x\"|rest=\"-\" 0.1",
        ),
        (
            r#"h - - [05/Feb/2026:10:00:00 +0000] "\x16\x03\x01" 400 0 "-" "-""#,
            r"client_ip=h|timestamp=2026-02-05T10:00:00Z|path=\x16\x03\x01|status=400|bytes=0",
        ),
        (
            r#"h - a b [05/Feb/2026:10:00:00 +0000] "-" 408 -"#,
            "client_ip=h|user=a b|timestamp=2026-02-05T10:00:00Z|status=408",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(fields("parse_clf", text, &[]), want, "{text}");
    }
    for text in [
        "",
        "a",
        "a b c [x] \"",
        r#"h - - [05/Feb/2026:10:00:00 +0000] "x" 20x 1"#,
    ] {
        let got = fields("parse_clf", text, &[]);
        assert!(
            got.starts_with("parse_error=not a line of an access log: "),
            "{got}"
        );
    }
}

#[test]
fn typed_json_and_csv() {
    let schema = "a BIGINT, b STRUCT<c VARCHAR, d DOUBLE>, e INT[], f TIMESTAMP, g BOOLEAN, \
                  h DECIMAL(5, 2), m MAP(VARCHAR, VARCHAR), n TINYINT";
    let json = |text: &str| fields("parse_json", text, &[schema]);
    let cases = [
        (
            r#"{"a":1,"b":{"d":2,"c":"x"},"e":[1,null,3],"f":"2026-02-05T10:00:00Z","g":true}"#,
            "a=1|b={c: x, d: 2.0}|e=[1, , 3]|f=2026-02-05T10:00:00Z|g=true",
        ),
        (
            r#"{"g":false,"a":12.0,"a":7,"h":1.25,"n":-3,"zz":[{}]}"#,
            "a=7|g=false|h=1.25|n=-3",
        ),
        (
            r#"{"m":{"x":"y","z":[1]},"f":1770285600}"#,
            "f=2026-02-05T10:00:00Z|m={x: y, z: [1]}",
        ),
        (r#"{"b":{"c":{"deep": 1}}}"#, r#"b={c: {"deep": 1}, d: }"#),
        (r#"{"a":"1"}"#, "parse_error=\"a\" is no BIGINT"),
        (
            r#"{"n":300,"g":true}"#,
            "g=true|parse_error=\"n\" is no TINYINT",
        ),
        (r#"{}"#, ""),
        (
            "[]",
            "parse_error=not a JSON object: it breaks the grammar of JSON, or is nested too deep",
        ),
        ("", "parse_error=not a JSON object: it is empty"),
    ];
    for (text, want) in cases {
        assert_eq!(json(text), want, "{text}");
    }
    let csv = |text: &str| fields("parse_csv", text, &["a BIGINT, b VARCHAR, c BOOLEAN"]);
    assert_eq!(csv("1,\"x,y\",TRUE"), "a=1|b=x,y|c=true");
    assert_eq!(csv(",,"), "b=");
    assert_eq!(csv("1"), "a=1");
    assert_eq!(csv("x,y,maybe"), "b=y|parse_error=\"a\" is no BIGINT");
    assert_eq!(
        csv("1,2,true,4"),
        "a=1|b=2|c=true|parse_error=the record has more than 3 fields"
    );
    assert!(csv("1,\"x").ends_with("parse_error=not a record of CSV: a quoted field has no end"));
}

#[tokio::test]
async fn operators_of_json_are_functions() {
    let from = r#"FROM (SELECT '{"a":{"b":["x",{"c":null}]},"n":7}' AS j) AS t"#;
    let cases = [
        ("t.j ->> 'n'", "7"),
        ("j ->> 'n'", "7"),
        ("t.j -> 'a' -> 'b' ->> 0", "x"),
        ("t.j -> 'a'", r#"{"b":["x",{"c":null}]}"#),
        ("json_get(j, 'a', 'b', 1)", r#"{"c":null}"#),
        ("json_get_json(j, 'n')", "7"),
        ("json_as_text(j, 'a', 'b', 1, 'c')", "NULL"),
        ("json_contains(j, 'a', 'b', 1, 'c')", "true"),
        ("json_contains(j, 'a', 'b', 2)", "false"),
        ("json_contains(NULL, 'a')", "NULL"),
        ("json_get_int(j, 'a')", "NULL"),
        ("json_length(j)", "2"),
        ("json_get(j, -1)", "NULL"),
        ("json_get_str('{\"a\":\"\\u00e9\"}', 'a')", "\u{e9}"),
        ("json_get('{\"a\":1', 'a')", "NULL"),
    ];
    for (expression, want) in cases {
        let got = value(&format!("SELECT {expression} {from}")).await;
        assert_eq!(got.as_deref(), Ok(want), "{expression}");
    }
}

#[test]
fn json_comes_in_every_form() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![
        Some(r#"{"a": {"b": [1, 2.5, "x"]}, "k": "a text that is longer than a view holds"}"#),
        None,
        Some(r#"{"a": true}"#),
        Some("no JSON"),
        Some(r#"{"a": 7}"#),
    ]));
    let functions = [
        "json_as_text",
        "json_contains",
        "json_get",
        "json_get_array",
        "json_get_bool",
        "json_get_float",
        "json_get_int",
        "json_get_str",
        "json_length",
        "json_object_keys",
    ];
    let dictionary = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    for name in functions {
        let run = |array: &ArrayRef| {
            let answer = invoke(
                &scalar(name),
                ColumnarValue::Array(Arc::clone(array)),
                &["a"],
            );
            answer.unwrap().into_array(array.len()).unwrap()
        };
        let want = run(&texts);
        for form in [DataType::LargeUtf8, DataType::Utf8View, dictionary.clone()] {
            let input = cast(&texts, &form).unwrap();
            assert_eq!(run(&input).as_ref(), want.as_ref(), "{name} {form}");
            let slice = input.slice(1, 3);
            assert_eq!(
                run(&slice).as_ref(),
                want.slice(1, 3).as_ref(),
                "{name} {form}"
            );
            for row in 0..texts.len() {
                let one = ScalarValue::try_from_array(&input, row).unwrap();
                let one = invoke(&scalar(name), ColumnarValue::Scalar(one), &["a"]).unwrap();
                let one = one.into_array(1).unwrap();
                assert_eq!(one.as_ref(), want.slice(row, 1).as_ref(), "{name} {form}");
            }
        }
    }
}

#[tokio::test]
async fn wrong_options_are_planning_errors() {
    let cases = [
        (
            "parse_syslog(t, 'Mars/Olympus')",
            "valid are names such as 'Europe/Berlin'",
        ),
        (
            "parse_syslog(t, 7)",
            "takes a ref_time, which is a TIMESTAMP",
        ),
        ("parse_kv(t, '=', '=')", "two different texts"),
        ("parse_kv(t, ' ', '=', 'ab')", "one ASCII character"),
        ("parse_csv(t, 'a BLOB')", "valid are VARCHAR, BIGINT"),
        (
            "parse_csv(t, NULL, ',,')",
            "the delimiter of parse_csv is one ASCII character",
        ),
        ("parse_json(t, 'a')", "write them as in CREATE TABLE"),
        ("parse_json(t, t)", "is a literal, not a column"),
        ("json_get(t, t)", "of literals, not of columns"),
        ("json_get(t, 1.5)", "keys and indexes"),
        ("parse_clf(7)", "CAST(... AS VARCHAR)"),
        (
            "parse_clf(t, 'x')",
            "takes fewer arguments: parse_clf(text)",
        ),
    ];
    for (call, want) in cases {
        let sql = format!("SELECT {call} FROM (SELECT column1 AS t FROM (VALUES ('a'), ('b')))");
        let error = match session().sql(&sql).await {
            Err(error) => error.to_string(),
            Ok(frame) => frame.create_physical_plan().await.unwrap_err().to_string(),
        };
        assert!(error.contains(want), "{call}: {error}");
    }
}
