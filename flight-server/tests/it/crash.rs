//! Exactly once, shown on a real Kafka: the ingesting process is killed with SIGKILL at random
//! moments while records arrive, started again each time, and SQL finds every line once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use crate::broker::Kafka;
use crate::cli::{answer, output, text};
use crate::process::{Place, ask};

const KILLS: u32 = 12;
const LINES: usize = 60_000;
const LINES_PER_SECOND: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// How many lines are in Kafka, for those who wait for a moment.
#[derive(Default)]
struct Fed {
    count: Mutex<usize>,
    grown: Condvar,
}

impl Fed {
    fn wait_for(&self, count: usize) {
        let fed = self.count.lock().unwrap();
        let reached = self
            .grown
            .wait_timeout_while(fed, PATIENCE, |fed| *fed < count)
            .unwrap();
        assert!(!reached.1.timed_out(), "the feeder stopped");
    }
}

/// Real log lines where a checkout of samples lies beside the project, else generated ones.
fn lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/loghub");
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = std::fs::read(&path).unwrap();
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
    }
    if lines.is_empty() {
        println!("no sample logs beside the project: the lines are generated");
        let line = |n| format!("2026-01-02 03:04:05 INFO worker-{n}: \"block\" blk_{n} \\ done é");
        lines.extend((0..1_000).map(line));
    }
    lines.into_iter().cycle().take(LINES).collect()
}

/// Sends the lines at a steady rate, so that kills meet a process at work.
fn feed(address: &str, lines: &[String], fed: &Fed) {
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .unwrap();
    let began = Instant::now();
    for (chunk, batch) in lines.chunks(LINES_PER_SECOND / 20).enumerate() {
        for (at, line) in batch.iter().enumerate() {
            let n = chunk * (LINES_PER_SECOND / 20) + at;
            let record = serde_json::json!({"n": n, "line": line}).to_string();
            let key = n.to_string();
            producer
                .send(BaseRecord::to("lines").key(&key).payload(&record))
                .unwrap();
        }
        *fed.count.lock().unwrap() += batch.len();
        fed.grown.notify_all();
        let due = Duration::from_millis(50) * u32::try_from(chunk + 1).unwrap();
        std::thread::park_timeout(due.saturating_sub(began.elapsed()));
    }
    producer.flush(PATIENCE).unwrap();
}

fn init_sql(address: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS raw (n BIGINT, line VARCHAR) STORED AS KAFKA \
           LOCATION 'kafka://{address}/lines' OPTIONS ('format' 'json');
         CREATE TABLE IF NOT EXISTS lines (n BIGINT, line VARCHAR);
         CREATE PIPELINE IF NOT EXISTS ingest WITH (max_latency = '100ms') AS \
           INSERT INTO lines SELECT n, line FROM raw;"
    )
}

#[tokio::test]
async fn sigkill_at_random_moments_loses_nothing_and_doubles_nothing() {
    let kafka = Kafka::start("crash");
    kafka.create_topic("lines", 6).await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path(), "data", &init_sql(&kafka.address));
    let seed = std::process::id().into();
    let mut random = StdRng::seed_from_u64(seed);
    println!("seed {seed}");

    let lines = Arc::new(lines());
    let fed = Arc::new(Fed::default());
    let feeder = {
        let (address, lines, fed) = (kafka.address.clone(), Arc::clone(&lines), Arc::clone(&fed));
        std::thread::spawn(move || feed(&address, &lines, &fed))
    };
    let at_kill = AtomicU64::new(0);
    for kill in 1..=KILLS {
        // A killed process may be in any state, so each life is a fresh one on the same data.
        let mut life = place.start(&[]);
        let url = life.ready();
        let room = LINES / (KILLS as usize + 2);
        fed.wait_for(room * kill as usize + random.random_range(0..room));
        let seen = ask(&url, "SELECT count(*) FROM lines");
        let seen: u64 = seen.lines().nth(1).unwrap().parse().unwrap();
        let before = at_kill.swap(seen, Ordering::SeqCst);
        assert!(seen >= before, "rows went away: {before}, then {seen}");
        println!("kill {kill}: {seen} rows were visible");
        drop(life);
    }
    feeder.join().unwrap();
    assert!(
        at_kill.load(Ordering::SeqCst) > 0,
        "no kill met rows: {}",
        place.complaints()
    );

    let mut life = place.start(&[]);
    let url = life.ready();
    let began = Instant::now();
    let want = format!("count(*)\n{LINES}\n");
    while ask(&url, "SELECT count(*) FROM lines") != want {
        assert!(began.elapsed() < PATIENCE, "{}", place.complaints());
    }
    check_rows(&url, &lines);
    let verified = output(&["verify", "lines", "--url", &url]);
    let printed = text(&verified.stdout);
    println!("{printed}");
    assert!(
        verified.status.success(),
        "{printed}{}",
        text(&verified.stderr)
    );
}

/// Every line that was fed is there once, as it was.
fn check_rows(url: &str, lines: &[String]) {
    let sql = "SELECT n, line FROM lines";
    let rows = answer(&["sql", "--url", url, "--format", "json", "-c", sql]);
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let n = row["n"].as_u64().unwrap();
        assert_eq!(
            row["line"].as_str().unwrap(),
            lines[usize::try_from(n).unwrap()]
        );
        *found.entry(n).or_default() += 1;
    }
    let doubled = found.values().filter(|count| **count > 1).count();
    let lost = lines.len() - found.len();
    println!(
        "{} lines fed, {lost} lost, {doubled} doubled, {KILLS} kills",
        lines.len()
    );
    assert_eq!((lost, doubled), (0, 0));
}
