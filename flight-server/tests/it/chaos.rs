//! Several processes ingest one topic into one table while each of them is killed, stopped for
//! longer than its place in the group lasts, continued, sent away and brought back, at random. Then
//! SQL finds every record once, in the table or in the dead letters, and no partition stands still.
//!
//! `CHAOS_SECONDS` is how long it goes on, `CHAOS_SEED` repeats a run's choices, `CHAOS_RATE` is
//! how many records a second arrive. `make chaos` is a long run.

mod members;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::{Duration, Instant};

use crate::broker::Kafka;
use crate::feeder::{COLUMNS, Feeder};
use crate::proof::Sent;
use members::Members;

const TOPIC: &str = "chaos";
const TABLE: &str = "chaos";
const PARTITIONS: usize = 24;
const MEMBERS: usize = 4;
const BAD_EVERY: i64 = 500;
const FEED_EVERY: Duration = Duration::from_millis(50);
const REPORT_EVERY: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);
/// What a process that was killed last holds back until the group has noticed is twice this long.
const SESSION_MS: &str = "6000";
/// No record more in this time is a standstill.
const STANDSTILL: Duration = Duration::from_secs(30);
/// All that is behind must be there in this time.
const CATCH_UP_MAX: Duration = Duration::from_secs(90);

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    })
}

fn init_sql(address: &str, table: &Path) -> String {
    let location = table.display();
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS raw ({COLUMNS}) STORED AS KAFKA \
           LOCATION 'kafka://{address}/{TOPIC}' OPTIONS ('format' 'json', \
           'kafka.session.timeout.ms' '{SESSION_MS}', 'kafka.heartbeat.interval.ms' '1000');
         CREATE EXTERNAL TABLE IF NOT EXISTS {TABLE} ({COLUMNS}) STORED AS DELTA \
           LOCATION '{location}';
         CREATE PIPELINE IF NOT EXISTS ingest WITH (max_latency = '1s') AS \
           INSERT INTO {TABLE} SELECT id, part, seq, text FROM raw;"
    )
}

/// Feeds at a steady rate in a thread until it is told to end.
struct Feeding {
    thread: JoinHandle<Feeder>,
    end: End,
    sent: Arc<AtomicU64>,
}

/// Ends the thread, also when a check fails before its time.
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Feeding {
    fn start(mut feeder: Feeder, rate: u64) -> Self {
        let (end, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (ended, counted) = (Arc::clone(&end), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            while !ended.load(Ordering::Relaxed) {
                let due = rate * u64::try_from(began.elapsed().as_millis()).unwrap() / 1_000;
                let count = due - counted.swap(due, Ordering::Relaxed);
                feeder.send(usize::try_from(count).unwrap());
                park_timeout(FEED_EVERY);
            }
            feeder
        });
        Self {
            thread,
            end: End(end),
            sent,
        }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn end(self) -> Feeder {
        drop(self.end);
        self.thread.join().unwrap()
    }
}

#[tokio::test]
async fn processes_killed_stopped_and_sent_away_lose_nothing_and_double_nothing() {
    let (seconds, rate) = (setting("CHAOS_SECONDS", 45), setting("CHAOS_RATE", 4_000));
    let seed = setting("CHAOS_SEED", std::process::id().into());
    println!("chaos: {seconds} s at {rate} records/s; CHAOS_SEED={seed} repeats its choices");
    let kafka = Kafka::start("chaos");
    kafka
        .create_topic(TOPIC, i32::try_from(PARTITIONS).unwrap())
        .await;
    let folder = tempfile::tempdir().unwrap();
    let init = init_sql(&kafka.address, &folder.path().join("table"));
    let mut members = Members::start(folder.path(), &init, MEMBERS, seed);
    let feeder = Feeder::new(&kafka.address, TOPIC, PARTITIONS, BAD_EVERY);
    let feeding = Feeding::start(feeder, rate);

    let most = make_chaos(&mut members, &feeding, Duration::from_secs(seconds));
    let feeder = feeding.end();
    let records = feeder.settle();
    assert!(
        most > 0,
        "nothing was stored during the chaos: {}",
        members.complaints()
    );
    let url = members.calm();
    let began = Instant::now();
    let sent = Sent {
        table: TABLE,
        records: &records,
        bad_every: BAD_EVERY,
    };
    let (held, _) = sent.progress(&url);
    let all: i64 = records.iter().sum();
    let took = sent.wait(&url, STANDSTILL, &|| members.complaints());
    println!(
        "chaos: {} of {all} records were behind, caught up in {took:.1?}",
        all - held
    );
    assert!(
        took < CATCH_UP_MAX,
        "caught up in {took:?} only; {}",
        members.complaints()
    );
    sent.prove(&url);
    assert_eq!(kafka.high_watermarks(TOPIC, PARTITIONS), records);
    println!(
        "chaos: {all} records, none lost, none doubled; {}; proven in {:.1?}",
        members.deeds(),
        began.elapsed().saturating_sub(took)
    );
    members.leave_in_order();
}

/// Gives the most records that anybody saw stored meanwhile.
fn make_chaos(members: &mut Members, feeding: &Feeding, time: Duration) -> i64 {
    let began = Instant::now();
    let (mut report, mut most) = (began + REPORT_EVERY, 0);
    while began.elapsed() < time {
        members.step();
        if Instant::now() >= report {
            report += REPORT_EVERY;
            let stored = members.count(TABLE);
            most = most.max(stored.unwrap_or(0));
            println!(
                "chaos: {:3.0?} {} records sent, {} stored; {}",
                began.elapsed(),
                feeding.sent(),
                stored.map_or_else(|| "?".to_owned(), |stored| stored.to_string()),
                members.deeds()
            );
        }
        park_timeout(STEP);
    }
    most
}
