//! Every function of the registry on clean and dirty log lines, and `redact` beside the chain of
//! `regexp_replace` calls that does the same work in DataFusion, in the same process.
//!
//! Run with `cargo bench --bench functions --locked`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints; criterion makes its main"
)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_benches::lines;
use sluice_udfs::Function;
use tokio::runtime::Runtime;

const ROWS: usize = 8192;
const BATCHES: usize = 16;
const SEED: u64 = 7;

/// Lines with something to redact among a hundred.
const MIXES: [(&str, u32); 2] = [("clean", 0), ("dirty", 20)];

/// Patterns that a user would write for the categories of `redact`.
const PATTERNS: [(&str, &str); 7] = [
    (r"\b(?:\d{4}[ -]?){3}(\d{4})\b", r"xxxx-xxxx-xxxx-$1"),
    (
        r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d(\d{4})\b",
        r"xxxx-xxxx-xxxx-$1",
    ),
    (r"\b\d{3}-\d{2}-(\d{4})\b", r"xxx-xx-$1"),
    (
        r"\b([A-Za-z0-9._%+-]{1,4})[A-Za-z0-9._%+-]*@([A-Za-z0-9.-]+\.[A-Za-z]{2,})\b",
        r"$1***@$2",
    ),
    (
        r"(?:\+?1[ .-]?)?\(?\b[2-9]\d{2}\)?[ .-]\d{3}[ .-](\d{4})\b",
        r"xxx-xxx-$1",
    ),
    (
        r#"(?i)((?:password|passwd|pwd|secret|token|api_?key)"?\s*[=:]\s*"?)[^\s"&,;}]+"#,
        r"$1",
    ),
    (r"(://[^:/@\s]+:)[^@/\s]+@", r"$1@"),
];

fn session(dirty: u32) -> (SessionContext, u64) {
    let mut context =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    sluice_udfs::register_all(&mut context).expect("a new session takes every function");
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let mut bytes = 0;
    let batches = (0..BATCHES).map(|batch| {
        let texts = lines::generate(SEED + batch as u64, ROWS, dirty);
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        bytes += texts.get_array_memory_size() as u64;
        RecordBatch::try_new(Arc::clone(&schema), vec![texts]).expect("one column of text")
    });
    let batches = batches.collect();
    let table = MemTable::try_new(schema, vec![batches]).expect("batches of one schema");
    context
        .register_table("logs", Arc::new(table))
        .expect("a new session has no table");
    (context, bytes)
}

/// The options that a function cannot be called without.
fn required(name: &str) -> &'static str {
    match name {
        "dissect" => ", '%{timestamp} %{rest}'",
        "grok" => ", '%{NOTSPACE:timestamp} %{GREEDYDATA:rest}'",
        _ => "",
    }
}

/// Plans `expression` over the lines and sums the lengths of what it gives.
async fn run(context: &SessionContext, expression: &str) {
    let sql = format!("SELECT sum(octet_length({expression})) FROM logs");
    let frame = context.sql(&sql).await.expect("a valid query");
    std::hint::black_box(frame.collect().await.expect("a result"));
}

/// Plans `call` over the lines and takes whatever it gives.
async fn evaluate(context: &SessionContext, call: &str) {
    let frame = context.sql(&format!("SELECT {call} FROM logs")).await;
    let answer = frame.expect("a valid query").collect().await;
    std::hint::black_box(answer.expect("a result"));
}

fn chain() -> String {
    PATTERNS
        .iter()
        .fold("text".to_owned(), |inner, (pattern, mask)| {
            let pattern = pattern.replace('\'', "''");
            format!("regexp_replace({inner}, '{pattern}', '{mask}', 'g')")
        })
}

/// Scalar functions whose only required argument is text.
fn text_functions() -> Vec<String> {
    let text_first = |function: &Function| {
        let arguments = function
            .documentation()
            .and_then(|docs| docs.arguments.as_ref());
        matches!(function, Function::Scalar(_))
            && arguments
                .and_then(|all| all.first())
                .is_some_and(|(name, _)| name == "text")
    };
    let functions = sluice_udfs::functions();
    functions
        .iter()
        .filter(|one| text_first(one))
        .map(|one| one.name().to_owned())
        .collect()
}

fn functions(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    for (mix, dirty) in MIXES {
        let (context, bytes) = session(dirty);
        for name in text_functions() {
            let mut group = criterion.benchmark_group(&name);
            group.throughput(Throughput::Bytes(bytes));
            let call = format!("{name}(text{})", required(&name));
            group.bench_function(BenchmarkId::from_parameter(mix), |bencher| {
                bencher.iter(|| runtime.block_on(evaluate(&context, &call)));
            });
            group.finish();
        }
    }
}

/// Seconds for the fastest of `times` runs.
fn fastest(times: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..times).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::MAX, f64::min)
}

fn redact_and_regexp_replace(_: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let chain = chain();
    for (mix, dirty) in MIXES {
        let (context, bytes) = session(dirty);
        let rate = |expression: &str, times| {
            bytes as f64 / 1e6 / fastest(times, || runtime.block_on(run(&context, expression)))
        };
        let (redact, chain) = (rate("redact(text)", 9), rate(&chain, 3));
        let ratio = redact / chain;
        println!(
            "{mix}: redact {redact:.0} MB/s, regexp_replace {chain:.1} MB/s, {ratio:.0} times"
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = functions, redact_and_regexp_replace
}
criterion_main!(benches);
