//! The PostgreSQL endpoint from outside: a server in the process on a free port, and a client that
//! writes and reads the protocol's own bytes. The real drivers are in `tests/python` and beside it.

mod access;
mod client;
mod copies;
mod extended;
mod hostile;
mod psql;
mod simple;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sluice_engine::config::Config;
use sluice_flight_server::compose;
use sluice_flight_server::pgwire::server::{PostgresOptions, PostgresRunning, serve};
use tokio_util::sync::CancellationToken;

use client::Client;

/// A server over an engine in memory.
struct Served {
    running: PostgresRunning,
    shutdown: CancellationToken,
}

fn options() -> PostgresOptions {
    PostgresOptions {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        token: None,
        tls: None,
        insecure_listen: false,
    }
}

impl Served {
    async fn start() -> Self {
        Self::with(options()).await
    }

    async fn with(options: PostgresOptions) -> Self {
        let engine = compose::engine(Config::default(), None).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = serve(engine, options, shutdown.clone()).await.unwrap();
        Self { running, shutdown }
    }

    /// Where to connect, also when it listens everywhere.
    fn address(&self) -> SocketAddr {
        let port = self.running.address().port();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }

    /// A client that was let in.
    async fn client(&self) -> Client {
        let mut client = Client::connect(self.address()).await;
        client.start(&[]).await;
        client
    }
}
