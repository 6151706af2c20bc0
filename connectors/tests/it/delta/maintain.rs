//! Maintenance changes no row and no position, whatever goes on beside it.

use super::*;
use std::fs::File;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use arrow::datatypes::{Field, Schema};
use sluice_engine::config::{self, Config};
use sluice_engine::error::{Error, Kind};
use sluice_engine::maintenance::{Caretaker, Ward};
use sluice_engine::table::{Compact, Maintained, Maintenance, Orphans};
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MERGE: Compact = Compact {
    target_bytes: None,
    predicate: None,
    zorder: Vec::new(),
    closed_for: None,
};

fn vacuum(retention: Duration) -> Maintenance {
    Maintenance::Vacuum {
        retention: Some(retention),
        dry_run: false,
        orphans: Orphans::Kept,
    }
}

async fn filled(folder: &Path, appends: i64) -> Arc<dyn Table> {
    let table = create(folder).await;
    for number in 0..appends {
        let from = number * 10;
        table.append(append(from, from + 10)).await.unwrap();
    }
    table
}

fn log(folder: &Path) -> std::path::PathBuf {
    folder.join("my logs/_delta_log")
}

/// Makes every file of the log as old as `age`.
fn age(folder: &Path, age: Duration) {
    for entry in std::fs::read_dir(log(folder)).unwrap() {
        let file = File::options()
            .write(true)
            .open(entry.unwrap().path())
            .unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

fn checkpoint(folder: &Path, version: u64) -> std::path::PathBuf {
    log(folder).join(format!("{version:020}.checkpoint.parquet"))
}

fn hint(folder: &Path) -> serde_json::Value {
    let text = std::fs::read(log(folder).join("_last_checkpoint")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_counts_once_it_was_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let table = filled(folder.path(), 3).await;
    let first = table.maintain(&Maintenance::Checkpoint).await.unwrap();
    assert_eq!(first.files_added, 1);
    assert_eq!(hint(folder.path())["version"], 3);
    let again = table.maintain(&Maintenance::Checkpoint).await.unwrap();
    assert_eq!(again, Maintained::default());

    // Torn, as by a power cut without the order in which Sluice writes.
    let path = checkpoint(folder.path(), 3);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let mended = table.maintain(&Maintenance::Checkpoint).await.unwrap();
    assert_eq!(mended.files_added, 1);
    let table = open(folder.path()).await;
    assert_eq!(next_offset(&table).await, Some(30));

    // A hint that lags behind, as after a slow second writer.
    let stale = r#"{"version":1,"size":5}"#;
    std::fs::write(log(folder.path()).join("_last_checkpoint"), stale).unwrap();
    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    assert_eq!(hint(folder.path())["version"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cleaned_only_where_a_checkpoint_covers_it() {
    let folder = tempfile::tempdir().unwrap();
    let table = filled(folder.path(), 6).await;
    table.set_property("kept", None, "yes").await.unwrap();
    let clean = Maintenance::CleanLog { retention: DAY };
    age(folder.path(), 2 * DAY);
    let nothing = table.maintain(&clean).await.unwrap();
    assert_eq!(nothing, Maintained::default(), "there is no checkpoint");

    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    let path = checkpoint(folder.path(), 7);
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"PAR1 nonsense PAR1").unwrap();
    let nothing = table.maintain(&clean).await.unwrap();
    assert_eq!(
        nothing,
        Maintained::default(),
        "the checkpoint cannot be read"
    );

    std::fs::write(&path, &good).unwrap();
    let young = table
        .maintain(&Maintenance::CleanLog { retention: 3 * DAY })
        .await
        .unwrap();
    assert_eq!(young, Maintained::default(), "nothing is so old");
    table.append(append(60, 70)).await.unwrap();
    let cleaned = table.maintain(&clean).await.unwrap();
    assert_eq!(cleaned.files_removed, 7);

    for table in [table, open(folder.path()).await] {
        assert_eq!(next_offset(&table).await, Some(70));
        assert_eq!(
            table.property("kept").await.unwrap().as_deref(),
            Some("yes")
        );
        assert_eq!(stored(&table).await, (0..70).collect::<Vec<_>>());
        let versions: Vec<u64> = table
            .commits()
            .await
            .unwrap()
            .iter()
            .map(|c| c.version)
            .collect();
        assert_eq!(versions, [7, 8]);
        // What was the newest version when the retention began is still readable.
        assert!(table.provider_at(7).await.is_ok());
        let gone = table.provider_at(3).await.unwrap_err();
        assert_eq!(gone.kind(), Kind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_become_one_and_no_row_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let table = filled(folder.path(), 12).await;
    let merged = table.maintain(&Maintenance::Compact(MERGE)).await.unwrap();
    assert_eq!((merged.files_added, merged.files_removed), (1, 12));
    let version = merged.version.unwrap();
    assert_eq!(version, 13);
    assert_eq!(stored(&table).await, (0..120).collect::<Vec<_>>());
    assert_eq!(next_offset(&table).await, Some(120));
    let last = table.commits().await.unwrap().pop().unwrap();
    assert_eq!((last.operation.as_str(), last.rows), ("OPTIMIZE", 0));
    let context = SessionContext::new();
    let appended = table.appended(version).await.unwrap();
    let appended = context.read_table(appended).unwrap();
    assert_eq!(appended.count().await.unwrap(), 0);
    for action in entry(folder.path(), version) {
        for kind in ["add", "remove"] {
            if let Some(file) = action.get(kind) {
                assert_eq!(file["dataChange"], false);
            }
        }
    }
    let again = table.maintain(&Maintenance::Compact(MERGE)).await.unwrap();
    assert_eq!(again, Maintained::default());
    table.append(append(120, 130)).await.unwrap();
    assert_eq!(next_offset(&open(folder.path()).await).await, Some(130));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn merging_and_appending_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let table = filled(folder.path(), 10).await;
    let writer = tokio::spawn({
        let table = open(folder.path()).await;
        async move {
            for from in (100..400).step_by(10) {
                table.append(append(from, from + 10)).await.unwrap();
            }
        }
    });
    let mut merges = 0;
    while !writer.is_finished() {
        let done = table.maintain(&Maintenance::Compact(MERGE)).await.unwrap();
        merges += u64::from(done.version.is_some());
    }
    writer.await.unwrap();
    assert!(merges > 0);
    let table = open(folder.path()).await;
    assert_eq!(stored(&table).await, (0..400).collect::<Vec<_>>());
    assert_eq!(next_offset(&table).await, Some(400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_merge_the_same_files_leave_one_result() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 20).await;
    let merges = [(); 3].map(|()| {
        let folder = folder.path().to_owned();
        tokio::spawn(async move {
            let table = open(&folder).await;
            table.maintain(&Maintenance::Compact(MERGE)).await
        })
    });
    let mut won = 0;
    for merge in merges {
        match merge.await.unwrap() {
            Ok(done) => won += u64::from(done.version.is_some()),
            Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error}"),
        }
    }
    assert!(won >= 1);
    let table = open(folder.path()).await;
    assert_eq!(stored(&table).await, (0..200).collect::<Vec<_>>());
}

/// Rows of three sources, one of them with a name that paths cannot hold and one without.
fn sources(from: i64) -> RecordBatch {
    let source = ["a b/ü%41", "plain", ""];
    let source: ArrayRef =
        Arc::new(StringArray::from_iter((0..30).map(|row| {
            Some(source[row % 3]).filter(|name| !name.is_empty())
        })));
    let offset: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 30));
    let message: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..30).map(|row| format!("line {}", row * 7 % 30)),
    ));
    RecordBatch::try_from_iter_with_nullable([
        ("message", message, true),
        ("_offset", offset, true),
        ("source", source, true),
    ])
    .unwrap()
}

async fn partitioned(folder: &Path) -> Arc<dyn Table> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("message", DataType::Utf8, true),
        Field::new("_offset", DataType::Int64, true),
        Field::new("source", DataType::Utf8, true),
    ]));
    let definition = with(folder, schema, &["source"]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    for from in (0..120).step_by(30) {
        table.append(insert(vec![sources(from)])).await.unwrap();
    }
    table
}

const BY_SOURCE: &str = "SELECT source, count(*), min(_offset), max(_offset), min(message)
                         FROM logs GROUP BY source ORDER BY source";

async fn by_source(table: &Arc<dyn Table>) -> String {
    let answer = query(table, BY_SOURCE).await;
    arrow::util::pretty::pretty_format_batches(&answer)
        .unwrap()
        .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_merged_apart() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path()).await;
    let before = by_source(&table).await;
    let one = Compact {
        predicate: Some("source = 'plain'".into()),
        ..MERGE
    };
    let merged = table.maintain(&Maintenance::Compact(one)).await.unwrap();
    assert_eq!((merged.files_added, merged.files_removed), (1, 4));
    let unknown = Compact {
        predicate: Some("source IS NULL".into()),
        ..MERGE
    };
    let merged = table
        .maintain(&Maintenance::Compact(unknown))
        .await
        .unwrap();
    assert_eq!((merged.files_added, merged.files_removed), (1, 4));
    let merged = table.maintain(&Maintenance::Compact(MERGE)).await.unwrap();
    assert_eq!((merged.files_added, merged.files_removed), (1, 4));
    assert_eq!(by_source(&table).await, before);
    assert_eq!(by_source(&open_any(folder.path()).await).await, before);

    for wrong in ["message = 'x'", "nonsense(", "source", "1 / 0 = 1"] {
        let wrong = Compact {
            predicate: Some(wrong.into()),
            ..MERGE
        };
        let error = table
            .maintain(&Maintenance::Compact(wrong))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::User, "{error}");
        assert!(error.hint_text().unwrap().contains("source"), "{error}");
    }
}

/// The table with whatever columns it has.
async fn open_any(folder: &Path) -> Arc<dyn Table> {
    let definition = with(folder, Arc::new(Schema::empty()), &[]);
    DeltaFormat::default()
        .open(&definition)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_sorted_along_a_curve() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path()).await;
    let before = by_source(&table).await;
    let sort = |columns: &[&str]| {
        Maintenance::Compact(Compact {
            zorder: columns.iter().map(ToString::to_string).collect(),
            ..MERGE
        })
    };
    let sorted = table.maintain(&sort(&["message"])).await.unwrap();
    assert_eq!((sorted.files_added, sorted.files_removed), (3, 12));
    assert_eq!(by_source(&table).await, before);
    let rows = query(&table, "SELECT message FROM logs WHERE source = 'plain'").await;
    let messages: Vec<String> = rows
        .iter()
        .flat_map(|rows| {
            let column = arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap();
            let texts = column
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned);
            texts.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(messages.len(), 40);
    assert!(messages.is_sorted(), "{messages:?}");

    table
        .maintain(&sort(&["message", "_offset"]))
        .await
        .unwrap();
    assert_eq!(by_source(&table).await, before);
    for wrong in [&["source"][..], &["nowhere"], &["message", "message"]] {
        let error = table.maintain(&sort(wrong)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::User, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_partitions_are_merged_once() {
    let folder = tempfile::tempdir().unwrap();
    let table = partitioned(folder.path()).await;
    let close = |quiet: Duration| {
        Maintenance::Compact(Compact {
            closed_for: Some(quiet),
            ..MERGE
        })
    };
    let open = table.maintain(&close(DAY)).await.unwrap();
    assert_eq!(open, Maintained::default(), "somebody has just written");
    let closed = table.maintain(&close(Duration::ZERO)).await.unwrap();
    assert_eq!((closed.files_added, closed.files_removed), (3, 12));
    let again = table.maintain(&close(Duration::ZERO)).await.unwrap();
    assert_eq!(again, Maintained::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_keeps_what_may_be_read_or_committed() {
    let folder = tempfile::tempdir().unwrap();
    let table = filled(folder.path(), 5).await;
    table.maintain(&Maintenance::Compact(MERGE)).await.unwrap();
    let data = folder.path().join("my logs");
    assert_eq!(files(&data).len(), 6);
    let kept = table.maintain(&vacuum(DAY)).await.unwrap();
    assert_eq!(kept, Maintained::default());

    let dry = Maintenance::Vacuum {
        retention: Some(Duration::ZERO),
        dry_run: true,
        orphans: Orphans::Kept,
    };
    assert_eq!(table.maintain(&dry).await.unwrap().files_removed, 5);
    assert_eq!(files(&data).len(), 6);
    let deleted = table.maintain(&vacuum(Duration::ZERO)).await.unwrap();
    assert_eq!(deleted.files_removed, 5);
    assert_eq!(files(&data).len(), 1);

    // One that is about to be committed, and one that was left over long ago.
    for (name, age) in [("new.parquet", Duration::ZERO), ("old.parquet", 2 * DAY)] {
        let file = File::create(data.join(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
    let full = Maintenance::Vacuum {
        retention: Some(DAY),
        dry_run: false,
        orphans: Orphans::All,
    };
    assert_eq!(table.maintain(&full).await.unwrap().files_removed, 1);
    assert!(data.join("new.parquet").try_exists().unwrap());
    assert!(!data.join("old.parquet").try_exists().unwrap());
    assert_eq!(
        stored(&open(folder.path()).await).await,
        (0..50).collect::<Vec<_>>()
    );
}

struct Figures {
    leads: bool,
    failures: Mutex<Vec<String>>,
}

impl Ward for Figures {
    fn leads(&self) -> bool {
        self.leads
    }

    fn lag(&self) -> u64 {
        0
    }

    fn failed(&self, table: &str, error: &Error) {
        let mut failures = self.failures.lock().unwrap();
        failures.push(format!("{table}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_leader_cares_and_nobody_else() {
    let soon = Duration::from_millis(100);
    let settings = config::Maintenance {
        checkpoint_interval: soon,
        compact_interval: soon,
        ..Config::default().maintenance
    };
    let stop = CancellationToken::new();
    let mut cared = Vec::new();
    for leads in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let ward = Arc::new(Figures {
            leads,
            failures: Mutex::default(),
        });
        let caretaker = Caretaker {
            name: "logs".into(),
            table: create(folder.path()).await,
            ward: Arc::clone(&ward) as Arc<dyn Ward>,
            settings: settings.clone(),
            query_timeout: Duration::from_secs(600),
        };
        let stop = stop.clone();
        let task = tokio::spawn(async move { caretaker.run(&stop).await });
        cared.push((folder, ward, task));
    }
    let tables = [open(cared[0].0.path()).await, open(cared[1].0.path()).await];
    for from in (0..200).step_by(10) {
        for table in &tables {
            table.append(append(from, from + 10)).await.unwrap();
        }
    }
    let merged = async |table: &Arc<dyn Table>| {
        let commits = table.commits().await.unwrap();
        commits.iter().any(|commit| commit.operation == "OPTIMIZE")
    };
    let summed = |folder: &Path| log(folder).join("_last_checkpoint").try_exists().unwrap();
    let done = async {
        while !merged(&tables[0]).await || !summed(cared[0].0.path()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done)
        .await
        .unwrap();
    assert!(!merged(&tables[1]).await && !summed(cared[1].0.path()));
    stop.cancel();
    for ((_folder, ward, task), table) in cared.into_iter().zip(&tables) {
        task.await.unwrap();
        assert_eq!(*ward.failures.lock().unwrap(), Vec::<String>::new());
        assert_eq!(stored(table).await, (0..200).collect::<Vec<_>>());
    }
}
