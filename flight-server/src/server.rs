//! Listening: who may be listened to, TLS, limits of the protocol, and an end that lets calls
//! finish.

mod options;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tracing::{info, warn};

use crate::auth::{Admission, Gate};
use crate::connections::{House, incoming};
use crate::observe;
use crate::pgwire::server::{PostgresRunning, serve_users};
use crate::queries::Queries;
use crate::service::Service;
use crate::ticket::Signer;

pub use self::options::ServerOptions;

/// Largest message a client may send: parameters, long statements, a batch of rows to store.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Headers of one call; drivers turn connection properties into headers.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// A client that is silent for so long is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// A client that does not answer that for so long is gone.
const PING_WAIT: Duration = Duration::from_secs(20);
/// What calls get to finish when the server ends.
const DRAIN: Duration = Duration::from_secs(3);

/// A server that accepts connections. Dropping it ends it at once.
pub struct Running {
    address: SocketAddr,
    secure: bool,
    queries: Arc<Queries>,
    postgres: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    task: JoinSet<Result<()>>,
    /// What goes on beside the service and ends with it.
    _beside: JoinSet<()>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as clients write it, such as `grpc://127.0.0.1:50051`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "grpc+tls" } else { "grpc" };
        format!("{scheme}://{}", self.address)
    }

    /// How many statements of clients run at this moment.
    #[must_use]
    pub fn running_queries(&self) -> usize {
        self.queries.count()
    }

    /// Where PostgreSQL clients are served, such as `postgresql://127.0.0.1:5432`.
    #[must_use]
    pub fn postgres_url(&self) -> Option<String> {
        self.postgres
            .map(|address| format!("postgresql://{address}"))
    }

    /// Where health and metrics are served, such as `http://127.0.0.1:9090`.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics.map(|address| format!("http://{address}"))
    }

    /// Every address, as the line says that the server prints when it is ready.
    #[must_use]
    pub fn doors(&self) -> String {
        let flight = format!("flight={}", self.url());
        let postgres = self.postgres_url().map(|url| format!("postgres={url}"));
        let metrics = self.metrics_url().map(|url| format!("metrics={url}"));
        [Some(flight), postgres, metrics]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it ended for another reason than its shutdown token.
    pub async fn finished(mut self) -> Result<()> {
        match self.task.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(Error::internal("the server met a fault").source(error)),
            None => Ok(()),
        }
    }
}

/// Listens as `options` say and serves `engine` until `shutdown` is cancelled; calls then have a
/// few seconds to finish.
///
/// # Errors
/// [`sluice_engine::error::Kind::Denied`] for an address beyond loopback without credentials and
/// TLS, and when an address is taken or the TLS files cannot be used.
pub async fn serve(
    engine: Arc<Engine>,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<Running> {
    // Two providers are compiled in, and without a choice clients in this process have neither. An
    // earlier choice stands.
    let _earlier = rustls::crypto::ring::default_provider().install_default();
    options.check()?;
    let users = Arc::new(options.users()?);
    let tls = options.tls()?;
    let secure = tls.is_some();
    let (listener, address) = bind(options.listen, "--listen").await?;
    let mut beside = JoinSet::new();
    let mut metrics = None;
    if let Some(listen) = options.metrics_listen {
        let (listener, address) = bind(listen, "--metrics-listen").await?;
        metrics = Some(address);
        beside.spawn(watched(listener, Arc::clone(&engine), shutdown.clone()));
    }
    if let Some(tls) = &tls {
        beside.spawn(Arc::clone(tls).follow());
    }

    let postgres = match options.postgres_listen {
        Some(listen) => {
            let door = (Arc::clone(&users), tls.clone());
            let insecure = options.insecure_listen;
            let (engine, shutdown) = (Arc::clone(&engine), shutdown.clone());
            Some(serve_users(engine, listen, door, insecure, shutdown).await?)
        }
        None => None,
    };
    let counters = Arc::clone(engine.metrics());
    let signer = Signer::new(options.ticket_key.as_deref().map(str::as_bytes));
    let gate = Gate::new(users, signer.clone(), secure).with_metrics(&counters);
    let service = Service::new(engine, gate.clone(), signer);
    let queries = service.queries();
    let house = House {
        tls,
        sessions: service.sessions(),
        metrics: counters,
    };
    let service = FlightServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let (health, health_service) = health_reporter();
    health.set_serving::<FlightServiceServer<Service>>().await;
    let serving = transport()
        .add_service(health_service)
        .add_service(Admission::new(gate, service))
        .serve_with_incoming_shutdown(
            incoming(listener, house),
            shutdown.clone().cancelled_owned(),
        );
    let postgres_address = postgres.as_ref().map(PostgresRunning::address);
    let mut task = JoinSet::<Result<()>>::new();
    task.spawn(async move {
        tokio::select! {
            end = serving => end.map_err(ended)?,
            () = drained(shutdown, health) => {}
        }
        if let Some(postgres) = postgres {
            postgres.finished().await;
        }
        Ok(())
    });
    info!(%address, tls = secure, "listening");
    Ok(Running {
        address,
        secure,
        queries,
        postgres: postgres_address,
        metrics,
        task,
        _beside: beside,
    })
}

fn ended(error: tonic::transport::Error) -> Error {
    Error::unavailable(format!("the server ended: {error}")).source(error)
}

/// The limits of the protocol.
fn transport() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_WAIT))
        .http2_adaptive_window(Some(true))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
}

/// Serves health and metrics.
async fn watched(listener: TcpListener, engine: Arc<Engine>, shutdown: CancellationToken) {
    if let Err(error) = observe::serve(listener, engine, shutdown).await {
        warn!(%error, "nobody can watch this server any more");
    }
}

/// Ends when calls have had their time to finish. Who asks for the server's health hears at once.
async fn drained(shutdown: CancellationToken, health: HealthReporter) {
    shutdown.cancelled().await;
    health
        .set_not_serving::<FlightServiceServer<Service>>()
        .await;
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    tokio::time::sleep(DRAIN).await;
}

/// Listens on `listen`, which the option `flag` chooses.
async fn bind(listen: SocketAddr, flag: &str) -> Result<(TcpListener, SocketAddr)> {
    let refused = |error: std::io::Error| {
        Error::unavailable(format!("cannot listen on {listen}: {error}"))
            .hint(format!("choose another address with `{flag}`"))
            .source(error)
    };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
