//! Feeds in the formats of exchange platforms: STIX, MISP and AlienVault OTX.

use std::sync::Arc;

use datafusion::prelude::SessionConfig;
use sluice_udfs::enrich::feed::{Feed, FeedFormat, FeedOptions};
use sluice_udfs::enrich::snapshot::Parts;

use super::{column, session};

/// 2026-02-05T00:00:00Z in microseconds.
const NOW: i64 = 1_770_249_600_000_000;
const DAY: i64 = 86_400_000_000;

fn read(format: FeedFormat, text: &str) -> Feed {
    let options = FeedOptions {
        format,
        score: 70.0,
        now: Some(NOW),
        ..FeedOptions::default()
    };
    let found = FeedFormat::of("feed.json", text.as_bytes());
    assert_eq!(found, format, "{text}");
    Feed::parse("f", text.as_bytes(), options).unwrap()
}

/// What `threat_lookup` says of each of `indicators`.
async fn said(feed: Feed, indicators: &[&str]) -> Vec<String> {
    let mut parts = Parts::default();
    parts.feeds.insert("f".to_owned(), Ok(Arc::new(feed)));
    let context = session(SessionConfig::new(), parts);
    let rows: Vec<String> = indicators.iter().map(|one| format!("('{one}')")).collect();
    let sql = format!(
        "SELECT concat_ws(' ', t['score'], t['first_seen'], t['last_seen'], t['reference']) \
         FROM (SELECT threat_lookup(x) AS t FROM (VALUES {}) AS v(x))",
        rows.join(", ")
    );
    column(&context, &sql).await
}

const STIX: &str = r#"{
  "type": "bundle", "id": "bundle--1", "objects": [
    {"type": "identity", "id": "identity--1", "name": "us", "confidence": "no number"},
    {"type": "indicator", "spec_version": "2.1", "pattern_type": "stix", "confidence": 85,
     "pattern": "[ipv4-addr:value = '5.6.7.8']", "valid_from": "2026-01-01T00:00:00Z",
     "modified": "2026-01-03T00:00:00.000Z",
     "external_references": [{"source_name": "x"}, {"url": "https://intel.example/1"}]},
    {"type": "indicator", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
     "pattern": "[ipv4-addr:value ISSUBSET '5.9.0.0/16' OR domain-name:value = 'Bad.example']"},
    {"type": "indicator", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
     "valid_until": "2026-02-05T00:00:00Z", "pattern": "[ipv4-addr:value = '5.6.1.1']"},
    {"type": "indicator", "pattern_type": "stix", "valid_from": "2026-02-07T00:00:00Z",
     "pattern": "[ipv4-addr:value = '5.6.1.2']"},
    {"type": "indicator", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
     "valid_until": "2026-02-08T00:00:00Z", "pattern": "[ipv6-addr:value = '2a00::1']"},
    {"type": "indicator", "pattern_type": "stix", "revoked": true,
     "valid_from": "2026-01-01T00:00:00Z", "pattern": "[ipv4-addr:value = '5.6.1.3']"},
    {"type": "indicator", "pattern_type": "sigma", "pattern": "title: x"},
    {"type": "indicator", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '5.6.1.4'"},
    {"type": "indicator", "pattern_type": "stix", "pattern": 17}
  ]}"#;

#[tokio::test]
async fn indicators_of_stix_count_while_they_are_valid() {
    let feed = read(FeedFormat::Stix, STIX);
    assert_eq!(feed.indicators(), 4);
    assert_eq!(feed.version(), Some("2026-01-03T00:00:00.000Z"));
    assert_eq!(feed.changes_at(), Some(NOW + 2 * DAY));
    let asked = [
        "5.6.7.8",
        "5.9.1.1",
        "www.bad.example",
        "2a00::1",
        "5.6.1.1",
        "5.6.1.2",
        "5.6.1.3",
        "5.6.1.4",
    ];
    let want = [
        "85.0 2026-01-01T00:00:00Z 2026-01-03T00:00:00Z https://intel.example/1",
        "70.0 2026-01-01T00:00:00Z",
        "70.0 2026-01-01T00:00:00Z",
        "70.0 2026-01-01T00:00:00Z",
        "",
        "",
        "",
        "",
    ];
    assert_eq!(said(feed, &asked).await, want);
    let options = FeedOptions {
        format: FeedFormat::Stix,
        ..FeedOptions::default()
    };
    let all = Feed::parse("f", STIX.as_bytes(), options).unwrap();
    assert_eq!((all.indicators(), all.changes_at()), (6, None));
}

#[tokio::test]
async fn a_feed_is_read_on_when_what_it_lists_has_ended() {
    let text = r#"{"type": "bundle", "objects": [
      {"type": "indicator", "pattern": "[ipv4-addr:value = '5.6.7.8']",
       "valid_until": "2026-02-05T00:00:00Z"},
      {"type": "indicator", "pattern": 17}
    ]}"#;
    let feed = read(FeedFormat::Stix, text);
    assert_eq!((feed.indicators(), feed.changes_at()), (0, None));
    assert_eq!(said(feed, &["5.6.7.8"]).await, [""]);
}

#[tokio::test]
async fn the_newest_version_of_an_indicator_counts() {
    let text = r#"{"type": "bundle", "objects": [
      {"type": "indicator", "id": "indicator--1", "pattern": "[ipv4-addr:value = '5.6.7.8']",
       "modified": "2026-02-02T00:00:00Z", "revoked": true},
      {"type": "indicator", "id": "indicator--1", "pattern": "[ipv4-addr:value = '5.6.7.8']",
       "modified": "2026-02-01T00:00:00Z"},
      {"type": "indicator", "id": "indicator--2", "pattern": "[ipv4-addr:value = '5.6.7.9']"}
    ]}"#;
    let feed = read(FeedFormat::Stix, text);
    assert_eq!(said(feed, &["5.6.7.8", "5.6.7.9"]).await, ["", "70.0"]);
}

const MISP: &str = r#"{"Event": {
  "uuid": "e-1", "info": "scanning", "timestamp": "1770163200", "published": true,
  "Attribute": [
    {"type": "ip-src", "value": "5.6.7.8", "to_ids": true, "timestamp": "1770163200"},
    {"type": "ip-dst", "value": "5.9.0.0/16", "to_ids": true, "timestamp": 1770163200,
     "first_seen": "2026-01-01T00:00:00.000000+00:00", "last_seen": "2026-01-02T00:00:00Z"},
    {"type": "ip-dst|port", "value": "5.6.7.9|443", "to_ids": "1"},
    {"type": "domain|ip", "value": "bad.example|5.6.7.10", "to_ids": true},
    {"type": "filename|sha1", "value": "a.exe|da39a3ee5e6b4b0d3255bfef95601890afd80709",
     "to_ids": true},
    {"type": "ip-src", "value": "5.6.1.1", "to_ids": false},
    {"type": "ip-src", "value": "5.6.1.2", "to_ids": true, "deleted": true},
    {"type": "comment", "value": "5.6.1.3", "to_ids": true},
    {"type": "ip-src", "value": "no address", "to_ids": true},
    {"type": "ip-src"}
  ],
  "Object": [{"name": "domain-ip", "Attribute": [
    {"type": "ip-dst", "value": "2a00::1", "to_ids": true}]}]
}}"#;

#[tokio::test]
async fn attributes_of_misp_count_where_they_are_for_detection() {
    let feed = read(FeedFormat::Misp, MISP);
    assert_eq!(feed.indicators(), 7);
    assert_eq!(feed.version(), Some("2026-02-04T00:00:00Z"));
    let asked = [
        "5.6.7.8",
        "5.9.1.1",
        "5.6.7.9",
        "bad.example",
        "5.6.7.10",
        "2a00::1",
        "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
        "5.6.1.1",
        "5.6.1.2",
        "5.6.1.3",
    ];
    let want = [
        "70.0 2026-02-04T00:00:00Z e-1",
        "70.0 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z e-1",
        "70.0 e-1",
        "70.0 e-1",
        "70.0 e-1",
        "70.0 e-1",
        "70.0 e-1",
        "",
        "",
        "",
    ];
    assert_eq!(said(feed, &asked).await, want);
    let list = r#"{"response": {"Attribute": [{"type": "ip-src", "value": "5.6.7.8"}]}}"#;
    assert_eq!(read(FeedFormat::Misp, list).indicators(), 1);
    let events = format!("[{MISP}, {MISP}]");
    assert_eq!(read(FeedFormat::Misp, &events).indicators(), 14);
    let answer = format!("{{\"response\": [{MISP}]}}");
    assert_eq!(read(FeedFormat::Misp, &answer).indicators(), 7);
}

const OTX: &str = r#"{"id": "p1", "name": "scanners", "modified": "2026-02-01T10:00:00.5",
  "tags": ["ssh"], "indicators": [
    {"id": 1, "indicator": "5.6.7.8", "type": "IPv4", "created": "2026-01-01T00:00:00",
     "is_active": 1, "expiration": null, "title": ""},
    {"id": 2, "indicator": "5.9.0.0/16", "type": "CIDR", "expiration": "2026-02-06T00:00:00"},
    {"id": 3, "indicator": "2a00::1", "type": "IPv6"},
    {"id": 4, "indicator": "bad.example", "type": "hostname"},
    {"id": 5, "indicator": "5.6.1.1", "type": "IPv4", "expiration": "2026-02-04T00:00:00"},
    {"id": 6, "indicator": "5.6.1.2", "type": "IPv4", "is_active": 0},
    {"id": 7, "indicator": "CVE-2026-1", "type": "CVE"},
    {"id": 8, "type": "IPv4"}
  ]}"#;

#[tokio::test]
async fn indicators_of_pulses_count_until_they_expire() {
    let feed = read(FeedFormat::Otx, OTX);
    assert_eq!(feed.indicators(), 4);
    assert_eq!(feed.version(), Some("2026-02-01T10:00:00.5"));
    assert_eq!(feed.changes_at(), Some(NOW + DAY));
    let asked = [
        "5.6.7.8",
        "5.9.1.1",
        "2a00::1",
        "bad.example",
        "5.6.1.1",
        "5.6.1.2",
    ];
    let want = [
        "70.0 2026-01-01T00:00:00Z https://otx.alienvault.com/pulse/p1",
        "70.0 https://otx.alienvault.com/pulse/p1",
        "70.0 https://otx.alienvault.com/pulse/p1",
        "70.0 https://otx.alienvault.com/pulse/p1",
        "",
        "",
    ];
    assert_eq!(said(feed, &asked).await, want);
    let page = format!("{{\"count\": 1, \"results\": [{OTX}]}}");
    assert_eq!(read(FeedFormat::Otx, &page).indicators(), 4);
    let plain = r#"{"results": [{"id": 1, "indicator": "5.6.7.8", "type": "IPv4"}, 5,
                    {"id": 2, "indicator": "5.6.7.9", "type": "IPv4"}]}"#;
    assert_eq!(read(FeedFormat::Otx, plain).indicators(), 2);
}

#[test]
fn documents_of_another_kind_are_refused() {
    let cases = [
        (
            FeedFormat::Stix,
            r#"{"type":"report","objects":[]}"#,
            "its type is \"report\"",
        ),
        (FeedFormat::Stix, &STIX[..300], "no bundle of STIX: EOF"),
        (FeedFormat::Stix, "1.2.3.4\n", "no bundle of STIX"),
        (
            FeedFormat::Stix,
            r#"{"type":"bundle","objects":[1,{"type":"indicator","pattern":"x"}]}"#,
            "2 of its entries are no indicators, and 0 are",
        ),
        (
            FeedFormat::Misp,
            r#"{"e-1":{"info":"a manifest"}}"#,
            "no \"Event\" and no \"Attribute\"",
        ),
        (FeedFormat::Misp, &MISP[..300], "EOF"),
        (FeedFormat::Misp, OTX, "no \"Event\" and no \"Attribute\""),
        (
            FeedFormat::Misp,
            "[5]",
            "no event and no list of attributes of MISP",
        ),
        (
            FeedFormat::Otx,
            r#"{"detail":"no key"}"#,
            "no \"indicators\" and no \"results\"",
        ),
        (FeedFormat::Otx, &OTX[..300], "EOF"),
        (
            FeedFormat::Otx,
            STIX,
            "no \"indicators\" and no \"results\"",
        ),
    ];
    for (format, text, want) in cases {
        let options = FeedOptions {
            format,
            ..FeedOptions::default()
        };
        let fault = Feed::parse("f", text.as_bytes(), options).unwrap_err();
        assert!(fault.message.contains(want), "{format:?}: {fault}");
        assert!(fault.hint.contains("`format`"), "{fault}");
    }
}

#[tokio::test]
async fn one_feed_is_asked_by_its_name() {
    let feed = |text: &str| {
        let feed = Feed::parse("f", text.as_bytes(), FeedOptions::default());
        Ok(Arc::new(feed.unwrap()))
    };
    let mut parts = Parts::default();
    parts.feeds.insert("a".to_owned(), feed("5.6.7.8\n"));
    parts.feeds.insert("b".to_owned(), feed("5.6.7.9\n"));
    parts
        .feeds
        .insert("/own/c.txt".to_owned(), feed("5.6.7.10\n"));
    let context = session(SessionConfig::new(), parts);
    let cases = [
        ("'5.6.7.8'", "true"),
        ("'5.6.7.8', 'a'", "true"),
        ("'5.6.7.8', 'b'", "false"),
        ("'5.6.7.9', feed => 'b'", "true"),
        ("'5.6.7.8', NULL", "true"),
        // What is named by a path answers nobody else.
        ("'5.6.7.10'", "false"),
        ("'5.6.7.10', '/own/c.txt'", "true"),
    ];
    for (arguments, want) in cases {
        let sql = format!("SELECT threat_lookup({arguments})['matched']");
        assert_eq!(column(&context, &sql).await, [want], "{arguments}");
    }
    let wrong = super::error(&context, "SELECT threat_lookup('5.6.7.8', 'x')").await;
    assert!(
        wrong.contains("has no feed \"x\"; valid are a, b"),
        "{wrong}"
    );
    let column = "SELECT threat_lookup(x, x) FROM (VALUES ('a')) AS v(x)";
    let wrong = super::error(&context, column).await;
    assert!(
        wrong.contains("\"feed\" of threat_lookup is a literal"),
        "{wrong}"
    );
}
