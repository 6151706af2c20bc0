//! Stored tables as reference tables: rows that statements write are looked up, each query reads
//! one version, and a table that cannot be taken leaves the old rows in use. Beside them feeds that
//! the owner of the machine names by their paths.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::StreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Kind, Result};
use sluice_engine::session::Session;
use sluice_flight_server::compose;
use tempfile::TempDir;

/// The longest a test waits for rows to be loaded.
const PATIENCE: Duration = Duration::from_secs(60);

const SETTINGS: &str = "[enrichment]\nrefresh = \"5ms\"\nmax_table_size = \"64 KiB\"\n\
    [enrichment.tables.customers]\ntable = \"crm\"\nkey = \"id\"\n";

async fn open(settings: &str) -> Arc<Engine> {
    let config = Config::load(None, [], settings.parse().unwrap()).unwrap();
    Engine::open(config, compose::plugin(), None).await.unwrap()
}

async fn values(session: &Session, sql: &str) -> Result<Vec<String>> {
    let prepared = session.prepare(sql).await?;
    let mut answer = session.execute(&prepared).await?;
    let mut values = Vec::new();
    while let Some(batch) = answer.rows.next().await {
        let batch = batch?;
        if batch.num_columns() > 0 {
            let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
            let texts = texts.as_string::<i32>().iter();
            values.extend(texts.map(|text| text.unwrap_or("NULL").to_owned()));
        }
    }
    Ok(values)
}

/// Waits until a query gives the one value wanted.
async fn until(session: &Session, sql: &str, wanted: &str) {
    let done = async {
        while values(session, sql).await.unwrap() != [wanted] {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, done).await.is_err() {
        let got = values(session, sql).await;
        panic!("{sql} gives {got:?} and not {wanted}");
    }
}

const ROWS: &str = "SELECT rows FROM system.enrichment WHERE name = 'customers'";
const ERROR: &str = "SELECT error FROM system.enrichment WHERE name = 'customers'";
const TIER: &str = "SELECT lookup('customers', 'c-1', 'tier')";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_statements_write_are_looked_up() {
    let engine = open(SETTINGS).await;
    let session = engine.session(Authority::Owner);
    let missing = values(&session, ERROR).await.unwrap().concat();
    assert!(
        missing.contains("table \"crm\" does not exist"),
        "{missing}"
    );
    let error = values(&session, TIER).await.unwrap_err().to_string();
    assert!(error.contains("\"customers\" is not loaded"), "{error}");

    for sql in [
        "CREATE TABLE crm (id VARCHAR, tier VARCHAR, seats BIGINT)",
        "INSERT INTO crm VALUES ('c-1', 'gold', 7), ('c-2', 'silver', NULL)",
        "CREATE TABLE seen (customer VARCHAR)",
        "INSERT INTO seen VALUES ('c-1'), ('c-9'), (NULL)",
    ] {
        values(&session, sql).await.unwrap();
    }
    until(&session, ROWS, "2").await;
    assert_eq!(values(&session, ERROR).await.unwrap(), ["NULL"]);
    let looked = "SELECT lookup('customers', customer, 'tier') FROM seen ORDER BY customer";
    assert_eq!(
        values(&session, looked).await.unwrap(),
        ["gold", "NULL", "NULL"]
    );
    let joined = "SELECT tier FROM seen LEFT JOIN crm ON crm.id = seen.customer ORDER BY customer";
    assert_eq!(
        values(&session, joined).await.unwrap(),
        ["gold", "NULL", "NULL"]
    );
    let client = engine.session(Authority::Network);
    assert_eq!(values(&client, TIER).await.unwrap(), ["gold"]);

    let version = "SELECT version FROM system.enrichment WHERE name = 'customers'";
    let before: u64 = values(&session, version).await.unwrap()[0].parse().unwrap();
    values(&session, "INSERT INTO crm VALUES ('c-3', 'bronze', 1)")
        .await
        .unwrap();
    until(&session, "SELECT lookup('customers', 'c-3', 'seats')", "1").await;
    let after: u64 = values(&session, version).await.unwrap()[0].parse().unwrap();
    assert_eq!(after, before + 1);
    let path = "SELECT path FROM system.enrichment WHERE name = 'customers'";
    assert_eq!(values(&session, path).await.unwrap(), ["crm"]);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_taken_leaves_the_old_rows() {
    let engine = open(SETTINGS).await;
    let session = engine.session(Authority::Owner);
    let run = async |sql: &str| values(&session, sql).await.unwrap();
    run("CREATE TABLE crm (id VARCHAR, tier VARCHAR)").await;
    run("INSERT INTO crm VALUES ('c-1', 'gold')").await;
    until(&session, ROWS, "1").await;
    run("INSERT INTO crm VALUES ('c-1', 'silver')").await;
    let twice = "SELECT error LIKE '%the key of its row 2 is there twice%' FROM system.enrichment";
    until(&session, twice, "true").await;
    assert_eq!(run(TIER).await, ["gold"]);

    // The same name with other rows, at a version that was read before.
    run("DROP TABLE crm").await;
    let gone = "SELECT error LIKE '%does not exist%' FROM system.enrichment";
    until(&session, gone, "true").await;
    assert_eq!(run(TIER).await, ["gold"]);
    run("CREATE TABLE crm (id VARCHAR, tier VARCHAR)").await;
    run("INSERT INTO crm VALUES ('c-1', 'platinum')").await;
    until(&session, TIER, "platinum").await;

    run(
        "INSERT INTO crm SELECT CAST(value AS VARCHAR), repeat('x', 100) \
         FROM generate_series(1, 5000)",
    )
    .await;
    let large = "SELECT error LIKE '%its rows take more than 64.0 KiB of memory%max_table_size%' \
                 FROM system.enrichment";
    until(&session, large, "true").await;
    assert_eq!(run(TIER).await, ["platinum"]);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_one_version_to_its_end() {
    let engine = open(SETTINGS).await;
    let session = engine.session(Authority::Owner);
    values(&session, "CREATE TABLE crm (id BIGINT, tier VARCHAR)")
        .await
        .unwrap();
    values(&session, "INSERT INTO crm VALUES (0, 'one')")
        .await
        .unwrap();
    until(&session, ROWS, "1").await;
    let sql = "SELECT coalesce(lookup('customers', value % 2, 'tier'), 'none') \
               FROM generate_series(1, 3000000)";
    let prepared = session.prepare(sql).await.unwrap();
    let mut answer = session.execute(&prepared).await.unwrap();
    let mut found = answer.rows.next().await.unwrap().unwrap().num_rows();
    values(&session, "INSERT INTO crm VALUES (1, 'two')")
        .await
        .unwrap();
    until(&session, ROWS, "2").await;
    while let Some(batch) = answer.rows.next().await {
        let batch = batch.unwrap();
        let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>().iter();
        found += texts.inspect(|text| assert_ne!(*text, Some("two"))).count();
    }
    assert_eq!(found, 3_000_000);
    until(&session, "SELECT lookup('customers', 1, 'tier')", "two").await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_reference_table_is_a_file_or_a_stored_table() {
    let cases = [
        ("key = \"id\"", "either a `path` or a `table`"),
        (
            "path = \"x\"\ntable = \"x\"",
            "either a `path` or a `table`",
        ),
        (
            "table = \"x\"\nformat = \"csv\"",
            "a stored table has no `format`",
        ),
    ];
    for (text, want) in cases {
        let text = format!("[enrichment.tables.a]\n{text}\n");
        let error = Config::load(None, [], text.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(want), "{text}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_is_named_by_its_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("own.json").display().to_string();
    let bundle = |address: &str, until: &str| {
        format!(
            "{{\"type\":\"bundle\",\"objects\":[{{\"type\":\"indicator\",\
             \"pattern\":\"[ipv4-addr:value = '{address}']\",\"valid_until\":\"{until}\"}}]}}"
        )
    };
    fs::write(&path, bundle("5.6.7.8", "2999-01-01T00:00:00Z")).unwrap();
    let engine = open("[enrichment]\nrefresh = \"5ms\"\n").await;
    let session = engine.session(Authority::Owner);
    let own = format!("SELECT threat_lookup('5.6.7.8', '{path}')['matched']");
    assert_eq!(values(&session, &own).await.unwrap(), ["true"]);
    let all = "SELECT threat_lookup('5.6.7.8')['matched'] IS NULL";
    assert_eq!(values(&session, all).await.unwrap(), ["true"]);
    let client = engine.session(Authority::Network);
    for sql in [
        own.clone(),
        format!("SELECT threat_lookup(feed => '{path}', indicator => '5.6.7.8')"),
    ] {
        let error = client.prepare(&sql).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
    }

    // What is valid for a moment is left out when the moment is over, though the file stays.
    let end = chrono::Utc::now() + chrono::TimeDelta::milliseconds(1_500);
    let end = end.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    fs::write(&path, bundle("5.6.7.9", &end)).unwrap();
    let brief = format!("SELECT threat_lookup('5.6.7.9', '{path}')['matched']");
    until(&session, &brief, "true").await;
    until(&session, &brief, "false").await;
    engine.shutdown().await;
}
