//! AlienVault OTX in JSON: a pulse, several of them (also as the answer of a page of the interface,
//! under `results`), or the plain export of indicators with their types.

use serde::Deserialize;

use super::csv::instant;
use super::entry::{Entry, Flag, Several, Word};
use super::{Feed, Period, Report};
use crate::enrich::fault::Fault;

/// A page of results, a pulse, which has indicators, or an indicator of the plain export.
#[derive(Deserialize)]
struct Document {
    results: Option<Vec<Entry<Self>>>,
    indicators: Option<Vec<Entry<Indicator>>>,
    id: Option<Word>,
    modified: Option<Word>,
    indicator: Option<Word>,
    #[serde(rename = "type")]
    kind: Option<Word>,
}

#[derive(Deserialize)]
struct Indicator {
    indicator: String,
    #[serde(rename = "type")]
    kind: String,
    created: Option<String>,
    expiration: Option<String>,
    is_active: Option<Flag>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let other = |what: String| {
        Fault::new(
            format!("it has no pulses and no indicators of AlienVault OTX: {what}"),
            "fetch the pulses in JSON, or name in `format` how the feed is written",
        )
    };
    let documents: Several<Document> =
        serde_json::from_slice(bytes).map_err(|error| other(error.to_string()))?;
    let mut newest = None;
    for document in documents.0 {
        if !take_all(feed, document, &mut newest) {
            return Err(other(
                "there is no \"indicators\" and no \"results\"".to_owned(),
            ));
        }
    }
    feed.version = newest;
    Ok(())
}

/// Whether there was anything of OTX in `document`.
fn take_all(feed: &mut Feed, document: Document, newest: &mut Option<String>) -> bool {
    let text = |word: &Option<Word>| word.as_ref().and_then(Word::text).map(str::to_owned);
    let known = document.results.is_some() || document.indicators.is_some();
    for one in document.results.into_iter().flatten() {
        let Entry::Sound(one) = one else {
            feed.skip();
            continue;
        };
        if !take_all(feed, one, newest) {
            feed.skip();
        }
    }
    if document.indicators.is_some() {
        // Times of one form, so that the later text is the later time.
        *newest = newest.take().max(text(&document.modified));
    }
    let reference = text(&document.id).map(|id| format!("https://otx.alienvault.com/pulse/{id}"));
    for indicator in document.indicators.into_iter().flatten() {
        match indicator {
            Entry::Sound(indicator) => take(feed, &indicator, reference.as_deref()),
            Entry::Other(_) => feed.skip(),
        }
    }
    let alone = text(&document.indicator).zip(text(&document.kind));
    if let Some((indicator, kind)) = alone.filter(|_| !known) {
        let plain = Indicator {
            indicator,
            kind,
            created: None,
            expiration: None,
            is_active: None,
        };
        take(feed, &plain, None);
        return true;
    }
    known
}

fn take(feed: &mut Feed, indicator: &Indicator, reference: Option<&str>) {
    let time = |text: &Option<String>| text.as_deref().and_then(instant);
    let period = Period {
        from: None,
        until: time(&indicator.expiration),
    };
    let active = indicator.is_active.as_ref().is_none_or(Flag::is_set);
    if !is_value(&indicator.kind) {
        return;
    }
    if !active {
        return feed.leave_out();
    }
    if !feed.holds(period) {
        return;
    }
    let report = Report {
        score: None,
        first_seen: time(&indicator.created),
        last_seen: None,
        reference: reference.map(str::to_owned),
    };
    feed.take(&indicator.indicator, report);
}

/// Whether indicators of this type are looked up.
fn is_value(kind: &str) -> bool {
    [
        "IPv4",
        "IPv6",
        "CIDR",
        "domain",
        "hostname",
        "URL",
        "FileHash-MD5",
        "FileHash-SHA1",
        "FileHash-SHA256",
    ]
    .contains(&kind)
}
