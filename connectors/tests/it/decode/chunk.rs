//! Chunks: rows, rejects, ranges, and the bytes that they come from.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, TimeUnit};
use sha2::{Digest, Sha256};
use sluice_connectors::decode::{Chunk, Headers, Position, Record};
use sluice_engine::source::{Partition, Wanted};

use super::layout;

fn partition() -> Partition {
    Partition {
        topic: "p".into(),
        identity: "i".into(),
        index: 3,
    }
}

fn record(offset: i64, value: &[u8]) -> Record<'_> {
    Record {
        offset,
        timestamp_us: None,
        key: None,
        value: Some(value),
        headers: None,
    }
}

#[test]
fn a_bad_record_leaves_no_trace_and_ranges_join() {
    let ts = DataType::Timestamp(TimeUnit::Second, None);
    let inner = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
    let fields = vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("n", DataType::Int32, true),
        Field::new("ts", ts, true),
        Field::new("nested", DataType::Struct(inner), true),
        Field::new("ok", DataType::Boolean, true),
    ];
    let good = r#"{"text":"a\tb","n":7,"ts":1770286830,"nested":{"x":1},"ok":true}"#;
    let bad = [
        r#"{"text":"lost","n":7,"ts":1770286830,"nested":{"x":1},"ok":"no"}"#,
        r#"{"text":"lost","n":7,"ts":1770286830,"nested":{"x":"no"},"ok":true}"#,
        r#"{"text":"\ud800","n":7}"#,
        r#"{"text":"lost","n":7,"ts":"#,
        r#"{"n":7,"nested":[1]}"#,
    ];
    let layout = layout(fields, &[]);
    let read = |records: &[(i64, &str)]| -> (RecordBatch, Vec<i64>, (i64, i64)) {
        let partition = partition();
        let (mut chunk, mut at) = (
            Chunk::new(&layout, Wanted::default()),
            Position::new(partition, 10),
        );
        for (offset, value) in records {
            let value = Some(value.as_bytes());
            let record = Record {
                offset: *offset,
                timestamp_us: Some(5),
                key: None,
                value,
                headers: None,
            };
            chunk.push(&mut at, &record);
        }
        let batch = chunk.finish().expect("a batch").expect("ranges");
        assert!(chunk.finish().expect("no error").is_none());
        let raw = batch.raw.as_ref().expect("bytes of rows");
        assert_eq!(raw.len(), batch.rows.num_rows());
        assert!(raw.iter().all(|raw| raw == Some(good.as_bytes())));
        let rejected = batch.rejects.iter().map(|reject| reject.offset).collect();
        let range = &batch.ranges[0];
        assert_eq!(range.decoded, batch.rows.num_rows() as u64);
        assert_eq!(range.rejected, batch.rejects.len() as u64);
        (batch.rows, rejected, (range.from, range.to))
    };
    let mixed: Vec<(i64, &str)> = bad
        .iter()
        .enumerate()
        .flat_map(|(at, bad)| [(20 + 2 * at as i64, good), (21 + 2 * at as i64, *bad)])
        .collect();
    let alone: Vec<(i64, &str)> = mixed
        .iter()
        .filter(|(at, _)| at % 2 == 0)
        .copied()
        .collect();
    let (rows, rejected, range) = read(&mixed);
    assert_eq!((rejected, range), (vec![21, 23, 25, 27, 29], (10, 30)));
    let (wanted, none, _) = read(&alone);
    assert_eq!((rows, none), (wanted, Vec::new()));
    // Offsets read before are dropped, whatever they hold.
    let (rows, rejected, range) = read(&[(9, good), (12, good), (12, good), (11, bad[0])]);
    assert_eq!((rows.num_rows(), rejected.len(), range), (1, 0, (10, 13)));
}

/// Headers that must not be read, unless there are some.
struct Given(Vec<(&'static str, Option<&'static [u8]>)>);

impl Headers for Given {
    fn each(&self, header: &mut dyn FnMut(&str, Option<&[u8]>)) {
        assert!(!self.0.is_empty(), "nobody wants them");
        self.0.iter().for_each(|(name, value)| header(name, *value));
    }
}

#[test]
fn keys_and_headers_come_to_who_wants_them() {
    let layout = layout(Vec::new(), &[]).keyed();
    let read = |wanted: Wanted, headers: &Given| {
        let (mut chunk, mut at) = (Chunk::new(&layout, wanted), Position::new(partition(), 0));
        for (offset, key) in [(0, Some(&b"k\xff"[..])), (1, None)] {
            let headers = (offset == 0).then_some(headers as &dyn Headers);
            let record = record(offset, b"v");
            chunk.push(
                &mut at,
                &Record {
                    key,
                    headers,
                    ..record
                },
            );
        }
        let batch = chunk.finish().expect("a batch").expect("ranges");
        assert_eq!(batch.rows.schema(), layout.schema());
        batch.rows
    };
    let rows = read(Wanted::default(), &Given(Vec::new()));
    assert_eq!(
        (rows["_key"].null_count(), rows["_headers"].null_count()),
        (2, 2)
    );
    let key = Wanted {
        key: true,
        headers: false,
    };
    let rows = read(key, &Given(Vec::new()));
    let keys: Vec<_> = rows["_key"].as_binary::<i32>().iter().collect();
    assert_eq!(keys, [Some(&b"k\xff"[..]), None]);
    let both = Wanted {
        key: true,
        headers: true,
    };
    let rows = read(both, &Given(vec![("a", Some(b"1")), ("a", None)]));
    let lists = rows["_headers"].as_list::<i32>();
    assert_eq!(lists.null_count(), 0);
    assert_eq!((lists.value(0).len(), lists.value(1).len()), (2, 0));
    let headers = lists.value(0);
    let headers = headers.as_struct();
    let names: Vec<_> = headers.column(0).as_string::<i32>().iter().collect();
    let values: Vec<_> = headers.column(1).as_binary::<i32>().iter().collect();
    assert_eq!(names, [Some("a"), Some("a")]);
    assert_eq!(values, [Some(&b"1"[..]), None]);
}

#[test]
fn a_record_that_is_too_large_keeps_its_beginning_and_digest() {
    let layout = layout(Vec::new(), &[("max_record_bytes", "100000")]);
    let (mut chunk, mut at) = (
        Chunk::new(&layout, Wanted::default()),
        Position::new(partition(), 0),
    );
    chunk.push(&mut at, &record(0, &vec![b'a'; 100_000]));
    chunk.push(&mut at, &record(1, &vec![b'a'; 100_001]));
    let batch = chunk.finish().expect("a batch").expect("ranges");
    assert_eq!(batch.rows.num_rows(), 1);
    let reject = &batch.rejects[0];
    assert_eq!((reject.offset, reject.code), (1, "too_large"));
    assert_eq!(reject.raw.as_ref().map(Vec::len), Some(64 << 10));
    assert!(reject.reason.contains("100001 bytes"), "{}", reject.reason);
    let digest = format!(
        "sha256 of the whole value {:x}",
        Sha256::digest(vec![b'a'; 100_001])
    );
    assert!(reject.reason.ends_with(&digest), "{}", reject.reason);
    assert!(batch.bytes > 200_000 + (64 << 10), "{}", batch.bytes);
}

#[test]
fn a_key_and_headers_count_for_what_is_too_large() {
    let layout = layout(Vec::new(), &[("max_record_bytes", "100000")]).keyed();
    let (key, long) = (vec![b'k'; 100_000], vec![b'h'; 100_000]);
    let headers = Long(long);
    let both = Wanted {
        key: true,
        headers: true,
    };
    let read = |wanted: Wanted, key, headers| {
        let (mut chunk, mut at) = (Chunk::new(&layout, wanted), Position::new(partition(), 0));
        let record = record(0, b"v");
        chunk.push(
            &mut at,
            &Record {
                key,
                headers,
                ..record
            },
        );
        chunk.finish().expect("a batch").expect("ranges")
    };
    let batch = read(Wanted::default(), Some(&key), None);
    let reject = &batch.rejects[0];
    assert_eq!(reject.code, "too_large");
    assert_eq!(reject.key.as_ref().map(Vec::len), Some(64 << 10));
    assert_eq!(reject.raw.as_deref(), Some(&b"v"[..]));
    assert_eq!(
        read(both, None, Some(&headers)).rejects[0].code,
        "too_large"
    );
    // Headers that nobody reads cost nothing.
    assert_eq!(read(Wanted::default(), None, Some(&headers)).rejects, []);
}

/// One long header.
struct Long(Vec<u8>);

impl Headers for Long {
    fn each(&self, header: &mut dyn FnMut(&str, Option<&[u8]>)) {
        header("long", Some(&self.0));
    }
}

#[test]
fn dead_letters_are_decoded_again() {
    let layout = layout(vec![Field::new("n", DataType::Int64, true)], &[]);
    let records: [&[u8]; 4] = [b"{\"n\":1}", b"{", b"{\"n\":3,\"x\":1}", b"{\"n\":\"x\"}"];
    let again = layout.redecode(&records).expect("rows");
    let names: Vec<_> = again
        .rows
        .schema()
        .fields()
        .iter()
        .map(|of| of.name().clone())
        .collect();
    assert_eq!(names, ["n", "_extra"]);
    assert_eq!(
        again.rows["n"].as_primitive::<Int64Type>().values(),
        &[1, 3]
    );
    let codes: Vec<_> = again
        .faults
        .iter()
        .map(|fault| fault.as_ref().and_then(|fault| fault.split(':').next()))
        .collect();
    assert_eq!(codes, [None, Some("bad_json"), None, Some("wrong_type")]);
}
