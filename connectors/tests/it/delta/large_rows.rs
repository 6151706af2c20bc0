//! Maintenance of rows so large that few fit in memory.

use super::*;
use sluice_engine::table::{Compact, Maintenance};

const MIB: usize = 1 << 20;

/// Rows of a megabyte each, which compress well.
fn large(from: i64, to: i64) -> RecordBatch {
    let texts = (from..to).map(|at| format!("{:08}{}", at * 7919 % 1000, "x".repeat(MIB)));
    let message: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let offset: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    RecordBatch::try_from_iter_with_nullable([
        ("message", message, true),
        ("_offset", offset, true),
    ])
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_are_sorted_along_a_curve() {
    let folder = tempfile::tempdir().unwrap();
    let table = create(folder.path()).await;
    for from in (0..400).step_by(50) {
        let rows = vec![large(from, from + 50)];
        table.append(insert(rows)).await.unwrap();
    }
    let sort = Compact {
        zorder: vec!["message".to_owned()],
        ..Compact::default()
    };
    let sorted = table.maintain(&Maintenance::Compact(sort)).await.unwrap();
    assert_eq!(sorted.files_removed, 8);
    let answer = query(&table, "SELECT left(message, 8) AS l FROM logs").await;
    let firsts: Vec<String> = answer
        .iter()
        .flat_map(|rows| {
            let texts = arrow::compute::cast(rows.column(0), &DataType::Utf8).unwrap();
            let texts = texts.as_string::<i32>().iter().flatten().map(str::to_owned);
            texts.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(firsts.len(), 400);
    // 256 ranks for 400 values: neighbours may share one.
    let places = firsts.iter().map(|text| text.parse::<i64>().unwrap());
    let places: Vec<i64> = places.collect();
    for pair in places.windows(2) {
        assert!(pair[0] <= pair[1] + 20, "{places:?}");
    }
    assert_eq!(stored(&table).await, (0..400).collect::<Vec<_>>());
}
