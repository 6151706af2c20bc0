//! What all connections share.

use std::fmt;
use std::io;
use std::sync::Arc;

use sluice_engine::engine::Engine;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::account::Accounts;
use super::cancel::Keys;
use super::catalog::Catalog;
use crate::tls::Tls;
use crate::users::Users;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    pub(super) accounts: Arc<dyn Accounts>,
    /// Those who make wrong passwords wait.
    pub(super) users: Option<Arc<Users>>,
    pub(super) catalog: Catalog,
    pub(super) keys: Keys,
    pub(super) tls: Option<Acceptor>,
    /// Connections without TLS are taken.
    pub(super) plain: bool,
}

/// Makes connections secure.
#[derive(Clone)]
pub(super) enum Acceptor {
    /// With the certificate there was at the start.
    Fixed(TlsAcceptor),
    /// With the certificate there is.
    Renewed(Arc<Tls>),
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Secures `socket`.
    ///
    /// # Errors
    /// When the client speaks no TLS, or none in common.
    pub(super) async fn accept<T>(&self, socket: T) -> io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Fixed(acceptor) => acceptor.accept(socket).await,
            Self::Renewed(tls) => TlsAcceptor::from(tls.postgres()).accept(socket).await,
        }
    }
}
