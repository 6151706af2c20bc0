//! Files of enrichment data: sound ones, damaged ones, ones that are something else, and MaxMind's
//! own test databases where they are.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::prelude::SessionConfig;
use serde_json::Value as Json;
use sluice_udfs::enrich::database::Database;
use sluice_udfs::enrich::feed::{Feed, FeedFormat, FeedOptions};
use sluice_udfs::enrich::snapshot::{Enrichment, Parts};
use sluice_udfs::enrich::table::{ReferenceTable, TableFormat};

use super::{column, csv, map, session};
use crate::call::workspace;
use crate::mmdb::{self, Value};

#[test]
fn what_is_no_feed_is_refused_and_says_why() {
    let list = FeedOptions::default();
    let of = |format| FeedOptions {
        format,
        ..FeedOptions::default()
    };
    let page = "<html>\n<head><title>Access denied</title></head>\n<body>\n1.2.3.4\n</body>";
    let short = "{\"cidr\":\"5.6.0.0/16\"}\n{\"type\":\"metadata\",\"records\":2}\n";
    let cases = [
        (page, list, "are no indicators"),
        (
            "{\"data\":[{\"ipAddress\"",
            of(FeedFormat::AbuseIpDb),
            "no blacklist of AbuseIPDB",
        ),
        (short, of(FeedFormat::SpamhausDrop), "2 records, and has 1"),
        (
            "{\"cidr\":",
            of(FeedFormat::SpamhausDrop),
            "line 1 is no record",
        ),
        (
            "when,who\n1,2\n",
            of(FeedFormat::Csv),
            "no column of indicators",
        ),
    ];
    for (text, options, want) in cases {
        let fault = Feed::parse("f", text.as_bytes(), options).unwrap_err();
        assert!(fault.message.contains(want), "{fault}");
        assert!(!fault.hint.is_empty());
    }
    let empty = Feed::parse("f", b"# none today\n", FeedOptions::default()).unwrap();
    assert_eq!(empty.indicators(), 0);
}

#[test]
fn a_table_keeps_its_columns_when_it_is_replaced() {
    let before = csv("id,count\na,1\nb,2\n", None);
    let parse = |text: &str| {
        let bytes = text.as_bytes().to_vec();
        ReferenceTable::parse(bytes, TableFormat::Csv, None, Some(&before))
    };
    assert_eq!(parse("id,count,more\na,7,x\n").unwrap().rows(), 1);
    let cases = [
        ("id\na\n", "\"count\" is gone"),
        ("id,count\na,many\n", "\"count\" is no longer Int64"),
        (
            "id,count\na,1\na,2\n",
            "the key of its row 2 is there twice",
        ),
        ("id,count\na,1,2,3\n", "cannot be read"),
    ];
    for (text, want) in cases {
        let fault = parse(text).unwrap_err();
        assert!(fault.message.contains(want), "{text}: {fault}");
    }
    let fault = ReferenceTable::parse(b"a,b\n1,2\n".to_vec(), TableFormat::Csv, Some("c"), None);
    assert!(fault.unwrap_err().hint.contains("a, b"));
}

#[test]
fn what_is_no_database_is_refused() {
    let whole = mmdb::file(
        "Test-City",
        &[([1, 2, 3, 0], 24, map(&[("a", Value::Count(1))]))],
    );
    assert_eq!(Database::parse(whole.clone()).unwrap().networks(), 1);
    for length in (0..whole.len()).step_by(3) {
        let cut = whole[..length].to_vec();
        let found = Database::parse(cut).map(|database| database.networks());
        assert!(found.is_err() || length > whole.len() - 16, "{length}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        // Whatever is accepted answers without a panic.
        let _checked = Database::parse(damaged).map(|database| database.kind().to_owned());
    }
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = workspace().join("../shared/data/mmdb").join(name);
    if path.try_exists().unwrap_or(false) {
        return Some(path);
    }
    println!("skipped: no sample data at {}", path.display());
    None
}

fn database(name: &str) -> Option<Database> {
    Some(Database::parse(std::fs::read(shared(name)?).unwrap()).unwrap())
}

#[tokio::test]
async fn every_network_of_the_published_databases_is_found() {
    let files = ["GeoLite2-City-Test", "GeoLite2-ASN-Test"];
    for name in files {
        let Some(database) = database(&format!("{name}.mmdb")) else {
            return;
        };
        let source = std::fs::read_to_string(shared(&format!("{name}.json")).unwrap()).unwrap();
        let source: Vec<Json> = serde_json::from_str(&source).unwrap();
        let mut parts = Parts::default();
        parts
            .databases
            .insert("one".to_owned(), Ok(Arc::new(database)));
        let context = session(SessionConfig::new(), parts);
        let mut networks = 0;
        for (network, record) in source.iter().filter_map(Json::as_object).flatten() {
            let ip = network.split('/').next().unwrap();
            let sql = format!(
                "SELECT concat_ws('|', g['country_iso'], g['city'], g['latitude'], \
                 g['time_zone'], g['asn'], g['org']) FROM (SELECT geoip('{ip}') AS g)"
            );
            let text = |path: &str| match record.pointer(path) {
                Some(Json::String(text)) => Some(text.clone()),
                Some(Json::Number(number)) if path.starts_with("/location") => {
                    number.as_f64().map(|number| format!("{number:?}"))
                }
                Some(Json::Number(number)) => Some(number.to_string()),
                _ => None,
            };
            let paths = [
                "/country/iso_code",
                "/city/names/en",
                "/location/latitude",
                "/location/time_zone",
                "/autonomous_system_number",
                "/autonomous_system_organization",
            ];
            let want: Vec<String> = paths.into_iter().filter_map(text).collect();
            let got = column(&context, &sql).await.concat();
            assert_eq!(got, want.join("|"), "{name} {network}");
            networks += 1;
        }
        assert!(networks > 100, "{name} {networks}");
    }
}

#[test]
fn published_broken_databases_are_refused() {
    let Some(path) = shared("MaxMind-DB-test-broken-pointers-24.mmdb") else {
        return;
    };
    let fault = Database::parse(std::fs::read(path).unwrap()).unwrap_err();
    assert!(
        fault.message.contains("no sound MaxMind DB file"),
        "{fault}"
    );
}

/// Pieces of which feeds and near misses are made.
const PIECES: &[&str] = &[
    "1.2.3.4",
    "5.0.0.0/8",
    "2a00::/16",
    "evil.example",
    "ip",
    "score",
    "\"",
    "\"\"",
    ",",
    "#",
    ";",
    "-",
    " ",
    "\n",
    "\r\n",
    "{\"cidr\":\"",
    "\"}",
    "{\"data\":[",
    "\u{e9}",
    "/",
    "/33",
    ":",
    "]",
    "99999999999999999999",
    "0.0.0.0 ",
];

proptest::proptest! {
    #[test]
    fn any_content_is_read_or_refused(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
    ) {
        let text = pieces.concat();
        for (_, format) in FeedFormat::ALL {
            let options = FeedOptions { format, ..FeedOptions::default() };
            if let Ok(feed) = Feed::parse("f", text.as_bytes(), options) {
                let feeds = [("f".to_owned(), Ok(Arc::new(feed)))];
                let parts = Parts { feeds: feeds.into(), ..Parts::default() };
                proptest::prop_assert!(Enrichment::new(parts).is_ok());
            }
        }
        for (_, format) in TableFormat::ALL {
            let bytes = text.clone().into_bytes();
            let _read = ReferenceTable::parse(bytes, format, None, None).map(|table| table.rows());
        }
    }
}
