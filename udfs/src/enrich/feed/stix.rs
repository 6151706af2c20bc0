//! Bundles of STIX 2.0 and 2.1: objects of which the indicators count, each with a pattern, the
//! time in which it holds and a confidence of 0 to 100. The rest of a bundle (identities, malware,
//! relations) says nothing of an address.

use std::collections::HashMap;

use serde::Deserialize;

use super::csv::instant;
use super::entry::{Entry, Flag};
use super::pattern::values;
use super::{Feed, Period, Report};
use crate::enrich::fault::Fault;

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    objects: Vec<Entry<Object>>,
}

/// What an object may have; only of indicators is more than the type asked for.
#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    pattern: Option<String>,
    pattern_type: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    modified: Option<String>,
    confidence: Option<f64>,
    revoked: Option<Flag>,
    #[serde(default)]
    external_references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    url: Option<String>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let other = |what: String| {
        Fault::new(
            format!("it is no bundle of STIX: {what}"),
            "export a bundle in JSON, or name in `format` how the feed is written",
        )
    };
    let bundle: Bundle = serde_json::from_slice(bytes).map_err(|error| other(error.to_string()))?;
    if bundle.kind != "bundle" {
        return Err(other(format!("its type is \"{}\"", bundle.kind)));
    }
    let mut indicators = Vec::new();
    for object in bundle.objects {
        match object {
            Entry::Sound(object) if object.kind == "indicator" => indicators.push(object),
            Entry::Sound(_) => {}
            _ => feed.skip(),
        }
    }
    // A collection may hold several versions of an object, of which the newest is what counts.
    let modified = |object: &Object| object.modified.as_deref().and_then(instant);
    let mut versions: HashMap<&str, Option<i64>> = HashMap::new();
    for indicator in &indicators {
        if let Some(id) = indicator.id.as_deref() {
            let newest = versions.entry(id).or_default();
            *newest = (*newest).max(modified(indicator));
        }
    }
    for indicator in &indicators {
        let newest = indicator.id.as_deref().and_then(|id| versions.get(id));
        match newest {
            Some(newest) if modified(indicator) < *newest => feed.leave_out(),
            _ => take(feed, indicator),
        }
    }
    let dated = indicators
        .iter()
        .filter_map(|one| Some((modified(one)?, one)));
    let newest = dated.max_by_key(|(at, _)| *at);
    feed.version = newest.and_then(|(_, one)| one.modified.clone());
    Ok(())
}

fn take(feed: &mut Feed, indicator: &Object) {
    // Sigma, YARA and the like say nothing of an address.
    if indicator.pattern_type.as_deref().unwrap_or("stix") != "stix" {
        return;
    }
    let Some(values) = indicator.pattern.as_deref().and_then(values) else {
        feed.skip();
        return;
    };
    let time = |text: &Option<String>| text.as_deref().and_then(instant);
    let period = Period {
        from: time(&indicator.valid_from),
        until: time(&indicator.valid_until),
    };
    let revoked = indicator.revoked.as_ref().is_some_and(Flag::is_set);
    if revoked {
        return feed.leave_out();
    }
    if !feed.holds(period) {
        return;
    }
    let reference = indicator
        .external_references
        .iter()
        .find_map(|one| one.url.clone());
    let report = Report {
        score: indicator.confidence,
        first_seen: period.from,
        last_seen: time(&indicator.modified),
        reference,
    };
    for value in values {
        feed.take(&value, report.clone());
    }
}
