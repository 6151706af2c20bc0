//! A full disk: the pipeline says so and waits, a query that spills says so and harms nothing, and
//! with room again every record arrives once.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use crate::broker::Kafka;
use crate::cli::shown;
use crate::feeder::{COLUMNS, Feeder};
use crate::process::{Place, ask, try_ask};
use crate::proof::Sent;

const PARTITIONS: usize = 2;
const BAD_EVERY: i64 = 100;
const RECORDS: usize = 4_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Sorts more than the queries' memory holds.
const SPILLING: &str = "SELECT max(place) FROM (SELECT row_number() OVER \
                        (ORDER BY value % 1000, value) AS place \
                        FROM generate_series(1, 5000000))";

/// A small file system of its own, in memory.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=128m", "tmpfs", shown(at)]);
        let output = mount.output().ok()?;
        output.status.success().then(|| Self(at.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes all room there is.
    fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .unwrap();
        for size in [1 << 16, 1 << 9] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").args(["-l", shown(&self.0)]).status();
    }
}

fn init_sql(address: &str) -> String {
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS raw ({COLUMNS}, noise VARCHAR) STORED AS KAFKA \
           LOCATION 'kafka://{address}/numbers' OPTIONS ('format' 'json');
         CREATE TABLE IF NOT EXISTS numbers ({COLUMNS}, noise VARCHAR);
         CREATE PIPELINE IF NOT EXISTS ingest WITH (max_latency = '100ms') AS \
           INSERT INTO numbers SELECT id, part, seq, text, noise FROM raw;"
    )
}

/// Waits until the error that the pipeline waits after is about room, or until it has none.
fn wait_for_error(url: &str, place: &Place, about_room: bool) -> String {
    let began = Instant::now();
    loop {
        let sql = "SELECT state, coalesce(error, '') FROM system.pipelines";
        let said = ask(url, sql).lines().nth(1).unwrap_or_default().to_owned();
        let found = match about_room {
            true => is_about_room(&said),
            false => said.starts_with("running,"),
        };
        if found {
            return said;
        }
        assert!(began.elapsed() < PATIENCE, "{said}\n{}", place.complaints());
        park_timeout(Duration::from_millis(100));
    }
}

fn is_about_room(said: &str) -> bool {
    let said = said.to_lowercase();
    ["no space left", "disk is full", "disk full", "no room"]
        .iter()
        .any(|words| said.contains(words))
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_is_lost_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("disk")) else {
        // Past the capture of output: a test that did not run must not look as if it had.
        let said = "\nNOT TESTED: a server on a full disk, as this user may not mount one\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    let kafka = Kafka::start("disk");
    kafka
        .create_topic("numbers", i32::try_from(PARTITIONS).unwrap())
        .await;
    let mut feeder =
        Feeder::new(&kafka.address, "numbers", PARTITIONS, BAD_EVERY).with_noise(1_000);
    let place = Place::new(&disk.0, "data", &init_sql(&kafka.address)).with_log(folder.path());
    let mut process = place.start(&[
        ("TMPDIR", shown(&disk.0)),
        ("SLUICE__QUERY__MEMORY", "64MiB"),
    ]);
    let url = process.ready();
    let complaints = || place.complaints();
    let wait = |records: &[i64]| {
        let sent = Sent {
            table: "numbers",
            records,
            bad_every: BAD_EVERY,
        };
        sent.wait(&url, PATIENCE, &complaints);
        sent.prove(&url);
    };

    feeder.send(RECORDS);
    wait(&feeder.settle());
    disk.fill();
    feeder.send(RECORDS);
    feeder.settle();
    println!("full: {}", wait_for_error(&url, &place, true));
    let refused = try_ask(&url, SPILLING).unwrap_err();
    println!("spilling: {refused}");
    assert!(is_about_room(&refused), "{refused}");
    assert_eq!(ask(&url, "SELECT 1 AS n"), "n\n1\n");

    disk.make_room();
    wait(&feeder.settle());
    wait_for_error(&url, &place, false);
    feeder.send(RECORDS);
    wait(&feeder.settle());
    assert_eq!(ask(&url, SPILLING).lines().nth(1), Some("5000000"));
}
