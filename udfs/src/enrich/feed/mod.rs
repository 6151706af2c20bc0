//! Feeds of addresses, networks, domains and hashes that somebody holds against them.
//!
//! Each format is a file of its own that hands [`Feed::take`] one indicator after another.
//! Lines that are none are counted; a feed that is mostly such lines is something else, such as a
//! page that says why there is no feed today.

mod csv;
mod list;

mod abuseipdb;
mod spamhaus;

mod entry;
mod misp;
mod otx;

mod pattern;
mod stix;

mod detect;

use std::fmt;

use crate::enrich::address::{Address, Network};
use crate::enrich::fault::Fault;
use crate::enrich::ranges::Range;

/// Longest name of a host that DNS knows; longer texts are no domains.
pub(crate) const DOMAIN_MAX: usize = 253;
/// Lengths of MD5, SHA-1 and SHA-256 in hexadecimal.
const HASHES: [usize; 3] = [32, 40, 64];

/// How a feed is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFormat {
    /// One address, network, domain, URL or hash in a line, comments after `#` or `;`; netset,
    /// ipset, hosts files.
    List,
    /// Comma-separated, with a header.
    Csv,
    /// AbuseIPDB's blacklist in JSON.
    AbuseIpDb,
    /// Spamhaus DROP in JSON lines.
    SpamhausDrop,
    /// A bundle of STIX 2.0 or 2.1 with indicators.
    Stix,
    /// Events or attributes of MISP in JSON.
    Misp,
    /// Pulses or indicators of AlienVault OTX in JSON.
    Otx,
}

impl FeedFormat {
    /// All formats by their names.
    pub const ALL: [(&'static str, Self); 7] = [
        ("list", Self::List),
        ("csv", Self::Csv),
        ("abuseipdb", Self::AbuseIpDb),
        ("spamhaus_drop", Self::SpamhausDrop),
        ("stix", Self::Stix),
        ("misp", Self::Misp),
        ("otx", Self::Otx),
    ];
}

/// What is said of a feed beside its content.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedOptions {
    /// How it is written.
    pub format: FeedFormat,
    /// The score, 0 to 100, of what the feed gives none.
    pub score: f64,
    /// How far the feed is believed, 0 to 1.
    pub weight: f64,
    /// What it is that the feed lists.
    pub categories: Vec<String>,
    /// Whether private, loopback and other addresses that are not on the Internet count.
    pub reserved: bool,
    /// The column of a CSV feed that holds the indicator; `None` to go by its usual names.
    pub column: Option<String>,
    /// The time of reading, in microseconds since 1970: what has ended by then or begins later is
    /// left out. `None` takes all.
    pub now: Option<i64>,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            format: FeedFormat::List,
            score: 100.0,
            weight: 1.0,
            categories: Vec::new(),
            reserved: false,
            column: None,
            now: None,
        }
    }
}

/// The time in which an indicator holds, in microseconds since 1970; the end is exclusive.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    from: Option<i64>,
    until: Option<i64>,
}

/// What a feed says of one indicator.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Report {
    /// 0 to 100; `None` for the feed's.
    pub(crate) score: Option<f64>,
    /// Microseconds since 1970.
    pub(crate) first_seen: Option<i64>,
    /// Microseconds since 1970.
    pub(crate) last_seen: Option<i64>,
    pub(crate) reference: Option<String>,
}

/// A feed in memory.
pub struct Feed {
    pub(crate) name: String,
    pub(crate) options: FeedOptions,
    /// What ranges and names refer to; the first says nothing beside the feed's own.
    pub(crate) reports: Vec<Report>,
    pub(crate) v4: Vec<Range<u32>>,
    pub(crate) v6: Vec<Range<u128>>,
    pub(crate) names: Vec<(String, u32)>,
    version: Option<String>,
    /// When reading it again next gives something else.
    changes: Option<i64>,
    /// How many indicators the file has, used or not.
    seen: u64,
    unusable: u64,
    /// How many were understood and do not count: ended, revoked, or not on the Internet.
    left_out: u64,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("name", &self.name)
            .field("indicators", &self.indicators())
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// Reads the content of the feed `name`.
    ///
    /// # Errors
    /// When it is not in the format that `options` names, or cut short where the format tells.
    pub fn parse(name: &str, bytes: &[u8], options: FeedOptions) -> Result<Self, Fault> {
        let format = options.format;
        let mut feed = Self {
            name: name.to_owned(),
            options,
            reports: vec![Report::default()],
            v4: Vec::new(),
            v6: Vec::new(),
            names: Vec::new(),
            version: None,
            changes: None,
            seen: 0,
            unusable: 0,
            left_out: 0,
        };
        match format {
            FeedFormat::List => list::read(&mut feed, bytes),
            FeedFormat::Csv => csv::read(&mut feed, bytes)?,
            FeedFormat::AbuseIpDb => abuseipdb::read(&mut feed, bytes)?,
            FeedFormat::SpamhausDrop => spamhaus::read(&mut feed, bytes)?,
            FeedFormat::Stix => stix::read(&mut feed, bytes)?,
            FeedFormat::Misp => misp::read(&mut feed, bytes)?,
            FeedFormat::Otx => otx::read(&mut feed, bytes)?,
        }
        let usable = feed.indicators();
        if feed.unusable > usable + feed.left_out {
            let unusable = feed.unusable;
            return Err(Fault::new(
                format!("{unusable} of its entries are no indicators, and {usable} are"),
                "look whether the file is what the feed should be, and whether `format` names how \
                 it is written",
            ));
        }
        Ok(feed)
    }

    /// How many addresses, networks and names it lists.
    #[must_use]
    pub fn indicators(&self) -> u64 {
        (self.v4.len() + self.v6.len() + self.names.len()) as u64
    }

    /// When it was made, as it says itself.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// When the next of its indicators begins or ends to hold, in microseconds since 1970: the same
    /// content read then says something else.
    #[must_use]
    pub fn changes_at(&self) -> Option<i64> {
        self.changes
    }

    /// Whether what holds in `period` holds when the feed is read.
    fn holds(&mut self, period: Period) -> bool {
        let Some(now) = self.options.now else {
            return true;
        };
        let next = match period {
            Period {
                until: Some(until), ..
            } if until <= now => {
                self.leave_out();
                return false;
            }
            Period {
                from: Some(from), ..
            } if from > now => Some(from),
            Period { until, .. } => until,
        };
        self.changes = match (self.changes, next) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let begun = period.from.is_none_or(|from| from <= now);
        if !begun {
            self.leave_out();
        }
        begun
    }

    /// Counts an entry that does not count.
    fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Counts an entry that cannot be read.
    fn skip(&mut self) {
        self.unusable += 1;
    }

    /// Takes one indicator and what is said of it.
    fn take(&mut self, indicator: &str, report: Report) {
        self.seen += 1;
        let text = indicator.trim();
        if let Some(network) = Network::parse(text) {
            if self.options.reserved || !is_reserved(network) {
                let report = self.keep(report);
                match network {
                    Network::V4(first, last) => self.v4.push((first, last, report)),
                    Network::V6(first, last) => self.v6.push((first, last, report)),
                }
            } else {
                self.leave_out();
            }
            return;
        }
        match name(text) {
            Some(name) => {
                let report = self.keep(report);
                self.names.push((name, report));
            }
            None => self.unusable += 1,
        }
    }

    /// The number of `report`; most say nothing and share one.
    fn keep(&mut self, report: Report) -> u32 {
        if self.reports.first() == Some(&report) {
            return 0;
        }
        // Neighbours often say the same.
        if self.reports.last() != Some(&report) {
            self.reports.push(report);
        }
        u32::try_from(self.reports.len() - 1).unwrap_or(0)
    }
}

/// The form in which a domain, a URL or a hash is listed and looked up; `None` for other texts.
pub(crate) fn name(text: &str) -> Option<String> {
    if text.contains("://") {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        return plain.then(|| text.to_owned());
    }
    if HASHES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    domain(text)
}

/// A domain in lower case, without the dot at its end.
pub(crate) fn domain(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let text = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&bytes.len()) && bytes.iter().all(fits)
    };
    // What ends in digits is an address that is none.
    let last = text.rsplit_once('.')?.1;
    let alphabetic = last.bytes().any(|byte| byte.is_ascii_alphabetic());
    (alphabetic && text.len() <= DOMAIN_MAX && text.split('.').all(label))
        .then(|| text.to_ascii_lowercase())
}

/// Networks that no packet of the Internet comes from: IANA's registries of special-purpose
/// addresses (RFC 6890 and its successors), and multicast.
const RESERVED: [&str; 22] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/128",
    "::1/128",
    "100::/64",
    "2001:2::/48",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Whether all of `network` is reserved.
fn is_reserved(network: Network) -> bool {
    let (first, last) = match network {
        Network::V4(first, last) => (Address::V4(first), Address::V4(last)),
        Network::V6(first, last) => (Address::V6(first), Address::V6(last)),
    };
    let holds = |reserved: &&str| {
        let reserved = Network::parse(reserved);
        reserved.is_some_and(|reserved| reserved.contains(first) && reserved.contains(last))
    };
    RESERVED.iter().any(holds)
}
