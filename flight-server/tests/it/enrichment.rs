//! Enrichment as it runs: files of the configuration, replaced while queries and pipelines read
//! them, missing, damaged, and named by their paths.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::StreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Kind, Result};
use sluice_engine::session::{Prepared, Session};
use sluice_flight_server::compose;
use tempfile::TempDir;

/// The longest a test waits for a file to be loaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of files, and an engine that reads them.
struct Enriched {
    folder: TempDir,
    engine: Arc<Engine>,
    session: Session,
}

impl Enriched {
    async fn open(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let at = folder.path().display();
        let settings = format!(
            "[enrichment]\nrefresh = \"5ms\"\n\
             [enrichment.tables.hosts]\npath = \"{at}/hosts.csv\"\nkey = \"host\"\n\
             [enrichment.feeds.bad]\npath = \"{at}/bad.netset\"\ncategories = [\"scan\"]\n\
             [enrichment.databases.city]\npath = \"{at}/city.mmdb\"\n"
        );
        let config = Config::load(None, [], settings.parse().unwrap()).unwrap();
        let engine = Engine::open(config, compose::plugin(), None).await.unwrap();
        let session = engine.session(Authority::Owner);
        Self {
            folder,
            engine,
            session,
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Puts a new file in the place of an old one, at once.
    fn replace(&self, name: &str, content: &str) {
        let (new, old) = (self.path(&format!("{name}.new")), self.path(name));
        fs::write(&new, content).unwrap();
        fs::rename(new, old).unwrap();
    }

    async fn values(&self, sql: &str) -> Vec<String> {
        let prepared = self.session.prepare(sql).await.unwrap();
        column(&self.session, &prepared).await
    }

    /// Waits until a query gives the one value wanted.
    async fn until(&self, sql: &str, wanted: &str) {
        let done = async {
            while self.values(sql).await != [wanted] {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, done).await.is_err() {
            panic!("{sql} gives {:?} and not {wanted}", self.values(sql).await);
        }
    }

    /// Waits until this many rows of `name` are loaded.
    async fn until_rows(&self, name: &str, rows: usize) {
        let sql = format!("SELECT rows FROM system.enrichment WHERE name = '{name}'");
        self.until(&sql, &rows.to_string()).await;
    }
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
    let texts = texts.as_string::<i32>().iter();
    texts
        .map(|text| text.unwrap_or("NULL").to_owned())
        .collect()
}

async fn column(session: &Session, prepared: &Prepared) -> Vec<String> {
    let mut answer = session.execute(prepared).await.unwrap();
    let mut values = Vec::new();
    while let Some(batch) = answer.rows.next().await {
        values.extend(texts(&batch.unwrap()));
    }
    values
}

async fn run(session: &Session, sql: &str) -> Result<()> {
    let prepared = session.prepare(sql).await?;
    let mut answer = session.execute(&prepared).await?;
    while let Some(batch) = answer.rows.next().await {
        batch?;
    }
    Ok(())
}

const ONE: &str = "host,service\n0,one\n1,one\n";
const TWO: &str = "host,service\n0,two\n1,two\n2,two\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_reaches_statements_and_prepared_ones() {
    let files = [
        ("hosts.csv", ONE),
        ("bad.netset", "198.18.0.0/15\n5.6.0.0/16\n"),
    ];
    let enriched = Enriched::open(&files).await;
    let sql = "SELECT lookup('hosts', '1', 'service')";
    let prepared = enriched.session.prepare(sql).await.unwrap();
    assert_eq!(column(&enriched.session, &prepared).await, ["one"]);
    enriched.replace("hosts.csv", TWO);
    enriched.until(sql, "two").await;
    assert_eq!(column(&enriched.session, &prepared).await, ["two"]);
    let threat = "SELECT threat_lookup('5.6.7.8')['matched']";
    assert_eq!(enriched.values(threat).await, ["true"]);
    enriched.replace("bad.netset", "6.0.0.0/8\n7.0.0.0/8\n8.0.0.0/8\n");
    enriched.until(threat, "false").await;
    enriched.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reads_one_snapshot_to_its_end() {
    let enriched = Enriched::open(&[("hosts.csv", ONE)]).await;
    let sql = "SELECT lookup('hosts', CAST(value % 2 AS VARCHAR), 'service') \
               FROM generate_series(1, 3000000)";
    let prepared = enriched.session.prepare(sql).await.unwrap();
    let mut answer = enriched.session.execute(&prepared).await.unwrap();
    let mut rows = texts(&answer.rows.next().await.unwrap().unwrap()).len();
    enriched.replace("hosts.csv", TWO);
    enriched.until_rows("hosts", 3).await;
    while let Some(batch) = answer.rows.next().await {
        let values = texts(&batch.unwrap());
        assert!(
            values.iter().all(|value| value == "one"),
            "after {rows} rows"
        );
        rows += values.len();
    }
    assert_eq!(rows, 3_000_000);
    assert_eq!(
        enriched
            .values("SELECT lookup('hosts', '1', 'service')")
            .await,
        ["two"]
    );
    enriched.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_file_reaches_running_pipelines() {
    let enriched = Enriched::open(&[("hosts.csv", ONE), ("events.ndjson", "")]).await;
    let session = &enriched.session;
    let statements = [
        "CREATE TABLE seen (host VARCHAR, service VARCHAR, bad BOOLEAN)",
        &format!(
            "CREATE EXTERNAL TABLE events (host VARCHAR, ip VARCHAR) STORED AS FILE \
             LOCATION '{}' OPTIONS ('format' 'json')",
            enriched.path("events.ndjson")
        ),
        "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO seen SELECT host, \
         lookup('hosts', host, 'service'), threat_lookup(ip)['matched'] FROM events",
    ];
    for sql in statements {
        run(session, sql).await.unwrap();
    }
    enriched.engine.start_pipelines();
    let append = |line: &str| {
        let file = fs::OpenOptions::new()
            .append(true)
            .open(enriched.path("events.ndjson"));
        writeln!(file.unwrap(), "{line}").unwrap();
    };
    append(r#"{"host":"1","ip":"5.6.7.8"}"#);
    enriched.until("SELECT count(*) FROM seen", "1").await;
    enriched.replace("hosts.csv", TWO);
    enriched.replace("bad.netset", "5.6.7.0/24\n");
    enriched.until_rows("hosts", 3).await;
    enriched.until_rows("bad", 1).await;
    append(r#"{"host":"1","ip":"5.6.7.8"}"#);
    enriched.until("SELECT count(*) FROM seen", "2").await;
    let stored = "SELECT concat_ws(' ', service, bad) FROM seen ORDER BY _offset";
    assert_eq!(enriched.values(stored).await, ["one", "two true"]);
    enriched.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_damaged_file_is_listed_and_leaves_the_old_data() {
    let enriched = Enriched::open(&[("hosts.csv", ONE)]).await;
    let errors = "SELECT error FROM system.enrichment WHERE name = 'city'";
    let missing = enriched.values(errors).await.concat();
    assert!(
        missing.contains("city.mmdb") && missing.contains("put the file there"),
        "{missing}"
    );
    let unknown = "SELECT geoip('5.6.7.8', 'city')['country'] IS NULL";
    assert_eq!(enriched.values(unknown).await, ["true"]);

    enriched.replace("city.mmdb", "no database");
    let error = "SELECT error LIKE '%no sound MaxMind DB file%' FROM system.enrichment \
                 WHERE name = 'city'";
    enriched.until(error, "true").await;

    let error = "SELECT error FROM system.enrichment WHERE name = 'hosts'";
    let old = "SELECT lookup('hosts', '1', 'service')";
    enriched.replace("hosts.csv", "host,service\n1,a\n1,b\n");
    let twice = "the key of its row 2 is there twice; keep one row for each value of \"host\", or \
                 choose another `key`";
    enriched.until(error, twice).await;
    assert_eq!(enriched.values(old).await, ["one"]);
    fs::remove_file(enriched.path("hosts.csv")).unwrap();
    let gone = "SELECT error LIKE '%No such file%' FROM system.enrichment WHERE name = 'hosts'";
    enriched.until(gone, "true").await;
    assert_eq!(enriched.values(old).await, ["one"]);
    enriched.replace("hosts.csv", TWO);
    enriched.until(error, "NULL").await;
    assert_eq!(enriched.values(old).await, ["two"]);
    enriched.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_named_by_their_paths_are_the_owners() {
    let enriched = Enriched::open(&[("mine.csv", ONE)]).await;
    let path = enriched.path("mine.csv");
    let sql = format!("SELECT lookup('{path}', '1', 'service')");
    assert_eq!(enriched.values(&sql).await, ["one"]);
    assert_eq!(enriched.values(&format!("EXPLAIN {sql}")).await.len(), 2);
    enriched.replace("mine.csv", TWO);
    enriched.until(&sql, "two").await;

    let client = enriched.engine.session(Authority::Network);
    let refused = [
        sql.clone(),
        format!("EXPLAIN ANALYZE {sql}"),
        format!("SELECT lookup((('{path}')), '1', 'service')"),
        format!("SELECT lookup($${path}$$, '1', 'service')"),
        format!("SELECT lookup(key => '1', table => '{path}')"),
        format!("SELECT 1 WHERE EXISTS (SELECT geoip('1.1.1.1', database => '{path}'))"),
        format!("CREATE PIPELINE p AS INSERT INTO t SELECT lookup('{path}', x) FROM s"),
    ];
    for sql in refused {
        let error = client.prepare(&sql).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Denied, "{sql}: {error}");
    }
    let hidden = path.split_at(3);
    let hidden = format!(
        "SELECT lookup('{}' || '{}', '1', 'service')",
        hidden.0, hidden.1
    );
    let error = client.prepare(&hidden).await.unwrap_err().to_string();
    assert!(
        error.contains("the table of lookup is a literal"),
        "{error}"
    );
    let wrong = enriched.path("none.csv");
    let error = enriched
        .session
        .prepare(&format!("SELECT lookup('{wrong}', 'x')"))
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("none.csv"), "{error}");
    let none = "SELECT count(*) FROM system.enrichment WHERE path LIKE '%none.csv'";
    assert_eq!(enriched.values(none).await, ["0"]);
    enriched.engine.shutdown().await;
}

#[tokio::test]
async fn settings_that_mean_nothing_are_named() {
    let load = |text: &str| Config::load(None, [], text.parse().unwrap());
    let cases = [
        (
            "[enrichment.feeds.a]\npath = \"x\"\nformat = \"yaml\"",
            "abuseipdb",
        ),
        (
            "[enrichment.feeds.a]\npath = \"x\"\nweight = 101",
            "101 is not a number from 0 to 100",
        ),
        ("[enrichment.tables.a]\npath = \"x\"\nkeys = \"a\"", "keys"),
        ("[enrichment.databases.a]\nfile = \"x\"", "file"),
    ];
    for (text, want) in cases {
        let error = load(text).unwrap_err().to_string();
        assert!(error.contains(want), "{text}: {error}");
    }
    let config = load("[enrichment.tables.\"a/b\"]\npath = \"x\"").unwrap();
    let error = Engine::open(config, compose::plugin(), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("\"a/b\""), "{error}");
}
