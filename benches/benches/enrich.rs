//! Enrichment beside what a user would write without it, in the same DataFusion and process:
//! networks by a join on ranges of numbers, rows by a hash join, and addresses that repeat beside
//! those that do not.
//!
//! Run with `cargo bench --bench enrich --locked`. MaxMind's test database is read where it is.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_udfs::enrich::database::Database;
use sluice_udfs::enrich::feed::{Feed, FeedOptions};
use sluice_udfs::enrich::snapshot::{Enrichment, Parts};
use sluice_udfs::enrich::table::{ReferenceTable, TableFormat};
use tokio::runtime::Runtime;

const ROWS: usize = 8192;
const BATCHES: usize = 32;
const SEED: u64 = 7;
/// Networks of the feed, as many as a list of attackers has.
const NETWORKS: usize = 4_000;
const KEYS: usize = 10_000;
/// Addresses that a service sees again and again.
const REPEATED: usize = 500;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let mut random = StdRng::seed_from_u64(SEED);
    let mut network = || (random.random::<u32>() & 0x7fff_ff00 | 0x0b00_0000, 24_u32);
    let networks: Vec<(u32, u32)> = (0..NETWORKS).map(|_| network()).collect();
    let context = session(&networks);
    register(&context, &networks);
    let rows = (ROWS * BATCHES) as f64;
    let rate = |name: &str, times: usize, sql: &str| {
        let seconds = fastest(times, || runtime.block_on(run(&context, sql)));
        println!("{name}: {:.0} ns a row", seconds * 1e9 / rows);
        seconds
    };
    let found = rate(
        "threat_lookup(ip)",
        5,
        "SELECT count(*) FROM events WHERE threat_lookup(ip)['matched']",
    );
    let naive = rate(
        "join on ranges",
        1,
        "SELECT count(*) FROM events WHERE EXISTS \
         (SELECT 1 FROM networks WHERE address BETWEEN first AND last)",
    );
    println!(
        "threat_lookup is {:.0} times as fast as the join",
        naive / found
    );
    let list = cidrs(&networks[..64]);
    let found = rate(
        "cidr_match(ip, 64 networks)",
        5,
        &format!("SELECT count(*) FROM events WHERE cidr_match(ip, ARRAY[{list}])"),
    );
    let conditions = conditions(&networks[..64]);
    let naive = rate(
        "64 conditions on numbers",
        5,
        &format!("SELECT count(*) FROM events WHERE {conditions}"),
    );
    println!(
        "cidr_match is {:.1} times as fast as the conditions",
        naive / found
    );
    let found = rate(
        "lookup(table, key, column)",
        5,
        "SELECT count(lookup('customers', customer, 'tier')) FROM events",
    );
    let naive = rate(
        "left join",
        5,
        "SELECT count(tier) FROM events LEFT JOIN customers ON id = customer",
    );
    println!("lookup is {:.1} times as fast as the join", naive / found);
    let repeated = rate(
        "geoip(ip), 500 addresses",
        5,
        "SELECT count(geoip(seen)) FROM events",
    );
    let distinct = rate(
        "geoip(ip), all distinct",
        5,
        "SELECT count(geoip(ip)) FROM events",
    );
    println!(
        "repeated addresses are {:.1} times as fast",
        distinct / repeated
    );
}

/// What `cidr_match` says, written out.
fn conditions(networks: &[(u32, u32)]) -> String {
    let texts = networks
        .iter()
        .map(|(first, _)| format!("address BETWEEN {first} AND {}", u64::from(*first) + 255));
    texts.collect::<Vec<_>>().join(" OR ")
}

fn cidrs(networks: &[(u32, u32)]) -> String {
    let texts = networks
        .iter()
        .map(|(first, bits)| format!("'{}/{bits}'", Ipv4Addr::from(*first)));
    texts.collect::<Vec<_>>().join(", ")
}

fn session(networks: &[(u32, u32)]) -> SessionContext {
    let mut list = String::new();
    for (first, bits) in networks {
        writeln!(list, "{}/{bits}", Ipv4Addr::from(*first)).expect("room for a line");
    }
    let mut parts = Parts::default();
    let feed = Feed::parse("feed", list.as_bytes(), FeedOptions::default()).expect("a feed");
    parts.feeds.insert("feed".to_owned(), Ok(Arc::new(feed)));
    let table = ReferenceTable::parse(customers().into_bytes(), TableFormat::Csv, None, None);
    parts.tables.insert(
        "customers".to_owned(),
        Ok(Arc::new(table.expect("a table"))),
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mmdb");
    match std::fs::read(folder.join("GeoLite2-City-Test.mmdb")) {
        Ok(bytes) => {
            let database = Database::parse(bytes).expect("a database");
            parts
                .databases
                .insert("city".to_owned(), Ok(Arc::new(database)));
        }
        Err(error) => println!("geoip without a database: {error}"),
    }
    let mut config = SessionConfig::new().with_target_partitions(1);
    let enrichment = Enrichment::new(parts).expect("a snapshot");
    config.options_mut().extensions.insert(enrichment);
    let mut context = SessionContext::new_with_config(config);
    let options = context.copied_config();
    for function in sluice_udfs::functions() {
        if let sluice_udfs::Function::Scalar(function) = function {
            let told = function.inner().with_updated_config(options.options());
            let function = Arc::new(told.unwrap_or(function));
            FunctionRegistry::register_udf(&mut context, function).expect("a new session");
        }
    }
    context
}

fn customers() -> String {
    let mut csv = "id,tier,region\n".to_owned();
    for id in 0..KEYS {
        writeln!(csv, "customer-{id},tier-{},region-{}", id % 3, id % 7).expect("room for a line");
    }
    csv
}

/// The tables `events`, `networks` and `customers`.
fn register(context: &SessionContext, networks: &[(u32, u32)]) {
    let mut random = StdRng::seed_from_u64(SEED + 1);
    let seen: Vec<u32> = (0..REPEATED)
        .map(|_| address(&mut random, networks))
        .collect();
    let mut batch = || {
        let ips: Vec<u32> = (0..ROWS).map(|_| address(&mut random, networks)).collect();
        let text = |ip: &u32| Ipv4Addr::from(*ip).to_string();
        let repeated = (0..ROWS).map(|_| text(&seen[random.random_range(0..REPEATED)]));
        let repeated: StringArray = repeated.map(Some).collect();
        let customers = (0..ROWS).map(|_| format!("customer-{}", random.random_range(0..2 * KEYS)));
        let customers: StringArray = customers.map(Some).collect();
        let texts: StringArray = ips.iter().map(text).map(Some).collect();
        let numbers: Int64Array = ips.iter().map(|ip| Some(i64::from(*ip))).collect();
        columns([
            ("ip", Arc::new(texts) as ArrayRef),
            ("address", Arc::new(numbers)),
            ("seen", Arc::new(repeated)),
            ("customer", Arc::new(customers)),
        ])
    };
    table(context, "events", (0..BATCHES).map(|_| batch()).collect());
    let ends = |end: fn(u32) -> u32| -> ArrayRef {
        let ends = networks
            .iter()
            .map(|(first, _)| Some(i64::from(end(*first))));
        Arc::new(ends.collect::<Int64Array>())
    };
    let ranges = columns([
        ("first", ends(|first| first)),
        ("last", ends(|first| first | 255)),
    ]);
    table(context, "networks", vec![ranges]);
    let column = |text: fn(usize) -> String| -> ArrayRef {
        Arc::new((0..KEYS).map(|id| Some(text(id))).collect::<StringArray>())
    };
    let customers = columns([
        ("id", column(|id| format!("customer-{id}"))),
        ("tier", column(|id| format!("tier-{}", id % 3))),
    ]);
    table(context, "customers", vec![customers]);
}

/// One address in ten is in a network of the feed.
fn address(random: &mut StdRng, networks: &[(u32, u32)]) -> u32 {
    match random.random_range(0..10) {
        0 => networks[random.random_range(0..networks.len())].0 | random.random_range(0..256),
        _ => random.random(),
    }
}

fn columns<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn table(context: &SessionContext, name: &str, batches: Vec<RecordBatch>) {
    let schema = batches.first().expect("a batch").schema();
    let table = MemTable::try_new(schema, vec![batches]).expect("batches of one schema");
    context
        .register_table(name, Arc::new(table))
        .expect("a new name");
}

async fn run(context: &SessionContext, sql: &str) {
    let frame = context.sql(sql).await.expect("a valid query");
    std::hint::black_box(frame.collect().await.expect("a result"));
}

/// Seconds for the fastest of `times` runs.
fn fastest(times: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..times).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::MAX, f64::min)
}
