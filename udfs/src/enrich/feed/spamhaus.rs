//! Spamhaus DROP: a JSON object in each line, and one at the end that says how many there are.

use serde::Deserialize;

use super::{Feed, Report};
use crate::enrich::fault::Fault;

#[derive(Deserialize)]
struct Line {
    cidr: Option<String>,
    sblid: Option<String>,
    timestamp: Option<i64>,
    records: Option<u64>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let mut stated = None;
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            Fault::new(
                format!("line {} is no record of Spamhaus DROP: {error}", number + 1),
                "fetch drop_v4.json or drop_v6.json again",
            )
        })?;
        if let Some(cidr) = line.cidr {
            let reference = line.sblid;
            feed.take(
                &cidr,
                Report {
                    reference,
                    ..Report::default()
                },
            );
        }
        stated = line.records.or(stated);
        let version = line.timestamp.map(|seconds| seconds.to_string());
        feed.version = version.or_else(|| feed.version.take());
    }
    let found = feed.seen;
    match stated {
        Some(stated) if stated > found => {
            let message = format!("it says that it has {stated} records, and has {found}");
            Err(Fault::new(message, "fetch it again; it was cut short"))
        }
        _ => Ok(()),
    }
}
