//! From a password or a new key, over the configuration, to a client that is let in.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};

use crate::cli::{answer, output, shown, sluice, text};

/// What the command prints for what it reads.
fn hashed(arguments: &[&str], input: &str) -> Output {
    let mut child = sluice(&["hash-password"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn what_it_prints_is_what_the_configuration_takes() {
    let folder = tempfile::tempdir().unwrap();
    let user = hashed(&["--user", "alice b."], "open sesame\nrest\n");
    assert!(user.status.success(), "{}", text(&user.stderr));
    let user = text(&user.stdout);
    assert!(
        user.starts_with("\"alice b.\" = \"SCRAM-SHA-256$65536:"),
        "{user}"
    );
    assert!(!user.contains("open sesame"), "{user}");
    let bare = text(&hashed(&[], "open sesame").stdout);
    assert!(bare.starts_with("SCRAM-SHA-256$65536:"), "{bare}");
    let file = folder.path().join("bob.scram");
    fs::write(&file, bare).unwrap();
    let made = answer(&["hash-password", "--api-key", "grafana"]);
    let (key, line) = made.split_once('\n').unwrap();
    assert!(key.starts_with("slk_") && key.len() == 47, "{key}");

    let config = folder.path().join("sluice.toml");
    let written = format!(
        "[server.users]\n{user}bob = \"${{file:{}}}\"\n[server.api_keys]\n{line}",
        file.display()
    );
    fs::write(&config, written).unwrap();
    let data = folder.path().join("data");
    let mut server = sluice(&["serve", "--listen", "127.0.0.1:0", "--data", shown(&data)])
        .args([
            "--config",
            shown(&config),
            "--metrics-listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let doors = line.strip_prefix("ready flight=").unwrap().trim_end();
    let (url, metrics) = doors.split_once(' ').unwrap();
    assert!(metrics.starts_with("metrics=http://127.0.0.1:"), "{line}");
    let ask = [
        "sql",
        "--url",
        url,
        "--format",
        "csv",
        "-c",
        "SELECT 7 AS n",
        "--token",
    ];
    assert_eq!(answer(&[&ask[..], &[key]].concat()), "n\n7\n");
    let alice = ["open sesame", "--user", "alice b."];
    assert_eq!(answer(&[&ask[..], &alice].concat()), "n\n7\n");
    let refused = output(&[&ask[..], &["slk_wrong"]].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(!refused.status.success());
    let errors = text(&refused.stderr);
    assert!(errors.contains("bearer token is wrong"), "{errors}");
    assert!(!errors.contains("slk_wrong"), "{errors}");
}

#[test]
fn no_password_and_a_wrong_entry_are_refused() {
    let nothing = hashed(&["--user", "alice"], "\n");
    assert!(!nothing.status.success());
    assert!(text(&nothing.stderr).contains("empty"));
    let folder = tempfile::tempdir().unwrap();
    for (written, names) in [
        ("[server.users]\nalice = \"hunter2\"", "alice"),
        ("[server.api_keys]\nci = \"hunter2\"", "ci"),
        ("[server]\nticket_key = \"hunter2\"", "server.ticket_key"),
        ("[server]\nmetrics_listen = \"hunter2\"", "is no address"),
    ] {
        let config = folder.path().join("sluice.toml");
        fs::write(&config, written).unwrap();
        let data = folder.path().join("data");
        let refused = output(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            shown(&data),
            "--config",
            shown(&config),
        ]);
        assert!(!refused.status.success(), "{written}");
        let errors = text(&refused.stderr);
        assert!(errors.contains(names), "{errors}");
    }
}
