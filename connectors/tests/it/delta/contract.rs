//! Versions and properties: what views, maintenance and pipelines keep and look up.

use super::*;
use arrow::array::Date32Array;
use sluice_engine::error::Kind;
use sluice_engine::table::Maintenance;

async fn offsets_of(provider: Arc<dyn datafusion::catalog::TableProvider>) -> Vec<i64> {
    let context = SessionContext::new();
    context.register_table("t", provider).unwrap();
    let sql = "SELECT _offset FROM t ORDER BY _offset";
    let answer = context.sql(sql).await.unwrap().collect().await.unwrap();
    answer
        .iter()
        .flat_map(|batch| {
            let column = batch.column(0).as_primitive::<Int64Type>();
            column.values().to_vec()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_stay_readable() {
    let folder = tempfile::tempdir().unwrap();
    let (table, other) = (create(folder.path()).await, open(folder.path()).await);
    assert_eq!(table.version().await.unwrap(), 0);
    other.append(append(0, 3)).await.unwrap();
    assert_eq!(table.version().await.unwrap(), 1);
    table.append(append(3, 5)).await.unwrap();
    assert_eq!(other.version().await.unwrap(), 2);
    for table in [&table, &other] {
        for (version, rows) in [(0, vec![]), (1, vec![0, 1, 2]), (2, vec![0, 1, 2, 3, 4])] {
            let provider = table.provider_at(version).await.unwrap();
            assert_eq!(offsets_of(provider).await, rows);
        }
        for (version, rows) in [(0, vec![]), (1, vec![0, 1, 2]), (2, vec![3, 4])] {
            let provider = table.appended(version).await.unwrap();
            assert_eq!(offsets_of(provider).await, rows);
        }
        for error in [
            table.provider_at(3).await.unwrap_err(),
            table.appended(3).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::NotFound, "{error}");
            assert!(error.message().contains("no version 3"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_has_the_columns_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, true),
        Field::new("_offset", DataType::Int64, true),
        Field::new("date", DataType::Date32, true),
    ]));
    let definition = with(folder.path(), Arc::clone(&schema), &["source", "date"]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![Some("a b/%"), None])),
        Arc::new(Int64Array::from(vec![1, 2])),
        Arc::new(Date32Array::from(vec![Some(1), None])),
    ];
    let rows = RecordBatch::try_new(schema, columns).unwrap();
    table.append(insert(vec![rows.clone()])).await.unwrap();
    table.append(insert(vec![rows.slice(0, 1)])).await.unwrap();
    let host = Arc::new(Field::new("host", DataType::Utf8, true));
    table.add_columns(&[host]).await.unwrap();

    let provider = table.appended(1).await.unwrap();
    assert_eq!(provider.schema(), table.provider().await.unwrap().schema());
    let context = SessionContext::new();
    context.register_table("t", provider).unwrap();
    let text = async |sql: &str| {
        let answer = context.sql(sql).await.unwrap().collect().await.unwrap();
        arrow::util::pretty::pretty_format_batches(&answer)
            .unwrap()
            .to_string()
    };
    let all = text("SELECT * FROM t ORDER BY _offset").await;
    let cells = |line: usize| -> Vec<&str> {
        let line = all.lines().nth(line).unwrap().trim_matches('|');
        line.split('|').map(str::trim).collect()
    };
    assert_eq!(cells(1), ["source", "_offset", "date", "host"], "{all}");
    assert_eq!(cells(3), ["a b/%", "1", "1970-01-02", ""], "{all}");
    assert_eq!(cells(4), ["", "2", "", ""], "{all}");
    let one = text("SELECT date FROM t WHERE source = 'a b/%'").await;
    assert!(one.contains("1970-01-02"), "{one}");
    let count = text("SELECT count(*) AS n FROM t").await;
    assert!(count.contains("| 2 |"), "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_files_are_gone_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 3)).await.unwrap();
    let file = folder
        .path()
        .join("my logs")
        .join(&files(&folder.path().join("my logs"))[0]);
    std::fs::remove_file(file).unwrap();
    let error = table.appended(1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert!(error.message().contains("version 1"), "{error}");

    table.append(append(3, 5)).await.unwrap();
    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    for version in 0..2 {
        let name = format!("my logs/_delta_log/{version:020}.json");
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let other = open(folder.path()).await;
    for version in 0..2 {
        let error = other.provider_at(version).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
    }
    assert_eq!(other.version().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_is_changed_by_whoever_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let (table, other) = (create(folder.path()).await, open(folder.path()).await);
    assert_eq!(table.property("pipeline.ingest").await.unwrap(), None);
    let set = async |table: &Arc<dyn Table>, expected: Option<&str>, value: &str| {
        table.set_property("pipeline.ingest", expected, value).await
    };
    set(&table, None, "{\"a\": 1}").await.unwrap();
    let there = other.property("pipeline.ingest").await.unwrap();
    assert_eq!(there.as_deref(), Some("{\"a\": 1}"));
    let error = set(&other, None, "mine").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    set(&other, there.as_deref(), "mine").await.unwrap();
    set(&other, Some("mine"), "mine").await.unwrap();
    assert_eq!(
        set(&table, Some("theirs"), "x").await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert_eq!(table.version().await.unwrap(), 2);

    // Kept among the table's properties, beside what was there.
    let changed = entry(folder.path(), 2);
    let metadata = changed
        .iter()
        .find_map(|action| action.get("metaData"))
        .unwrap();
    let properties = &metadata["configuration"];
    assert_eq!(properties["sluice.pipeline.ingest"], "mine");
    assert_eq!(properties["delta.enableExpiredLogCleanup"], "false");
    assert_eq!(metadata["id"], table.identity());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_change_a_property_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await;
    let mut writers = Vec::new();
    for number in 0..6 {
        let table = open(folder.path()).await;
        writers.push(tokio::spawn(async move {
            let value = number.to_string();
            let set = table.set_property("leader", None, &value).await;
            set.map(|()| value)
        }));
    }
    let mut won = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            Ok(value) => won.push(value),
            Err(error) => assert_eq!(error.kind(), Kind::Conflict, "{error}"),
        }
    }
    let there = open(folder.path()).await.property("leader").await.unwrap();
    assert_eq!(won, [there.unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_positions_of_a_writer_are_listed_when_the_log_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    assert_eq!(table.positions("ingest").await.unwrap(), []);
    for (writer, ranges) in [
        ("ingest", vec![range(0, None, 3), range(1, None, 7)]),
        ("ingest:replay", vec![range(0, None, 1)]),
        ("ingest", vec![range(0, Some(3), -1), range(2, None, 3)]),
    ] {
        let mut append = append(0, 3);
        (append.writer, append.ranges) = (writer.into(), ranges);
        table.append(append).await.unwrap();
    }
    table.append(insert(vec![batch(0, 1)])).await.unwrap();
    table.maintain(&Maintenance::Checkpoint).await.unwrap();
    let clean = Maintenance::CleanLog {
        retention: std::time::Duration::ZERO,
    };
    let cleaned = table.maintain(&clean).await.unwrap();
    assert!(cleaned.files_removed > 3, "{cleaned:?}");
    for table in [&table, &open(folder.path()).await] {
        let mut positions = table.positions("ingest").await.unwrap();
        positions.sort_unstable();
        let expected = [(0, -1), (1, 7), (2, 3)].map(|(index, at)| (partition(index), at));
        assert_eq!(positions, expected);
        let replayed = table.positions("ingest:replay").await.unwrap();
        assert_eq!(replayed, [(partition(0), 1)]);
        assert_eq!(table.positions("inges").await.unwrap(), []);
    }
}
