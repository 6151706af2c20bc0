//! What parsing costs: the grammars alone, the SQL functions that build columns of what they find,
//! and beside them what one would write without: `regex` with captures, `serde_json::Value`.
//!
//! Prints MB/s of one core and ratios, all of one run:
//! `cargo bench --locked --workspace --bench parse`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{Field, FieldRef};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::scalar::ScalarValue;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use regex::Regex;
use sluice_benches::events::Events;
use sluice_udfs::Function;
use sluice_udfs::parse::grammar::json::{self, Step};
use sluice_udfs::parse::grammar::{cef, clf, logfmt, syslog};

/// Lines of a batch, and how often the fastest of several runs is looked for.
const ROWS: usize = 8192;
const RUNS: usize = 40;

const CLF: &str = concat!(
    r#"^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) ([^ "]+) (\S+)" (\d+) (\d+|-) "#,
    r#""((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)""#
);
const SYSLOG: &str = r"^<(\d+)>(\d+) (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[[^\]]*\])+) (.*)$";

fn access(random: &mut StdRng) -> String {
    let (a, b, id) = (
        random.random::<u8>(),
        random.random::<u8>(),
        random.random::<u32>(),
    );
    let (second, bytes) = (random.random_range(0..60), random.random_range(100..90_000));
    format!(
        "10.{a}.{b}.7 - - [05/Feb/2026:10:00:{second:02} +0000] \"GET /api/v1/orders/{id}?page=2 \
         HTTP/1.1\" 200 {bytes} \"https://shop.example.com/cart\" \"Mozilla/5.0 (X11; x86_64) \
         AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36\""
    )
}

fn message(random: &mut StdRng) -> String {
    let (host, id) = (random.random::<u8>(), random.random::<u32>());
    let milli = random.random_range(0..1000);
    format!(
        "<134>1 2026-02-05T10:00:30.{milli:03}Z node-{host} order-service {id} ID47 \
         [origin@32473 ip=\"10.0.{host}.1\" software=\"orders\"] handled request {id} for cart \
         with {host} items in region eu-west-1, cache miss, retry 0"
    )
}

fn event(random: &mut StdRng) -> String {
    let (a, port) = (random.random::<u8>(), random.random::<u16>());
    format!(
        "CEF:0|Security|threatmanager|1.0|100|worm successfully stopped|10|src=10.0.{a}.1 \
         dst=2.1.2.2 spt={port} request=http://example.com/a?b={a} msg=the worm was stopped at the \
         gate cs1Label=rule cs1=allow all"
    )
}

fn pairs(random: &mut StdRng) -> String {
    let (id, ms) = (random.random::<u32>(), random.random_range(1..2000));
    format!(
        "ts=2026-02-05T10:20:30Z level=info service=orders request_id={id:08x} duration_ms={ms} \
         msg=\"handled the request in time\" status=200 user=user-{id}"
    )
}

fn call(name: &str, lines: &[String], options: &[&str]) -> impl Fn() + use<> {
    let named = |function: Function| match function {
        Function::Scalar(udf) if udf.name() == name => Some(udf),
        _ => None,
    };
    let udf: ScalarUDF = sluice_udfs::functions()
        .into_iter()
        .find_map(named)
        .expect("a function");
    let array: ArrayRef = Arc::new(StringArray::from(lines.to_vec()));
    let literals: Vec<ScalarValue> = options
        .iter()
        .map(|text| ScalarValue::from(*text))
        .collect();
    let mut args = vec![ColumnarValue::Array(array)];
    args.extend(literals.iter().cloned().map(ColumnarValue::Scalar));
    let field = |arg: &ColumnarValue| -> FieldRef { Field::new("a", arg.data_type(), true).into() };
    let arg_fields: Vec<FieldRef> = args.iter().map(field).collect();
    let known: Vec<_> = std::iter::once(None)
        .chain(literals.iter().map(Some))
        .collect();
    let planned = ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &known,
    };
    let return_field = udf.return_field_from_args(planned).expect("a type");
    move || {
        let given = ScalarFunctionArgs {
            args: args.clone(),
            arg_fields: arg_fields.clone(),
            number_rows: ROWS,
            return_field: Arc::clone(&return_field),
            config_options: Arc::new(ConfigOptions::default()),
        };
        black_box(udf.invoke_with_args(given).expect("an answer"));
    }
}

/// MB/s of the fastest of several runs over `lines`.
fn rate(lines: &[String], runs: usize, work: impl Fn()) -> f64 {
    let bytes: usize = lines.iter().map(String::len).sum();
    let seconds = (0..runs).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    bytes as f64 / 1e6 / seconds.fold(f64::MAX, f64::min)
}

/// One line for each format: grammar, SQL function, the usual way, and how many times faster.
fn report(name: &str, lines: &[String], work: [&dyn Fn(); 3]) {
    let [grammar, function, usual] = work;
    let (grammar, function) = (rate(lines, RUNS, grammar), rate(lines, RUNS, function));
    let usual = rate(lines, RUNS / 8, usual);
    println!(
        "{name:24} grammar {grammar:6.0} MB/s {:5.1} x, function {function:6.0} MB/s {:5.1} x, \
         usual {usual:6.0} MB/s",
        grammar / usual,
        function / usual
    );
}

fn generated(line: fn(&mut StdRng) -> String) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(7);
    (0..ROWS).map(|_| line(&mut random)).collect()
}

fn captures<'a>(regex: &'a Regex, lines: &'a [String]) -> impl Fn() + 'a {
    move || {
        for line in lines {
            black_box(regex.captures(line));
        }
    }
}

fn texts() {
    let lines = generated(access);
    let regex = Regex::new(CLF).expect("a pattern");
    let grammar = || {
        lines.iter().for_each(|line| {
            black_box(clf::parse(line).is_ok());
        })
    };
    let function = call("parse_clf", &lines, &[]);
    report(
        "parse_clf",
        &lines,
        [&grammar, &function, &captures(&regex, &lines)],
    );

    let lines = generated(message);
    let regex = Regex::new(SYSLOG).expect("a pattern");
    let grammar = || {
        lines.iter().for_each(|line| {
            black_box(syslog::parse(line).is_ok());
        })
    };
    let function = call("parse_syslog", &lines, &[]);
    report(
        "parse_syslog",
        &lines,
        [&grammar, &function, &captures(&regex, &lines)],
    );

    let lines = generated(event);
    let regex = Regex::new(r"([\w.]+)=((?:[^=\\]|\\.)*)(?: |$)").expect("a pattern");
    let usual = || {
        for line in &lines {
            regex.captures_iter(line).for_each(|pair| {
                black_box(pair);
            });
        }
    };
    let grammar = || {
        for line in &lines {
            let event = cef::parse(line).expect("an event");
            event.extension.for_each(|pair| {
                black_box(pair);
            });
        }
    };
    let function = call("parse_cef", &lines, &[]);
    report("parse_cef", &lines, [&grammar, &function, &usual]);

    let lines = generated(pairs);
    let regex = Regex::new(r#"([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))"#).expect("a pattern");
    let usual = || {
        for line in &lines {
            regex.captures_iter(line).for_each(|pair| {
                black_box(pair);
            });
        }
    };
    let grammar = || {
        for line in &lines {
            logfmt::Pairs::of(line).for_each(|pair| {
                let _ = black_box(pair);
            });
        }
    };
    let function = call("parse_logfmt", &lines, &[]);
    report("parse_logfmt", &lines, [&grammar, &function, &usual]);
}

fn documents() {
    let lines: Vec<String> = Events::new(7).take(ROWS).collect();
    let path = [Step::Key("status".to_owned())];
    let grammar = || {
        lines.iter().for_each(|line| {
            black_box(json::get(line, &path).is_ok());
        })
    };
    let value = |line: &String| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let usual = || {
        for line in &lines {
            black_box(value(line)["status"].as_i64());
        }
    };
    let function = call("json_get_int", &lines, &["status"]);
    report("json_get_int", &lines, [&grammar, &function, &usual]);

    let schema = "timestamp TIMESTAMP, severity VARCHAR, source VARCHAR, message VARCHAR, \
                  host VARCHAR, service_version VARCHAR, trace_id VARCHAR, user_id VARCHAR, \
                  latency_ms DOUBLE, status BIGINT";
    let members = || {
        for line in &lines {
            let mut members = json::Members::of(line).expect("an object");
            while let Ok(Some(member)) = members.step() {
                black_box(member);
            }
        }
    };
    let function = call("parse_json", &lines, &[schema]);
    report(
        "parse_json with a schema",
        &lines,
        [&members, &function, &usual],
    );
    let function = call("parse_json", &lines, &[]);
    report("parse_json", &lines, [&members, &function, &usual]);
    let function = call("parse_log", &lines, &[]);
    report("parse_log of JSON", &lines, [&members, &function, &usual]);
}

fn main() {
    texts();
    documents();
}
