//! Which format a feed has when nobody says: JSON by the keys that it begins with, the rest by the
//! ending of the file's name.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::FeedFormat;

/// The keys at the top of a document that only one format has there.
const KEYS: [(&str, FeedFormat); 9] = [
    ("cidr", FeedFormat::SpamhausDrop),
    ("objects", FeedFormat::Stix),
    ("spec_version", FeedFormat::Stix),
    ("Event", FeedFormat::Misp),
    ("Attribute", FeedFormat::Misp),
    ("response", FeedFormat::Misp),
    ("indicators", FeedFormat::Otx),
    ("results", FeedFormat::Otx),
    ("data", FeedFormat::AbuseIpDb),
];

impl FeedFormat {
    /// The format of a file of this name and content, when nobody says.
    #[must_use]
    pub fn of(name: &str, content: &[u8]) -> Self {
        let begins = content.trim_ascii_start().first();
        let json = matches!(begins, Some(b'{' | b'['));
        json.then(|| of_json(content))
            .flatten()
            .unwrap_or_else(|| of_ending(name))
    }
}

fn of_ending(name: &str) -> FeedFormat {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "csv" => FeedFormat::Csv,
        "json" => FeedFormat::AbuseIpDb,
        "jsonl" | "ndjson" => FeedFormat::SpamhausDrop,
        _ => FeedFormat::List,
    }
}

/// Goes by the first value alone, so that a file that was cut short is still told.
fn of_json(content: &[u8]) -> Option<FeedFormat> {
    let mut found = None;
    let mut document = serde_json::Deserializer::from_slice(content);
    // The end of the search is an error too.
    let _ended = Look(&mut found).deserialize(&mut document);
    found
}

struct Look<'a>(&'a mut Option<FeedFormat>);

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            if let Some((_, format)) = KEYS.iter().find(|(known, _)| *known == key) {
                *self.0 = Some(*format);
                return Err(A::Error::custom("it is told"));
            }
            entries.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        // The first item says it for all.
        items.next_element_seed(Look(self.0))?;
        Err(A::Error::custom("it is told"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_before_the_ending() {
        let rows = [
            (
                "a.json",
                r#"{"type":"bundle","id":"b","objects":["#,
                FeedFormat::Stix,
            ),
            ("a.txt", r#" {"Event":{"#, FeedFormat::Misp),
            ("a.json", r#"[{"Event":{}}]"#, FeedFormat::Misp),
            (
                "a.json",
                r#"{"response":{"Attribute":[]}}"#,
                FeedFormat::Misp,
            ),
            ("a.json", r#"{"count":1,"results":[]}"#, FeedFormat::Otx),
            (
                "a.json",
                r#"{"id":"p","tags":["x"],"indicators":[]}"#,
                FeedFormat::Otx,
            ),
            ("a.csv", r#"{"meta":{},"data":[]}"#, FeedFormat::AbuseIpDb),
            (
                "drop_v4.json",
                "{\"cidr\":\"5.6.0.0/16\"}\n{}",
                FeedFormat::SpamhausDrop,
            ),
            ("a.json", r#"{"error":"no"}"#, FeedFormat::AbuseIpDb),
            ("a.JSON", "", FeedFormat::AbuseIpDb),
            ("a.jsonl", "", FeedFormat::SpamhausDrop),
            ("a.csv", "ip\n", FeedFormat::Csv),
            ("a.netset", "[", FeedFormat::List),
            ("json", "1.2.3.4", FeedFormat::List),
        ];
        for (name, content, want) in rows {
            assert_eq!(
                FeedFormat::of(name, content.as_bytes()),
                want,
                "{name} {content}"
            );
        }
        let deep = "[".repeat(1_000_000);
        assert_eq!(FeedFormat::of("a", deep.as_bytes()), FeedFormat::List);
    }
}
