//! A process that dies, or a step that fails, at each place of a commit and of maintenance in turn:
//! afterwards every record is in the table once, or in the dead letters once.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use sluice_engine::fail_point;

use crate::broker::Kafka;
use crate::feeder::{COLUMNS, Feeder};
use crate::process::{Place, Process, ask, try_ask};
use crate::proof::Sent;

const PARTITIONS: usize = 3;
const BAD_EVERY: i64 = 10;
/// Enough that every part has records of both kinds in every partition.
const PART: usize = 60;
const FEED_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(40);

/// Maintenance is asked for by statements, of which the last one does not survive.
const MAINTENANCE: [(&str, &[&str]); 4] = [
    ("during_checkpoint", &["CALL checkpoint('numbers')"]),
    (
        "during_log_cleanup",
        &[
            "CALL checkpoint('numbers')",
            "CALL clean_log('numbers', retention => '0s')",
        ],
    ),
    ("during_compaction", &["CALL optimize('numbers')"]),
    (
        "during_vacuum",
        &[
            "CALL optimize('numbers')",
            "CALL vacuum('numbers', retention => '0s', force => true)",
        ],
    ),
];

/// Steps whose error stops the pipeline, which goes on by itself.
const ERRORS: [&str; 4] = [
    "after_dead_letters",
    "during_upload",
    "before_commit",
    "before_acknowledge",
];

/// A step whose error says nothing of what became of the commit, which is then looked up: nothing
/// stops.
const UNSURE: &str = "after_commit";
/// Enough parts for several commits.
const PARTS: u32 = 10;

struct Trial {
    place: Place,
    feeder: Feeder,
}

impl Trial {
    fn sent<'a>(&self, records: &'a [i64]) -> Sent<'a> {
        Sent {
            table: "numbers",
            records,
            bad_every: BAD_EVERY,
        }
    }

    /// Feeds part by part until `done`.
    fn feed_until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(
                began.elapsed() < PATIENCE,
                "{what}\n{}",
                self.place.complaints()
            );
            self.feeder.send(PART);
            self.feeder.settle();
            park_timeout(FEED_EVERY);
        }
    }

    /// A server dies at a step of its commits.
    fn die_at(&mut self, name: &str) {
        let before = self.deaths(name);
        let point = format!("{name}=kill@2");
        let mut process = self.place.start(&[("SLUICE_FAIL_POINTS", &point)]);
        self.feed_until(name, || process.ended().is_some());
        self.check_death(name, before);
    }

    /// A server dies at a step of its maintenance.
    fn die_of(&mut self, name: &str, statements: &[&str]) {
        let before = self.deaths(name);
        let point = format!("{name}=kill");
        let mut process = self.place.start(&[("SLUICE_FAIL_POINTS", &point)]);
        let url = process.ready();
        let (last, first) = statements.split_last().unwrap();
        for sql in first {
            ask(&url, sql);
        }
        let answer = try_ask(&url, last);
        assert!(answer.is_err(), "{last} passed {name}: {answer:?}");
        process.wait(last);
        self.check_death(name, before);
    }

    /// A step fails once, and the server goes on by itself.
    fn fail_at(&mut self, name: &str) {
        let point = format!("{name}=error@2");
        let said = format!("fail point {name}");
        let place = self.place.clone();
        let before = place.log().matches(&said).count();
        let mut process = place.start(&[("SLUICE_FAIL_POINTS", &point)]);
        match name == UNSURE {
            true => {
                process.ready();
                let mut parts = 0..PARTS;
                self.feed_until(&point, || parts.next().is_none());
            }
            false => self.feed_until(&point, || place.log().matches(&said).count() > before),
        }
        self.check_through(&mut process, &point);
    }

    fn check_death(&self, name: &str, before: usize) {
        let complaints = self.place.complaints();
        assert!(
            self.deaths(name) > before,
            "{name} killed nobody\n{complaints}"
        );
    }

    fn deaths(&self, name: &str) -> usize {
        let log = self.place.log();
        let deaths = log
            .lines()
            .filter(|line| line.contains("dies at a fail point"));
        deaths.filter(|line| line.contains(name)).count()
    }

    /// Checks everything through a fresh server.
    fn check(&mut self, after: &str) {
        let mut process = self.place.start(&[]);
        self.check_through(&mut process, after);
    }

    fn check_through(&mut self, process: &mut Process, after: &str) {
        let url = process.ready();
        self.feeder.send(PART);
        let records = self.feeder.settle();
        let sent = self.sent(&records);
        let complaints = || format!("after {after}: {}", self.place.complaints());
        let took = sent.wait(&url, PATIENCE, &complaints);
        let faults = sent.faults(&url);
        assert!(faults.is_empty(), "after {after}: {faults:#?}");
        println!(
            "{after}: {} records, each once; whole in {took:.1?}",
            records.iter().sum::<i64>()
        );
    }
}

fn init_sql(address: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS raw ({COLUMNS}) STORED AS KAFKA \
           LOCATION 'kafka://{address}/numbers' OPTIONS ('format' 'json', \
           'kafka.session.timeout.ms' '6000', 'kafka.heartbeat.interval.ms' '500');
         CREATE TABLE IF NOT EXISTS numbers ({COLUMNS});
         CREATE PIPELINE IF NOT EXISTS ingest WITH (max_latency = '50ms') AS \
           INSERT INTO numbers SELECT id, part, seq, text FROM raw;"
    )
}

#[tokio::test]
async fn a_death_or_an_error_at_each_step_loses_nothing_and_doubles_nothing() {
    let kafka = Kafka::start("fail-points");
    kafka
        .create_topic("numbers", i32::try_from(PARTITIONS).unwrap())
        .await;
    let folder = tempfile::tempdir().unwrap();
    let mut trial = Trial {
        place: Place::new(folder.path(), "data", &init_sql(&kafka.address)),
        feeder: Feeder::new(&kafka.address, "numbers", PARTITIONS, BAD_EVERY),
    };
    let of_commits = |name: &&str| MAINTENANCE.iter().all(|(other, _)| other != name);
    for name in fail_point::NAMES.into_iter().filter(of_commits) {
        trial.die_at(name);
        trial.check(name);
    }
    for name in ERRORS.into_iter().chain([UNSURE]) {
        trial.fail_at(name);
    }
    let mut process = trial.place.start(&[]);
    let url = process.ready();
    let records = trial.feeder.settle();
    trial.sent(&records).prove(&url);
    drop(process);
    for (name, statements) in MAINTENANCE {
        trial.die_of(name, statements);
        trial.check(name);
    }
}
