//! Lists: an indicator in each line, comments after `#` or `;`. FireHOL's netset and ipset files,
//! hosts files (`0.0.0.0 bad.example`) and what most makers of block lists publish.

use super::{Feed, Report};
use crate::enrich::address::Address;

/// How FireHOL says when a list was made.
const DATES: [&str; 2] = ["This File Date", "Source File Date"];

pub(super) fn read(feed: &mut Feed, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let Some(comment) = line.trim_start().strip_prefix('#') {
            note(feed, comment);
            continue;
        }
        let content = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(first) = words.next() else { continue };
        match words.next() {
            // A hosts file sends a domain to an address that answers nothing.
            Some(host) if goes_nowhere(first) => {
                if host != "localhost" && Address::parse(host).is_none() {
                    feed.take(host, Report::default());
                }
            }
            Some("-") => {
                let range = format!("{first}-{}", words.next().unwrap_or_default());
                feed.take(&range, Report::default());
            }
            Some(_) if !first.contains(['.', ':']) => feed.unusable += 1,
            _ => feed.take(first, Report::default()),
        }
    }
}

fn goes_nowhere(word: &str) -> bool {
    ["0.0.0.0", "127.0.0.1", "::1", "::"].contains(&word)
}

/// Takes what a header line says of the list.
fn note(feed: &mut Feed, comment: &str) {
    let Some((key, value)) = comment.split_once(':') else {
        return;
    };
    let (key, value) = (key.trim(), value.trim());
    if DATES.contains(&key) && !value.is_empty() && feed.version.is_none() {
        feed.version = Some(value.to_owned());
    }
    if key == "Category" && feed.options.categories.is_empty() && !value.is_empty() {
        feed.options.categories.push(value.to_owned());
    }
}
