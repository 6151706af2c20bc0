//! Listening for clients of PostgreSQL: who may be listened to, how many at a time, and an end that
//! lets statements finish.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sluice_engine::engine::Engine;
use sluice_engine::error::{Error, Result};
use sluice_engine::metrics::Protocol;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::account::{Accounts, Token};
use super::cancel::Keys;
use super::catalog::Catalog;
use super::connection::{Connection, Ending};
use super::fault::{Fault, Refusal};
use super::hello;
use super::shared::{Acceptor, Shared};
use super::wire::Wire;
use crate::tls::Tls;
use crate::users::Users;

/// Clients at a time; each has a session of its own.
const CONNECTIONS_MAX: usize = 1_000;
/// Clients that are refused at a time; more than that are not even told.
const REFUSED_MAX: usize = 100;
/// What a client gets to say who it is.
const HELLO_MAX: Duration = Duration::from_secs(30);
/// What statements get to finish when the server ends.
const DRAIN: Duration = Duration::from_secs(3);
/// A rest after the operating system refused a connection, as when file handles run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// PostgreSQL's code of a wrong password.
const WRONG_PASSWORD: &str = "28P01";

/// How clients of PostgreSQL are listened for.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The password of every user; `None` lets everyone in.
    pub token: Option<String>,
    /// PEM files of the certificate chain and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A proxy in front does TLS, so that an address beyond loopback needs none here.
    pub insecure_listen: bool,
}

/// A server that accepts clients of PostgreSQL. Dropping it ends it at once.
#[derive(Debug)]
pub struct PostgresRunning {
    address: SocketAddr,
    task: JoinSet<()>,
}

impl PostgresRunning {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for its end.
    pub async fn finished(mut self) {
        while self.task.join_next().await.is_some() {}
    }
}

/// Listens as `options` say and serves `engine` until `shutdown` is cancelled; statements then have
/// a few seconds to finish.
///
/// # Errors
/// [`sluice_engine::error::Kind::Denied`] for an address beyond loopback without token and TLS, and
/// when the address is taken or the TLS files cannot be used.
pub async fn serve(
    engine: Arc<Engine>,
    options: PostgresOptions,
    shutdown: CancellationToken,
) -> Result<PostgresRunning> {
    check(&options)?;
    let tls = options.tls.as_ref().map(acceptor).transpose()?;
    let shared = Shared {
        catalog: Catalog::new(&engine)?,
        engine,
        accounts: Arc::new(Token::new(options.token.as_deref())),
        users: None,
        keys: Keys::default(),
        plain: tls.is_none() || options.insecure_listen,
        tls,
    };
    listen(options.listen, shared, shutdown).await
}

/// As [`serve`], for `users`, with a certificate that is renewed; `insecure` where a proxy in front
/// does TLS. Whether `address` may be listened to has been checked.
///
/// # Errors
/// When the address is taken.
pub(crate) async fn serve_users(
    engine: Arc<Engine>,
    address: SocketAddr,
    (users, tls): (Arc<Users>, Option<Arc<Tls>>),
    insecure: bool,
    shutdown: CancellationToken,
) -> Result<PostgresRunning> {
    let accounts: Arc<dyn Accounts> = Arc::<Users>::clone(&users);
    let shared = Shared {
        catalog: Catalog::new(&engine)?,
        engine,
        accounts,
        users: Some(users),
        keys: Keys::default(),
        plain: tls.is_none() || insecure,
        tls: tls.map(Acceptor::Renewed),
    };
    listen(address, shared, shutdown).await
}

async fn listen(
    listen: SocketAddr,
    shared: Shared,
    shutdown: CancellationToken,
) -> Result<PostgresRunning> {
    let refused = |error: std::io::Error| {
        Error::unavailable(format!("cannot listen on {listen}: {error}"))
            .hint("choose another address with `server.postgres_listen`")
            .source(error)
    };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let mut task = JoinSet::new();
    task.spawn(accept(listener, Arc::new(shared), shutdown));
    info!(%address, "listening for PostgreSQL clients");
    Ok(PostgresRunning { address, task })
}

/// Beyond loopback everyone in reach may connect, so there it takes a password, and TLS to keep it
/// and the rows secret.
fn check(options: &PostgresOptions) -> Result<()> {
    let encrypted = options.tls.is_some() || options.insecure_listen;
    if options.listen.ip().is_loopback() || (options.token.is_some() && encrypted) {
        return Ok(());
    }
    let missing = match (options.token.is_some(), encrypted) {
        (true, _) => "TLS",
        (false, true) => "passwords",
        (false, false) => "passwords and TLS",
    };
    let text = format!(
        "refusing to listen on {} for PostgreSQL clients without {missing}",
        options.listen
    );
    Err(Error::denied(text).hint(
        "set `server.token`, and `server.tls_cert` with `server.tls_key`, or \
         `server.insecure_listen` when a proxy in front does TLS; or listen on 127.0.0.1",
    ))
}

fn acceptor((cert, key): &(PathBuf, PathBuf)) -> Result<Acceptor> {
    let unusable = |what: &str, error: &dyn fmt::Display| {
        Error::user(format!("the TLS {what} cannot be used: {error}"))
            .hint("both are PEM files, and the key belongs to the first certificate")
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unusable("certificate", &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("key", &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("protocol", &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unusable("certificate and key", &error))?;
    Ok(Acceptor::Fixed(TlsAcceptor::from(Arc::new(config))))
}

/// Accepts clients until `shutdown`, then waits for them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, shutdown: CancellationToken) {
    let (places, refusals) = (
        Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        Arc::new(Semaphore::new(REFUSED_MAX)),
    );
    let ending = Ending {
        begun: shutdown,
        drained: CancellationToken::new(),
    };
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_ended) = clients.join_next(), if !clients.is_empty() => continue,
            () = ending.begun.cancelled() => break,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                warn!(%error, "connection refused");
                sleep(ACCEPT_REST).await;
                continue;
            }
        };
        // Without it small answers wait for more to send; a socket that refuses is only slower.
        let _slower = socket.set_nodelay(true);
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            clients.spawn(serve_client(
                socket,
                Arc::clone(&shared),
                ending.clone(),
                place,
            ));
        } else if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
            clients.spawn(refuse(socket, place));
        }
    }
    drop(listener);
    let all = async { while clients.join_next().await.is_some() {} };
    let late = async {
        sleep(DRAIN).await;
        ending.drained.cancel();
        sleep(DRAIN).await;
    };
    tokio::select! {
        () = all => {}
        () = late => {}
    }
}

async fn serve_client(
    socket: TcpStream,
    shared: Arc<Shared>,
    ending: Ending,
    _place: OwnedSemaphorePermit,
) {
    let _counted = shared.engine.metrics().connection(Protocol::Postgres);
    let address = socket.peer_addr();
    let users = shared.users.clone();
    let metrics = Arc::clone(shared.engine.metrics());
    let hello = hello::listen(Box::new(socket), &shared);
    let connection = match timeout(HELLO_MAX, hello).await {
        // It said nothing useful for so long that nobody listens.
        Err(_) | Ok(Ok(None)) => return,
        Ok(Ok(Some((wire, hello)))) => Connection::new(wire, shared, hello, ending),
        Ok(Err(refused)) => Err(refused),
    };
    match connection {
        Ok(connection) => Box::pin(connection.run()).await,
        Err((mut wire, Fault::Refused(refusal))) => {
            debug!(code = refusal.code, "client refused");
            if refusal.code == WRONG_PASSWORD {
                metrics.login_refused();
                if let (Some(users), Ok(address)) = (users, address) {
                    users.refused(address.ip()).await;
                }
            }
            let refusal = Refusal {
                fatal: true,
                ..refusal
            };
            wire.output.refusal(&refusal);
            wire.close().await;
        }
        Err((_, Fault::Gone(_))) => {}
    }
}

/// Tells a client that there are too many.
async fn refuse(socket: TcpStream, _place: OwnedSemaphorePermit) {
    let mut wire = Wire::new(Box::new(socket));
    let refusal = Refusal::fatal("53300", "sorry, too many clients already")
        .hint("close connections that are idle, or put a pool in front");
    wire.output.refusal(&refusal);
    wire.close().await;
}
