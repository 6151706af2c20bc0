//! `sluice serve` in a process of its own, for tests that kill it, stop it and let it go on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use crate::cli::{shown, sluice, text};

const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(20);
/// What one question may take, in seconds: a server that hangs must not hang its test.
const QUESTION_MAX: &str = "60";

/// Where a server keeps its data and its log, over all its lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    data: PathBuf,
    init: PathBuf,
    out: PathBuf,
    log: PathBuf,
}

impl Place {
    /// A place in `folder` whose server runs `init` at every start.
    pub(crate) fn new(folder: &Path, name: &str, init: &str) -> Self {
        let path = |suffix: &str| folder.join(format!("{name}{suffix}"));
        let place = Self {
            data: path(""),
            init: path(".sql"),
            out: path(".out"),
            log: path(".log"),
        };
        std::fs::write(&place.init, init).unwrap();
        place
    }

    /// The same place with its log in `folder`, for a server whose disk is full.
    pub(crate) fn with_log(self, folder: &Path) -> Self {
        let name = |path: &Path| folder.join(path.file_name().unwrap_or_default());
        Self {
            out: name(&self.out),
            log: name(&self.log),
            ..self
        }
    }

    /// Starts the server and returns at once; `environment` is beside what tests always set.
    pub(crate) fn start(&self, environment: &[(&str, &str)]) -> Process {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let child = sluice(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            shown(&self.data),
        ])
        .args(["--init", shown(&self.init)])
        .envs(environment.iter().copied())
        .stdout(File::create(&self.out).unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
        Process {
            child,
            place: self.clone(),
            url: None,
        }
    }

    /// What its servers have logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last warnings and errors of the log, for the message of a test that fails.
    pub(crate) fn complaints(&self) -> String {
        let log = self.log();
        let bad = |line: &&str| {
            ["WARN", "ERROR", "panicked", "error:"]
                .iter()
                .any(|w| line.contains(w))
        };
        let mut last: Vec<&str> = log.lines().filter(bad).rev().take(20).collect();
        last.reverse();
        format!("{}:\n{}", self.log.display(), last.join("\n"))
    }
}

/// One life of a server. Dropping it is SIGKILL, whatever state it is in.
pub(crate) struct Process {
    child: Child,
    place: Place,
    url: Option<String>,
}

impl Process {
    /// Where it answers, once it has said so.
    pub(crate) fn url(&mut self) -> Option<&str> {
        if self.url.is_none() {
            let said = std::fs::read_to_string(&self.place.out).unwrap_or_default();
            let line = said.strip_prefix("ready flight=");
            let line = line.and_then(|line| line.strip_suffix('\n'));
            // What else it serves follows.
            self.url = line.map(|line| line.split(' ').next().unwrap_or(line).to_owned());
        }
        self.url.as_deref()
    }

    /// Waits until it answers.
    pub(crate) fn ready(&mut self) -> String {
        let began = Instant::now();
        while self.url().is_none() {
            let ended = self.ended();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "not ready, exit status {ended:?}\n{}",
                self.place.complaints()
            );
            park_timeout(STEP);
        }
        self.url.clone().unwrap()
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, why: &str) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "it does not end: {why}\n{}",
                self.place.complaints()
            );
            park_timeout(STEP);
        }
    }

    /// Sends a signal by its name: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success(), "no process {pid} to send {name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL also ends a stopped process; it may be gone already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Asks a server; what it answers, or what it complains of.
pub(crate) fn try_ask(url: &str, sql: &str) -> Result<String, String> {
    let sluice = sluice(&["sql", "--url", url, "--format", "csv", "-c", sql]);
    let mut bounded = Command::new("timeout");
    bounded
        .arg(QUESTION_MAX)
        .arg(sluice.get_program())
        .args(sluice.get_args());
    for (name, _) in sluice.get_envs() {
        bounded.env_remove(name);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = bounded.output().unwrap();
    match status.success() {
        true => Ok(text(&stdout)),
        false => Err(format!("{status}: {}", text(&stderr))),
    }
}

/// Asks a server that must answer.
pub(crate) fn ask(url: &str, sql: &str) -> String {
    try_ask(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}
