//! `OPTIONS` of a table: kept with it, and checked against it.

use super::*;
use sluice_engine::error::Kind;
use sluice_engine::lineage::timestamp_type;

fn events(folder: &Path, options: &[(&str, &str)]) -> TableDefinition {
    let schema = Arc::new(Schema::new(vec![
        Field::new("timestamp", timestamp_type(), true),
        Field::new("day", DataType::Date32, true),
        Field::new("_offset", DataType::Int64, true),
    ]));
    let options = options.iter();
    TableDefinition {
        options: options
            .map(|(key, value)| (String::from(*key), String::from(*value)))
            .collect(),
        ..with(folder, schema, &[])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_properties_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let definition = events(
        folder.path(),
        &[
            ("event_time", "timestamp"),
            ("target_file_size", "64MB"),
            ("log_retention", "2 days"),
            ("file_retention", "12h"),
        ],
    );
    let format = DeltaFormat::default();
    let table = format.create(&definition).await.unwrap();
    let there = table.property("event_time").await.unwrap();
    assert_eq!(there.as_deref(), Some("timestamp"));
    let created = entry(folder.path(), 0);
    let metadata = created
        .iter()
        .find_map(|action| action.get("metaData"))
        .unwrap();
    let properties = &metadata["configuration"];
    for (name, value) in [
        ("sluice.event_time", "timestamp"),
        ("delta.targetFileSize", "64000000"),
        ("delta.logRetentionDuration", "interval 172800 seconds"),
        (
            "delta.deletedFileRetentionDuration",
            "interval 43200 seconds",
        ),
        ("delta.enableExpiredLogCleanup", "false"),
    ] {
        assert_eq!(properties[name], value, "{name}");
    }

    // Whoever opens it need not say them again, and may not say others.
    let silent = events(folder.path(), &[]);
    assert!(format.open(&silent).await.unwrap().is_some());
    assert!(format.open(&definition).await.unwrap().is_some());
    let other = events(folder.path(), &[("target_file_size", "1GB")]);
    let error = format.open(&other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::User, "{error}");
    assert!(error.message().contains("targetFileSize"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (key, value, says) in [
        ("event_time", "when", "not one of its columns"),
        ("event_time", "day", "which is DATE"),
        ("target_file_size", "big", "\"target_file_size\""),
        ("log_retention", "soon", "\"log_retention\""),
        ("compression", "zstd", "\"compression\""),
    ] {
        let definition = events(folder.path(), &[(key, value)]);
        let error = DeltaFormat::default()
            .create(&definition)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::User, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
