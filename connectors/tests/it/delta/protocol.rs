//! One writer: what an append stores, and what it refuses.

use super::*;
use arrow::datatypes::FieldRef;
use sluice_engine::error::{Error, Kind};
use sluice_engine::table::Maintenance;

#[tokio::test(flavor = "multi_thread")]
async fn rows_offsets_and_commits_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    assert_eq!(next_offset(&table).await, None);

    let first = table.append(append(0, 3)).await.unwrap();
    let second = table.append(append(3, 5)).await.unwrap();
    let third = table
        .append(insert(vec![batch(100, 102), batch(102, 103)]))
        .await
        .unwrap();
    assert_eq!((first.version, second.version, third.version), (1, 2, 3));
    assert_eq!((first.rows, third.rows), (3, 3));
    assert_eq!(second.ranges, [range(0, Some(3), 5)]);

    for table in [table, open(folder.path()).await] {
        assert_eq!(stored(&table).await, [0, 1, 2, 3, 4, 100, 101, 102]);
        assert_eq!(next_offset(&table).await, Some(5));
        let of_others = table
            .offsets("other", &[partition(0), partition(1)])
            .await
            .unwrap();
        assert_eq!(of_others, [None, None]);
        let commits = table.commits().await.unwrap();
        assert_eq!(commits[1..], [first.clone(), second.clone(), third.clone()]);
        assert_eq!(commits[0].operation, "CREATE TABLE");
        assert!(commits[0].timestamp_us > 1_600_000_000_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_start_is_refused_with_both_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let error = table.append(append(4, 6)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert!(
        error.message().contains("offset 4") && error.message().contains("offset 3"),
        "{error}"
    );
    assert!(error.message().contains("log:events/0"), "{error}");
    let error = table.append(append(0, 3)).await.unwrap_err();
    assert!(error.message().contains("offset none"), "{error}");
    assert_eq!(table.commits().await.unwrap().len(), 2);
    assert_eq!(stored(&table).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_stores_offsets_alone_and_nothing_is_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let mut claim = append(0, 0);
    claim.ranges = vec![range(0, None, 40), range(1, None, 7)];
    assert_eq!(table.append(claim).await.unwrap().rows, 0);
    let both = table
        .offsets("ingest", &[partition(1), partition(0)])
        .await
        .unwrap();
    assert_eq!(both, [Some(7), Some(40)]);
    assert_eq!(
        table
            .append(insert(vec![batch(0, 0)]))
            .await
            .unwrap()
            .version,
        1
    );
    assert_eq!(table.commits().await.unwrap().len(), 2);
    assert!(files(&folder.path().join("my logs")).is_empty());

    let mut twice = append(40, 41);
    twice.ranges.push(range(0, Some(40), 41));
    assert_eq!(
        table.append(twice).await.unwrap_err().kind(),
        Kind::Internal
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_stays_at_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let context = SessionContext::new();
    context
        .register_table("old", table.provider().await.unwrap())
        .unwrap();
    let other = open(folder.path()).await;
    other.append(append(3, 9)).await.unwrap();
    let old = context
        .sql("SELECT * FROM old")
        .await
        .unwrap()
        .count()
        .await
        .unwrap();
    assert_eq!(old, 3);
    assert_eq!(stored(&table).await.len(), 9);
    assert_eq!(table.identity(), other.identity());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_fail_or_do_not_fit_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let broken = futures::stream::iter([
        Ok(batch(0, 3)),
        Err(Error::limit("the query ran longer than 5m").into()),
    ]);
    let mut failing = append(0, 3);
    let schema = batch(0, 0).schema();
    failing.rows = Box::pin(RecordBatchStreamAdapter::new(schema, broken));
    assert_eq!(table.append(failing).await.unwrap_err().kind(), Kind::Limit);

    let text: ArrayRef = Arc::new(StringArray::from(vec!["1", "x"]));
    for (name, says) in [("_offset", "\"_offset\""), ("host", "no column \"host\"")] {
        let wrong = RecordBatch::try_from_iter([(name, ArrayRef::clone(&text))]).unwrap();
        let error = table.append(insert(vec![wrong])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::User, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    assert!(files(&folder.path().join("my logs")).is_empty());
    assert_eq!(table.commits().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_once() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let other = open(folder.path()).await;
    table.append(append(0, 2)).await.unwrap();
    let field = |name: &str, kind| -> FieldRef { Arc::new(Field::new(name, kind, false)) };
    let columns = [
        field("host", DataType::Utf8View),
        field("took", DataType::UInt32),
    ];
    let both = tokio::join!(table.add_columns(&columns), other.add_columns(&columns));
    both.0.unwrap();
    both.1.unwrap();
    other.add_columns(&columns).await.unwrap();
    assert_eq!(table.commits().await.unwrap().len(), 3);
    let schema = table.schema().await.unwrap();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["message", "_offset", "host", "took"]);
    assert_eq!(schema.field(3).data_type(), &DataType::Int64);
    assert!(schema.field(2).is_nullable());
    assert_eq!(open(folder.path()).await.identity(), table.identity());

    let error = table
        .add_columns(&[field("host", DataType::Int32)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::User);
    assert!(error.message().contains("\"host\""), "{error}");

    other.append(append(2, 4)).await.unwrap();
    assert_eq!(stored(&table).await, [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_table_is_gone_and_other_folders_are_safe() {
    let folder = tempfile::tempdir().unwrap();
    let format = DeltaFormat::default();
    let definition = definition(folder.path());
    assert!(format.open(&definition).await.unwrap().is_none());
    let table = format.create(&definition).await.unwrap();
    table.append(append(0, 3)).await.unwrap();
    format.remove(&definition).await.unwrap();
    assert!(format.open(&definition).await.unwrap().is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    format.remove(&definition).await.unwrap();

    let again = format.create(&definition).await.unwrap();
    assert_ne!(again.identity(), table.identity());
    format.remove(&definition).await.unwrap();

    std::fs::create_dir_all(&definition.location).unwrap();
    std::fs::write(Path::new(&definition.location).join("letter.txt"), "dear").unwrap();
    let error = format.remove(&definition).await.unwrap_err();
    assert!(error.message().contains("no Delta table"), "{error}");
    assert!(
        Path::new(&definition.location)
            .join("letter.txt")
            .try_exists()
            .unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_gets_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    for at in 0..105 {
        table.append(append(at, at + 1)).await.unwrap();
    }
    let log = folder.path().join("my logs/_delta_log");
    let found = || {
        let names = std::fs::read_dir(&log).unwrap();
        names
            .filter(|name| {
                let name = name.as_ref().unwrap().file_name().into_string().unwrap();
                name.contains("checkpoint") && name.ends_with(".parquet")
            })
            .count()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while found() < 2 || !log.join("_last_checkpoint").try_exists().unwrap() {
        assert!(
            std::time::Instant::now() < deadline,
            "{} checkpoints",
            found()
        );
        tokio::task::yield_now().await;
    }
    let other = open(folder.path()).await;
    assert_eq!(next_offset(&other).await, Some(105));
    other.append(append(105, 106)).await.unwrap();
    assert_eq!(stored(&table).await, (0..106).collect::<Vec<_>>());
    assert_eq!(next_offset(&table).await, Some(106));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_positions_come_from_one_reading() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let all: Vec<_> = (0..30).map(partition).collect();
    let claim = |writer: &str, to: i64| {
        let mut claim = append(0, 0);
        claim.writer = writer.into();
        claim.ranges = (0..30)
            .map(|index| range(index, None, to + i64::from(index)))
            .collect();
        claim
    };
    table.append(claim("a", 10)).await.unwrap();
    table.append(claim("b", 20)).await.unwrap();
    let expected = |to: i64| (0..30).map(|index| Some(to + index)).collect::<Vec<_>>();
    // Out of entries, and out of a checkpoint with entries after it.
    for after in 0..2 {
        let other = open(folder.path()).await;
        assert_eq!(
            other.offsets("a", &all).await.unwrap(),
            expected(10 + after)
        );
        assert_eq!(other.offsets("b", &all).await.unwrap(), expected(20));
        assert_eq!(other.offsets("c", &all).await.unwrap(), [None; 30]);
        // A handle that has read them follows what others commit.
        assert_eq!(
            table.offsets("a", &all).await.unwrap(),
            expected(10 + after)
        );
        table.maintain(&Maintenance::Checkpoint).await.unwrap();
        let mut moved = claim("a", 11 + after);
        for (range, from) in moved.ranges.iter_mut().zip(expected(10 + after)) {
            range.from = from;
        }
        other.append(moved).await.unwrap();
    }
    assert_eq!(table.offsets("a", &all).await.unwrap(), expected(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_commit_says_of_its_ranges_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let mut one = append(0, 3);
    one.ranges[0].event_time_us = Some((-5, 1_700_000_000_000_000));
    one.ranges[0].gap = 2;
    let ranges = one.ranges.clone();
    let committed = table.append(one).await.unwrap();
    assert_eq!(committed.ranges, ranges);
    assert_eq!(
        open(folder.path()).await.commits().await.unwrap()[1],
        committed
    );
    let info = &entry(folder.path(), 1)[0]["commitInfo"]["sluice"];
    assert_eq!(
        info["ranges"][0]["event_time_us"],
        serde_json::json!([-5, 1_700_000_000_000_000_i64])
    );
}
