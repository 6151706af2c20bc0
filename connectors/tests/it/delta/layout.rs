//! What tables look like on disk, and which columns they take.

use super::*;
use arrow::array::{
    Date32Array, ListArray, MapBuilder, StringBuilder, StringDictionaryBuilder, StringViewArray,
    StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Int32Type, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use serde_json::Value;
use sluice_engine::error::Kind;
use sluice_engine::lineage::timestamp_type;

#[tokio::test(flavor = "multi_thread")]
async fn other_readers_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    table.append(append(0, 1000)).await.unwrap();
    let created = entry(folder.path(), 0);
    let protocol = created
        .iter()
        .find_map(|action| action.get("protocol"))
        .unwrap();
    assert_eq!(protocol["minReaderVersion"], 1);
    assert_eq!(protocol["minWriterVersion"], 2);
    let metadata = created
        .iter()
        .find_map(|action| action.get("metaData"))
        .unwrap();
    assert_eq!(metadata["id"], table.identity());
    assert_eq!(
        metadata["configuration"]["delta.enableExpiredLogCleanup"],
        "false"
    );

    let appended = entry(folder.path(), 1);
    let info = &appended[0]["commitInfo"];
    assert_eq!(info["isBlindAppend"], true);
    assert_eq!(info["sluice"]["writer"], "ingest");
    assert_eq!(info["sluice"]["ranges"][0]["to"], 1000);
    let txn = appended
        .iter()
        .find_map(|action| action.get("txn"))
        .unwrap();
    assert_eq!(txn["appId"], "sluice:ingest:log%3Aevents:c-50%25:0");
    assert_eq!(txn["version"], 1000);
    let add = appended
        .iter()
        .find_map(|action| action.get("add"))
        .unwrap();
    let statistics: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(statistics["numRecords"], 1000);
    assert_eq!(statistics["minValues"]["_offset"], 0);
    assert_eq!(statistics["maxValues"]["_offset"], 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_of_the_table_is_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("date", DataType::Date32, true),
        Field::new("source", DataType::Utf8, true),
        Field::new("_offset", DataType::Int64, true),
    ]));
    let definition = with(folder.path(), Arc::clone(&schema), &["date", "source"]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    let sources = [Some("api"), Some("a b/c:%"), None];
    let rows = |of: fn(usize) -> usize| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from_iter_values(
                (0..300).map(|row| (of(row) % 2) as i32),
            )),
            Arc::new(
                (0..300)
                    .map(|row| sources[of(row) % 3])
                    .collect::<StringArray>(),
            ),
            Arc::new(Int64Array::from_iter_values(0..300)),
        ];
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    };
    // Mixed rows, then rows that come partition by partition.
    for batch in [rows(|row| row), rows(|row| row / 100)] {
        table.append(insert(vec![batch])).await.unwrap();
    }
    assert_eq!(files(&folder.path().join("my logs")).len(), 6 + 3);
    let sql =
        "SELECT source, count(*) AS n, sum(_offset) AS s FROM logs GROUP BY source ORDER BY n, s";
    let answer = query(&table, sql).await;
    let counts: i64 = answer[0]
        .column(1)
        .as_primitive::<Int64Type>()
        .values()
        .iter()
        .sum();
    assert_eq!(counts, 600);
    assert_eq!(answer.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    let sql = "SELECT count(*) FROM logs WHERE source = 'a b/c:%' AND date = DATE '1970-01-02'";
    let answer = query(&table, sql).await;
    assert_eq!(
        answer[0].column(0).as_primitive::<Int64Type>().value(0),
        50 + 100
    );
    let names: Vec<_> = query(&table, "SELECT * FROM logs LIMIT 1").await[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["date", "source", "_offset"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_and_foreign_types_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let given = foreign_rows();
    let definition = with(folder.path(), given.schema(), &[]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    table
        .append(insert(vec![given.clone(), given]))
        .await
        .unwrap();

    let schema = table.schema().await.unwrap();
    assert_eq!(schema.field(0).data_type(), &timestamp_type());
    assert_eq!(schema.field(1).data_type(), &DataType::Int64);
    assert_eq!(schema.field(2).data_type(), &DataType::Utf8);
    assert_eq!(schema.field(3).data_type(), &DataType::Utf8);
    assert!(
        DeltaFormat::default()
            .open(&definition)
            .await
            .unwrap()
            .is_some()
    );

    let sql = "SELECT ts, n, level, seen, tags, pair['host'] AS host, attributes['k'] AS k \
               FROM logs LIMIT 1";
    let answer = pretty_format_batches(&query(&table, sql).await)
        .unwrap()
        .to_string();
    let row = answer.lines().nth(3).unwrap().to_owned();
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    let want = [
        "1970-01-01T00:00:01.000002Z",
        "7",
        "INFO",
        "text",
        "[a, b]",
        "db1",
        "[v]",
    ];
    assert_eq!(cells[..6], want[..6], "{answer}");
    assert!(cells[6].contains('v'), "{answer}");
}

/// One row in the types that engines and decoders like to use.
fn foreign_rows() -> RecordBatch {
    let mut level = StringDictionaryBuilder::<Int32Type>::new();
    level.append_value("INFO");
    let item = Arc::new(Field::new("item", DataType::Utf8View, true));
    let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
    let tags = ListArray::new(item, OffsetBuffer::from_lengths([2]), values, None);
    let host: ArrayRef = Arc::new(StringViewArray::from(vec!["db1"]));
    let host = (Arc::new(Field::new("host", DataType::Utf8View, true)), host);
    let mut attributes = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    attributes.keys().append_value("k");
    attributes.values().append_value("v");
    attributes.append(true).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "ts",
            Arc::new(TimestampNanosecondArray::from(vec![1_000_002_003])),
        ),
        ("n", Arc::new(UInt64Array::from(vec![7]))),
        ("level", Arc::new(level.finish())),
        ("seen", Arc::new(StringViewArray::from(vec!["text"]))),
        ("tags", Arc::new(tags)),
        ("pair", Arc::new(StructArray::from(vec![host]))),
        ("attributes", Arc::new(attributes.finish())),
    ];
    let nullable = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_said_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let one = |name: &str, kind| Arc::new(Schema::new(vec![Field::new(name, kind, true)]));
    let text = || one("message", DataType::Utf8);
    let time = one("at", DataType::Time64(TimeUnit::Microsecond));
    let mut option = definition(folder.path());
    option.options.insert("compresion".into(), "zstd".into());
    let mut remote = definition(folder.path());
    remote.location = "gs://bucket/logs".into();
    for (definition, kind, says) in [
        (
            with(folder.path(), time, &[]),
            Kind::Unsupported,
            "column \"at\" is TIME",
        ),
        (with(folder.path(), text(), &["day"]), Kind::User, "\"day\""),
        (
            with(folder.path(), text(), &["message"]),
            Kind::User,
            "all of its columns",
        ),
        (
            with(folder.path(), Arc::new(Schema::empty()), &[]),
            Kind::User,
            "no columns",
        ),
        (option, Kind::User, "\"compresion\""),
        (remote, Kind::Unsupported, "\"gs\""),
    ] {
        let error = DeltaFormat::default()
            .create(&definition)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_there_must_be_the_one_declared() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await;
    let one = |name: &str, kind| Arc::new(Schema::new(vec![Field::new(name, kind, true)]));
    let open = async |schema, partitioned: &[&str]| {
        let definition = with(folder.path(), schema, partitioned);
        DeltaFormat::default().open(&definition).await
    };
    assert!(
        open(Arc::new(Schema::empty()), &[])
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        open(one("message", DataType::Utf8View), &[])
            .await
            .unwrap()
            .is_some()
    );
    for (schema, partitioned, says) in [
        (
            one("_offset", DataType::Utf8),
            vec![],
            "is BIGINT there and VARCHAR here",
        ),
        (one("host", DataType::Utf8), vec![], "no column \"host\""),
        (
            one("message", DataType::Utf8),
            vec!["message"],
            "partitioned by ()",
        ),
    ] {
        let error = open(schema, &partitioned).await.unwrap_err();
        assert_eq!(error.kind(), Kind::User, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn required_columns_are_required() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("message", DataType::Utf8, false),
        Field::new("_offset", DataType::Int64, true),
    ]));
    let definition = with(folder.path(), schema, &[]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    table.append(insert(vec![batch(0, 2)])).await.unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let offset: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    for wrong in [("message", text), ("_offset", offset)] {
        let wrong = RecordBatch::try_from_iter([wrong]).unwrap();
        let error = table.append(insert(vec![wrong])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::User);
        assert!(
            error
                .message()
                .contains("\"message\" of table \"logs\" is NOT NULL"),
            "{error}"
        );
    }
    assert_eq!(stored(&table).await, [0, 1]);
}
