//! Files as streams: whole and growing ones, folders, and what happens when they are not there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use sluice_connectors::file::FileFormat;
use sluice_engine::definition::TableDefinition;
use sluice_engine::error::{Error, Kind};
use sluice_engine::lineage;
use sluice_engine::source::{
    Event, Member, Offered, Partition, Reader, Source, SourceBatch, SourceFormat,
};

async fn source(location: &str, options: &[(&str, &str)]) -> Result<Arc<dyn Source>, Error> {
    let options = options
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    let definition = TableDefinition {
        name: "t".into(),
        format: "FILE".into(),
        location: location.into(),
        schema: Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)])),
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
    assert_eq!(names, ["n", "_topic", "_partition", "_offset", "_kafka_ts"]);
    let mut reader = source.scan().await.expect("a file that is there");
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
        .follow(&Member::of("g"))
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
async fn a_complete_file_may_lack_the_last_newline_and_still_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    append(&path, "{\"n\":1}");
    let source = open(&path, &[]).await;
    let mut reader = source
        .follow(&Member::of("g"))
        .await
        .expect("a file that is there");
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
    assert!(error.message().contains("'follow' 'true'"), "{error}");
}

#[tokio::test]
async fn a_folder_is_all_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    append(&folder.path().join("a"), "{\"n\":1}\n");
    append(&folder.path().join("b"), "{\"n\":2}\n");
    let source = open(folder.path(), &[]).await;
    let mut reader = source.scan().await.expect("a folder");
    let all = batch(&mut *reader).await;
    assert_eq!(numbers(&all), [(0, 1), (0, 2)]);
    let topic = |partition: &Partition| partition.topic.clone();
    let topics: Vec<_> = all
        .ranges
        .iter()
        .map(|range| topic(&range.partition))
        .collect();
    assert_eq!(topics, ["a", "b"]);
    let mut reader = source.follow(&Member::of("g")).await.expect("a folder");
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
    let error = missing.scan().await.err().expect("no file");
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
