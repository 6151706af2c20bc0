//! Values that are hard to keep: as a partition's, in a file's statistics, or at all.

use super::*;
use arrow::array::{
    BinaryViewArray, Decimal128Array, LargeStringArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::FieldRef;
use sluice_engine::error::Kind;

/// A table partitioned by its first column, and rows of these values in it.
async fn partitioned(
    folder: &Path,
    column: FieldRef,
    values: ArrayRef,
) -> (Arc<dyn Table>, RecordBatch) {
    let offset = Arc::new(Field::new("_offset", DataType::Int64, true));
    let schema = Arc::new(Schema::new(vec![column, offset]));
    let definition = with(folder, Arc::clone(&schema), &[schema.field(0).name()]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    let count = values.len() as i64;
    let offsets: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    (
        table,
        RecordBatch::try_new(schema, vec![values, offsets]).unwrap(),
    )
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_no_value_of_a_partition() {
    let folder = tempfile::tempdir().unwrap();
    let column = Arc::new(Field::new("host", DataType::Utf8, false));
    let (table, rows) = partitioned(folder.path(), column, text(&[Some("a"), Some("")])).await;
    let error = table.append(insert(vec![rows.clone()])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::User, "{error}");
    assert!(error.message().contains("\"host\""), "{error}");
    assert!(files(folder.path()).is_empty());
    table.append(insert(vec![rows.slice(0, 1)])).await.unwrap();
    assert_eq!(stored(&table).await, [0]);

    let folder = tempfile::tempdir().unwrap();
    let column = Arc::new(Field::new("host", DataType::Utf8, true));
    let values = text(&[Some("a"), Some(""), None]);
    let (table, rows) = partitioned(folder.path(), column, values).await;
    table.append(insert(vec![rows])).await.unwrap();
    let answer = query(
        &table,
        "SELECT _offset FROM logs WHERE host IS NULL ORDER BY 1",
    )
    .await;
    let found = answer[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(found.values(), &[1, 2]);
    assert_eq!(files(folder.path()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_has_a_value_of_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let column = Arc::new(Field::new("host", DataType::Utf8, true));
    let long = [
        "x".repeat(300),
        "/".repeat(100),
        "ü".repeat(5000),
        ".".into(),
        "..".into(),
    ];
    let values: Vec<_> = long.iter().map(|value| Some(value.as_str())).collect();
    let (table, rows) = partitioned(folder.path(), column, text(&values)).await;
    table.append(insert(vec![rows])).await.unwrap();
    for (place, value) in long.iter().enumerate() {
        let sql = format!("SELECT _offset FROM logs WHERE host = '{value}'");
        let answer = query(&open_as(folder.path(), &table).await, &sql).await;
        let found = answer[0].column(0).as_primitive::<Int64Type>();
        assert_eq!(found.values(), &[place as i64]);
    }
}

/// The table as another process sees it.
async fn open_as(folder: &Path, table: &Arc<dyn Table>) -> Arc<dyn Table> {
    let definition = with(folder, table.schema().await.unwrap(), &[]);
    let opened = DeltaFormat::default().open(&definition).await.unwrap();
    opened.expect("the table is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_and_times_are_partitions_too() {
    let folder = tempfile::tempdir().unwrap();
    let column = Arc::new(Field::new("price", DataType::Decimal128(9, 2), true));
    let values = Decimal128Array::from(vec![-105, 7, -5]);
    let values: ArrayRef = Arc::new(values.with_precision_and_scale(9, 2).unwrap());
    let (table, rows) = partitioned(folder.path(), column, values).await;
    table.append(insert(vec![rows])).await.unwrap();
    let answer = query(&table, "SELECT _offset FROM logs ORDER BY price").await;
    let found: Vec<i64> = answer
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect();
    assert_eq!(found, [0, 2, 1]);

    let folder = tempfile::tempdir().unwrap();
    let kind = sluice_engine::lineage::timestamp_type();
    let column = Arc::new(Field::new("at", kind, true));
    let values = TimestampMicrosecondArray::from(vec![1_500_000, i64::MAX]).with_timezone("UTC");
    let (table, rows) = partitioned(folder.path(), column, Arc::new(values)).await;
    let error = table.append(insert(vec![rows.clone()])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::User, "{error}");
    assert!(error.message().contains("\"at\""), "{error}");
    table.append(insert(vec![rows.slice(0, 1)])).await.unwrap();
    let sql = "SELECT count(*) FROM logs WHERE at = TIMESTAMP '1970-01-01T00:00:01.5Z'";
    let answer = query(&table, sql).await;
    assert_eq!(answer[0].column(0).as_primitive::<Int64Type>().value(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_name_no_partition() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Binary, true),
        Field::new("_offset", DataType::Int64, true),
    ]));
    let definition = with(folder.path(), schema, &["key"]);
    let error = DeltaFormat::default()
        .create(&definition)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flush_makes_one_file_for_each_partition() {
    let folder = tempfile::tempdir().unwrap();
    let column = Arc::new(Field::new("host", DataType::Utf8, true));
    let hosts: Vec<String> = (0..100_000)
        .map(|row| format!("h{}", row * 7919 % 50))
        .collect();
    let hosts: ArrayRef = Arc::new(StringArray::from_iter_values(hosts));
    let (table, rows) = partitioned(folder.path(), column, hosts).await;
    // As a pipeline hands them over: many small batches, rows of all partitions in each.
    let batches = (0..100).map(|part| rows.slice(part * 1000, 1000)).collect();
    let commit = table.append(insert(batches)).await.unwrap();
    assert_eq!(commit.rows, 100_000);
    assert_eq!(files(folder.path()).len(), 50);
    let adds: Vec<_> = entry(folder.path(), 1)
        .into_iter()
        .filter_map(|action| action.get("add").cloned())
        .collect();
    assert_eq!(adds.len(), 50);
    let sql = "SELECT host, count(*) AS n, count(DISTINCT _offset) AS d FROM logs GROUP BY host";
    let answer = query(&table, sql).await;
    assert_eq!(answer.iter().map(RecordBatch::num_rows).sum::<usize>(), 50);
    for batch in &answer {
        let counts = batch.column(1).as_primitive::<Int64Type>().values();
        assert!(counts.iter().all(|count| *count == 2000), "{counts:?}");
        assert_eq!(counts, batch.column(2).as_primitive::<Int64Type>().values());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_their_order_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    let batches = (0..50)
        .map(|part| batch(part * 1000, part * 1000 + 1000))
        .collect();
    table.append(insert(batches)).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    // One reader, as several would each begin elsewhere in the file.
    let one = datafusion::prelude::SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(one);
    let provider = table.provider().await.unwrap();
    let answer = context
        .read_table(provider)
        .unwrap()
        .select_columns(&["_offset"]);
    let answer = answer.unwrap().collect().await.unwrap();
    let found = answer.iter().flat_map(|batch| {
        let column = batch.column(0).as_primitive::<Int64Type>();
        column.values().to_vec()
    });
    assert!(found.eq(0..50_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_stored_however_they_are_held() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("message", DataType::Utf8, true),
        Field::new("raw", DataType::Binary, true),
        Field::new("_offset", DataType::Int64, true),
    ]));
    let definition = with(folder.path(), schema, &[]);
    let table = DeltaFormat::default().create(&definition).await.unwrap();
    let long = "a text that does not fit into a view";
    let values = [Some(long), None, Some("short")];
    let raw = BinaryViewArray::from_iter(values.iter().map(|value| value.map(str::as_bytes)));
    let messages: [ArrayRef; 3] = [
        Arc::new(StringViewArray::from_iter(values)),
        Arc::new(LargeStringArray::from_iter(values)),
        Arc::new(StringArray::from_iter(values)),
    ];
    for message in messages {
        let offset: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
        let raw: ArrayRef = Arc::new(raw.clone());
        let columns = [("message", message), ("raw", raw), ("_offset", offset)];
        let rows = columns.map(|(name, column)| (name, column, true));
        let rows = RecordBatch::try_from_iter_with_nullable(rows).unwrap();
        table.append(insert(vec![rows])).await.unwrap();
    }
    let sql = format!(
        "SELECT count(*) FROM logs WHERE (message = '{long}' AND _offset = 0 AND raw = message) \
         OR (message IS NULL AND raw IS NULL AND _offset = 1) OR message = 'short'"
    );
    let answer = query(&table, &sql).await;
    assert_eq!(answer[0].column(0).as_primitive::<Int64Type>().value(0), 9);
    let add = entry(folder.path(), 1);
    let add = add.iter().find_map(|action| action.get("add")).unwrap();
    let statistics: serde_json::Value =
        serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(statistics["minValues"]["message"], long);
    assert_eq!(statistics["nullCount"]["message"], 1);
}
