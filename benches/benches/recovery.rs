//! How long ingest needs after SIGKILL until it is where it was: a steady feed into Kafka, a
//! process that ingests it, killed at full rate and started again at once.
//!
//! Recovered is when no more events wait in Kafka than waited at most before the kill. At the end
//! every event must be in the table once. `make bench BENCH_ARGS='--bench recovery'` runs it;
//! `RATE` (events a second) and `KILLS` set how hard it is.
//!
//! The process under test is this program itself, started with `INGEST` in its environment.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints"
)]

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sluice_benches::ingest::{JOBS, Sluice};
use sluice_benches::kafka::{Feed, Topic};
use tokio::runtime::Runtime;

const STEADY: Duration = Duration::from_secs(8);
const WATCHED: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(120);
const OPTIONS: &str = "WITH (max_latency = '500ms')";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a setting is a number"))
}

fn main() {
    let Ok(kafka) = std::env::var("SLUICE_KAFKA") else {
        println!("recovery: skipped, SLUICE_KAFKA names no broker; `make bench` starts one");
        return;
    };
    let runtime = Runtime::new().expect("a runtime");
    if let Ok(work) = std::env::var("INGEST") {
        let (name, folder) = work.split_once(' ').expect("a topic and a folder");
        let (broker, name) = (kafka, name.to_owned());
        runtime.block_on(ingest(&Topic { broker, name }, Path::new(folder)));
    } else {
        runtime.block_on(measure(
            &kafka,
            setting("RATE", 100_000),
            setting("KILLS", 3),
        ));
    }
}

/// Ingests until it is killed.
async fn ingest(topic: &Topic, folder: &Path) {
    let sluice = Sluice::open(Some(&folder.join("data"))).await;
    if sluice.engine.progress().is_empty() {
        sluice.run(&JOBS[0].table(&folder.join("logs"))).await;
        for sql in JOBS[0].pipeline(topic, OPTIONS) {
            sluice.run(&sql).await;
        }
    }
    sluice.engine.start_pipelines();
    std::future::pending().await
}

/// A process that ingests; dropping it is SIGKILL.
struct Life(Child);

impl Life {
    fn start(topic: &Topic, folder: &Path) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let work = format!("{} {}", topic.name, folder.display());
        let child = Command::new(program).env("INGEST", work).spawn();
        Self(child.expect("a process"))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

async fn measure(kafka: &str, rate: u64, kills: u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is set");
    let topic = Topic::make(kafka, &format!("recovery-{}", now.as_micros())).await;
    let folder = tempfile::tempdir().expect("a folder");
    // The watcher sees the same table, and its pipeline is defined by nobody here.
    let watcher = Sluice::open(None).await;
    watcher
        .run(&JOBS[0].table(&folder.path().join("logs")))
        .await;
    let mut life = Life::start(&topic, folder.path());
    let feed = Feed::start(&topic, rate);
    let mut times = Vec::new();
    for kill in 1..=kills {
        let usual = steady(&watcher, &feed).await;
        let killed = Instant::now();
        drop(life);
        life = Life::start(&topic, folder.path());
        let mut most = 0;
        loop {
            let waiting = waiting(&watcher, &feed).await;
            most = waiting.max(most);
            if waiting <= usual && most > usual {
                break;
            }
            assert!(killed.elapsed() < PATIENCE, "{waiting} events still wait");
            tokio::time::sleep(STEP).await;
        }
        let took = killed.elapsed();
        println!(
            "recovery at {rate} events/s, kill {kill}: {took:.1?}; at most {most} events waited, \
             {usual} before"
        );
        times.push(took);
    }
    let sent = feed.end();
    let began = Instant::now();
    while watcher.number("SELECT count(*) FROM logs").await < sent {
        assert!(began.elapsed() < PATIENCE, "events are missing");
        tokio::time::sleep(STEP).await;
    }
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT _partition, _offset FROM logs)";
    assert_eq!(watcher.number("SELECT count(*) FROM logs").await, sent);
    assert_eq!(watcher.number(distinct).await, sent);
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!(
        "recovery at {rate} events/s: {median:.1?} (median of {kills}); {sent} events, each once"
    );
}

/// How many events were sent and are not in the table.
async fn waiting(watcher: &Sluice, feed: &Feed) -> u64 {
    let sent = feed.sent();
    sent.saturating_sub(watcher.number("SELECT count(*) FROM logs").await)
}

/// Lets ingest run, and gives the most events that wait meanwhile.
async fn steady(watcher: &Sluice, feed: &Feed) -> u64 {
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < STEADY + WATCHED {
        let waiting = waiting(watcher, feed).await;
        if began.elapsed() > STEADY {
            most = waiting.max(most);
        }
        tokio::time::sleep(STEP).await;
    }
    most
}
