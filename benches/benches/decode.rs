//! What decoding costs, a record of ten fields and about 320 bytes at a time: the shape-cached way,
//! the general way, and beside them `serde_json` and Arrow's own reader on the same records.
//!
//! `cargo bench --locked --workspace --bench decode`

#![expect(
    clippy::expect_used,
    missing_docs,
    reason = "a bench stops at the first surprise, and criterion's macros make public items"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::json::ReaderBuilder;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use sluice_benches::events::Events;
use sluice_connectors::decode::{Chunk, Decoder, Layout, Position, Record};
use sluice_engine::definition::TableDefinition;
use sluice_engine::lineage;
use sluice_engine::source::{Partition, Wanted};

/// Records decoded before columns are taken.
const CHUNK: usize = 8192;

fn fields() -> Vec<Field> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let mut fields = vec![Field::new("timestamp", lineage::timestamp_type(), true)];
    let texts = [
        "severity",
        "source",
        "message",
        "host",
        "service_version",
        "trace_id",
        "user_id",
    ];
    fields.extend(texts.map(text));
    fields.push(Field::new("latency_ms", DataType::Float64, true));
    fields.push(Field::new("status", DataType::Int64, true));
    fields
}

fn layout() -> Layout {
    let definition = TableDefinition {
        name: "events".into(),
        format: "FILE".into(),
        location: "/events".into(),
        schema: Arc::new(Schema::new(fields())),
        partition_columns: Vec::new(),
        options: BTreeMap::new(),
    };
    Layout::of(&definition).expect("a definition that is right")
}

/// Records of one shape each time, as the keys are turned by one more place.
fn turned(record: &str, by: usize) -> String {
    let inner = record.trim_start_matches('{').trim_end_matches('}');
    let mut parts: Vec<&str> = inner.split(",\"").collect();
    let count = parts.len();
    if let Some(first) = parts.first_mut() {
        *first = first.trim_start_matches('"');
    }
    parts.rotate_left(by % count);
    format!("{{\"{}}}", parts.join(",\""))
}

fn decode(c: &mut Criterion) {
    let records: Vec<String> = Events::new(7).take(CHUNK).collect();
    let mixed: Vec<String> = records
        .iter()
        .enumerate()
        .map(|(at, record)| turned(record, at % 4))
        .collect();
    // A record with a key that repeats never becomes a shape.
    let repeating: Vec<String> = records
        .iter()
        .map(|record| record.replace('}', ",\"status\":1}"))
        .collect();
    let layout = layout();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(CHUNK as u64));
    let mut measure = |name: &str, records: &[String]| {
        let mut decoder = Decoder::new(&layout);
        group.bench_function(name, |b| {
            b.iter(|| {
                for record in records {
                    decoder.append(record.as_bytes(), None).expect("an event");
                }
                black_box(decoder.finish().expect("columns"))
            });
        });
    };
    measure("shape", &records);
    measure("four shapes", &mixed);
    measure("general", &repeating);
    group.bench_function("chunk with lineage and bytes", |b| {
        let mut chunk = Chunk::new(&layout, Wanted::default());
        b.iter(|| {
            let partition = Partition {
                topic: "log-events".into(),
                identity: "i".into(),
                index: 0,
            };
            let mut at = Position::new(partition, 0);
            for (offset, record) in (0..).zip(&records) {
                let record = Record {
                    offset,
                    timestamp_us: Some(offset),
                    key: None,
                    value: Some(record.as_bytes()),
                    headers: None,
                };
                chunk.push(&mut at, &record);
            }
            black_box(chunk.finish().expect("a batch"))
        });
    });
    peers(&mut group, &records);
    group.finish();
}

/// What others make of the same records.
fn peers(group: &mut BenchmarkGroup<'_, WallTime>, records: &[String]) {
    group.bench_function("serde_json::Value", |b| {
        b.iter(|| {
            for record in records {
                let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
                black_box(value);
            }
        });
    });
    group.bench_function("arrow-json", |b| {
        let schema = Arc::new(Schema::new(fields()));
        let mut decoder = ReaderBuilder::new(schema)
            .with_batch_size(CHUNK)
            .build_decoder()
            .expect("a reader");
        b.iter(|| {
            for record in records {
                decoder.decode(record.as_bytes()).expect("an event");
            }
            black_box(decoder.flush().expect("columns"))
        });
    });
}

criterion_group!(benches, decode);
criterion_main!(benches);
