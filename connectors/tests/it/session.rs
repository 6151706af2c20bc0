//! Statements of a session and their answers, a line for each row.

use std::time::{Duration, Instant};

use arrow::util::pretty::pretty_format_batches;
use futures::StreamExt;
use sluice_engine::error::Error;
use sluice_engine::session::Session;

pub(crate) async fn run(session: &Session, sql: &str) -> Result<Vec<String>, Error> {
    let prepared = session.prepare(sql).await?;
    let mut answer = session.execute(&prepared).await?;
    let mut batches = Vec::new();
    while let Some(batch) = answer.rows.next().await {
        batches.push(batch?);
    }
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
    Ok(lines.skip(1).map(cells).collect())
}

pub(crate) async fn ask(session: &Session, sql: &str) -> Vec<String> {
    run(session, sql).await.unwrap()
}

/// Waits until a query answers so.
pub(crate) async fn until(session: &Session, sql: &str, want: &str) {
    let since = Instant::now();
    loop {
        let answer = ask(session, sql).await;
        if answer == [want] {
            return;
        }
        let pipelines = ask(session, "SHOW PIPELINES").await;
        assert!(
            since.elapsed() < Duration::from_secs(60),
            "{answer:?} {pipelines:?}"
        );
    }
}
