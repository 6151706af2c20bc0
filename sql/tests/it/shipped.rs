//! The SQL that is shipped: it runs, it may run again, and every query plans against its tables.

use sluice_engine::statement::split;

use crate::adapter::Memory;

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_sql_runs_twice_and_the_queries_plan() {
    let memory = Memory::open().await.unwrap();
    // Nothing listens there: a stream is defined before or after its broker.
    let script = format!(
        "{}{}",
        sluice_sql::SCHEMA,
        sluice_sql::pipelines("127.0.0.1:1")
    );
    let statements = split(&script).unwrap();
    for sql in statements.iter().chain(&statements) {
        if let Err(error) = memory.execute(sql).await {
            panic!("{sql}\n{error}");
        }
    }
    for query in sluice_sql::QUERIES {
        if let Err(error) = memory.execute(query).await {
            panic!("{query}\n{error}");
        }
    }
    let columns = memory.execute("SELECT * FROM logs").await.unwrap().0;
    let names: Vec<&str> = columns
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let first = [
        "timestamp",
        "severity",
        "source",
        "message",
        "host",
        "service_version",
    ];
    assert_eq!(names[..6], first);
    assert_eq!(names[names.len() - 4..], sluice_engine::lineage::NAMES);
}
