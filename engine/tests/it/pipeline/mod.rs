//! Pipelines over a stream and tables in memory: every record once, whatever fails.

use std::sync::Arc;
use std::time::Duration;

use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::pipeline::status::PipelineProgress;
use sluice_engine::session::Session;

use crate::memory::World;
use crate::statements::{engine, run, values};

mod chaos;
mod definitions;
mod evolve;
mod fencing;
mod gaps;
mod isolation;
mod parts;
mod redaction;
mod repeats;
mod rows;
mod verify;

const SOURCE: &str = "CREATE EXTERNAL TABLE s STORED AS TOPIC LOCATION 'm://x/events'";
/// Of no data directory, so that several engines may write to it.
const TABLE: &str = "CREATE EXTERNAL TABLE t (v VARCHAR, n INT) STORED AS MEMORY \
                     LOCATION 'm://x/t'";
const PATIENCE: Duration = Duration::from_secs(30);

/// The plainest pipeline.
const COPY: &str =
    "CREATE PIPELINE p WITH (max_latency = '5ms') AS INSERT INTO t (v) SELECT value FROM s";

/// Waits until the pipeline has committed so many records, asking its own figures.
async fn until(engine: &Engine, events: u64) {
    until_figures(engine, |figures| figures.events >= events).await;
}

/// Waits until the figures of the first pipeline are as wanted.
async fn until_figures(
    engine: &Engine,
    wanted: impl Fn(&PipelineProgress) -> bool + Send + Sync,
) -> PipelineProgress {
    let done = async {
        loop {
            let figures = engine.progress()[0].clone();
            if wanted(&figures) {
                return figures;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(figures) => figures,
        Err(_) => panic!("{:?}", engine.progress()),
    }
}

/// Waits until a query gives the one value wanted.
async fn until_query(session: &Session, sql: &str, wanted: &str) {
    let done = async {
        while values(session, sql).await != [wanted] {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, done).await.is_err() {
        let found = values(session, sql).await;
        panic!("{sql} gives {found:?} and not {wanted}");
    }
}

/// An engine with the table, the stream and a pipeline; several may share a world.
async fn set_up(world: &Arc<World>, pipeline: &str) -> (Arc<Engine>, Session) {
    let (engine, session) = open(world).await;
    run(&session, pipeline).await.unwrap();
    (engine, session)
}

async fn open(world: &Arc<World>) -> (Arc<Engine>, Session) {
    let engine = engine(world, None).await;
    let session = engine.session(Authority::Owner);
    run(&session, TABLE).await.unwrap();
    run(&session, SOURCE).await.unwrap();
    (engine, session)
}

/// A column of `VERIFY TABLE t`.
async fn proven(session: &Session, column: &str) -> Vec<String> {
    let printed = run(session, "VERIFY TABLE t").await.unwrap();
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = printed.lines().filter(|line| line.starts_with('|'));
    let head = cells(lines.next().unwrap());
    let place = head.iter().position(|name| name == column).unwrap();
    lines.map(|line| cells(line)[place].clone()).collect()
}

async fn verdicts(session: &Session) -> Vec<String> {
    proven(session, "verdict").await
}
