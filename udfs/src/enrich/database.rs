//! MaxMind DB files: where an address is and whose network it is in.
//!
//! The format is <https://maxmind.github.io/MaxMind-DB/>; the names of the fields are those of
//! GeoLite2 and GeoIP2, which other makers of such files use too.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{LookupResult, PathElement, Reader};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::enrich::fault::Fault;

/// Languages in which MaxMind gives names.
const LANGUAGES: [&str; 8] = ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"];
/// The language of a name that is not there in the one asked for.
pub(crate) const LANGUAGE: &str = "en";

/// A database in memory, checked throughout.
pub struct Database {
    reader: Reader<Vec<u8>>,
    networks: u64,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.reader.metadata().database_type;
        f.debug_struct("Database")
            .field("kind", kind)
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Takes the content of a file and checks every network and record of it.
    ///
    /// # Errors
    /// When it is no MaxMind DB file, or a damaged one.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Fault> {
        let fault = |error: maxminddb::MaxMindDbError| {
            let message = format!("it is no sound MaxMind DB file: {error}");
            Fault::new(
                message,
                "fetch it again; it ends in .mmdb and is not compressed",
            )
        };
        let reader = Reader::from_source(bytes).map_err(fault)?;
        reader.verify().map_err(fault)?;
        let mut networks = 0;
        for network in reader.networks(Default::default()).map_err(fault)? {
            network.map_err(fault)?;
            networks += 1;
        }
        Ok(Self { reader, networks })
    }

    /// What kind of database it says it is, such as `GeoLite2-City`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// When it was built, in seconds since 1970.
    #[must_use]
    pub fn built(&self) -> Option<i64> {
        i64::try_from(self.reader.metadata().build_epoch).ok()
    }

    /// How many networks it knows something of.
    #[must_use]
    pub fn networks(&self) -> u64 {
        self.networks
    }

    /// Languages of its names, and those that such files usually have.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &str> {
        let own = self.reader.metadata().languages.iter();
        own.map(String::as_str).chain(LANGUAGES)
    }

    /// Databases of cities before those of countries before all others.
    pub(crate) fn rank(&self) -> usize {
        let kinds = ["Enterprise", "City", "Country"];
        let known = kinds.iter().position(|kind| self.kind().contains(kind));
        known.unwrap_or(kinds.len())
    }

    /// The record of `address`; none where the database has none.
    pub(crate) fn find(&self, address: IpAddr) -> Option<Found<'_>> {
        // An IPv6 address is no input for a database of IPv4 alone.
        let found = self.reader.lookup(address).ok()?;
        found.has_data().then_some(Found(found))
    }
}

/// The record of one address, not yet decoded.
pub(crate) struct Found<'a>(LookupResult<'a, Vec<u8>>);

/// What the databases say of a place and a network; names in one language.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Place<'a> {
    pub(crate) texts: [Option<&'a str>; TEXTS.len()],
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
    pub(crate) accuracy_km: Option<i64>,
    pub(crate) asn: Option<i64>,
}

/// Fields that are text, and where they stand in a record; `*` is the language.
pub(crate) const TEXTS: [(&str, &[&str]); 9] = [
    ("country_iso", &["country/iso_code"]),
    ("country", &["country/names/*"]),
    ("continent", &["continent/names/*"]),
    ("region_iso", &["subdivisions/0/iso_code"]),
    ("region", &["subdivisions/0/names/*"]),
    ("city", &["city/names/*"]),
    ("postal", &["postal/code"]),
    ("time_zone", &["location/time_zone"]),
    (
        "org",
        &[
            "autonomous_system_organization",
            "traits/autonomous_system_organization",
            "organization",
            "isp",
        ],
    ),
];

impl<'a> Found<'a> {
    /// Tells records apart: many networks share one.
    pub(crate) fn record(&self) -> Option<usize> {
        self.0.offset()
    }

    /// The network that the record stands for.
    pub(crate) fn network(&self) -> Option<String> {
        Some(self.0.network().ok()?.to_string())
    }

    /// Decodes the record, with names in `language` or else in English.
    pub(crate) fn decode(&self, language: &str) -> Place<'a> {
        let mut place = Place {
            latitude: self.number("location/latitude"),
            longitude: self.number("location/longitude"),
            accuracy_km: self.count(&["location/accuracy_radius"]),
            asn: self.count(&[
                "autonomous_system_number",
                "traits/autonomous_system_number",
            ]),
            ..Place::default()
        };
        for (text, (_, paths)) in place.texts.iter_mut().zip(TEXTS) {
            *text = paths.iter().find_map(|path| {
                let other = path.ends_with('*') && language != LANGUAGE;
                let found = self.text(path, language);
                found.or_else(|| other.then(|| self.text(path, LANGUAGE))?)
            });
        }
        place
    }

    // A field of another type than expected is another maker's, and as good as absent.
    fn text(&self, path: &str, language: &str) -> Option<&'a str> {
        self.0.decode_path(&elements(path, language)).ok()?
    }

    fn number(&self, path: &str) -> Option<f64> {
        self.0.decode_path(&elements(path, LANGUAGE)).ok()?
    }

    fn count(&self, paths: &[&str]) -> Option<i64> {
        let decode = |path: &&str| {
            let found: Option<Whole> = self.0.decode_path(&elements(path, LANGUAGE)).ok()?;
            Some(found?.0)
        };
        paths.iter().find_map(decode)
    }
}

/// A whole number of any of the format's types: makers choose different ones.
struct Whole(i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyWhole).map(Whole)
    }
}

struct AnyWhole;

impl Visitor<'_> for AnyWhole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(E::custom)
    }
}

fn elements<'p>(path: &'p str, language: &'p str) -> Vec<PathElement<'p>> {
    let element = |part: &'p str| match part {
        "0" => PathElement::Index(0),
        "*" => PathElement::Key(language),
        key => PathElement::Key(key),
    };
    path.split('/').map(element).collect()
}

impl<'a> Place<'a> {
    /// This place, with what it lacks taken from `other`.
    pub(crate) fn or(mut self, other: Self) -> Self {
        for (text, other) in self.texts.iter_mut().zip(other.texts) {
            *text = text.or(other);
        }
        // Coordinates belong together.
        if self.latitude.is_none() {
            self.latitude = other.latitude;
            self.longitude = other.longitude;
            self.accuracy_km = other.accuracy_km;
        }
        self.asn = self.asn.or(other.asn);
        self
    }
}
