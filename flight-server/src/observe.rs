//! What operators ask over HTTP, without credentials: `/livez`, `/readyz`, `/healthz` and
//! `/metrics`. The answers hold counts and names of pipelines, topics and categories, no rows.

mod encode;
mod listener;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures::TryStreamExt;
use sluice_engine::authority::Authority;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::pipeline::status::State as PipelineState;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::listener::Bounded;

/// The form of `/metrics`; Prometheus and its relatives read it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What a statement that reads nothing may take.
const PROBE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
struct Watched {
    engine: Arc<Engine>,
    shutdown: CancellationToken,
}

/// Serves what is watched of `engine`; `shutdown` says that the server is ending.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(
    listener: TcpListener,
    engine: Arc<Engine>,
    shutdown: CancellationToken,
) -> Result<()> {
    let watched = Watched { engine, shutdown };
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/healthz", get(healthy))
        .route("/metrics", get(metrics))
        .with_state(watched);
    axum::serve(Bounded::new(listener), routes)
        .await
        .map_err(|error| Error::unavailable("health and metrics ended").source(error))
}

/// Whether calls are taken.
async fn ready(State(watched): State<Watched>) -> impl IntoResponse {
    if watched.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    (StatusCode::OK, "ok\n")
}

/// Whether everything works: calls are taken, statements run, no pipeline has failed.
async fn healthy(State(watched): State<Watched>) -> impl IntoResponse {
    let wrong = wrong(&watched).await;
    if wrong.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, wrong.join("\n") + "\n")
}

/// What does not work. Errors themselves are not shown: they may hold what only users may see.
async fn wrong(watched: &Watched) -> Vec<String> {
    if watched.shutdown.is_cancelled() {
        return vec!["stopping".to_owned()];
    }
    let mut wrong = Vec::new();
    let probed = timeout(PROBE_MAX, probe(&watched.engine)).await;
    if !matches!(probed, Ok(Ok(()))) {
        wrong.push("statements do not run".to_owned());
    }
    let progress = watched.engine.progress();
    let failed = progress
        .iter()
        .filter(|pipeline| pipeline.state == PipelineState::Retrying);
    wrong.extend(failed.map(|pipeline| format!("pipeline \"{}\" has failed", pipeline.pipeline)));
    wrong
}

/// Plans and runs a statement over what the engine keeps about tables and pipelines.
async fn probe(engine: &Engine) -> Result<()> {
    let session = engine.session(Authority::Network);
    let prepared = session
        .prepare("SELECT count(*) FROM system.pipelines")
        .await?;
    let answer = session.execute(&prepared).await?;
    answer.rows.try_for_each(|_| async { Ok(()) }).await
}

async fn metrics(State(watched): State<Watched>) -> impl IntoResponse {
    match encode::text(&watched.engine.observe()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
