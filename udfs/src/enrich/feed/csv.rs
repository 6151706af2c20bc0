//! Comma-separated feeds with a header, such as those of abuse.ch, whose header is the last of the
//! comment lines before the first record.

use std::borrow::Cow;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

use super::{Feed, Report};
use crate::enrich::fault::Fault;

/// What columns are called in feeds that are published, the surest name first.
const INDICATORS: [&str; 14] = [
    "indicator",
    "ioc_value",
    "ioc",
    "ip_address",
    "ipaddress",
    "dst_ip",
    "src_ip",
    "ip",
    "cidr",
    "network",
    "domain",
    "host",
    "url",
    "sha256_hash",
];
const SCORES: [&str; 4] = [
    "score",
    "confidence_level",
    "confidence",
    "abuseconfidencescore",
];
const FIRST_SEEN: [&str; 5] = [
    "first_seen",
    "first_seen_utc",
    "firstseen",
    "dateadded",
    "created",
];
const LAST_SEEN: [&str; 5] = [
    "last_seen",
    "last_seen_utc",
    "last_online",
    "lastseen",
    "lastreportedat",
];
const REFERENCES: [&str; 3] = ["reference", "urlhaus_link", "link"];

/// Where the columns are.
struct Columns {
    indicator: usize,
    score: Option<usize>,
    first_seen: Option<usize>,
    last_seen: Option<usize>,
    reference: Option<usize>,
}

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) -> Result<(), Fault> {
    let text = String::from_utf8_lossy(bytes);
    let (mut header, mut columns) = (None, None);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            if columns.is_none() && comment.contains(',') {
                header = Some(comment);
            }
            continue;
        }
        let Some(known) = &columns else {
            // A header that is no comment is the first line.
            let before = header.and_then(|header| find(header, feed.options.column.as_deref()));
            let found = before.map(|columns| (columns, true)).or_else(|| {
                find(line, feed.options.column.as_deref()).map(|columns| (columns, false))
            });
            let Some((found, is_record)) = found else {
                return Err(no_column(feed));
            };
            if is_record {
                take(feed, &found, line);
            }
            columns = Some(found);
            continue;
        };
        take(feed, known, line);
    }
    Ok(())
}

fn no_column(feed: &Feed) -> Fault {
    let message = match &feed.options.column {
        Some(column) => format!("its header has no column \"{column}\""),
        None => "its header has no column of indicators that is known".to_owned(),
    };
    Fault::new(
        message,
        "name the column that holds the indicators: column = \"...\"",
    )
}

fn find(header: &str, column: Option<&str>) -> Option<Columns> {
    let cells = cells(header);
    let names: Vec<String> = cells
        .iter()
        .map(|cell| cell.trim().to_lowercase())
        .collect();
    let place = |name: &str| names.iter().position(|known| known == name);
    let any = |known: &[&str]| known.iter().find_map(|name| place(name));
    let indicator = match column {
        Some(column) => place(&column.to_lowercase())?,
        None => any(&INDICATORS)?,
    };
    Some(Columns {
        indicator,
        score: any(&SCORES),
        first_seen: any(&FIRST_SEEN),
        last_seen: any(&LAST_SEEN),
        reference: any(&REFERENCES),
    })
}

fn take(feed: &mut Feed, columns: &Columns, line: &str) {
    let cells = cells(line);
    let cell = |at: Option<usize>| {
        let text = cells.get(at?)?.trim();
        (!text.is_empty()).then_some(text)
    };
    let Some(indicator) = cell(Some(columns.indicator)) else {
        feed.unusable += 1;
        return;
    };
    let score = cell(columns.score).and_then(|text| text.parse::<f64>().ok());
    let report = Report {
        score: score.filter(|score| score.is_finite()),
        first_seen: cell(columns.first_seen).and_then(instant),
        last_seen: cell(columns.last_seen).and_then(instant),
        reference: cell(columns.reference).map(str::to_owned),
    };
    feed.take(indicator_of(indicator), report);
}

/// ThreatFox lists addresses with their port.
fn indicator_of(text: &str) -> &str {
    match text.split_once(':') {
        Some((address, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            address
        }
        _ => text,
    }
}

/// A time in UTC unless it says otherwise, in microseconds since 1970.
pub(super) fn instant(text: &str) -> Option<i64> {
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    Some(string_to_timestamp_nanos(text).ok()? / 1_000)
}

/// The cells of one line (RFC 4180 without line breaks in a cell); blanks may stand before a quote.
fn cells(line: &str) -> Vec<Cow<'_, str>> {
    let mut cells = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let Some(quoted) = text.trim_start().strip_prefix('"') else {
            let (cell, after) = match text.split_once(',') {
                Some((cell, after)) => (cell, Some(after)),
                None => (text, None),
            };
            cells.push(Cow::Borrowed(cell));
            rest = after;
            continue;
        };
        let mut end = 0;
        let mut doubled = false;
        while let Some(at) = quoted.get(end..).and_then(|tail| tail.find('"')) {
            end += at;
            if !quoted
                .get(end + 1..)
                .is_some_and(|tail| tail.starts_with('"'))
            {
                break;
            }
            doubled = true;
            end += 2;
        }
        let closed = quoted.get(end..).is_some_and(|tail| tail.starts_with('"'));
        let end = if closed { end } else { quoted.len() };
        let cell = quoted.get(..end).unwrap_or_default();
        cells.push(match doubled {
            true => Cow::Owned(cell.replace("\"\"", "\"")),
            false => Cow::Borrowed(cell),
        });
        let tail = quoted.get(end + 1..).unwrap_or_default();
        rest = tail.split_once(',').map(|(_, after)| after);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_split_as_they_are_written() {
        let rows: [(&str, &[&str]); 6] = [
            ("a,b,", &["a", "b", ""]),
            ("\"a,b\", \"c\"", &["a,b", "c"]),
            ("\"a \"\"q\"\" b\",c", &["a \"q\" b", "c"]),
            ("\"open,c", &["open,c"]),
            ("", &[""]),
            ("\"\",x", &["", "x"]),
        ];
        for (line, want) in rows {
            assert_eq!(cells(line), want, "{line}");
        }
    }
}
