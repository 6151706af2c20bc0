//! `sluice serve` and those who talk to it: the ready line, clients, a second process, the end.
#![cfg(test)]

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cli::{answer, failure, shown, sluice, text};

/// A server in a process of its own. Its log is kept for the test that fails.
struct Server {
    child: Child,
    url: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// Starts it on a free port and waits until it says that it serves.
    fn start(arguments: &[&str]) -> Self {
        let mut command = sluice(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(url) = line.strip_prefix("ready flight=") else {
            panic!(
                "not ready: {line:?}\n{}",
                text(&child.wait_with_output().unwrap().stderr)
            );
        };
        Self {
            url: url.trim_end().to_owned(),
            child,
            out,
        }
    }

    /// Sends a signal and waits; gives the exit status, the time it took, the rest of the output.
    fn end(self, signal: &str) -> (ExitStatus, Duration, String) {
        let (status, took, rest, _) = self.finish(signal);
        (status, took, rest)
    }

    /// Ends it; gives the exit status and the log.
    fn end_with_log(self) -> (ExitStatus, String) {
        let (status, _, _, log) = self.finish("TERM");
        (status, log)
    }

    fn finish(mut self, signal: &str) -> (ExitStatus, Duration, String, String) {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        // Reads the log to its end, so that a full pipe does not hold the process up.
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        let status = self.child.wait().unwrap();
        (status, started.elapsed(), rest, log)
    }
}

fn data(folder: &TempDir) -> String {
    shown(&folder.path().join("data")).to_owned()
}

fn write(folder: &TempDir, name: &str, contents: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, contents).unwrap();
    shown(Path::new(&path)).to_owned()
}

#[test]
fn it_serves_and_ends_with_zero_on_both_signals() {
    let folder = TempDir::new().unwrap();
    let init = write(
        &folder,
        "init.sql",
        "CREATE TABLE IF NOT EXISTS t (n BIGINT);\n",
    );
    for (signal, sum) in [("TERM", 3), ("INT", 6)] {
        // The second round finds the table with the rows of the first.
        let server = Server::start(&["--data", &data(&folder), "--init", &init]);
        assert!(
            server.url.starts_with("grpc://127.0.0.1:"),
            "{}",
            server.url
        );
        let sql = |sql: &str| answer(&["sql", "--url", &server.url, "--format", "json", "-c", sql]);
        assert_eq!(sql("INSERT INTO t VALUES (1), (2)"), "");
        let want = format!("{{\"s\":{sum}}}\n");
        assert_eq!(sql("SELECT sum(n) AS s FROM t; SHOW PIPELINES"), want);
        let (status, took, rest) = server.end(signal);
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < Duration::from_secs(10), "{signal}: {took:?}");
        assert_eq!(rest, "", "only the ready line goes to standard output");
    }
}

#[test]
fn a_second_process_is_told_who_owns_the_directory() {
    let folder = TempDir::new().unwrap();
    let data = data(&folder);
    let server = Server::start(&["--data", &data]);
    let pid = server.child.id().to_string();
    for arguments in [
        &["sql", "--data", &data, "-c", "SELECT 1"][..],
        &["verify", "t", "--data", &data],
        &["serve", "--data", &data, "--listen", "127.0.0.1:0"],
    ] {
        let errors = failure(arguments, 1);
        assert!(
            errors.contains(&server.url) && errors.contains(&pid),
            "{errors}"
        );
        assert!(errors.contains("hint: "), "{errors}");
    }
    server.end("TERM");
    assert_eq!(
        answer(&[
            "sql",
            "--data",
            &data,
            "--format",
            "csv",
            "-c",
            "SELECT 1 AS a"
        ]),
        "a\n1\n"
    );
}

#[test]
fn clients_get_the_servers_errors_with_their_hints() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&["--data", &data(&folder)]);
    let errors = failure(&["sql", "--url", &server.url, "-c", "SELECT nope"], 1);
    assert!(
        errors.starts_with("error: ") && errors.contains("nope"),
        "{errors}"
    );
    let local = "CREATE EXTERNAL TABLE f STORED AS DELTA LOCATION '/tmp/x'";
    let errors = failure(&["sql", "--url", &server.url, "-c", local], 1);
    assert!(errors.contains("the server's disk\nhint: "), "{errors}");
    let errors = failure(&["verify", "nope", "--url", &server.url], 1);
    assert!(errors.contains("\"nope\""), "{errors}");
    let url = server.url.clone();
    server.end("TERM");
    let errors = failure(&["sql", "--url", &url, "-c", "SELECT 1"], 1);
    assert!(
        errors.contains(&format!("cannot connect to {url}")),
        "{errors}"
    );
}

#[test]
fn results_of_every_size_and_shape_arrive() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&["--data", &data(&folder)]);
    let remote = |sql| answer(&["sql", "--url", &server.url, "--format", "json", "-c", sql]);
    let local = |sql| answer(&["sql", "--format", "json", "-c", sql]);
    for sql in [
        "SELECT value AS n, repeat('x', 200) AS s FROM generate_series(1, 50000)",
        "SELECT repeat('y', 6000000) AS s",
        "SELECT named_struct('k', [1, NULL]) AS v, NULL AS n, TIMESTAMP '2026-02-05 10:00:00' AS t",
        "SELECT 1 AS n WHERE false",
    ] {
        assert!(remote(sql) == local(sql), "{sql}");
    }
    server.end("TERM");
}

#[test]
fn a_token_is_asked_for_and_taken() {
    let folder = TempDir::new().unwrap();
    let token = write(&folder, "token", "s3cret\n");
    let server = Server::start(&["--data", &data(&folder), "--token-file", &token]);
    let sql = [
        "sql",
        "--url",
        &server.url,
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS a",
    ];
    let errors = failure(&sql, 1);
    assert!(
        errors.contains("token") && errors.contains("--token"),
        "{errors}"
    );
    let errors = failure(&[&sql[..], &["--token", "wrong"]].concat(), 1);
    assert!(errors.contains("hint: "), "{errors}");
    assert_eq!(
        answer(&[&sql[..], &["--token", "s3cret"]].concat()),
        "a\n1\n"
    );
    assert_eq!(
        answer(&[&sql[..], &["--token-file", &token]].concat()),
        "a\n1\n"
    );
    server.end("TERM");
}

#[test]
fn tls_is_checked_against_the_named_certificate() {
    let folder = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let cert = write(&folder, "cert.pem", &made.cert.pem());
    let key = write(&folder, "key.pem", &made.signing_key.serialize_pem());
    let data = data(&folder);
    let server = Server::start(&["--data", &data, "--tls-cert", &cert, "--tls-key", &key]);
    assert!(
        server.url.starts_with("grpc+tls://127.0.0.1:"),
        "{}",
        server.url
    );
    let sql = [
        "sql",
        "--url",
        &server.url,
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS a",
        "--tls-ca",
    ];
    assert_eq!(answer(&[&sql[..], &[&cert]].concat()), "a\n1\n");
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = write(&folder, "other.pem", &other.cert.pem());
    let errors = failure(&[&sql[..], &[&other]].concat(), 1);
    assert!(errors.contains("cannot connect to grpc+tls://"), "{errors}");
    server.end("TERM");
}

#[test]
fn an_init_file_that_fails_names_the_statement() {
    let folder = TempDir::new().unwrap();
    let data = data(&folder);
    let init = write(
        &folder,
        "init.sql",
        "CREATE TABLE IF NOT EXISTS t (n BIGINT);\nSELEC 1;\n",
    );
    let errors = failure(
        &[
            "serve",
            "--data",
            &data,
            "--listen",
            "127.0.0.1:0",
            "--init",
            &init,
        ],
        1,
    );
    assert!(errors.contains("init.sql:2: \"SELEC 1\": "), "{errors}");
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let folder = TempDir::new().unwrap();
    let config = write(
        &folder,
        "sluice.toml",
        "[server]\nlissten = \"127.0.0.1:0\"\n",
    );
    let data = data(&folder);
    let errors = failure(&["serve", "--data", &data, "--config", &config], 1);
    assert!(
        errors.contains("lissten") && errors.contains("sluice.toml"),
        "{errors}"
    );
    let open = ["serve", "--data", &data, "--listen", "0.0.0.0:0"];
    let errors = failure(&open, 1);
    assert!(
        errors.contains("0.0.0.0:0") && errors.contains("token"),
        "{errors}"
    );
}

/// Lines of the numbers in `range`, each a record of a stream.
fn records(range: std::ops::RangeInclusive<u32>) -> String {
    let mut lines = String::new();
    for n in range {
        writeln!(lines, "{{\"n\":{n}}}").unwrap();
    }
    lines
}

/// Asks until the answer is `want`; a pipeline gets there in its own time.
fn wait_for(url: &str, sql: &str, want: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let got = answer(&["sql", "--url", url, "--format", "json", "-c", sql]);
        if got == want {
            return;
        }
        assert!(Instant::now() < deadline, "{sql} still gives {got}");
    }
}

#[test]
fn a_pipeline_is_verified_and_goes_on_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let data = data(&folder);
    let events = write(&folder, "events.ndjson", &(records(1..=1000) + "broken\n"));
    let init = format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS events (n BIGINT) STORED AS FILE LOCATION '{events}';
         CREATE TABLE IF NOT EXISTS numbers (n BIGINT);
         CREATE PIPELINE IF NOT EXISTS p WITH (max_latency = '50ms') AS
         INSERT INTO numbers SELECT n FROM events WHERE n % 10 <> 0;"
    );
    let init = write(&folder, "init.sql", &init);
    let count = "SELECT count(*) AS n FROM numbers";
    let verify =
        |place: &[&str]| answer(&[&["verify", "numbers", "--format", "json"], place].concat());

    let server = Server::start(&["--data", &data, "--init", &init]);
    wait_for(&server.url, count, "{\"n\":900}\n");
    let proof = verify(&["--url", &server.url]);
    let want = "\"first\":0,\"next\":1001,";
    assert!(
        proof.contains(want) && proof.contains("\"verdict\":\"ok\""),
        "{proof}"
    );
    let figures = "\"stored\":900,\"dead_letters\":1,\"filtered\":100,\"missing\":0,";
    assert!(proof.contains(figures), "{proof}");
    server.end("TERM");
    assert_eq!(verify(&["--data", &data]), proof);

    // Definitions are in the data directory, so the second start needs no init file.
    let mut file = OpenOptions::new().append(true).open(&events).unwrap();
    file.write_all(records(1001..=1100).as_bytes()).unwrap();
    let server = Server::start(&["--data", &data]);
    wait_for(&server.url, count, "{\"n\":990}\n");
    server.end("TERM");
    let proof = answer(&["verify", "numbers", "--data", &data]);
    assert!(
        proof.contains("| 1101 |") && proof.contains("\nproven: "),
        "{proof}"
    );

    let double = "INSERT INTO numbers SELECT * FROM numbers LIMIT 1";
    answer(&["sql", "--data", &data, "-c", double]);
    let output = sluice(&["verify", "numbers", "--data", &data])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("\nnot proven: "),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_query_that_never_ends_does_not_hold_the_end_up() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(&["--data", &data(&folder)]);
    let endless = "SELECT value FROM generate_series(1, 1000000000000)";
    let mut client = sluice(&[
        "sql",
        "--url",
        &server.url,
        "--format",
        "csv",
        "-c",
        endless,
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut rows = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    rows.read_line(&mut line).unwrap();
    assert_eq!(line, "value\n");
    let (status, took, _) = server.end("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    io::copy(&mut rows, &mut io::sink()).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).starts_with("error: "),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_log_goes_to_standard_error_as_asked() {
    let folder = TempDir::new().unwrap();
    for (filter, lines) in [("info", true), ("off", false)] {
        let server = Server::start(&["--data", &data(&folder), "--log", filter]);
        let (status, log) = server.end_with_log();
        assert_eq!(status.code(), Some(0));
        assert_eq!(log.contains("listening"), lines, "{log}");
    }
}
