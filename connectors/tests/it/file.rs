//! Files as streams: whole and growing ones, folders, and what happens when they are not there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimestampMicrosecondType};
use sluice_connectors::file::FileFormat;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Kind};
use sluice_engine::lineage;
use sluice_engine::source::{
    Event, Member, Offered, Partition, Reader, Source, SourceBatch, SourceFormat, Wanted,
};

async fn source(location: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Source>, Error> {
    let fields = vec![Field::new("n", DataType::Int64, true)];
    defined(location, options, fields).await
}

async fn defined(
    location: &str,
    options: &[(&str, &str)],
    fields: Vec<Field>,
) -> Result<Arc<dyn Source>, Error> {
    let options = options
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    let definition = TableDefinition {
        name: "t".into(),
        format: "FILE".into(),
        location: location.into(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: Vec::new(),
        options: options.collect::<BTreeMap<_, _>>(),
    };
    FileFormat.open(&definition).await
}

async fn open(path: &Path, options: &[(&str, &str)]) -> Arc<dyn Source> {
    source(path.to_str().expect("UTF-8"), options)
        .await
        .expect("a definition that is right")
}

async fn source_of(path: &Path, options: &[(&str, &str)], fields: Vec<Field>) -> Arc<dyn Source> {
    let location = path.to_str().expect("UTF-8");
    defined(location, options, fields)
        .await
        .expect("a definition that is right")
}

async fn follow(source: &Arc<dyn Source>) -> Box<dyn Reader> {
    source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("files that are there")
}

async fn event(reader: &mut dyn Reader) -> Option<Event> {
    let next = tokio::time::timeout(Duration::from_secs(30), reader.next());
    next.await
        .expect("an event within half a minute")
        .expect("a stream that can be read")
}

async fn batch(reader: &mut dyn Reader) -> SourceBatch {
    match event(reader).await {
        Some(Event::Batch(batch)) => batch,
        other => panic!("a batch, not {other:?}"),
    }
}

async fn assign(reader: &mut dyn Reader, next: i64) -> Vec<Offered> {
    match event(reader).await {
        Some(Event::Assigned(assigned)) => {
            let reply = assigned.offered.iter().map(|_| next).collect();
            assigned.reply.send(Ok(reply)).expect("a reader that waits");
            assigned.offered
        }
        other => panic!("an assignment, not {other:?}"),
    }
}

fn numbers(batch: &SourceBatch) -> Vec<(i64, i64)> {
    let offsets = batch.rows["_offset"]
        .as_primitive::<Int64Type>()
        .values()
        .iter();
    let numbers = batch.rows["n"].as_primitive::<Int64Type>().values().iter();
    offsets.copied().zip(numbers.copied()).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("a file");
    file.write_all(text.as_bytes()).expect("room on the disk");
}

#[tokio::test]
async fn a_file_is_read_once_with_lineage() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}\r\n\n{\"n\":2}\nbroken\n{\"n\":3}");
    let source = open(&path, &[]).await;
    let names: Vec<_> = source
        .schema()
        .fields()
        .iter()
        .map(|of| of.name().clone())
        .collect();
    assert_eq!(
        names,
        [
            "n",
            "_extra",
            "_topic",
            "_partition",
            "_offset",
            "_kafka_ts"
        ]
    );
    let mut reader = source
        .scan(Wanted::default())
        .await
        .expect("a file that is there");
    let batch = batch(&mut *reader).await;
    assert_eq!(numbers(&batch), [(0, 1), (2, 2), (4, 3)]);
    assert_eq!(batch.rows.schema(), source.schema());
    assert_eq!(
        batch.rows[lineage::TOPIC].as_string::<i32>().value(2),
        "a.ndjson"
    );
    assert_eq!(
        batch.rows[lineage::PARTITION]
            .as_primitive::<Int32Type>()
            .value(0),
        0
    );
    assert_eq!(batch.rows[lineage::TIMESTAMP].null_count(), 3);
    let reject = &batch.rejects[0];
    assert_eq!((reject.offset, reject.code), (3, "bad_json"));
    assert_eq!(reject.raw.as_deref(), Some(&b"broken"[..]));
    let range = &batch.ranges[0];
    assert_eq!(
        (range.from, range.to, range.decoded, range.rejected),
        (0, 5, 3, 1)
    );
    assert!(event(&mut *reader).await.is_none());
}

#[tokio::test]
async fn a_pipeline_continues_and_takes_new_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\"");
    let source = open(&path, &[("follow", "true")]).await;
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a file that is there");
    let offered = assign(&mut *reader, 1).await;
    assert_eq!(
        (offered[0].low, offered[0].high, offered[0].start),
        (0, 3, 0)
    );
    assert_eq!(numbers(&batch(&mut *reader).await), [(1, 2), (2, 3)]);
    append(&path, ":4}\n");
    let more = batch(&mut *reader).await;
    assert_eq!(numbers(&more), [(3, 4)]);
    assert_eq!((more.ranges[0].from, more.ranges[0].to), (3, 4));
    fs::write(&path, "").expect("a file that can be cut");
    let error = reader.next().await.expect_err("positions that are gone");
    assert_eq!(error.kind(), Kind::User);
}

#[tokio::test]
async fn a_pipeline_waits_for_the_newline_of_the_last_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}\n{\"n\":2");
    let source = open(&path, &[]).await;
    let mut reader = follow(&source).await;
    assert_eq!(assign(&mut *reader, 0).await[0].high, 1);
    assert_eq!(numbers(&batch(&mut *reader).await), [(0, 1)]);
    drop(reader);
    // What was added while nobody looked is part of the line.
    append(&path, "3}\n{\"n\":4}");
    let mut reader = follow(&source).await;
    assert_eq!(assign(&mut *reader, 1).await[0].high, 2);
    assert_eq!(numbers(&batch(&mut *reader).await), [(1, 23)]);
    // A query reads what there is.
    let mut reader = source.scan(Wanted::default()).await.expect("a file");
    assert_eq!(
        numbers(&batch(&mut *reader).await),
        [(0, 1), (1, 23), (2, 4)]
    );
}

#[tokio::test]
async fn a_complete_file_may_lack_the_last_newline_and_still_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}");
    let source = open(&path, &[("follow", "false")]).await;
    let mut reader = follow(&source).await;
    assert_eq!(assign(&mut *reader, 0).await[0].high, 1);
    assert_eq!(numbers(&batch(&mut *reader).await), [(0, 1)]);
    append(&path, "\n{\"n\":2}\n{\"n\":");
    let mut seen = numbers(&batch(&mut *reader).await);
    // The half line is taken for a whole one, which this option says.
    assert_eq!(seen.remove(0), (1, 2));
    append(&path, "3}\n");
    let error = loop {
        match reader.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an error, not the end"),
            Err(error) => break error,
        }
    };
    assert!(error.message().contains("'follow'"), "{error}");
    // Without the option a pipeline goes on after a line that was taken without its newline.
    append(&path, "{\"n\":4}");
    let mut reader = follow(&open(&path, &[]).await).await;
    assert_eq!(assign(&mut *reader, 4).await[0].high, 3);
    append(&path, "\n{\"n\":5}\n");
    assert_eq!(numbers(&batch(&mut *reader).await), [(4, 5)]);
}

#[tokio::test]
async fn more_files_than_a_process_may_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 3_000;
    for file in 0..count {
        append(&folder.path().join(format!("{file:05}")), "{\"n\":1}\n");
    }
    let source = open(folder.path(), &[]).await;
    let mut reader = follow(&source).await;
    let offered = assign(&mut *reader, 0).await;
    assert_eq!(offered.len(), count);
    let mut read = 0;
    while read < count {
        read += batch(&mut *reader).await.rows.num_rows();
    }
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    assert!(open < 1_000, "{open} files are open");
    append(&folder.path().join("00001"), "{\"n\":2}\n");
    assert_eq!(numbers(&batch(&mut *reader).await), [(1, 2)]);
}

#[tokio::test]
async fn another_file_at_the_path_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}\n");
    let mut reader = follow(&open(&path, &[]).await).await;
    assign(&mut *reader, 0).await;
    assert_eq!(numbers(&batch(&mut *reader).await), [(0, 1)]);
    let other = folder.path().join("b");
    append(&other, "{\"n\":1}\n{\"n\":2}\n");
    fs::rename(&other, &path).expect("a file that can be replaced");
    let error = reader.next().await.expect_err("another file");
    assert!(error.message().contains("cut or replaced"), "{error}");
}

#[tokio::test]
async fn a_line_that_is_too_large_keeps_its_beginning_and_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    let (fits, long) = ("a".repeat(300_000), "b".repeat(300_001));
    append(&path, &format!("{fits}\r\n{long}\r\n{long}\n{fits}"));
    let options = [("format", "raw"), ("max_record_bytes", "300000")];
    let source = source_of(&path, &options, Vec::new()).await;
    let mut reader = source.scan(Wanted::default()).await.expect("a file");
    let batch = batch(&mut *reader).await;
    assert_eq!(batch.rows.num_rows(), 2);
    let rejects: Vec<_> = batch
        .rejects
        .iter()
        .map(|of| (of.offset, of.code))
        .collect();
    assert_eq!(rejects, [(1, "too_large"), (2, "too_large")]);
    let [first, second] = &batch.rejects[..] else {
        panic!("two rejects");
    };
    assert_eq!(first.raw.as_deref(), Some(&long.as_bytes()[..64 << 10]));
    assert!(first.reason.contains("300001 bytes"), "{}", first.reason);
    // The end of the line is no part of it.
    assert_eq!(first.reason, second.reason);
}

#[tokio::test]
async fn dates_without_a_year_take_that_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("syslog");
    append(&path, "Feb  5 10:00:00 web sshd[42]: ok\n\n");
    let written = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = OpenOptions::new().append(true).open(&path).expect("a file");
    file.set_modified(written).expect("a time that can be set");
    let source = source_of(&path, &[("format", "syslog")], Vec::new()).await;
    let mut reader = source.scan(Wanted::default()).await.expect("a file");
    let batch = batch(&mut *reader).await;
    let times = batch.rows["timestamp"].as_primitive::<TimestampMicrosecondType>();
    // 2023-02-05T10:00:00Z.
    assert_eq!(times.values(), &[1_675_591_200_000_000]);
    assert_eq!(batch.ranges[0].to, 2);
}

#[tokio::test]
async fn a_folder_is_all_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    append(&folder.path().join("a"), "{\"n\":1}\n");
    append(&folder.path().join("b"), "{\"n\":2}\n");
    let source = open(folder.path(), &[]).await;
    let mut reader = source.scan(Wanted::default()).await.expect("a folder");
    let all = batch(&mut *reader).await;
    assert_eq!(numbers(&all), [(0, 1), (0, 2)]);
    let topic = |partition: &Partition| partition.topic.clone();
    let topics: Vec<_> = all
        .ranges
        .iter()
        .map(|range| topic(&range.partition))
        .collect();
    assert_eq!(topics, ["a", "b"]);
    let mut reader = source
        .follow(&Member::of("g"), Wanted::default())
        .await
        .expect("a folder");
    let offered = assign(&mut *reader, 0).await;
    let identities: Vec<_> = offered
        .iter()
        .map(|of| of.partition.identity.clone())
        .collect();
    assert_ne!(identities[0], identities[1]);
    assert_eq!(batch(&mut *reader).await.ranges, all.ranges);
    append(&folder.path().join("c"), "{\"n\":3}\n");
    assert_eq!(assign(&mut *reader, 0).await[0].partition.topic, "c");
    assert_eq!(numbers(&batch(&mut *reader).await), [(0, 3)]);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let missing = source("/nowhere/at/all", &[])
        .await
        .expect("defined before it is there");
    let error = missing
        .scan(Wanted::default())
        .await
        .err()
        .expect("no file");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.message().contains("\"/nowhere/at/all\""), "{error}");
    for (location, options) in [
        ("relative", &[][..]),
        ("s3://bucket/file", &[][..]),
        ("/file", &[("follow", "perhaps")][..]),
        ("/file", &[("fromat", "json")][..]),
    ] {
        let error = source(location, options).await.expect_err(location);
        assert_eq!(error.kind(), Kind::User);
        assert!(error.hint_text().is_some(), "{error}");
    }
    source("file:///tmp/x", &[]).await.expect("a file URL");
}
