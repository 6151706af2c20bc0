//! `sluice demo` as a user runs it: the binary, its own broker, its output.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .arg("demo")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_short_demo_ends_by_itself_with_every_answer() {
    let output = demo(&["--for", "12s", "--listen", "127.0.0.1:0", "--rate", "500"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("ready flight=grpc://127.0.0.1:"), "{text}");
    for query in sluice_sql::QUERIES {
        assert!(text.contains(sluice_sql::title(query)), "{text}");
    }
    // Six thousand events, one in a thousand malformed, most DEBUG lines and every repeat left
    // out, and the pipeline has read them all.
    assert!(text.contains(" 0 left to read"), "{text}");
    let count = |name: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let number = line
            .unwrap_or_else(|| panic!("no \"{name}\" in {text}"))
            .split_whitespace();
        number.last().unwrap().parse().unwrap()
    };
    assert!(count("stored  ") > 4500, "{text}");
    assert!(count("left out: ") > 300, "{text}");
    assert!(count("dead letter: ") >= 1, "{text}");
    assert_eq!(count("missing"), 0, "{text}");
    assert_eq!(count("stored twice"), 0, "{text}");
    // Each lookup found something: hosts, customers, listed clients and where they are.
    for found in ["critical", "platinum", "credential stuffing", "  NL  "] {
        assert!(text.contains(found), "{found}: {text}");
    }
    assert!(!text.contains("(no rows)"), "{text}");
    // No number of sixteen digits in any stored line that was printed; masks of theirs instead.
    assert!(text.contains("xxxx-xxxx-xxxx-"), "{text}");
    assert!(
        !text
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| digits.len() == 16),
        "{text}"
    );
}

#[test]
fn a_demo_without_an_end_ends_with_sigterm_and_leaves_nothing() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let data = lines.find(|line| line.starts_with("data ")).unwrap();
    let folder = data.split_whitespace().nth(1).unwrap().to_owned();
    assert!(Path::new(&folder).try_exists().unwrap());
    // The first line of figures: the demo is under way.
    lines.find(|line| line.contains(" events/s ")).unwrap();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(child.wait().unwrap().success());
    assert!(
        !Path::new(&folder).try_exists().unwrap(),
        "{folder} is left over"
    );
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let broker = format!("127.0.0.1:{port}");
    let output = demo(&["--for", "12s", "--kafka", &broker]);
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains(&broker) && errors.contains("hint: "),
        "{errors}"
    );
}

#[test]
fn a_folder_that_holds_something_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let output = demo(&["--for", "12s", "--data", folder.path().to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("is not empty")
    );
}
