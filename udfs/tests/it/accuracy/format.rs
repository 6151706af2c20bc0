//! Log formats: how each writes pairs and free text, and the frames around them.

use super::random::Random;
use super::text::Text;

/// How a format writes its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A JSON object.
    Json,
    /// A JSON object in a string of another.
    JsonInString,
    /// `key=value`, quoted where needed, between spaces.
    Logfmt,
    /// The extension of CEF.
    Cef,
    /// The attributes of LEEF, between tabs.
    Leef,
    /// The query string of a request.
    Query,
    /// The fields of an object as Java prints it.
    Java,
    /// A dictionary as Python prints it.
    Python,
    /// Conditions of a statement.
    Sql,
    /// The values of an INSERT.
    SqlValues,
    /// A header in each line.
    Header,
    /// Structured text of Kubernetes.
    Klog,
    /// Fields of a payment message between bars.
    Payment,
    /// Fields of a call record between semicolons.
    CallRecord,
    /// Comma-separated values.
    Csv,
    /// Sentences.
    Prose,
}

/// What one part of a line says.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Pair(&'static str, Text),
    Sentence(Text),
}

/// A frame: what stands before and after the content. `{..}` are drawn: see [`noise`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) format: &'static str,
    pub(super) style: Style,
    pub(super) head: &'static str,
    pub(super) tail: &'static str,
}

const fn frame(
    format: &'static str,
    style: Style,
    head: &'static str,
    tail: &'static str,
) -> Frame {
    Frame {
        format,
        style,
        head,
        tail,
    }
}

use Style::{
    CallRecord, Cef, Csv, Header, Java, Json, JsonInString, Klog, Leef, Logfmt, Payment, Prose,
    Python, Query, Sql, SqlValues,
};

/// Every frame. A template is a frame and the key or sentence that holds the value.
pub(super) const FRAMES: &[Frame] = &[
    frame(
        "json",
        Json,
        "{\"ts\":\"{iso}\",\"level\":\"info\",",
        ",\"trace\":\"{hex32}\"}",
    ),
    frame(
        "json",
        Json,
        "{\"@timestamp\":{ms},",
        ",\"thread\":\"worker-{n}\",\"took\":{n}}",
    ),
    frame(
        "json",
        Json,
        "{\"service\":\"pay\",\"ctx\":{",
        "},\"pid\":{n}}",
    ),
    frame("json", Json, "{\"events\":[{", "}],\"offset\":{n10}}"),
    frame(
        "json",
        JsonInString,
        "{\"log\":\"{",
        "}\",\"stream\":\"stdout\",\"time\":\"{iso}\"}",
    ),
    frame(
        "json",
        JsonInString,
        "{\"id\":\"{uuid}\",\"payload\":\"{",
        "}\"}",
    ),
    frame("logfmt", Logfmt, "ts={iso} level=info ", " duration={n}ms"),
    frame(
        "logfmt",
        Logfmt,
        "time=\"{iso}\" level=warn msg=\"slow\" ",
        "",
    ),
    frame(
        "logfmt",
        Logfmt,
        "at=info method=POST path=/v1/pay ",
        " status=200 bytes={n}",
    ),
    frame("logfmt", Logfmt, "", " caller=main.go:{n}"),
    frame("syslog", Prose, "<34>Oct 11 22:14:15 web{n} app[{n}]: ", ""),
    frame(
        "syslog",
        Logfmt,
        "<165>1 {iso} host{n} pay 8710 ID47 - ",
        "",
    ),
    frame(
        "syslog",
        Prose,
        "<165>1 {iso} host svc {n} - [meta seq=\"{n10}\"] ",
        "",
    ),
    frame("syslog", Json, "<13>Feb  5 10:00:01 gw{n} api: {", "}"),
    frame("cef", Cef, "CEF:0|Acme|Gate|1.{n}|100|login|5|", " rt={ms}"),
    frame(
        "cef",
        Cef,
        "Oct 11 22:14:15 fw CEF:0|Sec|IDS|2.0|{n}|alert|9|src=10.1.2.3 ",
        "",
    ),
    frame(
        "cef",
        Cef,
        "CEF:1|Bank|Core|7|pay|payment|3|dvchost=core{n} ",
        " cnt={n}",
    ),
    frame(
        "leef",
        Leef,
        "LEEF:1.0|Acme|App|1.{n}|4711|devTime={ms}\t",
        "",
    ),
    frame(
        "leef",
        Leef,
        "LEEF:1.0|QRadar|Proxy|2.1|deny|src=10.0.0.{n}\t",
        "\tsev=5",
    ),
    frame(
        "leef",
        Leef,
        "<13>Feb  5 10:00:01 h{n} LEEF:1.0|V|P|3|id|",
        "\tcat=auth",
    ),
    frame(
        "clf",
        Query,
        "10.1.{n2}.3 - - [05/Feb/2026:10:11:12 +0000] \"GET /search?",
        " HTTP/1.1\" 200 {n} \"-\" \"Mozilla/5.0\"",
    ),
    frame(
        "clf",
        Query,
        "192.0.2.{n2} - bob [05/Feb/2026:10:11:12 -0700] \"POST /pay?v=2&",
        " HTTP/2\" 302 {n}",
    ),
    frame(
        "clf",
        Query,
        "::1 - - [05/Feb/2026:10:11:12 +0000] \"GET / HTTP/1.1\" 200 {n} \"http://a.example.com/a?",
        "\" \"curl/8.1\"",
    ),
    frame(
        "trace",
        Java,
        "java.lang.IllegalStateException: bad state of Request{",
        "}\n\tat com.acme.Pay.run(Pay.java:{n2})",
    ),
    frame(
        "trace",
        Java,
        "{iso} ERROR [main] c.a.Svc - failed for Customer(",
        ")",
    ),
    frame(
        "trace",
        Python,
        "Traceback (most recent call last):\n  File \"a.py\", line {n2}\nValueError: {",
        "}",
    ),
    frame(
        "trace",
        Prose,
        "Caused by: java.io.IOException: ",
        "\n\t... {n2} more",
    ),
    frame("sql", Sql, "SELECT * FROM customers WHERE ", " LIMIT {n2}"),
    frame(
        "sql",
        Sql,
        "UPDATE users SET seen = NOW() WHERE ",
        " AND pk = {n}",
    ),
    frame("sql", SqlValues, "INSERT INTO t VALUES ({n}, ", ", NOW())"),
    frame(
        "sql",
        Sql,
        "duration: {n}.123 ms  statement: SELECT 1 FROM t WHERE ",
        "",
    ),
    frame(
        "headers",
        Header,
        "POST /v1/pay HTTP/1.1\nHost: api.example.com\n",
        "\nContent-Length: {n}",
    ),
    frame("headers", Header, "> GET /me HTTP/2\n> ", "\n> accept: */*"),
    frame("headers", Prose, "{iso} proxy: ", ""),
    frame(
        "klog",
        Klog,
        "I0205 10:11:12.123456   {n} server.go:{n2}] \"handled\" ",
        "",
    ),
    frame(
        "klog",
        Prose,
        "E0205 10:11:12.123456       1 reflector.go:{n2}] ",
        "",
    ),
    frame(
        "klog",
        Klog,
        "{iso} stdout F I0205 10:11:12.123456 1 a.go:1] \"x\" ",
        " pod=\"ns/a-{hex8}\"",
    ),
    frame("payment", Payment, "MTI=0100|STAN={n6}|", "|F39=00"),
    frame(
        "payment",
        Payment,
        "0200|DE7=0205101112|DE11={n6}|",
        "|DE41=TERM{n}",
    ),
    frame(
        "payment",
        Logfmt,
        "gateway=stripe event=charge ref={hex16} ",
        " currency=EUR",
    ),
    frame(
        "payment",
        Json,
        "{\"mti\":\"0100\",\"stan\":{n},",
        ",\"amount\":{n10}}",
    ),
    frame("cdr", CallRecord, "CDR;{iso};dur={n};", ";cell_id={n10}"),
    frame("cdr", CallRecord, "MOC;seq={n10};", ";cause=16"),
    frame(
        "cdr",
        Header,
        "INVITE SIP/2.0\nCSeq: {n2} INVITE\nCall-ID: {hex32}\n",
        "\nMax-Forwards: 70",
    ),
    frame("csv", Csv, "{n},{iso},", ",ok"),
    frame("csv", Csv, "{uuid},{ms},", ",{n2}"),
    frame("csv", Csv, "", ",{n10},false"),
    frame("text", Prose, "", ""),
    frame("text", Prose, "{iso} INFO ", " (took {n} ms)"),
    frame("text", Prose, "[{n}] ", " end"),
    frame("text", Prose, "2026/02/05 10:11:12 main.go:{n2}: ", ""),
    frame("text", Prose, "agent note: ", ", ticket {n6}"),
];

/// The head or tail of a frame, with everything in `{..}` drawn.
pub(super) fn noise(random: &mut Random, template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text += &rest[..open];
        let name = rest[open + 1..].split('}').next().unwrap_or_default();
        let drawn = match name {
            "iso" => random.fill("2026-02-05T10:1#:1#.######Z"),
            "ms" => random
                .between(1_700_000_000_000, 1_799_999_999_999)
                .to_string(),
            "hex32" => random.hex(32),
            "hex16" => random.hex(16),
            "hex8" => random.hex(8),
            "uuid" => random.uuid(),
            "n" => random.number(4),
            "n2" => random.number(2),
            "n6" => random.number(6),
            "n10" => random.number(10),
            _ => {
                text.push('{');
                rest = &rest[open + 1..];
                continue;
            }
        };
        text += &drawn;
        rest = &rest[open + name.len() + 2..];
    }
    text + rest
}

impl Style {
    /// What stands between two parts.
    pub(super) const fn between(self) -> &'static str {
        match self {
            Json | JsonInString | Csv => ",",
            Logfmt | Cef | Klog => " ",
            Leef => "\t",
            Query => "&",
            Java | Python | SqlValues => ", ",
            Sql => " AND ",
            Header => "\n",
            Payment => "|",
            CallRecord => ";",
            Prose => "; ",
        }
    }

    /// A part as this style writes it.
    pub(super) fn part(self, random: &mut Random, part: &Part) -> Text {
        match part {
            Part::Sentence(text) if self == Prose => text.clone(),
            Part::Sentence(text) if self == Header => text.wrapped("X-Note: ", ""),
            Part::Sentence(text) => self.pair(random, "msg", text),
            Part::Pair(key, text) => self.pair(random, key, text),
        }
    }

    fn pair(self, random: &mut Random, key: &str, value: &Text) -> Text {
        let any = |text: Text, head: String, tail: &str| text.wrapped(&head, tail);
        match self {
            Json => {
                let bare = value.text.bytes().all(|byte| byte.is_ascii_digit())
                    && !value.text.starts_with('0')
                    && random.chance(40);
                let space = random.word(&["", "", " "]);
                if bare {
                    any(value.clone(), format!("\"{key}\":{space}"), "")
                } else {
                    any(value.json(), format!("\"{key}\":{space}\""), "\"")
                }
            }
            JsonInString => any(value.json(), format!("\"{key}\":\""), "\"").json(),
            Logfmt | Klog => {
                if self == Logfmt && (value.is_bare() || is_soft(value)) {
                    any(value.clone(), format!("{key}="), "")
                } else {
                    any(value.json(), format!("{key}=\""), "\"")
                }
            }
            Cef | Leef => {
                let escaped = value.escaped(|letter| match letter {
                    '=' => Some("\\=".into()),
                    '\\' => Some("\\\\".into()),
                    '\n' => Some("\\n".into()),
                    _ => None,
                });
                any(escaped, format!("{key}="), "")
            }
            Query => any(value.percent(), format!("{key}="), ""),
            Java => match value.is_bare() {
                true if random.chance(60) => any(value.clone(), format!("{key}="), ""),
                _ => any(value.json(), format!("{key}=\""), "\""),
            },
            Python => any(
                value.escaped(|letter| match letter {
                    '\'' => Some("\\'".into()),
                    '\\' => Some("\\\\".into()),
                    '\n' => Some("\\n".into()),
                    _ => None,
                }),
                format!("'{key}': '"),
                "'",
            ),
            Sql | SqlValues => {
                let quoted = value.escaped(|letter| (letter == '\'').then(|| "''".into()));
                let column = if self == Sql {
                    format!("{} = '", key.replace(['.', '-'], "_"))
                } else {
                    "'".to_owned()
                };
                any(quoted, column, "'")
            }
            Header => any(value.clone(), format!("{key}: "), ""),
            Payment | CallRecord => any(value.clone(), format!("{key}="), ""),
            Csv => match value.text.contains([',', '"', '\n']) {
                true => any(
                    value.escaped(|letter| (letter == '"').then(|| "\"\"".into())),
                    "\"".to_owned(),
                    "\"",
                ),
                false => value.clone(),
            },
            Prose => any(value.clone(), format!("{key}: "), ""),
        }
    }
}

/// Whether logfmt leaves the value bare though other formats would end it: marks between letters,
/// behind which no key follows.
fn is_soft(value: &Text) -> bool {
    !value
        .text
        .chars()
        .any(|letter| letter.is_whitespace() || "\"'\\(){}[]<>=|`".contains(letter))
        && !value.text.contains([',', ';'])
}
