//! Vacuum deletes what the table left behind, and nothing else that lies in its folder.

use super::*;
use std::fs::File;
use std::time::{Duration, SystemTime};

use sluice_engine::config::{self, Config};
use sluice_engine::error::Error;
use sluice_engine::maintenance::{Caretaker, Ward};
use sluice_engine::table::{Maintained, Maintenance, Orphans};
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(24 * 3600);
const OWN: &str = "part-00000-5f6c1f8e-54a5-4c3c-9d3b-0f6b8f2f6f5e-c000.zstd.parquet";

fn full(orphans: Orphans, dry_run: bool) -> Maintenance {
    Maintenance::Vacuum {
        retention: Some(DAY),
        dry_run,
        orphans,
    }
}

/// Makes every file in and below `folder` so old.
fn age(folder: &Path, age: Duration) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::age(&path, age);
        } else {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
    }
}

fn leave(folder: &Path, names: &[&str]) {
    for name in names {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
}

fn there(folder: &Path, names: &[&str]) -> Vec<bool> {
    let found = names
        .iter()
        .map(|name| folder.join(name).try_exists().unwrap());
    found.collect()
}

/// The definition of a table in a folder of the first one's.
fn inner(folder: &Path) -> TableDefinition {
    TableDefinition {
        name: "archive".into(),
        location: folder.join("my logs/archive").to_str().unwrap().to_owned(),
        ..definition(folder)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_tables_stays() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let archive = DeltaFormat::default();
    let archive = archive.create(&inner(folder.path())).await.unwrap();
    archive.append(append(0, 5)).await.unwrap();
    let data = folder.path().join("my logs");
    let below = format!("archive/{OWN}");
    let others = [
        "notes.csv",
        "catalog.json",
        "sales.parquet",
        "other/sales.parquet",
        OWN,
        below.as_str(),
    ];
    leave(&data, &others);
    age(&data, 2 * DAY);

    let own = table.maintain(&full(Orphans::Own, false)).await.unwrap();
    assert_eq!(own.files_removed, 1);
    let left = [true, true, true, true, false, true];
    assert_eq!(there(&data, &others), left);
    let all = table.maintain(&full(Orphans::All, false)).await.unwrap();
    assert_eq!(all.files_removed, 2);
    let left = [true, true, false, false, false, true];
    assert_eq!(there(&data, &others), left);
    assert_eq!(stored(&table).await, [0, 1, 2]);
    assert_eq!(stored(&archive).await, [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_never_finished_go() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let archive = DeltaFormat::default();
    archive.create(&inner(folder.path())).await.unwrap();
    let data = folder.path().join("my logs");
    let file = format!("date=2026-02-05/{OWN}#340282366920938463463374607431768211455");
    let entry = "_delta_log/00000000000000000002.json#1";
    let theirs = format!("archive/{OWN}#1");
    leave(&data, &[&file, entry, &theirs, "notes#1", "part.parquet#x"]);
    age(&data, 2 * DAY);
    // Somebody may be writing this one.
    leave(&data, &["young.parquet#1"]);

    let kept = table.maintain(&full(Orphans::Kept, false)).await.unwrap();
    assert_eq!(kept, Maintained::default());
    let dry = table.maintain(&full(Orphans::Own, true)).await.unwrap();
    assert_eq!(dry.files_removed, 2);
    let done = table.maintain(&full(Orphans::Own, false)).await.unwrap();
    assert_eq!((done.files_removed, done.bytes_removed), (2, 2));
    let names = [
        &file,
        entry,
        &theirs,
        "notes#1",
        "part.parquet#x",
        "young.parquet#1",
    ];
    let left = [false, false, true, true, true, true];
    assert_eq!(there(&data, &names), left);
    assert_eq!(stored(&open(folder.path()).await).await, [0, 1, 2]);
}

struct Leader;

impl Ward for Leader {
    fn leads(&self) -> bool {
        true
    }

    fn lag(&self) -> u64 {
        0
    }

    fn failed(&self, _table: &str, error: &Error) {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_itself_only_what_sluice_named_goes() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let data = folder.path().join("my logs");
    leave(&data, &["sales.parquet", OWN]);
    age(&data, 30 * DAY);
    let soon = Duration::from_millis(50);
    let caretaker = Caretaker {
        name: "logs".into(),
        table: Arc::clone(&table),
        ward: Arc::new(Leader),
        settings: config::Maintenance {
            checkpoint_interval: soon,
            vacuum_interval: soon,
            ..Config::default().maintenance
        },
        query_timeout: Duration::from_secs(600),
    };
    let stop = CancellationToken::new();
    let gone = async {
        while data.join(OWN).try_exists().unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let both = async { tokio::join!(caretaker.run(&stop), gone) };
    tokio::time::timeout(Duration::from_secs(60), both)
        .await
        .unwrap();
    assert!(data.join("sales.parquet").try_exists().unwrap());
    assert_eq!(stored(&table).await, [0, 1, 2]);
}
