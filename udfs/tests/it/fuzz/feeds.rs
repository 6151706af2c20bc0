//! Files of enrichment data: whatever their bytes, they are read or refused with a reason, and
//! what was read can be looked up.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sluice_udfs::enrich::feed::{Feed, FeedFormat, FeedOptions};
use sluice_udfs::enrich::table::{ReferenceTable, TableFormat};

use super::feature::{self, Seen};
use super::random::Random;
use super::seeds::{FILES, LINES};
use super::{KEPT_MAX, Run, mutate, quiet};

/// Rounds of a short run.
const ROUNDS: usize = 4_000;

/// What reading `bytes` shows, in words.
fn read(bytes: &[u8], format: FeedFormat) -> String {
    let options = FeedOptions {
        format,
        ..FeedOptions::default()
    };
    let feed = match Feed::parse("f", bytes, options) {
        Ok(feed) => {
            let version = feed.version().map(str::len);
            format!("{} {version:?}", feed.indicators().min(4))
        }
        Err(fault) => {
            assert!(
                !fault.message.is_empty() && !fault.hint.is_empty(),
                "{fault:?}"
            );
            feature::sentence(&fault.message)
        }
    };
    let tables = TableFormat::ALL.map(|(_, format)| {
        match ReferenceTable::parse(bytes.to_vec(), format, None, None) {
            Ok(table) => table.rows().min(4).to_string(),
            Err(_) => "refused".to_owned(),
        }
    });
    format!("{feed} {tables:?}")
}

#[test]
fn files_are_read_or_refused() {
    let run = Run::new();
    let mut random = Random::new(run.seed ^ 2);
    let texts: Vec<String> = LINES.iter().map(|line| (*line).to_owned()).collect();
    let of = |name: &str| FeedFormat::ALL.iter().find(|known| known.0 == name);
    let seeds = FILES.iter().map(|(name, text)| {
        let format = of(name).expect("a format of that name").1;
        (text.as_bytes().to_vec(), format)
    });
    let mut corpus: Vec<(Vec<u8>, FeedFormat)> = seeds.collect();
    let mut cases: Vec<(Vec<u8>, FeedFormat)> = Vec::new();
    for (bytes, format) in &corpus {
        cases.extend((0..=bytes.len()).map(|end| (bytes[..end].to_vec(), *format)));
    }
    let (mut seen, mut rounds) = (Seen::default(), 0);
    while run.goes_on(rounds, ROUNDS) {
        rounds += 1;
        let (bytes, format) = cases.pop().unwrap_or_else(|| {
            let (seed, format) = random.pick(&corpus);
            (mutate::bytes(&mut random, &seed.clone(), &texts), *format)
        });
        let shown = quiet::quietly(|| catch_unwind(AssertUnwindSafe(|| read(&bytes, format))));
        let Ok(shown) = shown else {
            let (text, seed) = (String::from_utf8_lossy(&bytes), run.seed);
            panic!("FUZZ_SEED={seed} {format:?} panics over {text:?}");
        };
        if seen.add(&[feature::of((format as usize, shown))]) && corpus.len() < KEPT_MAX {
            corpus.push((bytes, format));
        }
    }
    println!("feeds: {rounds} rounds, {} features", seen.len());
}
