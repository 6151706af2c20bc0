//! Several writers at once, as processes are: separate handles, nothing shared but the disk.

use super::*;
use sluice_engine::error::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_the_same_ranges_store_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (create(folder.path()).await, open(folder.path()).await);
    for at in (0..50).step_by(5) {
        let (first, second) = tokio::join!(
            one.append(append(at, at + 5)),
            other.append(append(at, at + 5))
        );
        let won = [first.is_ok(), second.is_ok()];
        assert_ne!(won, [false, false], "{first:?} {second:?}");
        for lost in [first, second].into_iter().filter_map(Result::err) {
            assert_eq!(lost.kind(), Kind::Conflict, "{lost}");
        }
        let expected: Vec<i64> = (0..at + 5).collect();
        assert_eq!(stored(&one).await, expected);
        assert_eq!(next_offset(&other).await, Some(at + 5));
    }
    let commits = open(folder.path()).await.commits().await.unwrap();
    let ranges: Vec<_> = commits.iter().flat_map(|commit| &commit.ranges).collect();
    assert_eq!(ranges.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_on_one_partition_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (create(folder.path()).await, open(folder.path()).await);
    one.append(append(0, 5)).await.unwrap();
    let mut twin = append(5, 9);
    twin.rows = rows(vec![batch(5, 8)]);
    twin.ranges[0].to = 8;
    let (first, second) = tokio::join!(one.append(append(5, 9)), other.append(twin));
    assert_eq!(
        [first.is_ok(), second.is_ok()]
            .iter()
            .filter(|won| **won)
            .count(),
        1
    );
    let lost = first.err().or_else(|| second.err()).unwrap();
    assert_eq!(lost.kind(), Kind::Conflict, "{lost}");
    let next = next_offset(&one).await.unwrap();
    assert_eq!(stored(&one).await, (0..next).collect::<Vec<_>>());
    // The loser's files are gone with its rows.
    assert_eq!(files(&folder.path().join("my logs")).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_different_partitions_all_win() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await;
    let mut writers = Vec::new();
    for index in 0..4 {
        let table = open(folder.path()).await;
        writers.push(tokio::spawn(async move {
            for at in 0..10 {
                let mut one = append(at, at + 1);
                one.ranges[0].partition = partition(index);
                table.append(one).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let table = open(folder.path()).await;
    assert_eq!(stored(&table).await.len(), 40);
    let all: Vec<_> = (0..4).map(partition).collect();
    assert_eq!(table.offsets("ingest", &all).await.unwrap(), [Some(10); 4]);
    assert_eq!(table.commits().await.unwrap().len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_create_one_location() {
    let folder = tempfile::tempdir().unwrap();
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let definition = definition(folder.path());
            tokio::spawn(async move { DeltaFormat::default().create(&definition).await })
        })
        .collect();
    let mut identities = Vec::new();
    for maker in makers {
        identities.push(maker.await.unwrap().unwrap().identity());
    }
    identities.dedup();
    assert_eq!(identities.len(), 1);
    assert_eq!(open(folder.path()).await.commits().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_commits_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let reader = open(folder.path()).await;
    let writer = tokio::spawn(async move {
        for at in (0..100).step_by(5) {
            table.append(append(at, at + 5)).await.unwrap();
        }
    });
    let mut seen = 0;
    while seen < 100 {
        let rows = stored(&reader).await;
        assert!(rows.len() >= seen, "{} rows after {seen}", rows.len());
        seen = rows.len();
        assert_eq!(rows, (0..seen as i64).collect::<Vec<_>>());
        assert_eq!(seen % 5, 0);
    }
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_lost_one_partition_moves_none() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (create(folder.path()).await, open(folder.path()).await);
    let both = |from: i64, to: i64| {
        let mut both = append(from, to);
        both.ranges.push(range(1, (from > 0).then_some(from), to));
        both
    };
    one.append(both(0, 5)).await.unwrap();
    let mut taken = append(5, 6);
    taken.rows = rows(vec![batch(100, 101)]);
    taken.ranges[0].partition = partition(1);
    other.append(taken).await.unwrap();
    let error = one.append(both(5, 9)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    assert!(error.message().contains("log:events/1"), "{error}");
    let at = one.offsets("ingest", &[partition(0), partition(1)]).await;
    assert_eq!(at.unwrap(), [Some(5), Some(6)]);
    assert_eq!(stored(&one).await, [0, 1, 2, 3, 4, 100]);
    one.append(append(5, 9)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_go_on_while_a_property_changes_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (create(folder.path()).await, open(folder.path()).await);
    let changes = tokio::spawn(async move {
        let mut there: Option<String> = None;
        for number in 0..15 {
            let value = number.to_string();
            let set = other.set_property("definition", there.as_deref(), &value);
            set.await.unwrap();
            there = Some(value);
        }
    });
    for at in 0..15 {
        one.append(append(at, at + 1)).await.unwrap();
    }
    changes.await.unwrap();
    assert_eq!(stored(&one).await, (0..15).collect::<Vec<_>>());
    let there = one.property("definition").await.unwrap();
    assert_eq!(there.as_deref(), Some("14"));
    assert_eq!(one.version().await.unwrap(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_process_that_was_faster() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (create(folder.path()).await, open(folder.path()).await);
    one.append(append(0, 5)).await.unwrap();
    let refused = async || {
        let error = other.append(append(3, 9)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        error.message().to_owned()
    };
    let message = refused().await;
    assert!(message.ends_with("offset 5, by this process"), "{message}");

    let path = folder
        .path()
        .join("my logs/_delta_log/00000000000000000001.json");
    let log = std::fs::read_to_string(&path).unwrap();
    let own = entry(folder.path(), 1)
        .iter()
        .find_map(|action| Some(action.get("commitInfo")?["sluice"]["process"].to_string()))
        .unwrap();
    let pid = std::process::id();
    assert!(own.contains(&format!("\"pid\":{pid}")), "{own}");
    let theirs = r#"{"host":"db-7","pid":4242,"sinceUs":1}"#;
    assert!(log.contains(&own), "{log}");
    std::fs::write(&path, log.replace(&own, theirs)).unwrap();
    let message = refused().await;
    let named = "offset 5, by process 4242 on host \"db-7\"";
    assert!(message.ends_with(named), "{message}");
    // Commits of older releases do not say who made them.
    std::fs::write(&path, log.replace(&own, "null")).unwrap();
    let message = refused().await;
    assert!(message.ends_with("has stored offset 5"), "{message}");
    assert_eq!(one.commits().await.unwrap().len(), 2);
}
