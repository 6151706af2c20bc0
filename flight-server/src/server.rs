//! Listening: who may be listened to, TLS, limits of the protocol, and an end that lets calls
//! finish.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::stream::{self, Stream};
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tracing::{info, warn};
use uuid::Uuid;

use crate::auth::{Admission, Gate, Peer};
use crate::queries::Queries;
use crate::service::Service;
use crate::sessions::Sessions;
use crate::ticket::Signer;
use crate::users::Users;

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
/// A rest after the operating system refused a connection, as when file handles run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How the server listens.
#[derive(Clone)]
pub struct ServerOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What callers may present, of whatever name.
    pub token: Option<String>,
    /// Verifiers of passwords by user, as `sluice hash-password` makes them.
    pub users: BTreeMap<String, String>,
    /// Hashes of API keys by name, as `sluice hash-password` makes them.
    pub api_keys: BTreeMap<String, String>,
    /// PEM files of the certificate chain and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// PEM file of the certificates that sign those which clients then must present.
    pub tls_client_ca: Option<PathBuf>,
    /// Every name in a client's certificate is a user's, not only those in `users`.
    pub tls_client_users: bool,
    /// A proxy in front does TLS, so that an address beyond loopback needs none here.
    pub insecure_listen: bool,
    /// The key of tickets and sessions, which replicas share; `None` makes a new one.
    pub ticket_key: Option<String>,
    /// Where PostgreSQL clients are served.
    pub postgres_listen: Option<SocketAddr>,
    /// Where health and metrics are served.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for ServerOptions {
    /// A free port of loopback, open to every program of the machine.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            users: BTreeMap::new(),
            api_keys: BTreeMap::new(),
            tls: None,
            tls_client_ca: None,
            tls_client_users: false,
            insecure_listen: false,
            ticket_key: None,
            postgres_listen: None,
            metrics_listen: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("listen", &self.listen)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// A server that accepts connections. Dropping it ends it at once.
pub struct Running {
    address: SocketAddr,
    secure: bool,
    queries: Arc<Queries>,
    task: JoinSet<Result<()>>,
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
/// [`sluice_engine::error::Kind::Denied`] for an address beyond loopback without token and TLS, and
/// when the address is taken or the TLS files cannot be used.
pub async fn serve(
    engine: Arc<Engine>,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<Running> {
    check(&options)?;
    let tls = options
        .tls
        .as_ref()
        .map(|(cert, key)| tls(cert, key))
        .transpose()?;
    let secure = tls.is_some();
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_WAIT))
        .http2_adaptive_window(Some(true))
        .http2_max_header_list_size(HEADER_BYTES_MAX);
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(unusable_tls)?;
    }
    let listen = options.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Error::unavailable(format!("cannot listen on {listen}: {error}"))
            .hint("choose another address with `--listen`")
            .source(error)
    })?;
    let address = listener.local_addr().map_err(|error| {
        Error::unavailable(format!("cannot listen on {listen}: {error}")).source(error)
    })?;
    let users = Users::new(
        options.token.as_deref(),
        &options.users,
        &options.api_keys,
        options.tls_client_users,
        options.ticket_key.as_deref(),
    )?;
    let signer = Signer::new(options.ticket_key.as_deref().map(str::as_bytes));
    let gate = Gate::new(Arc::new(users), signer.clone(), secure);
    let service = Service::new(engine, gate.clone(), signer);
    let queries = service.queries();
    let incoming = connections(listener, service.sessions());
    let service = FlightServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let service = Admission::new(gate, service);
    let signal = shutdown.clone().cancelled_owned();
    let serving = server
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, signal);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let drained = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            ended = serving => ended.map_err(|error| {
                Error::unavailable(format!("the server ended: {error}")).source(error)
            }),
            () = drained => Ok(()),
        }
    });
    info!(%address, tls = secure, "listening");
    Ok(Running {
        address,
        secure,
        queries,
        task,
    })
}

/// Beyond loopback everyone in reach may call, so there it takes a token, and TLS to keep it
/// secret.
fn check(options: &ServerOptions) -> Result<()> {
    let encrypted = options.tls.is_some() || options.insecure_listen;
    if options.listen.ip().is_loopback() || (options.token.is_some() && encrypted) {
        return Ok(());
    }
    let missing = match (options.token.is_some(), encrypted) {
        (true, _) => "TLS",
        (false, true) => "a token",
        (false, false) => "a token and TLS",
    };
    let text = format!("refusing to listen on {} without {missing}", options.listen);
    Err(Error::denied(text).hint(
        "set `server.token`, and `server.tls_cert` with `server.tls_key`, or \
         `server.insecure_listen` when a proxy in front does TLS; or listen on 127.0.0.1",
    ))
}

fn tls(cert: &Path, key: &Path) -> Result<ServerTlsConfig> {
    // Two providers are compiled in, and without a choice neither is used. An earlier choice
    // stands.
    let _earlier = rustls::crypto::ring::default_provider().install_default();
    let identity = Identity::from_pem(read(cert, "certificate")?, read(key, "key")?);
    Ok(ServerTlsConfig::new().identity(identity))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let shown = path.display();
        Error::not_found(format!("cannot read the TLS {what} \"{shown}\": {error}")).source(error)
    })
}

fn unusable_tls(error: tonic::transport::Error) -> Error {
    Error::user("the TLS certificate and key cannot be used")
        .hint("both are PEM files, and the key belongs to the first certificate")
        .source(error)
}

/// The connections that `listener` accepts, for ever.
fn connections(
    listener: TcpListener,
    sessions: Arc<Sessions>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold((listener, sessions), |(listener, sessions)| async move {
        let (socket, address) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    warn!(%error, "connection refused");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        };
        // Without it small answers wait for more to send; a socket that refuses is only slower.
        let _slower = socket.set_nodelay(true);
        let peer = Peer {
            connection: Uuid::new_v4(),
            address: address.ip(),
            certificate: None,
        };
        let connection = Connection {
            socket,
            peer,
            sessions: Arc::clone(&sessions),
        };
        Some((Ok(connection), (listener, sessions)))
    })
}

/// One client's socket; its session ends with it.
struct Connection {
    socket: TcpStream,
    peer: Peer,
    sessions: Arc<Sessions>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.sessions.disconnected(self.peer.connection);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
