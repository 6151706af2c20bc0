//! Lines for peers of `redact`, and its own rate over them: `benches/peers/redact.sh` runs it.
//!
//! Writes `clean.txt` and `dirty.txt`, a generated line in each line, and the chain of
//! `regexp_replace` in DuckDB's SQL to the folder `REDACT_LINES`, then prints
//! `NAME MIX MEGABYTES_PER_SECOND` for `redact` and for the same chain in DataFusion, both on one
//! thread. Without a folder it says so and ends.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use sluice_benches::chain::{self, Covers};
use sluice_benches::lines;
use tokio::runtime::Runtime;

const ROWS: usize = 8192;
const BATCHES: u64 = 16;
const SEED: u64 = 7;

/// Lines with something to redact among a hundred.
const MIXES: [(&str, u32); 2] = [("clean", 0), ("dirty", 20)];

fn main() {
    let Ok(folder) = std::env::var("REDACT_LINES") else {
        println!("REDACT_LINES names no folder: make bench-redact-peers sets it");
        return;
    };
    let folder = Path::new(&folder);
    fs::write(folder.join("chain.sql"), chain::duckdb(Covers::Everything))
        .expect("a folder to write to");
    let runtime = Runtime::new().expect("a runtime");
    for (mix, dirty) in MIXES {
        let batches: Vec<Vec<String>> = (0..BATCHES)
            .map(|batch| lines::generate(SEED + batch, ROWS, dirty))
            .collect();
        let text = batches.concat().join("\n");
        fs::write(folder.join(format!("{mix}.txt")), &text).expect("a folder to write to");
        let bytes = text.len() - (ROWS * BATCHES as usize - 1);
        let context = session(batches);
        for (name, expression, times) in [
            ("redact", "redact(text)".to_owned(), 9),
            ("datafusion", chain::datafusion(Covers::Everything), 3),
        ] {
            let seconds = fastest(times, || runtime.block_on(run(&context, &expression)));
            println!("{name} {mix} {:.3}", bytes as f64 / 1e6 / seconds);
        }
    }
}

fn session(batches: Vec<Vec<String>>) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(1);
    let mut context = SessionContext::new_with_config(config);
    sluice_udfs::register_all(&mut context).expect("a new session takes every function");
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    let batches = batches.into_iter().map(|texts| {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        RecordBatch::try_new(Arc::clone(&schema), vec![texts]).expect("one column of text")
    });
    let table = MemTable::try_new(Arc::clone(&schema), vec![batches.collect()])
        .expect("batches of one schema");
    context
        .register_table("logs", Arc::new(table))
        .expect("a new session has no table");
    context
}

async fn run(context: &SessionContext, expression: &str) {
    let sql = format!("SELECT sum(octet_length({expression})) FROM logs");
    let frame = context.sql(&sql).await.expect("a valid query");
    std::hint::black_box(frame.collect().await.expect("a result"));
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
