//! A secret that a table refers to is shown nowhere: not in the data directory, not by any
//! statement, not in the log; and clients on the network refer only to what the owner allows.
#![cfg(test)]

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::{failure, shown, sluice, text};
use crate::process::Place;

const SECRET: &str = "correct-horse-battery-staple";

fn definition(table: &str, password: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS {table} (n BIGINT) STORED AS KAFKA \
         LOCATION 'kafka://127.0.0.1:1/t' OPTIONS ('format' 'json', \
         'kafka.security.protocol' 'SASL_PLAINTEXT', 'kafka.sasl.mechanism' 'PLAIN', \
         'kafka.sasl.username' 'sluice', 'kafka.sasl.password' '{password}')"
    )
}

#[test]
fn a_secret_is_in_no_file_no_answer_and_no_log() {
    let folder = TempDir::new().unwrap();
    let init = format!(
        "{}; CREATE TABLE IF NOT EXISTS logs (n BIGINT);
         CREATE PIPELINE IF NOT EXISTS keep AS INSERT INTO logs SELECT n FROM events",
        definition("events", "${env:BROKER_PASSWORD}")
    );
    let place = Place::new(folder.path(), "data", &init);
    let environment = [("BROKER_PASSWORD", SECRET), ("RUST_LOG", "trace")];
    let mut server = place.start(&environment);
    let url = server.ready();
    let ask = |sql: &str| {
        let output = sluice(&["sql", "--url", &url, "--format", "csv", "-c", sql]).output();
        let output = output.unwrap();
        text(&output.stdout) + &text(&output.stderr)
    };
    // The pipeline has tried, with the password, once it says what it met.
    let began = Instant::now();
    while !ask("SHOW PIPELINES").contains("cannot reach") {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{}",
            place.complaints()
        );
    }
    for sql in [
        "SHOW PIPELINES",
        "SHOW TABLES",
        "SHOW ALL",
        "SHOW COLUMNS FROM events",
        "SHOW CREATE TABLE events",
        "SELECT * FROM information_schema.views",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM system.partitions",
        "SELECT * FROM system.commits",
        "SELECT * FROM system.pipelines",
        "SELECT * FROM events",
        "EXPLAIN VERBOSE SELECT * FROM events",
        "INSERT INTO events VALUES (1)",
    ] {
        let shown = ask(sql);
        assert!(!shown.contains(SECRET), "{sql}: {shown}");
    }
    let log = place.log();
    assert!(
        log.contains("DEBUG") && !log.contains(SECRET),
        "the log shows the secret, or nothing"
    );
    drop(server);
    let catalog = std::fs::read_to_string(folder.path().join("data/catalog.json")).unwrap();
    assert!(catalog.contains("${env:BROKER_PASSWORD}"), "{catalog}");
    let found = files_with(folder.path(), SECRET.as_bytes());
    assert!(found.is_empty(), "{found:?}");
}

/// Files below `folder` that hold `bytes`.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else {
            let content = std::fs::read(&path).unwrap();
            if content.windows(bytes.len()).any(|window| window == bytes) {
                found.push(shown(&path).to_owned());
            }
        }
    }
    found
}

#[test]
fn clients_on_the_network_name_only_what_the_owner_allows() {
    let folder = TempDir::new().unwrap();
    let place = Place::new(folder.path(), "data", "SELECT 1");
    let allowed = [
        (
            "SLUICE__SECURITY__ALLOW_REFERENCES",
            "env:BROKER_*, file:/etc/sluice/*",
        ),
        ("BROKER_PASSWORD", SECRET),
    ];
    let mut server = place.start(&allowed);
    let url = server.ready();
    let sql = definition("good", "${env:BROKER_PASSWORD}");
    assert!(
        sluice(&["sql", "--url", &url, "-c", &sql])
            .status()
            .unwrap()
            .success()
    );
    let file = "CREATE EXTERNAL TABLE t (n BIGINT) STORED AS KAFKA LOCATION 'kafka://h:1/t' \
                OPTIONS ('kafka.security.protocol' 'SSL', 'kafka.ssl.ca.location' '/etc/passwd')";
    for sql in [
        definition("bad", "${env:PATH}"),
        definition("bad", "${file:/etc/passwd}"),
        definition("bad", "${file:/etc/sluice/../passwd}"),
        file.to_owned(),
    ] {
        let error = failure(&["sql", "--url", &url, "-c", &sql], 1);
        assert!(error.contains("the server's own"), "{sql}: {error}");
        assert!(error.contains("allow_references"), "{sql}: {error}");
    }
    // The owner may, in the process.
    let mine = ["sql", "-c", &definition("mine", "${env:PATH}")];
    assert!(sluice(&mine).status().unwrap().success());
}
