//! `grok` on access lines beside `regexp_match` with the same expression, in the same process: on
//! lines that a plan reads, on a pattern that takes a regex engine, and on lines that do not match.
//!
//! Run with `cargo bench --bench grok --locked`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::runtime::Runtime;

const ROWS: usize = 8192;
const BATCHES: usize = 16;
const SEED: u64 = 7;
const RUNS: usize = 7;

const COMMON: &str = "%{COMMONAPACHELOG}";
const COMBINED: &str = "%{COMBINEDAPACHELOG}";

/// Fields that repeat have no plan and no automaton with groups.
const REPEATED: &str = r#"(?:%{WORD:last}[^\w]+)+"(?<agent>[^"]*)"$"#;

/// What a user writes for the combined format without grok.
const REGEX: &str = concat!(
    r#"^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\w+) (\S+)(?: HTTP/([0-9.]+))?" "#,
    r#"([0-9]+|-) ([0-9]+|-) "([^"]*)" "([^"]*)""#
);

fn line(random: &mut StdRng) -> String {
    let paths = [
        "/",
        "/images/logo.png",
        "/api/v1/orders/4711?full=true",
        "/cart",
    ];
    let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
        "curl/8.5.0",
    ];
    let octet = |random: &mut StdRng| random.random_range(1..255_u8);
    format!(
        "{}.{}.{}.{} - {} [{:02}/Feb/2026:{:02}:{:02}:{:02} +0000] \"GET {} HTTP/1.1\" {} {} \
         \"http://example.com/start\" \"{}\"",
        octet(random),
        octet(random),
        octet(random),
        octet(random),
        if random.random_bool(0.2) { "bob" } else { "-" },
        random.random_range(1..28),
        random.random_range(0..24),
        random.random_range(0..60),
        random.random_range(0..60),
        paths[random.random_range(0..paths.len())],
        [200, 200, 200, 304, 404, 500][random.random_range(0..6)],
        random.random_range(100..100_000),
        agents[random.random_range(0..agents.len())],
    )
}

fn session() -> (SessionContext, u64) {
    let config = SessionConfig::new().with_target_partitions(1);
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).expect("a new session takes every function");
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let mut random = StdRng::seed_from_u64(SEED);
    let mut bytes = 0;
    let batches = (0..BATCHES).map(|_| {
        let texts = StringArray::from_iter_values((0..ROWS).map(|_| line(&mut random)));
        bytes += texts.value_data().len() as u64;
        let texts: ArrayRef = Arc::new(texts);
        RecordBatch::try_new(Arc::clone(&schema), vec![texts]).expect("one column of text")
    });
    let batches = batches.collect();
    let table = MemTable::try_new(schema, vec![batches]).expect("batches of one schema");
    context
        .register_table("logs", Arc::new(table))
        .expect("a new session has no table");
    (context, bytes)
}

/// Megabytes a second of the fastest run.
fn rate(runtime: &Runtime, context: &SessionContext, bytes: u64, call: &str) -> f64 {
    let sql = format!("SELECT count({call}) FROM logs");
    let seconds = (0..RUNS).map(|_| {
        let start = Instant::now();
        runtime.block_on(async {
            let frame = context.sql(&sql).await.expect("a valid query");
            std::hint::black_box(frame.collect().await.expect("a result"));
        });
        start.elapsed().as_secs_f64()
    });
    bytes as f64 / 1e6 / seconds.fold(f64::MAX, f64::min)
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let (context, bytes) = session();
    let quoted = |text: &str| text.replace('\'', "''");
    let baseline = rate(
        &runtime,
        &context,
        bytes,
        &format!("regexp_match(text, '{}')", quoted(REGEX)),
    );
    println!("regexp_match {baseline:.0} MB/s");
    let patterns = [
        ("common", COMMON.to_owned()),
        ("combined", COMBINED.to_owned()),
        ("repeated fields", REPEATED.to_owned()),
        ("no match", format!("^{COMBINED} and more")),
        (
            "dissect",
            r#"%{a} %{b} %{c} [%{d}] "%{e}" %{f} %{g} "%{h}" "%{i}""#.to_owned(),
        ),
    ];
    for (name, pattern) in patterns {
        let function = if name == "dissect" { "dissect" } else { "grok" };
        let call = format!("{function}(text, '{}')", quoted(&pattern));
        let grok = rate(&runtime, &context, bytes, &call);
        println!(
            "{name}: {function} {grok:.0} MB/s, {:.1} times regexp_match",
            grok / baseline
        );
    }
}
