//! Which process this is, as commits say it: what an operator looks for when two of them fight over
//! the same partitions.

use std::fmt;
use std::fs;
use std::sync::LazyLock;

use chrono::Utc;
use serde::{Deserialize, Serialize};

/// A process that commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process {
    /// The name of its machine or container; empty where the system tells none.
    host: String,
    /// Its number there.
    pid: u32,
    /// When it first looked, microseconds since the epoch: numbers come again, in containers most
    /// of all.
    since_us: i64,
}

static OWN: LazyLock<Process> = LazyLock::new(|| {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Process {
        host: host.trim().to_owned(),
        pid: std::process::id(),
        since_us: Utc::now().timestamp_micros(),
    }
});

impl Process {
    /// This one.
    pub(super) fn own() -> Self {
        OWN.clone()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == *OWN {
            return f.write_str("this process");
        }
        let Self { host, pid, .. } = self;
        write!(f, "process {pid} on host \"{host}\"")
    }
}
