//! The `sluice` command as a shell uses it: arguments in; standard output, standard error and an
//! exit status out.
#![cfg(test)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use arrow::ipc::reader::StreamReader;
use tempfile::TempDir;

/// A command that inherits nothing which could change its answers.
pub(crate) fn sluice(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["RUST_LOG", "SLUICE_TOKEN", "SSL_CERT_FILE"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn output(arguments: &[&str]) -> Output {
    sluice(arguments).output().unwrap()
}

/// Standard output of a command that must succeed and have nothing to complain about.
pub(crate) fn answer(arguments: &[&str]) -> String {
    let output = output(arguments);
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "", "{arguments:?}");
    text(&output.stdout)
}

/// Standard error of a command that must fail with `status`.
pub(crate) fn failure(arguments: &[&str], status: i32) -> String {
    let output = output(arguments);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stderr)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

const ROWS: &str = "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t (n, s) ORDER BY n";

#[test]
fn each_format_is_exact() {
    let sql = |format| answer(&["sql", "--format", format, "-c", ROWS]);
    let table =
        "+---+------+\n| n | s    |\n+---+------+\n| 1 | a    |\n| 2 | NULL |\n+---+------+\n";
    assert_eq!(sql("table"), table);
    assert_eq!(answer(&["sql", "-c", ROWS]), table);
    assert_eq!(sql("csv"), "n,s\n1,a\n2,\n");
    assert_eq!(sql("json"), "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":null}\n");
    let arrow = output(&["sql", "--format", "arrow", "-c", ROWS]).stdout;
    let batches: Vec<_> = StreamReader::try_new(&arrow[..], None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        2
    );
}

#[test]
fn json_nests_and_writes_times_as_iso_8601() {
    let sql = "SELECT named_struct('k', [1, NULL]) AS v, MAP {'a': 1} AS m, \
               TIMESTAMP '2026-02-05 10:00:00.5' AS t, \
               arrow_cast(0, 'Timestamp(Microsecond, Some(\"UTC\"))') AS z, 'a\"b\nc' AS s";
    let want = "{\"v\":{\"k\":[1,null]},\"m\":{\"a\":1},\"t\":\"2026-02-05T10:00:00.500\",\
                \"z\":\"1970-01-01T00:00:00Z\",\"s\":\"a\\\"b\\nc\"}\n";
    assert_eq!(answer(&["sql", "--format", "json", "-c", sql]), want);
    let csv = answer(&[
        "sql",
        "--format",
        "csv",
        "-c",
        "SELECT [1, 2] AS l, 'x' AS s",
    ]);
    assert_eq!(csv, "l,s\n\"[1,2]\",x\n");
}

#[test]
fn statements_run_in_order_and_share_a_session() {
    let script = "CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1), (2); -- done; not yet\n\
                  SELECT sum(n) AS sum FROM t";
    assert_eq!(
        answer(&["sql", "--format", "json", "-c", script]),
        "{\"sum\":3}\n"
    );
    let two = [
        "sql",
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS a",
        "-c",
        "SELECT ';' AS b;",
    ];
    assert_eq!(answer(&two), "a\n1\nb\n;\n");
    assert_eq!(answer(&["sql", "-c", " ; -- nothing"]), "");
}

#[test]
fn a_failed_statement_ends_the_run() {
    let script = "SELECT 1 AS a; SELECT nope; SELECT 2 AS b";
    let output = output(&["sql", "--format", "csv", "-c", script]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "a\n1\n");
    let errors = text(&output.stderr);
    assert!(
        errors.starts_with("error: ") && errors.contains("nope"),
        "{errors}"
    );
    assert!(
        !errors.contains("DataFusion") && !errors.contains("panicked"),
        "{errors}"
    );
}

#[test]
fn an_error_in_a_file_says_where() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.sql");
    std::fs::write(&file, "-- first\nSELECT 1 AS a;\n\nSELECT\n  nope;\n").unwrap();
    let errors = failure(&["sql", "-f", shown(&file)], 1);
    assert!(errors.contains("a.sql:4: \"SELECT nope\": "), "{errors}");
    let absent = folder.path().join("absent.sql");
    let errors = failure(&["sql", "-f", shown(&absent)], 1);
    assert!(
        errors.starts_with("error: cannot read ") && errors.contains("absent.sql"),
        "{errors}"
    );
}

#[test]
fn wrong_arguments_end_with_two() {
    for arguments in [
        &["sql", "--format", "xml", "-c", "SELECT 1"][..],
        &["sql", "--url", "grpc://h", "--data", "d"],
        &["sql", "--url", "http://h"],
        &["sql", "-c", "SELECT 1", "-f", "-"],
        &["serve", "--listen", "nowhere"],
        &["verify"],
        &["frobnicate"],
        &[],
    ] {
        failure(arguments, 2);
    }
}

#[test]
fn statements_come_from_standard_input() {
    for arguments in [
        &["sql", "--format", "csv"][..],
        &["sql", "--format", "csv", "-f", "-"],
    ] {
        let mut child = sluice(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(b"SELECT 1 AS a;\nSELECT 2 AS b;\n")
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(text(&output.stdout), "a\n1\nb\n2\n");
    }
}

#[test]
fn tables_survive_from_one_run_to_the_next() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let sql = |sql| answer(&["sql", "--data", shown(&data), "--format", "json", "-c", sql]);
    let statements =
        "CREATE TABLE t (n BIGINT, s VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, NULL)";
    assert_eq!(sql(statements), "");
    assert_eq!(
        sql("SELECT * FROM t ORDER BY n"),
        "{\"n\":1,\"s\":\"a\"}\n{\"n\":2,\"s\":null}\n"
    );
    assert_eq!(sql("DROP TABLE t; CREATE TABLE t AS SELECT 7 AS n"), "");
    assert_eq!(sql("SELECT n FROM t"), "{\"n\":7}\n");
}

#[test]
fn without_a_data_directory_nothing_is_left() {
    let folder = TempDir::new().unwrap();
    let run = |sql| {
        let mut command = sluice(&["sql", "--format", "json", "-c", sql]);
        command
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .output()
            .unwrap()
    };
    let output = run("CREATE TABLE t AS SELECT 1 AS n; SELECT n FROM t");
    assert_eq!(
        text(&output.stdout),
        "{\"n\":1}\n",
        "{}",
        text(&output.stderr)
    );
    assert!(!run("SELECT nope").status.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let folder = TempDir::new().unwrap();
    for format in ["csv", "json", "arrow", "table"] {
        let sql = "SELECT value FROM generate_series(1, 1000000000)";
        let mut child = sluice(&["sql", "--format", format, "-c", sql])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn functions_are_listed_and_shown_in_full() {
    let list = answer(&["functions"]);
    assert!(
        list.lines()
            .any(|line| line.trim_start().starts_with("redact ")),
        "{list}"
    );
    let full = answer(&["functions", "REDACT"]);
    for part in ["Syntax:\n", "Arguments:\n", "Example:\n"] {
        assert!(full.contains(part), "{full}");
    }
    let errors = failure(&["functions", "nope"], 1);
    assert!(
        errors.starts_with("error: there is no function \"nope\"\nhint: "),
        "{errors}"
    );
}

#[test]
fn help_and_version_are_there() {
    assert_eq!(
        answer(&["--version"]),
        concat!("sluice ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for mode in ["serve", "sql", "demo", "verify", "functions"] {
        assert!(answer(&["--help"]).contains(mode));
        assert!(answer(&[mode, "--help"]).contains("Usage: sluice"));
    }
}

#[test]
fn verify_says_what_it_cannot_prove() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let absent = failure(&["verify", "t", "--data", shown(&data)], 1);
    assert!(
        absent.contains("there is no data directory") && !data.is_dir(),
        "{absent}"
    );
    answer(&[
        "sql",
        "--data",
        shown(&data),
        "-c",
        "CREATE TABLE t (n BIGINT)",
    ]);
    let errors = failure(&["verify", "t", "--data", shown(&data)], 1);
    assert!(
        errors.contains("no pipeline has written to table \"t\""),
        "{errors}"
    );
    let errors = failure(&["verify", "u", "--data", shown(&data)], 1);
    assert!(errors.contains("\"u\""), "{errors}");
}

#[test]
fn a_wrong_log_filter_is_named() {
    let errors = failure(&["sql", "--log", "a=b=c", "-c", "SELECT 1"], 1);
    assert!(errors.contains("\"a=b=c\" is not a log filter"), "{errors}");
}
