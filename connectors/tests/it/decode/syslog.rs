//! Syslog messages: the examples of the standards, and what programs make of them.

use arrow::datatypes::{DataType, Field, TimeUnit};
use sluice_connectors::decode::Layout;

use super::{layout, read, text};

/// 2026-02-05T10:20:30Z.
const WRITTEN: i64 = 1_770_286_830_000_000;

fn all() -> Layout {
    layout(Vec::new(), &[("format", "syslog")])
}

fn check(record: &str, wanted: &[&str]) {
    let mut found = read(&all(), record, Some(WRITTEN)).expect(record);
    found.sort();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{record}");
}

#[test]
fn the_examples_of_rfc_5424() {
    check(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' \
         failed for lonvick on /dev/pts/8",
        &[
            "timestamp=2003-10-11T22:14:15.003Z",
            "severity=crit",
            "severity_number=2",
            "facility=auth",
            "hostname=mymachine.example.com",
            "app_name=su",
            "msg_id=ID47",
            "message='su root' failed for lonvick on /dev/pts/8",
            "priority=34",
            "version=1",
        ],
    );
    check(
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make \
         the do-nuts.",
        &[
            "timestamp=2003-08-24T12:14:15.000003Z",
            "severity=notice",
            "severity_number=5",
            "facility=local4",
            "hostname=192.0.2.1",
            "app_name=myproc",
            "proc_id=8710",
            "message=%% It's time to make the do-nuts.",
            "priority=165",
            "version=1",
        ],
    );
    let data = r#"[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]"#;
    let json = r#"{"eventID":"1011","eventSource":"Application","iut":"3"}"#;
    let common = [
        "timestamp=2003-10-11T22:14:15.003Z",
        "severity=notice",
        "severity_number=5",
        "facility=local4",
        "hostname=mymachine.example.com",
        "app_name=evntslog",
        "msg_id=ID47",
        "priority=165",
        "version=1",
    ];
    let head = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47";
    let with = |more: &[&'static str], data: String| -> Vec<String> {
        let texts = common.iter().chain(more).map(|text| (*text).to_owned());
        texts.chain([format!("structured_data={data}")]).collect()
    };
    let one = with(
        &["message=An application event log entry..."],
        format!(r#"{{"exampleSDID@32473":{json}}}"#),
    );
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    check(
        &format!("{head} {data} \u{feff}An application event log entry..."),
        &one,
    );
    let two = with(
        &[],
        format!(r#"{{"examplePriority@32473":{{"class":"high"}},"exampleSDID@32473":{json}}}"#),
    );
    let two: Vec<&str> = two.iter().map(String::as_str).collect();
    check(
        &format!(r#"{head} {data}[examplePriority@32473 class="high"]"#),
        &two,
    );
}

#[test]
fn structured_data_is_json() {
    let cases = [
        ("-", None),
        ("[a]", Some(r#"{"a":{}}"#)),
        ("[a ]", Some(r#"{"a":{}}"#)),
        (r#"[a b="\"\]\\\n"]"#, Some(r#"{"a":{"b":"\"]\\\\n"}}"#)),
        (r#"[a b="]"]"#, Some(r#"{"a":{"b":"]"}}"#)),
        (
            r#"[a ip="1" ip="2" x="y"]"#,
            Some(r#"{"a":{"ip":["1","2"],"x":"y"}}"#),
        ),
        (
            r#"[b x="1"][a x="2"]"#,
            Some(r#"{"a":{"x":"2"},"b":{"x":"1"}}"#),
        ),
        (r#"[a é="ü"]"#, Some(r#"{"a":{"é":"ü"}}"#)),
    ];
    let layout = layout(vec![text("structured_data")], &[("format", "syslog")]);
    for (data, wanted) in cases {
        let found = read(&layout, &format!("<1>1 - - - - - {data} text"), None).expect(data);
        let found = found
            .iter()
            .find_map(|of| of.strip_prefix("structured_data="));
        assert_eq!(found, wanted, "{data}");
    }
}

#[test]
fn the_examples_of_rfc_3164() {
    check(
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        &[
            "timestamp=2025-10-11T22:14:15Z",
            "severity=crit",
            "severity_number=2",
            "facility=auth",
            "hostname=mymachine",
            "app_name=su",
            "message='su root' failed for lonvick on /dev/pts/8",
            "priority=34",
        ],
    );
    check("Use the BFG!", &["message=Use the BFG!"]);
    check(
        "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        &[
            "timestamp=2026-02-05T17:32:18Z",
            "severity=notice",
            "severity_number=5",
            "facility=user",
            "hostname=10.0.0.99",
            "message=Use the BFG!",
            "priority=13",
        ],
    );
    check(
        "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time",
        &[
            "timestamp=2025-08-24T05:34:00Z",
            "severity=notice",
            "severity_number=5",
            "facility=local4",
            "hostname=CST",
            "message=1987 mymachine myproc[10]: %% It's time",
            "priority=165",
        ],
    );
    check(
        "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All!",
        &[
            "severity=emerg",
            "severity_number=0",
            "facility=kern",
            "message=1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: \
             That's All!",
            "priority=0",
        ],
    );
}

#[test]
fn what_programs_write() {
    let layout = layout(
        ["timestamp", "hostname", "app_name", "proc_id", "message"]
            .map(text)
            .to_vec(),
        &[("format", "syslog")],
    );
    let reading = |record: &str| {
        let found = read(&layout, record, Some(WRITTEN)).expect(record);
        found
            .into_iter()
            .filter(|of| !of.starts_with("_extra"))
            .collect::<Vec<_>>()
            .join("|")
    };
    let cases = [
        (
            "Feb  5 10:00:00 web sshd[42]: ok",
            "timestamp=2026-02-05T10:00:00Z|hostname=web|app_name=sshd|proc_id=42|message=ok",
        ),
        (
            "Feb 5 10:00:00 web: ok",
            "timestamp=2026-02-05T10:00:00Z|app_name=web|message=ok",
        ),
        (
            "Feb 05 10:00:00.123 web x",
            "timestamp=2026-02-05T10:00:00.123Z|hostname=web|message=x",
        ),
        (
            "Feb  5 2024 10:00:00 fw %ASA-6: x",
            "timestamp=2024-02-05T10:00:00Z|hostname=fw|app_name=%ASA-6|message=x",
        ),
        (
            "2026-02-05T10:00:00+01:00 web cron[1]: x",
            "timestamp=2026-02-05T10:00:00+01:00|hostname=web|app_name=cron|proc_id=1|message=x",
        ),
        // The latest year that is at most a week ahead.
        (
            "Feb 12 10:20:30 h x",
            "timestamp=2026-02-12T10:20:30Z|hostname=h|message=x",
        ),
        (
            "Feb 12 10:20:31 h x",
            "timestamp=2025-02-12T10:20:31Z|hostname=h|message=x",
        ),
        (
            "Feb 29 00:00:00 h x",
            "timestamp=2024-02-29T00:00:00Z|hostname=h|message=x",
        ),
        ("Feb 30 00:00:00 h x", "message=Feb 30 00:00:00 h x"),
        ("Feb  5 24:00:00 h x", "message=Feb  5 24:00:00 h x"),
        ("Feb  5 10:00:00", "timestamp=2026-02-05T10:00:00Z"),
        ("<13>", ""),
        ("<13> text\n", "message= text"),
        ("<1>\u{e9}\u{20ac}", "message=\u{e9}\u{20ac}"),
        // Counts of octets.
        ("11 <13>x: text", "message=x: text"),
        ("12 <13>x: text\n", "message=x: text"),
        ("11 <13>x: text\n", "message=x: text"),
        ("11 x: text", "message=11 x: text"),
    ];
    for (record, wanted) in cases {
        if record == "<13>" {
            assert!(read(&layout, record, None).is_err());
            continue;
        }
        assert_eq!(reading(record), wanted, "{record}");
    }
    // Nothing tells the year: the date is kept as it is.
    let found = read(&layout, "Feb  5 10:00:00 web x", None).expect("a message");
    assert_eq!(
        found.join("|"),
        r#"hostname=web|message=x|_extra={"timestamp_text":"Feb  5 10:00:00"}"#
    );
}

#[test]
fn columns_have_the_types_they_are_declared_with() {
    let ts = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = vec![
        Field::new("at", ts, true),
        Field::new("pid", DataType::Int64, true),
        text("user"),
    ];
    let options = [
        ("format", "syslog"),
        ("column.at", "timestamp"),
        ("column.pid", "proc_id"),
        ("column.user", "structured_data.meta.user"),
    ];
    let layout = layout(fields, &options);
    let record = r#"<1>1 2026-02-05T10:00:00Z - - 17 - [meta user="bob"]"#;
    let found = read(&layout, record, None).expect(record);
    assert_eq!(
        found[..3],
        ["at=2026-02-05T10:00:00Z", "pid=17", "user=bob"]
    );
    let fault = read(&layout, "<1>1 - - - main - -", None).expect_err("a number");
    assert_eq!(
        fault,
        "wrong_type: column \"pid\": expected BIGINT, found the text \"main\""
    );
}

#[test]
fn what_breaks_the_rules_is_refused() {
    for (record, wanted) in [
        ("", "it is empty"),
        ("<192>x", "its priority 192 is above 191"),
        ("<999>1 - - - - - -", "its priority 999 is above 191"),
        ("99 <13>x", "it has 5 bytes and its count says 99"),
        ("<1>1 - host", "it ends before its application's name"),
        ("<1>1 - - - - -", "it ends before its structured data"),
        ("<1>1 2026-99-05T10:00:00Z - - - - -", "is no timestamp"),
        ("<1>1 - - - - - x", "neither - nor an element"),
        ("<1>1 - - - - - -x", "no space follows"),
        ("<1>1 - - - - - [", "has no end"),
        ("<1>1 - - - - - []", "has no id"),
        ("<1>1 - - - - - [a b]", "has no name"),
        (
            "<1>1 - - - - - [a b=\"]",
            "a parameter of its structured data has no end",
        ),
        (
            "<1>1 - - - - - [a b=\"\\",
            "a parameter of its structured data has no end",
        ),
    ] {
        let fault = read(&all(), record, None).expect_err(record);
        let starts = fault.starts_with("bad_syslog: not a syslog message: ");
        assert!(starts && fault.contains(wanted), "{record}: {fault}");
    }
}
