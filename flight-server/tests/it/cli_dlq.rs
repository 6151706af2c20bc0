//! `sluice dlq` and `sluice table` over a data directory.
#![cfg(test)]

use std::path::Path;

use tempfile::TempDir;

use crate::cli::{answer, failure, shown};

/// A data directory with a pipeline whose dead letters lie where it would put them.
fn data(folder: &Path) -> String {
    let data = shown(&folder.join("data")).to_owned();
    let script = format!(
        "CREATE EXTERNAL TABLE events (n BIGINT) STORED AS FILE LOCATION '{}';
         CREATE TABLE logs (n BIGINT);
         CREATE PIPELINE keep AS INSERT INTO logs SELECT n FROM events;
         INSERT INTO logs__dlq (_topic, _partition, _offset, raw, code, reason, pipeline) VALUES
           ('t', 0, 1, '{{\"n\":1}}', 'wrong_type', 'it''s late', 'keep'),
           ('t', 0, 2, '{{\"n\":', 'bad_json', 'not whole', 'keep'),
           ('t', 0, 3, X'ff00', 'bad_json', 'no text', 'keep')",
        shown(&folder.join("events.ndjson"))
    );
    answer(&["sql", "--data", &data, "-c", &script]);
    data
}

fn dlq(data: &str, arguments: &[&str]) -> String {
    let mut all = vec!["dlq"];
    all.extend(arguments);
    all.extend(["--data", data]);
    answer(&all)
}

#[test]
fn dead_letters_are_listed_shown_and_replayed_once() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    let csv = |arguments: &[&str]| dlq(&data, &[arguments, &["--format", "csv"]].concat());
    let list = csv(&["list"]);
    assert!(list.contains("logs,keep,bad_json,2,"), "{list}");
    assert!(list.contains("logs,keep,wrong_type,1,"), "{list}");
    assert_eq!(csv(&["list", "nothing"]).lines().count(), 1);
    let show = csv(&["show", "logs", "--where", "error_code = 'bad_json'"]);
    assert!(
        show.contains("{\"\"n\"\":") && show.contains("ff00"),
        "{show}"
    );
    assert!(!show.contains("late"), "{show}");
    assert_eq!(csv(&["show", "logs", "--limit", "1"]).lines().count(), 2);

    let dry = dlq(&data, &["replay", "logs", "--dry-run"]);
    assert!(
        dry.ends_with("1 of 3 dead letters would be stored\n"),
        "{dry}"
    );
    let only = ["replay", "logs", "--where", "error = 'it''s late'"];
    let first = dlq(&data, &only);
    assert!(first.ends_with("1 of 1 dead letters stored\n"), "{first}");
    let again = dlq(&data, &["replay", "logs"]);
    assert!(again.ends_with("0 of 3 dead letters stored\n"), "{again}");
    let rows = ["sql", "--data", &data, "--format", "json", "-c"];
    let select = "SELECT n, _topic, _offset FROM logs";
    let rows = answer(&[&rows[..], &[select]].concat());
    assert_eq!(rows, "{\"n\":1,\"_topic\":\"t\",\"_offset\":1}\n");
}

#[test]
fn slips_are_named() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    let error = failure(&["dlq", "replay", "lgos", "--data", &data], 1);
    assert!(
        error.contains("lgos") && error.contains("hint: "),
        "{error}"
    );
    let wrong = [
        "dlq", "replay", "logs", "--where", "nope = 1", "--data", &data,
    ];
    let error = failure(&wrong, 1);
    assert!(error.contains("nope"), "{error}");
    let absent = shown(&folder.path().join("absent")).to_owned();
    let error = failure(&["dlq", "list", "--data", &absent], 1);
    assert!(error.contains("absent"), "{error}");
    failure(&["dlq", "drop", "logs"], 2);
}

#[test]
fn a_table_is_maintained_by_hand() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    for n in 0..3 {
        let insert = format!("INSERT INTO logs (n) VALUES ({n})");
        answer(&["sql", "--data", &data, "-c", &insert]);
    }
    let table = |arguments: &[&str]| {
        let all = [
            &["table"],
            arguments,
            &["--data", &data, "--format", "json"],
        ]
        .concat();
        answer(&all)
    };
    let optimized = table(&["optimize", "logs", "--target-size", "1MiB"]);
    assert!(optimized.contains("\"files_removed\":3"), "{optimized}");
    let vacuumed = table(&["vacuum", "logs", "--retention", "30days", "--dry-run"]);
    assert!(vacuumed.contains("\"action\":\"vacuum\""), "{vacuumed}");
    let checkpoint = table(&["checkpoint", "logs"]);
    assert!(
        checkpoint.contains("\"action\":\"checkpoint\""),
        "{checkpoint}"
    );
    let error = failure(
        &[
            "table",
            "vacuum",
            "logs",
            "--retention",
            "0s",
            "--data",
            &data,
        ],
        1,
    );
    assert!(error.contains("retention"), "{error}");
}

#[test]
fn sql_takes_a_configuration() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sluice.toml");
    std::fs::write(&file, "[query]\ntimeout = \"1ms\"\n").unwrap();
    let slow = "SELECT count(*) FROM generate_series(1, 100000000)";
    let error = failure(&["sql", "--config", shown(&file), "-c", slow], 1);
    assert!(error.contains("query.timeout"), "{error}");
    std::fs::write(&file, "[query]\ntimeuot = \"1ms\"\n").unwrap();
    let error = failure(&["sql", "--config", shown(&file), "-c", "SELECT 1"], 1);
    assert!(error.contains("timeuot"), "{error}");
}
