//! Tables in a store that speaks S3's protocol: the same promises, races and outages included. The
//! server is moto's; without it the tests say that they are skipped.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluice_engine::error::Kind;
use sluice_engine::table::{Compact, Maintenance, Orphans};

const BUCKET: &str = "sluice-tests";

struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
    secret: tempfile::NamedTempFile,
}

impl Server {
    fn start() -> Option<Self> {
        let python = std::env::var("SLUICE_PYTHON").unwrap_or_else(|_| {
            let home = std::env::var("HOME").unwrap_or_default();
            let cache =
                std::env::var("SLUICE_CACHE").unwrap_or_else(|_| format!("{home}/.cache/sluice"));
            format!("{cache}/venv/bin/python")
        });
        let there = Command::new(&python)
            .args(["-c", "import moto.server"])
            .output();
        if !there.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: {python} has no moto, which `make test` installs");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/delta/s3_server.py");
        let mut process = Command::new(python)
            .args([script, BUCKET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "test-secret\n").unwrap();
        Some(Self {
            process,
            input,
            output,
            port: port.trim().parse().unwrap(),
            secret,
        })
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.input, "{command}").unwrap();
        let mut done = String::new();
        self.output.read_line(&mut done).unwrap();
        assert_eq!(done.trim(), "done");
    }

    fn definition(&self, folder: &str) -> TableDefinition {
        let secret = format!("${{file:{}}}", self.secret.path().display());
        let options = [
            ("s3.endpoint", format!("http://127.0.0.1:{}", self.port)),
            ("s3.allow_http", "true".to_owned()),
            ("s3.region", "us-east-1".to_owned()),
            ("s3.access_key_id", "test".to_owned()),
            ("s3.secret_access_key", secret),
        ];
        TableDefinition {
            location: format!("s3://{BUCKET}/{folder}"),
            options: options.map(|(key, value)| (key.to_owned(), value)).into(),
            ..definition(Path::new("/"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn opened(definition: &TableDefinition) -> Arc<dyn Table> {
    let table = DeltaFormat::default().open(definition).await.unwrap();
    table.expect("the table is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_race_store_every_row_once() {
    let Some(server) = Server::start() else {
        return;
    };
    let definition = server.definition("races/my logs");
    DeltaFormat::default().create(&definition).await.unwrap();
    // Writers 0 and 1 fight for partition 0; the others have one each.
    let writers = [0, 0, 1, 2].map(|index| {
        let definition = definition.clone();
        tokio::spawn(async move {
            let table = opened(&definition).await;
            let mut refused = 0;
            loop {
                let at = table.offsets("ingest", &[partition(index)]).await.unwrap()[0];
                let from = at.unwrap_or(0);
                if from >= 60 {
                    return refused;
                }
                let next = Append {
                    writer: "ingest".into(),
                    rows: rows(vec![batch(from, from + 10)]),
                    ranges: vec![range(index, at, from + 10)],
                    redactions: Vec::new(),
                };
                match table.append(next).await {
                    Ok(_) => {}
                    Err(error) if error.kind() == Kind::Conflict => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let table = opened(&definition).await;
    let three: Vec<i64> = (0..60).flat_map(|offset| [offset; 3]).collect();
    assert_eq!(stored(&table).await, three);
    let all = [partition(0), partition(1), partition(2)];
    assert_eq!(table.offsets("ingest", &all).await.unwrap(), [Some(60); 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outage_neither_loses_nor_doubles() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let definition = server.definition("outage");
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    table.append(append(0, 10)).await.unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (table, enough) = (Arc::clone(&table), Arc::clone(&enough));
        async move {
            let mut from = 10;
            while !enough.load(Ordering::Relaxed) {
                match table.append(append(from, from + 10)).await {
                    Ok(_) => from += 10,
                    // As a pipeline does: nothing was stored, so the same rows come again.
                    Err(error) => assert!(error.kind().retry(), "{error}"),
                }
            }
            from
        }
    });
    let other = opened(&definition).await;
    for _ in 0..2 {
        let before = next_offset(&other).await;
        while next_offset(&other).await == before {}
        server.tell("down");
        // The outage lasts for as long as a request is tried again.
        assert!(other.offsets("ingest", &[partition(0)]).await.is_err());
        server.tell("up");
    }
    enough.store(true, Ordering::Relaxed);
    let end = writer.await.unwrap();
    assert_eq!(stored(&other).await, (0..end).collect::<Vec<_>>());
    assert_eq!(next_offset(&opened(&definition).await).await, Some(end));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_maintained_and_removed() {
    let Some(server) = Server::start() else {
        return;
    };
    let definition = server.definition("care");
    let format = DeltaFormat::default();
    let table = format.create(&definition).await.unwrap();
    for from in (0..50).step_by(10) {
        table.append(append(from, from + 10)).await.unwrap();
    }
    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    let merge = Maintenance::Compact(Compact::default());
    let merged = table.maintain(&merge).await.unwrap();
    assert_eq!((merged.files_removed, merged.files_added), (5, 1));
    let vacuum = Maintenance::Vacuum {
        retention: Some(Duration::ZERO),
        dry_run: false,
        orphans: Orphans::Kept,
    };
    assert_eq!(table.maintain(&vacuum).await.unwrap().files_removed, 5);
    let table = opened(&definition).await;
    assert_eq!(stored(&table).await, (0..50).collect::<Vec<_>>());
    assert_eq!(next_offset(&table).await, Some(50));

    format.remove(&definition).await.unwrap();
    assert!(format.open(&definition).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_conditions_is_refused() {
    let Some(mut server) = Server::start() else {
        return;
    };
    server.tell("careless");
    let definition = server.definition("careless");
    let error = DeltaFormat::default()
        .create(&definition)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.hint_text().unwrap().contains("If-None-Match"),
        "{error}"
    );
}

#[tokio::test]
async fn options_are_checked_and_secrets_are_references() {
    let with = |key: &str, value: &str| TableDefinition {
        location: "s3://bucket/logs".into(),
        options: [(key.to_owned(), value.to_owned())].into(),
        ..definition(Path::new("/"))
    };
    let refused = async |definition: TableDefinition| {
        DeltaFormat::default().open(&definition).await.unwrap_err()
    };
    let error = refused(with("s3.regoin", "x")).await;
    assert!(
        error.hint_text().unwrap().contains("\"s3.region\""),
        "{error}"
    );
    let error = refused(with("s3.secret_access_key", "hunter2")).await;
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(
        error.hint_text().unwrap().contains("${env:NAME}"),
        "{error}"
    );
    let error = refused(with("s3.session_token", "${env:SLUICE_NOT_SET}")).await;
    assert!(error.message().contains("SLUICE_NOT_SET"), "{error}");
    let local = TableDefinition {
        options: [("s3.region".to_owned(), "x".to_owned())].into(),
        ..definition(Path::new("/tmp"))
    };
    assert_eq!(refused(local).await.kind(), Kind::User);
}
