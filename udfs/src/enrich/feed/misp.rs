//! MISP in JSON: an event as it is exported or lies in a feed's folder, several of them, or the
//! list of attributes that a search answers with. Attributes count that are meant for detection
//! (`to_ids`) and not deleted; of pairs such as `ip-dst|port` the part that can be looked up does.

use serde::Deserialize;

use super::csv::instant;
use super::entry::{Entry, Flag, Seconds, Several};
use super::{Feed, Report};
use crate::enrich::fault::Fault;

/// An event with its attributes, or something around it.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Event")]
    event: Option<Box<Self>>,
    response: Option<Several<Self>>,
    uuid: Option<String>,
    timestamp: Option<Seconds>,
    #[serde(rename = "Attribute")]
    attributes: Option<Vec<Entry<Attribute>>>,
    #[serde(rename = "Object")]
    objects: Option<Vec<Entry<Group>>>,
}

/// What MISP calls an object: attributes that belong together.
#[derive(Deserialize)]
struct Group {
    #[serde(rename = "Attribute", default)]
    attributes: Vec<Entry<Attribute>>,
    deleted: Option<Flag>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "type")]
    kind: String,
    value: String,
    to_ids: Option<Flag>,
    deleted: Option<Flag>,
    timestamp: Option<Seconds>,
    first_seen: Option<String>,
    last_seen: Option<String>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let other = |what: String| {
        Fault::new(
            format!("it is no event and no list of attributes of MISP: {what}"),
            "export the event in MISP's JSON, or name in `format` how the feed is written",
        )
    };
    let documents: Several<Document> =
        serde_json::from_slice(bytes).map_err(|error| other(error.to_string()))?;
    let mut newest = None;
    for document in documents.0 {
        if !take_all(feed, document, &mut newest) {
            return Err(other("it has no \"Event\" and no \"Attribute\"".to_owned()));
        }
    }
    let newest = newest.and_then(chrono::DateTime::from_timestamp_micros);
    feed.version = newest.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    Ok(())
}

/// Whether there was anything of MISP in `document`.
fn take_all(feed: &mut Feed, document: Document, newest: &mut Option<i64>) -> bool {
    let inside = document.response.into_iter().flat_map(|all| all.0);
    let inside = inside.chain(document.event.map(|event| *event));
    let mut known = document.attributes.is_some() || document.objects.is_some();
    for one in inside {
        // An event without attributes is one.
        take_all(feed, one, newest);
        known = true;
    }
    *newest = (*newest).max(document.timestamp.as_ref().and_then(Seconds::instant));
    let reference = document.uuid;
    for attribute in document.attributes.into_iter().flatten() {
        take(feed, attribute, reference.as_deref());
    }
    for group in document.objects.into_iter().flatten() {
        let Entry::Sound(group) = group else {
            feed.skip();
            continue;
        };
        if group.deleted.as_ref().is_some_and(Flag::is_set) {
            continue;
        }
        for attribute in group.attributes {
            take(feed, attribute, reference.as_deref());
        }
    }
    known
}

fn take(feed: &mut Feed, attribute: Entry<Attribute>, reference: Option<&str>) {
    let Entry::Sound(attribute) = attribute else {
        feed.skip();
        return;
    };
    let unwanted = attribute.to_ids.as_ref().is_some_and(|flag| !flag.is_set());
    if unwanted || attribute.deleted.as_ref().is_some_and(Flag::is_set) {
        return feed.leave_out();
    }
    let time = |text: &Option<String>| text.as_deref().and_then(instant);
    let changed = attribute.timestamp.as_ref().and_then(Seconds::instant);
    let report = Report {
        score: None,
        first_seen: time(&attribute.first_seen),
        last_seen: time(&attribute.last_seen).or(changed),
        reference: reference.map(str::to_owned),
    };
    let mut values = attribute.value.split('|');
    for kind in attribute.kind.split('|') {
        let value = values.next();
        if !is_value(kind) {
            continue;
        }
        match value {
            Some(value) => feed.take(value, report.clone()),
            None => feed.skip(),
        }
    }
}

/// Whether values of this type are looked up.
fn is_value(kind: &str) -> bool {
    [
        "ip-src", "ip-dst", "ip", "domain", "hostname", "url", "md5", "sha1", "sha256",
    ]
    .contains(&kind)
}
