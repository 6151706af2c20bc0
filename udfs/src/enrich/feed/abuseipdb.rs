//! AbuseIPDB's blacklist: one JSON document with an address, a confidence of 0 to 100 and the time
//! of the last report in each item.

use serde::Deserialize;

use super::csv::instant;
use super::{Feed, Report};
use crate::enrich::fault::Fault;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    meta: Meta,
    data: Vec<Item>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Meta {
    generated_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    ip_address: String,
    abuse_confidence_score: Option<f64>,
    last_reported_at: Option<String>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| {
        Fault::new(
            format!("it is no blacklist of AbuseIPDB: {error}"),
            "fetch it with `Accept: application/json`, or give it the format \"list\"",
        )
    })?;
    feed.version = document.meta.generated_at;
    for item in document.data {
        let report = Report {
            score: item.abuse_confidence_score,
            last_seen: item.last_reported_at.as_deref().and_then(instant),
            ..Report::default()
        };
        feed.take(&item.ip_address, report);
    }
    Ok(())
}
