//! Mutated records: a decoder that knows shapes does what a new one does, both take what
//! `serde_json` takes, and no record of any format makes a decoder panic.
//!
//! A run is short and the same each time. For a long one:
//!
//! ```text
//! FUZZ_SECONDS=600 cargo test --locked --workspace --test it -- decode::fuzz
//! ```

use std::env;
use std::time::{Duration, Instant};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, TimeUnit};
use sluice_connectors::decode::{Decoder, Fault, Layout};

use super::{layout, text};

/// Rounds of a short run, for each target.
const ROUNDS: u64 = 6_000;

/// Records that a mutation begins with, and whose shapes a decoder may know.
const JSON: [&str; 14] = [
    r#"{"ts":"2026-02-05T10:00:00.123Z","level":"INFO","msg":"well","n":17,"x":1.25,"ok":true}"#,
    r#"{"ts":1770286830.5,"level":"WARN","msg":"a \"quoted\" \u00e9\n","n":-3,"x":2,"ok":false}"#,
    r#"{"ts": "2026-02-05 10:00:00", "level": "INFO", "msg": "", "n": 0, "x": -0.0}"#,
    r#"{"ts":null,"level":null,"msg":null,"n":null,"x":null,"ok":null,"nested":null}"#,
    r#"{"level":"INFO","extra":{"b":[1,2,{"c":null}],"a":"\ud83d\ude00"},"n":9007199254740993}"#,
    r#"{"z":1,"a":2,"level":"x","y":"z","n":12.0,"x":1e3}"#,
    r#"{"k8s":{"pod":{"name":"p","uid":"u"},"ns":"default"},"n":1}"#,
    r#"{"k8s":{"pod":{"name":"p"}},"n":1,"level":"é"}"#,
    r#"{"level":"a","level":"b","n":1,"n":2}"#,
    "{\n  \"level\" : \"pretty\",\n  \"n\" : 4\n}\n",
    r#"{"nested":{"a":[{"b":1}],"c":"d"},"x":123456789.123456789}"#,
    r#"{}"#,
    r#"{"":"","\u006eame":1,"n":1}"#,
    r#"{"x":1.7976931348623157e308,"n":-9223372036854775808}"#,
];

/// What a mutation inserts.
const TOKENS: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\\"",
    "\\u",
    "\\ud800",
    "\\udc00",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "-",
    "-0",
    "00",
    "1e400",
    "1E+5",
    "0.1",
    ".",
    "e",
    "9223372036854775808",
    " ",
    "\n",
    "\t",
    "\u{0}",
    "\u{1f}",
    "\u{7f}",
    "\u{feff}",
    "é",
    "\u{fffd}",
    "<",
    ">",
    "=",
    "|",
    "'",
    "CEF:0|",
    "<34>1 ",
    "- - - - -",
    "[a b=\"",
    "Feb 29 ",
    "\"n\":1",
    ",\"x\":2.5",
    "\"ts\":",
];

const SYSLOG: [&str; 4] = [
    "<34>1 2003-10-11T22:14:15.003Z host su 12 ID47 [a@1 b=\"c\\\"\" d=\"e\"][f g=\"h\"] text",
    "<13>Feb  5 17:32:18 10.0.0.99 sshd[42]: Use the BFG!",
    "31 <13>2026-02-05T10:00:00Z h x: y",
    "Oct 11 2003 22:14:15.123 h %ASA-6: x",
];
const CEF: [&str; 3] = [
    "CEF:0|Security|threatmanager|1.0|100|worm \\| stopped|10|src=10.0.0.1 msg=a b\\=c\\n d=",
    "<134>Feb  5 10:00:00 fw CEF:1|a|b|c|d|e|Low|cs1Label=x cs1=y z",
    "CEF:0|a|b|c|d|e|f|",
];
const LOGFMT: [&str; 3] = [
    "level=info msg=\"it is \\\"on\\\" \\u00e9\" n=1 x=2.5 ok d='e f'",
    "ts=2026-02-05T10:00:00Z n=-7 x= level=\"\"",
    "a b c=d",
];

/// A generator of random numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// A record of `seeds`, changed in a few places.
    fn mutated(&mut self, seeds: &[&str]) -> Vec<u8> {
        let mut bytes = self.of(seeds).as_bytes().to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 => {
                    let other = self.of(seeds).as_bytes();
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend(&other[from..]);
                }
                4 => {
                    let to = (at + self.below(12)).min(bytes.len());
                    let piece = bytes[at..to].to_vec();
                    let place = self.below(bytes.len() + 1);
                    bytes.splice(place..place, piece);
                }
                5 => {
                    let depth = 1 + self.below(140);
                    bytes.splice(at..at, "[".repeat(depth).into_bytes());
                }
                _ => {
                    let token = self.of(&TOKENS).bytes();
                    bytes.splice(at..at, token);
                }
            }
        }
        bytes
    }
}

/// Calls `round` for as long as a run lasts.
fn run(mut round: impl FnMut(&mut Random)) {
    let long = env::var("FUZZ_SECONDS").ok();
    let long = long.map(|text| Duration::from_secs(text.parse().expect("a number of seconds")));
    let since = Instant::now();
    let mut rounds = 0;
    let seed = if long.is_some() {
        since.elapsed().as_nanos() as u64 | 1
    } else {
        0
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
    while long.map_or(rounds < ROUNDS, |long| since.elapsed() < long) {
        round(&mut random);
        rounds += 1;
    }
}

fn columns() -> Vec<Field> {
    let ts = DataType::Timestamp(TimeUnit::Microsecond, None);
    let inner = Field::new("c", DataType::Utf8, true);
    vec![
        Field::new("ts", ts, true),
        text("level"),
        text("msg"),
        Field::new("n", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("ok", DataType::Boolean, true),
        text("pod"),
        Field::new("nested", DataType::Struct(vec![inner].into()), true),
    ]
}

fn layouts(format: &'static str) -> Vec<Layout> {
    let path = ("column.pod", "k8s.pod.name");
    let format = ("format", format);
    let texts = ["ts", "level", "msg", "n", "x"].map(text).to_vec();
    let mut strict = columns();
    strict[3] = Field::new("n", DataType::Int32, false);
    vec![
        layout(columns(), &[format, path]),
        layout(texts, &[format]),
        layout(strict, &[format, path, ("schema", "strict")]),
    ]
}

/// The row that a decoder makes of a record, or why it does not.
fn row(decoder: &mut Decoder, record: &[u8]) -> Result<Vec<ArrayRef>, Fault> {
    let appended = decoder.append(record, Some(1_770_286_830_000_000));
    let columns = decoder.finish().expect("columns form arrays");
    let rows = usize::from(appended.is_ok());
    assert!(columns.iter().all(|column| column.len() == rows));
    appended.map(|()| columns)
}

#[test]
fn a_known_shape_changes_nothing() {
    let layouts = layouts("json");
    let mut learned: Vec<Decoder> = layouts.iter().map(Decoder::new).collect();
    run(|random| {
        let record = random.mutated(&JSON);
        let shown = || String::from_utf8_lossy(&record).into_owned();
        for (at, (layout, learned)) in layouts.iter().zip(&mut learned).enumerate() {
            // What it knows is now a shape, and perhaps the record's own.
            let seed = random.of(&JSON).as_bytes();
            let _ = row(learned, seed);
            let first = row(learned, &record);
            let second = row(learned, &record);
            let alone = row(&mut Decoder::new(layout), &record);
            assert_eq!(first, alone, "{}", shown());
            assert_eq!(second, alone, "{}", shown());
            if at == 1 {
                // Text columns take every value, so only the form counts.
                let theirs = serde_json::from_slice::<serde_json::Value>(&record);
                let object = theirs.is_ok_and(|value| value.is_object());
                assert_eq!(alone.is_ok(), object, "{}: {alone:?}", shown());
            }
        }
    });
}

#[test]
fn text_formats_take_or_refuse_anything() {
    for (format, seeds) in [("syslog", &SYSLOG[..]), ("cef", &CEF), ("logfmt", &LOGFMT)] {
        let layouts = layouts(format);
        let mut used: Vec<Decoder> = layouts.iter().map(Decoder::new).collect();
        run(|random| {
            let record = random.mutated(seeds);
            for (layout, used) in layouts.iter().zip(&mut used) {
                let alone = row(&mut Decoder::new(layout), &record);
                assert_eq!(
                    row(used, &record),
                    alone,
                    "{}",
                    String::from_utf8_lossy(&record)
                );
            }
        });
    }
}

#[test]
fn long_records_take_time_in_proportion() {
    let long = |piece: &str, head: &str| format!("{head}{}", piece.repeat(400_000 / piece.len()));
    let cases = [
        ("json", long(r#","a":1"#, r#"{"a":1"#) + "}"),
        ("json", long("[", r#"{"a":"#)),
        ("json", long("\\\"", r#"{"a":""#) + "\"}"),
        ("syslog", long(r#"[a b="c"]"#, "<1>1 - - - - - ")),
        ("syslog", long("[a", "<1>1 - - - - - ")),
        ("syslog", long(" b=\"\\\\\"", "<1>1 - - - - - [a")),
        ("cef", long("=", "CEF:0|a|b|c|d|e|f|a")),
        ("cef", long("a ", "CEF:0|a|b|c|d|e|f|a=")),
        ("cef", long("CEF:", "")),
        ("logfmt", long("a ", "")),
        ("logfmt", long("a=\"\\\"\" ", "")),
    ];
    for (format, record) in cases {
        let layout = layout(vec![text("x")], &[("format", format)]);
        let since = Instant::now();
        let _ = row(&mut Decoder::new(&layout), record.as_bytes());
        // A thousand times what it takes; what is not linear takes far longer.
        assert!(since.elapsed() < Duration::from_secs(10), "{format}");
    }
}
