//! Optional sample data beside the checkout: real lines whose headers are known. The tests say so
//! and pass where it is absent.

use std::fs;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::logical_expr::ColumnarValue;

use crate::call::{invoke, scalar, workspace};

/// Fields of a record of CSV.
fn fields(record: &str) -> Vec<String> {
    let array: ArrayRef = Arc::new(StringArray::from(vec![record]));
    let answer = invoke(&scalar("parse_csv"), ColumnarValue::Array(array), &[]).unwrap();
    let items = answer.into_array(1).unwrap().as_list::<i32>().value(0);
    let items = items.as_string::<i32>().iter();
    items.map(|item| item.unwrap().to_owned()).collect()
}

/// Of every hundred lines, how many have the body and the severity that the labels say; 0 where
/// there are no labels of severity.
fn agreement(name: &str) -> Option<(f64, f64)> {
    let folder = workspace().join("../shared/data/loghub");
    let path = folder.join(format!("{name}_2k.log_structured.csv"));
    let (Ok(labels), Ok(log)) = (
        fs::read_to_string(&path),
        fs::read(folder.join(format!("{name}_2k.log"))),
    ) else {
        println!("skipped: no sample data at {}", path.display());
        return None;
    };
    let log = String::from_utf8_lossy(&log).into_owned();
    let lines: Vec<&str> = log.lines().collect();
    let array: ArrayRef = Arc::new(StringArray::from(lines.clone()));
    let answer = invoke(&scalar("parse_log"), ColumnarValue::Array(array), &[]).unwrap();
    let answer = answer.into_array(lines.len()).unwrap();
    let answer = answer.as_struct();
    let text = |name: &str| {
        answer
            .column_by_name(name)
            .unwrap()
            .as_string::<i32>()
            .clone()
    };
    let (bodies, severities) = (text("body"), text("severity_text"));
    let timestamps = answer.column_by_name("timestamp").unwrap();
    let mut records = labels.lines().map(fields);
    let header = records.next().unwrap();
    let column = |name: &str| header.iter().position(|field| field == name);
    let (content, level) = (column("Content").unwrap(), column("Level"));
    let (mut right, mut leveled, mut total) = (0.0, 0.0, 0.0);
    for (row, record) in records.enumerate() {
        total += 1.0;
        let same = bodies.value(row).trim() == record[content].trim();
        right += f64::from(u8::from(same && timestamps.is_valid(row)));
        let level = level.map(|level| record[level].as_str());
        leveled += f64::from(u8::from(
            level.is_some_and(|level| severities.value(row) == level),
        ));
        if !same && total < 2000.0 && right > total - 3.0 {
            println!("{name}: {} -> {:?}", lines[row], bodies.value(row));
        }
    }
    println!(
        "{name}: body {:.1}, severity {:.1}",
        100.0 * right / total,
        100.0 * leveled / total
    );
    Some((100.0 * right / total, 100.0 * leveled / total))
}

#[test]
fn headers_of_real_lines_are_found() {
    let want = [
        ("Apache", 99.0, 99.0),
        ("HDFS", 99.0, 99.0),
        ("Hadoop", 99.0, 99.0),
        ("OpenSSH", 99.0, 0.0),
        ("OpenStack", 99.0, 99.0),
        ("Spark", 99.0, 99.0),
        ("Zookeeper", 99.0, 99.0),
    ];
    for (name, body, severity) in want {
        let Some(got) = agreement(name) else { return };
        assert!(got.0 >= body && got.1 >= severity, "{name}: {got:?}");
    }
}
