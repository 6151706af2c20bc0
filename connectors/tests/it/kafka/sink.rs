//! Kafka tables as targets of INSERT, against a real Apache Kafka: every statement is one
//! transaction.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Kind};
use sluice_engine::session::Session;
use sluice_engine::source::Source;

use super::PATIENCE;
use super::broker::Kafka;

/// An engine in memory with every connector, and a broker.
struct World {
    kafka: Arc<Kafka>,
    session: Session,
    _engine: Arc<Engine>,
}

impl World {
    async fn open() -> Self {
        let plugin = sluice_connectors::plugin();
        let engine = Engine::open(Config::default(), plugin, None).await.unwrap();
        Self {
            kafka: Kafka::shared(),
            session: engine.session(Authority::Owner),
            _engine: engine,
        }
    }

    /// A topic and a table of the same name, with these columns and options.
    async fn table(&self, topic: &str, columns: &str, options: &str) {
        self.kafka.create(topic, 3).await;
        self.define(topic, topic, columns, options).await.unwrap();
    }

    async fn define(
        &self,
        table: &str,
        topic: &str,
        columns: &str,
        options: &str,
    ) -> Result<(), Error> {
        let address = &self.kafka.address;
        let sql = format!(
            "CREATE EXTERNAL TABLE \"{table}\" {columns} STORED AS KAFKA \
             LOCATION 'kafka://{address}/{topic}' OPTIONS ({options})"
        );
        self.run(&sql).await.map(|_| ())
    }

    async fn run(&self, sql: &str) -> Result<(Option<u64>, Vec<RecordBatch>), Error> {
        let prepared = self.session.prepare(sql).await?;
        let mut answer = self.session.execute(&prepared).await?;
        let mut batches = Vec::new();
        while let Some(batch) = answer.rows.next().await {
            batches.push(batch?);
        }
        Ok((answer.affected, batches))
    }

    async fn insert(&self, sql: &str) -> u64 {
        self.run(sql).await.unwrap().0.unwrap()
    }

    /// The rows as text, with a bar between cells.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let (_, batches) = self.run(sql).await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let lines = table.lines().filter_map(|line| line.strip_prefix('|'));
        let cells = |line: &str| {
            let cells: Vec<&str> = line
                .trim_end_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            cells.join("|")
        };
        lines.skip(1).map(cells).collect()
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let (_, batches) = self.run(&sql).await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    }
}

/// Waits until the topic has given away `least` offsets, to records that count or do not.
async fn written(kafka: Arc<Kafka>, topic: &'static str, least: i64) {
    let looking = tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &kafka.address)
            .set("isolation.level", "read_uncommitted");
        let consumer: BaseConsumer = config.create().unwrap();
        let end = |partition| {
            Some(
                consumer
                    .fetch_watermarks(topic, partition, PATIENCE)
                    .ok()?
                    .1,
            )
        };
        let since = Instant::now();
        // A young topic has no leader at first.
        while (0..3).map(end).sum::<Option<i64>>().unwrap_or(0) < least {
            assert!(since.elapsed() < PATIENCE, "nothing is written to {topic}");
        }
    });
    looking.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_make_the_round_trip_with_keys_and_headers() {
    let world = World::open().await;
    let columns = "(n BIGINT, s VARCHAR, at TIMESTAMP, day DATE, x DOUBLE, ok BOOLEAN, \
                   tags VARCHAR[])";
    world.table("sink-from", columns, "'format' 'json'").await;
    world.table("sink-to", columns, "'format' 'json'").await;
    let insert = "INSERT INTO \"sink-from\" SELECT column1, column2, \
                  TIMESTAMP '2026-02-05T10:00:00.123456Z', DATE '2026-02-05', 0.1, true, \
                  ['a', NULL, 'b\"c'], column3 AS _key, \
                  [named_struct('key', 'trace', 'value', column2), \
                   named_struct('key', 'trace', 'value', CAST(NULL AS VARCHAR))] AS _headers \
                  FROM (VALUES (1, 'one', 'k1'), (2, 'zwölf \\ \"', NULL), (NULL, NULL, 'k3')) v";
    assert_eq!(world.insert(insert).await, 3);
    let copy = "INSERT INTO \"sink-to\" SELECT * FROM \"sink-from\"";
    assert_eq!(world.insert(copy).await, 3);
    let read = |table: &str| {
        format!(
            "SELECT n, s, at, day, x, ok, tags, CAST(_key AS VARCHAR) AS k, \
             _headers[1]['key'] AS h, CAST(_headers[1]['value'] AS VARCHAR) AS v, \
             _headers[2]['value'] IS NULL AS none FROM \"{table}\" ORDER BY n"
        )
    };
    let same = "2026-02-05T10:00:00.123456Z|2026-02-05|0.1|true|[a, , b\"c]";
    let want = [
        format!("1|one|{same}|k1|trace|one|true"),
        format!("2|zwölf \\ \"|{same}||trace|zwölf \\ \"|true"),
        format!("||{same}|k3|trace||true"),
    ];
    assert_eq!(world.rows(&read("sink-from")).await, want);
    assert_eq!(world.rows(&read("sink-to")).await, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn undeclared_keys_and_raw_records_go_through_unchanged() {
    let world = World::open().await;
    world.table("sink-raw", "", "'format' 'raw'").await;
    let insert = r#"INSERT INTO "sink-raw" VALUES ('{"n":1,"u":{"deep":[1.50]}}'), (NULL)"#;
    assert_eq!(world.insert(insert).await, 2);
    // A record without a value is a dead letter to a pipeline and nothing to a query.
    assert_eq!(world.count("sink-raw").await, 1);
    world
        .define("sink-in", "sink-raw", "(n BIGINT)", "'format' 'json'")
        .await
        .unwrap();
    world
        .table("sink-extra", "(n BIGINT)", "'format' 'json'")
        .await;
    world.run("SET sluice.on_error = 'skip'").await.unwrap();
    let copy = r#"INSERT INTO "sink-extra" SELECT * FROM "sink-in""#;
    assert_eq!(world.insert(copy).await, 1);
    let read = world.rows(r#"SELECT n, _extra FROM "sink-extra""#).await;
    assert_eq!(read, [r#"1|{"u":{"deep":[1.50]}}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_leaves_nothing() {
    let world = World::open().await;
    world
        .table("sink-fail", "(n BIGINT)", "'format' 'json'")
        .await;
    // The last rows divide by zero, long after the first are on their way.
    let insert = "INSERT INTO \"sink-fail\" \
                  SELECT 10 / (400000 - value) FROM generate_series(1, 400000)";
    let error = world.run(insert).await.unwrap_err();
    assert!(error.message().to_lowercase().contains("zero"), "{error}");
    // It came after the first records.
    written(Arc::clone(&world.kafka), "sink-fail", 1).await;
    assert_eq!(world.count("sink-fail").await, 0);
    assert_eq!(
        world.insert("INSERT INTO \"sink-fail\" VALUES (7)").await,
        1
    );
    assert_eq!(world.count("sink-fail").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_statements_at_once_write_each_row_once() {
    let world = World::open().await;
    world
        .table("sink-two", "(n BIGINT)", "'format' 'json'")
        .await;
    let insert = |from: i64, to: i64| {
        format!("INSERT INTO \"sink-two\" SELECT value FROM generate_series({from}, {to})")
    };
    let (first, second) = (insert(1, 30_000), insert(30_001, 60_000));
    let (first, second) = tokio::join!(world.insert(&first), world.insert(&second));
    assert_eq!((first, second), (30_000, 30_000));
    let read = "SELECT count(*), count(DISTINCT n), min(n), max(n) FROM \"sink-two\"";
    assert_eq!(world.rows(read).await, ["60000|60000|1|60000"]);
}

fn numbers() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn batch() -> RecordBatch {
    let values = Arc::new(Int64Array::from_iter_values(0..1000));
    RecordBatch::try_new(numbers(), vec![values]).unwrap()
}

/// Some rows, and then what `rest` gives.
fn some_rows(
    rest: impl Future<Output = Result<RecordBatch, DataFusionError>> + Send + 'static,
) -> SendableRecordBatchStream {
    let rows = stream::iter([Ok(batch())]).chain(stream::once(rest));
    Box::pin(RecordBatchStreamAdapter::new(numbers(), rows))
}

/// Writes rows in one transaction; gives their number.
pub(super) async fn write_some(source: &Arc<dyn Source>) -> Result<u64, Error> {
    let rows = stream::iter([Ok(batch())]);
    source
        .write(Box::pin(RecordBatchStreamAdapter::new(numbers(), rows)))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_given_up_leaves_nothing() {
    let world = World::open().await;
    world
        .table("sink-drop", "(n BIGINT)", "'format' 'json'")
        .await;
    let source = world.kafka.source("sink-drop", &[]).await;
    let writing = source.write(some_rows(std::future::pending()));
    tokio::select! {
        outcome = writing => panic!("it cannot end: {outcome:?}"),
        () = written(Arc::clone(&world.kafka), "sink-drop", 1000) => {}
    }
    // Until the first transaction is over nobody reads what comes after it.
    assert_eq!(
        world.insert("INSERT INTO \"sink-drop\" VALUES (7)").await,
        1
    );
    let since = Instant::now();
    while world.count("sink-drop").await == 0 && since.elapsed() < PATIENCE {}
    assert_eq!(world.count("sink-drop").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_takes_too_long_is_aborted_and_says_so() {
    let world = World::open().await;
    world.kafka.create("sink-late", 3).await;
    let options = [("kafka.transaction.timeout.ms", "1000")];
    let source = world.kafka.source("sink-late", &options).await;
    let kafka = Arc::clone(&world.kafka);
    let late = async move {
        written(kafka, "sink-late", 1).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(batch())
    };
    let error = source.write(some_rows(late)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(
        error.to_string().contains("kafka.transaction.timeout.ms"),
        "{error}"
    );
    world
        .define("sink-late", "sink-late", "(n BIGINT)", "'format' 'json'")
        .await
        .unwrap();
    assert_eq!(world.count("sink-late").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_refused_with_the_way_out() {
    let world = World::open().await;
    world
        .table("sink-size", "(s VARCHAR)", "'format' 'json'")
        .await;
    let columns = "(s VARCHAR)";
    let tables = [
        ("t1", "sink-size,other", columns, "'format' 'json'"),
        ("t2", "^sink-.*", columns, "'format' 'json'"),
        ("t3", "sink-size", "", "'format' 'syslog'"),
        (
            "t4",
            "sink-size",
            columns,
            "'format' 'json', 'column.s' '@s'",
        ),
    ];
    for (table, topic, columns, options) in tables {
        world.define(table, topic, columns, options).await.unwrap();
        let error = world
            .run(&format!("INSERT INTO {table} VALUES ('a')"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported, "{error}");
        assert!(
            error.message().contains(table) && error.hint_text().is_some(),
            "{error}"
        );
    }
    let huge = "INSERT INTO \"sink-size\" VALUES ('a'), (repeat('x', 1200000))";
    let error = world.run(huge).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(
        error.to_string().contains("kafka.message.max.bytes"),
        "{error}"
    );
    assert_eq!(world.count("sink-size").await, 0);
    world
        .define("nowhere", "sink-nowhere", columns, "'format' 'json'")
        .await
        .unwrap();
    let error = world
        .run("INSERT INTO nowhere VALUES ('a')")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert!(error.message().contains("sink-nowhere"), "{error}");
    let pipeline = "CREATE PIPELINE p AS INSERT INTO \"sink-size\" SELECT s FROM \"sink-size\"";
    let error = world.run(pipeline).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
    assert!(error.to_string().contains("schedule"), "{error}");
    world
        .run(
            "CREATE EXTERNAL TABLE away (s VARCHAR) STORED AS KAFKA \
               LOCATION 'kafka://127.0.0.1:1/t' OPTIONS ('format' 'json')",
        )
        .await
        .unwrap();
    let error = world
        .run("INSERT INTO away VALUES ('a')")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}
