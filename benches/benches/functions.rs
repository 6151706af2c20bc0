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

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use sluice_benches::chain::{self, Covers};
use sluice_benches::lines;
use sluice_udfs::Function;
use tokio::runtime::Runtime;

const ROWS: usize = 8192;
const BATCHES: usize = 16;
const SEED: u64 = 7;

/// Lines with something to redact among a hundred.
const MIXES: [(&str, u32); 3] = [("clean", 0), ("dirty 1 %", 1), ("dirty 20 %", 20)];

/// Real log lines beside the checkout, which are measured where they are.
const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/loghub");

/// Real log lines, of which `dirty` in a hundred are replaced by generated ones with findings.
fn real_lines(dirty: u32) -> Vec<String> {
    let files = std::fs::read_dir(REAL).map_or_else(|_| Vec::new(), Iterator::collect);
    let mut paths: Vec<_> = files
        .into_iter()
        .flatten()
        .map(|file| file.path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
    paths.sort();
    let texts = paths.iter().filter_map(|path| std::fs::read(path).ok());
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    let lines: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let findings = lines::generate(SEED, lines.len(), 100);
    let every = |(place, (line, finding)): (u32, (String, String))| {
        if place % 100 < dirty { finding } else { line }
    };
    (0..)
        .zip(lines.into_iter().zip(findings))
        .map(every)
        .collect()
}

/// Batches of generated lines, or of real ones.
fn batches(source: Source, dirty: u32) -> Vec<Vec<String>> {
    match source {
        Source::Generated => (0..BATCHES)
            .map(|batch| lines::generate(SEED + batch as u64, ROWS, dirty))
            .collect(),
        // As many as generated ones, so that planning the query weighs the same.
        Source::Real => {
            let lines = real_lines(dirty);
            let lines: Vec<_> = lines.iter().cycle().take(ROWS * BATCHES).cloned().collect();
            lines.chunks(ROWS).map(<[String]>::to_vec).collect()
        }
    }
}

/// Where lines come from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Generated,
    Real,
}

fn session(source: Source, dirty: u32) -> (SessionContext, u64) {
    let mut context =
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    sluice_udfs::register_all(&mut context).expect("a new session takes every function");
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let mut bytes = 0;
    let batches = batches(source, dirty).into_iter().map(|texts| {
        bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        RecordBatch::try_new(Arc::clone(&schema), vec![texts]).expect("one column of text")
    });
    let batches = batches.collect();
    let table = MemTable::try_new(schema, vec![batches]).expect("batches of one schema");
    context
        .register_table("logs", Arc::new(table))
        .expect("a new session has no table");
    (context, bytes)
}

/// Plans `expression` over the lines and lets go of what it gives, batch by batch.
async fn run(context: &SessionContext, expression: &str) {
    let sql = format!("SELECT {expression} FROM logs");
    let frame = context.sql(&sql).await.expect("a valid query");
    let mut batches = frame.execute_stream().await.expect("a plan that runs");
    while let Some(batch) = batches.next().await {
        std::hint::black_box(batch.expect("a result"));
    }
}

/// The options that a function cannot be called without.
fn required(name: &str) -> &'static str {
    match name {
        "dissect" => ", '%{timestamp} %{rest}'",
        "grok" => ", '%{NOTSPACE:timestamp} %{GREEDYDATA:rest}'",
        _ => "",
    }
}

/// Scalar functions whose first argument is text.
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
        let (context, bytes) = session(Source::Generated, dirty);
        for name in text_functions() {
            let mut group = criterion.benchmark_group(&name);
            group.throughput(Throughput::Bytes(bytes));
            let call = format!("{name}(text{})", required(&name));
            group.bench_function(BenchmarkId::from_parameter(mix), |bencher| {
                bencher.iter(|| runtime.block_on(run(&context, &call)));
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
    for source in [Source::Generated, Source::Real] {
        for (mix, dirty) in MIXES {
            let (context, bytes) = session(source, dirty);
            if bytes == 0 {
                println!("skipped: no real lines at {REAL}");
                continue;
            }
            let rate = |expression: &str, times| {
                bytes as f64 / 1e6 / fastest(times, || runtime.block_on(run(&context, expression)))
            };
            let idle = rate("text", 9);
            let redact = rate("redact(text)", 9);
            let chain = |covers| rate(&chain::datafusion(covers), 2);
            let (few, all) = (chain(Covers::Lines), chain(Covers::Everything));
            println!(
                "{source:?}, {mix}: redact {redact:.0} MB/s; regexp_replace for its categories \
                 {all:.1} MB/s, {:.0} times; for those of the lines {few:.1} MB/s, {:.0} times; \
                 the query without either {idle:.0} MB/s",
                redact / all,
                redact / few,
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = functions, redact_and_regexp_replace
}
criterion_main!(benches);
