//! Sluice under measurement: an engine in this process and the job that ingests a topic.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a bench stops at the first surprise"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::session::Session;
use sluice_udfs::Function;

use crate::cpu::{Clock, Taken};
use crate::events::{COLUMNS, NAMES};
use crate::kafka::Topic;

const PATIENCE: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_millis(5);

/// What a pipeline does with the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// What it is called in figures.
    pub name: &'static str,
    /// The expression for the column `message`.
    pub message: &'static str,
    /// The table is partitioned by day.
    pub partitioned: bool,
}

/// The jobs that are measured.
pub const JOBS: [Job; 3] = [
    Job {
        name: "to Delta",
        message: "message",
        partitioned: false,
    },
    Job {
        name: "to Delta, redacted",
        message: "redact(message) AS message",
        partitioned: false,
    },
    Job {
        name: "to Delta, redacted and partitioned",
        message: "redact(message) AS message",
        partitioned: true,
    },
];

impl Job {
    /// The columns of its table.
    #[must_use]
    pub fn columns(&self) -> String {
        let date = if self.partitioned { ", date DATE" } else { "" };
        format!("{COLUMNS}{date}")
    }

    /// What it selects from the stream.
    #[must_use]
    pub fn list(&self) -> String {
        let date = if self.partitioned {
            ", CAST(timestamp AS DATE) AS date"
        } else {
            ""
        };
        format!("{}{date}", NAMES.replace("message", self.message))
    }

    /// Its table `logs` at `location`.
    #[must_use]
    pub fn table(&self, location: &Path) -> String {
        let partitioned = if self.partitioned {
            "PARTITIONED BY (date)"
        } else {
            ""
        };
        format!(
            "CREATE EXTERNAL TABLE logs ({}) STORED AS DELTA {partitioned} LOCATION '{}'",
            self.columns(),
            location.display()
        )
    }

    /// Its stream `events`, and its pipeline `ingest` with `options` after WITH.
    #[must_use]
    pub fn pipeline(&self, topic: &Topic, options: &str) -> [String; 2] {
        let Topic { broker, name } = topic;
        [
            format!(
                "CREATE EXTERNAL TABLE events ({COLUMNS}) STORED AS KAFKA \
                 LOCATION 'kafka://{broker}/{name}' OPTIONS ('format' 'json')"
            ),
            format!(
                "CREATE PIPELINE ingest {options} AS INSERT INTO logs SELECT {} FROM events",
                self.list()
            ),
        ]
    }
}

/// An engine with all functions and connectors.
#[derive(Debug)]
pub struct Sluice {
    /// The engine.
    pub engine: Arc<Engine>,
    session: Session,
}

impl Sluice {
    /// Opens a temporary engine, or the one of a data directory.
    pub async fn open(data: Option<&Path>) -> Self {
        let mut plugin = sluice_connectors::plugin();
        for function in sluice_udfs::functions() {
            if let Function::Scalar(udf) = function {
                plugin.scalars.push(Arc::new(udf));
            }
        }
        let engine = Engine::open(Config::default(), plugin, data)
            .await
            .expect("an engine");
        let session = engine.session(Authority::Owner);
        Self { engine, session }
    }

    /// Runs a statement that must succeed.
    pub async fn run(&self, sql: &str) -> Vec<RecordBatch> {
        let prepared = self.session.prepare(sql).await.expect(sql);
        let answer = self.session.execute(&prepared).await.expect(sql);
        answer.rows.try_collect().await.expect(sql)
    }

    /// The columns that a query gives.
    pub async fn schema(&self, sql: &str) -> SchemaRef {
        let frame = self.session.context().sql(sql).await.expect(sql);
        Arc::new(frame.schema().as_arrow().clone())
    }

    /// The one number that a query gives.
    pub async fn number(&self, sql: &str) -> u64 {
        let rows = self.run(sql).await;
        let number = rows[0].column(0).as_primitive::<Int64Type>().value(0);
        u64::try_from(number).expect("a count")
    }

    /// Proves from table `logs` and its commits that it has `events` events, each once.
    pub async fn verify(&self, events: u64) {
        let verified = self.run("VERIFY TABLE logs").await;
        let ok = verified.iter().all(|batch| {
            let verdict = batch.column_by_name("verdict").expect("a verdict");
            verdict
                .as_string::<i32>()
                .iter()
                .all(|verdict| verdict == Some("ok"))
        });
        assert!(ok, "{verified:?}");
        assert_eq!(self.number("SELECT count(*) FROM logs").await, events);
    }
}

/// What a drain took, and the commits it made.
#[derive(Debug, Clone, Copy)]
pub struct Drained {
    /// Time.
    pub taken: Taken,
    /// Versions of the table.
    pub commits: u64,
}

/// Drains `events` events of a topic into a new table in a new engine, and verifies them.
pub async fn drain(topic: &Topic, events: u64, job: &Job) -> Drained {
    let folder = tempfile::tempdir().expect("a folder");
    let sluice = Sluice::open(None).await;
    sluice.run(&job.table(&folder.path().join("logs"))).await;
    for sql in job.pipeline(topic, "") {
        sluice.run(&sql).await;
    }
    let (clock, began) = (Clock::start(), Instant::now());
    sluice.engine.start_pipelines();
    let progress = || sluice.engine.progress().remove(0);
    while progress().events < events {
        assert!(began.elapsed() < PATIENCE, "{:?}", progress());
        tokio::time::sleep(STEP).await;
    }
    let taken = clock.stop();
    sluice.verify(events).await;
    let commits = progress().version.unwrap_or(0);
    sluice.engine.shutdown().await;
    Drained { taken, commits }
}
