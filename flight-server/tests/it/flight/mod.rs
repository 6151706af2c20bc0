//! The Flight SQL service from outside: a server in the process on a free port, and arrow-flight's
//! own client. The real drivers are in `tests/python`.

mod access;
mod cancel;
mod certificates;
mod ingest;
mod metadata;
mod options;
mod prepared;
mod statements;
mod streams;
mod tickets;
mod watched;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::FlightInfo;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use sluice_engine::config::Config;
use sluice_engine::engine::Engine;
use sluice_engine::plugin::Plugin;
use sluice_flight_server::compose;
use sluice_flight_server::server::{Running, ServerOptions, serve};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

type Client = FlightSqlServiceClient<Channel>;

/// A server over an engine in memory.
struct Served {
    running: Running,
    shutdown: CancellationToken,
}

fn options() -> ServerOptions {
    ServerOptions::default()
}

impl Served {
    async fn start() -> Self {
        Self::with(options(), Plugin::default()).await
    }

    async fn with(options: ServerOptions, more: Plugin) -> Self {
        let plugin = compose::plugin().and(more);
        let engine = Engine::open(Config::default(), plugin, None).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = serve(Arc::clone(&engine), options, shutdown.clone())
            .await
            .unwrap();
        Self { running, shutdown }
    }

    /// A new connection.
    async fn client(&self) -> Client {
        let url = format!("http://{}", self.running.address());
        let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
        FlightSqlServiceClient::new(channel)
    }
}

/// The schema that `info` announces, and all rows of its one endpoint.
async fn fetch(client: &mut Client, info: FlightInfo) -> (SchemaRef, Vec<RecordBatch>) {
    let announced: SchemaRef = Arc::new(info.clone().try_decode_schema().unwrap());
    assert_eq!(info.endpoint.len(), 1, "clients index the first endpoint");
    let endpoint = info.endpoint.into_iter().next().unwrap();
    assert!(endpoint.location.is_empty());
    let mut rows = client.do_get(endpoint.ticket.unwrap()).await.unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await.unwrap() {
        batches.push(batch);
    }
    let sent = rows.schema().expect("a stream begins with its schema");
    assert_eq!(bare(sent), bare(&announced), "announced and sent differ");
    (announced, batches)
}

/// A schema without metadata, which clients do not compare.
fn bare(schema: &Schema) -> Schema {
    Schema::new(schema.fields().clone())
}

/// Runs `sql` and draws its rows.
async fn query(client: &mut Client, sql: &str) -> String {
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    draw(&fetch(client, info).await.1)
}

fn draw(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

/// The one number that `sql` gives.
async fn number(client: &mut Client, sql: &str) -> i64 {
    let drawn = query(client, sql).await;
    let cell = drawn
        .lines()
        .nth(3)
        .unwrap_or_else(|| panic!("no row in {drawn}"));
    cell.trim_matches(['|', ' ']).parse().unwrap()
}

/// The status inside a client's error.
#[track_caller]
fn status<T>(result: Result<T, FlightError>) -> (Code, String) {
    match result {
        Ok(_) => panic!("this was to fail"),
        Err(FlightError::Tonic(status)) => (status.code(), status.message().to_owned()),
        Err(error) => panic!("no status, but {error}"),
    }
}
